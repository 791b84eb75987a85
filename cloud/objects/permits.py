"""What a caller may do with which records of a kind, and which of their fields they see."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cloud.errors import Forbidden
from cloud.kernel.access import READ, Mask, Way
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef
from cloud.objects.references import own_values
from cloud.objects.rows import Rows
from cloud.objects.schema import schema_of
from sync_protocol.expressions import Budget, Expression, ExpressionFault


@dataclass(frozen=True, slots=True)
class Reach:
    """How far an action reaches on one record: fields are open that any of the ways opens."""

    masks: tuple[Mask, ...]

    def __bool__(self) -> bool:
        return bool(self.masks)

    def allows(self, field: str) -> bool:
        return field in ALWAYS or any(mask.allows(field) for mask in self.masks)

    @property
    def whole(self) -> bool:
        """Whether no field is kept back."""
        return any(mask.only is None and not mask.hidden for mask in self.masks)


ALWAYS = frozenset({"ref", "state", "phase", "archived", "created_at", "created_by", "updated_at", "updated_by", "owner"})
"""What whoever sees a record sees of it. The title is not among them: it is made of fields."""

NOWHERE = Reach(())


def scope_text(definition: ObjectDef, way: Way) -> str:
    """The way's condition as one expression; "" where every record is within it."""
    parts = [f"({scope})" for scope in way.scopes]
    if way.site is not None and definition.site:
        parts.append(f"{definition.site} == {quoted(way.site)}")
    return " and ".join(parts)


def quoted(text: str) -> str:
    """A text as an expression writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def ways_of(caller: Caller, definition: ObjectDef, action: str) -> Sequence[tuple[Expression | None, Mask]]:
    """Conditions and masks of every way in which the caller may act so. A condition that cannot be read (a field was archived
    since) opens nothing."""
    found: list[tuple[Expression | None, Mask]] = []
    for way in caller.access.ways(definition.key, action):
        text = scope_text(definition, way)
        try:
            found.append((_expression(text, definition.key, caller.objects) if text else None, way.mask))
        except ExpressionFault:
            continue
    return found


class _ById:
    """Definitions as a key of the cache: one state of them is one object."""

    __slots__ = ("objects",)

    def __init__(self, objects: Any) -> None:
        self.objects = objects

    def __hash__(self) -> int:
        return id(self.objects)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and self.objects is other.objects


@lru_cache(maxsize=2000)
def _compiled(text: str, kind: str, objects: _ById) -> Expression:
    found = objects.objects
    return Expression(text, schema_of(found.get(kind), found.definitions))


def _expression(text: str, kind: str, objects: Any) -> Expression:
    return _compiled(text, kind, _ById(objects))


def expression(caller: Caller, kind: str, text: str) -> Expression:
    """An expression over a kind's fields, read once for each state of the definitions. Raises ExpressionFault."""
    return _expression(text, kind, caller.objects)


async def reach(caller: Caller, rows: Rows, row: Any, action: str, budget: Budget | None = None) -> Reach:
    """How far the caller's permission for the action goes on this row."""
    masks = []
    for condition, mask in ways_of(caller, rows.definition, action):
        if condition is None or await holds(caller, rows, row, condition, budget):
            masks.append(mask)
    return Reach(tuple(dict.fromkeys(masks)))


async def holds(caller: Caller, rows: Rows, row: Any, condition: Expression, budget: Budget | None = None) -> bool:
    """Whether a condition is true of a row. One that cannot be worked out is not."""
    values = own_values(rows, row)
    facts = await caller.references.facts(rows, row.id, values, condition.names())
    try:
        return condition.holds(facts, await caller.given_of(rows.definition, row.id, condition.text), budget)
    except ExpressionFault:
        return False


def open_masks(caller: Caller, definition: ObjectDef, action: str = READ) -> Mask:
    """Fields that are open on every record the caller reaches: only those may be filtered and sorted by, or the rows that come
    would tell what the mask hides."""
    found = Mask()
    for _, mask in ways_of(caller, definition, action):
        found &= mask
    return found


def demand_open(caller: Caller, definition: ObjectDef, paths: Iterable[tuple[str, ...]], action: str = READ) -> None:
    """Raises Forbidden where a path names a field, here or behind a reference, that may be hidden from the caller."""
    mask = open_masks(caller, definition, action)
    for path in paths:
        name = path[0]
        made_of = definition.title_fields if name == "title" else {name}
        if any(one not in ALWAYS and not mask.allows(one) for one in made_of):
            raise Forbidden("field_forbidden", fields=name)
        for each in [definition.by_key.get(part) for part in made_of] if name == "title" else ():
            if each is not None and each.type == "ref":
                _demand_named(caller, caller.objects.get(each.target))
        one = definition.by_key.get(name)
        if one is not None and one.target and len(path) > 1 and path[1:] != ("ref",):
            _demand_behind(caller, caller.objects.get(one.target), path[1:])


def _demand_named(caller: Caller, target: ObjectDef) -> None:
    """A title has no more than the plain part of the titles that it leads to: no further step, and no circle."""
    mask = open_masks(caller, target)
    openly = any(condition is None for condition, _ in ways_of(caller, target, READ))
    if not openly or any(one not in ALWAYS and not mask.allows(one) for one in target.title_fields):
        raise Forbidden("field_forbidden", fields=f"{target.key}.title")


def _demand_behind(caller: Caller, target: ObjectDef, path: tuple[str, ...]) -> None:
    if not any(condition is None for condition, _ in ways_of(caller, target, READ)):
        raise Forbidden("field_forbidden", fields=".".join((target.key, *path)))
    demand_open(caller, target, [path])
