"""Which column of a file is which field: guessed from its head, remembered for files with the same one, and checked."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite
from cloud.errors import Forbidden
from cloud.imports.cells import Cell, Dates, Form
from cloud.imports.faults import MappingRefused
from cloud.imports.heads import COMMENT, REF, REF_LABEL, SOURCE_KEY, SOURCE_KEY_LABEL, has_ref_column, writable
from cloud.imports.models import ImportMapping
from cloud.imports.reading import plain_name
from cloud.kernel.access import CREATE, WRITE
from cloud.kernel.actor import Taken
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, ObjectDef

Mode = Literal["create", "update", "upsert"]
Policy = Literal["all", "good"]

ALIKE = 0.82
"""Share of letters in common from which a column's name is taken for a field's: `supplier nme`, not `supplier` for `supply`."""
KEY_TYPES = frozenset({"text", "int"})
MAX_VALUES = 500
"""Of one column's map from texts to values."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column (counted from 0) and the field that it fills; `field` may be REF or SOURCE_KEY. `by`: what a reference's cells
    name the other record by, its number or the key of the plan's source."""

    number: int
    field: str
    by: Literal["ref", "source_key"] = "ref"
    form: Form = dataclasses.field(default_factory=Form)


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows become records. `key` is by which the record is found again: REF, SOURCE_KEY or a unique field; "" where every
    row is new. `source` is whose keys SOURCE_KEY are. `policy` says what happens to the others when rows are faulty."""

    columns: tuple[Column, ...] = ()
    constants: Mapping[str, str] = dataclasses.field(default_factory=dict)
    mode: Mode = "create"
    key: str = ""
    source: str = ""
    policy: Policy = "all"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> "Plan":
        """What `to_json` gave; anything missing is as in an empty plan."""
        columns = tuple(
            Column(one["number"], one["field"], one.get("by", "ref"), Form(**one.get("form", {})))
            for one in said.get("columns", ())
        )
        rest = {name: said[name] for name in ("constants", "mode", "key", "source", "policy") if name in said}
        return cls(columns, **rest)

    def column_of(self, name: str) -> Column | None:
        return next((one for one in self.columns if one.field == name), None)


def guess(caller: Caller, definition: ObjectDef, head: Sequence[str], sample: Sequence[Sequence[Cell]] = ()) -> Plan:
    """A plan from the columns' names: keys and labels first, then what is nearly alike. Each field is taken once."""
    names = _names(caller, definition)
    heads = {number: plain_name(one) for number, one in enumerate(head) if one and not one.startswith(COMMENT)}
    taken: dict[str, int] = {}
    for number, name in heads.items():
        if name in names:
            taken.setdefault(names[name], number)
    for number, name in heads.items():
        if number not in taken.values():
            alike = {names[one] for one in names if SequenceMatcher(None, one, name).ratio() >= ALIKE} - taken.keys()
            if len(alike) == 1:
                taken[alike.pop()] = number
    columns = tuple(
        Column(number, name, form=Form(dates=_dates(definition.by_key.get(name), number, sample)))
        for name, number in sorted(taken.items(), key=lambda one: one[1])
    )
    key = next((one for one in keys_of(caller, definition) if one in taken), "")
    return Plan(columns, mode="upsert" if key else "create", key=key)


def _names(caller: Caller, definition: ObjectDef) -> dict[str, str]:
    """Every name of what a column may fill, to its key; a label that two fields have names neither."""
    found: dict[str, str] = {}
    doubled = set()
    for key, label in targets(caller, definition).items():
        for name in {plain_name(label.en), plain_name(label.in_("he"))}:
            if name in found:
                doubled.add(name)
            found[name] = key
    plain = {name: key for name, key in found.items() if name not in doubled}
    return plain | {plain_name(key): key for key in targets(caller, definition)}


def targets(caller: Caller, definition: ObjectDef) -> dict[str, Any]:
    """What a column may fill, with its label."""
    found = {REF: REF_LABEL} if has_ref_column(definition) else {}
    return found | {one.key: one.label for one in writable(caller, definition)} | {SOURCE_KEY: SOURCE_KEY_LABEL}


def keys_of(caller: Caller, definition: ObjectDef) -> list[str]:
    """By what a record can be found again: first another system's key, then its number, then fields that are unique."""
    ref = REF if has_ref_column(definition) else definition.ref
    unique = [one.key for one in definition.live if one.unique and one.type in KEY_TYPES and one.key != ref]
    typed = caller.objects.typed.get(definition.key)
    keyed = typed is None or hasattr(typed.model, "source_key")
    return [*([SOURCE_KEY] if keyed else []), ref, *unique]


def _dates(one: FieldDef | None, number: int, sample: Sequence[Sequence[Cell]]) -> Dates:
    """The order of days and months in a column: the day first, where nothing else shows, as the house writes."""
    if one is None or one.type not in {"date", "datetime"}:
        return "iso"
    cells = [row[number] for row in sample if len(row) > number and isinstance(row[number], str)]
    parts = [cell.replace(".", "/").replace("-", "/").split("/") for cell in cells]
    days = [part for part in parts if len(part) == 3 and all(each[:4].strip().isdigit() for each in part) and len(part[0]) <= 2]
    if not days:
        return "iso"
    return "mdy" if any(int(part[1]) > 12 for part in days) and all(int(part[0]) <= 12 for part in days) else "dmy"


def check_plan(caller: Caller, definition: ObjectDef, head: Sequence[str], plan: Plan) -> None:
    """Raises MappingRefused, or Forbidden where the caller may not do what the plan does."""
    wanted = {"create": [CREATE], "update": [WRITE], "upsert": [CREATE, WRITE]}[plan.mode]
    for action in wanted:
        if not caller.access.may(definition.key, action):
            raise Forbidden("forbidden", action=action, role=caller.taken.actor.role)
    known = targets(caller, definition)
    seen: set[str] = set()
    for name in (*(one.field for one in plan.columns), *plan.constants):
        if name not in known:
            raise MappingRefused("import_field", field=name[:60])
        if name in seen:
            raise MappingRefused("import_field_twice", field=name)
        seen.add(name)
    if not seen:
        raise MappingRefused("import_nothing_mapped")
    for one in plan.columns:
        if not 0 <= one.number < len(head) or len(one.form.values) > MAX_VALUES:
            raise MappingRefused("import_column", column=str(one.number + 1))
    _check_key(caller, definition, plan, seen)


def _check_key(caller: Caller, definition: ObjectDef, plan: Plan, seen: set[str]) -> None:
    if plan.key and plan.key not in keys_of(caller, definition):
        raise MappingRefused("import_key", field=plan.key[:60])
    if plan.mode != "create" and not plan.key:
        raise MappingRefused("import_key_missing")
    if plan.key and plan.column_of(plan.key) is None:
        raise MappingRefused("import_key_column", field=plan.key)
    by_source = SOURCE_KEY in seen or any(one.by == SOURCE_KEY for one in plan.columns)
    if by_source and not plan.source.strip():
        raise MappingRefused("import_source_missing")


async def remembered(session: AsyncSession, kind: str, signature: str, head: Sequence[str]) -> Plan | None:
    """How the last file with this head was mapped. The columns are found by their place among those that count."""
    row = await session.scalar(select(ImportMapping).where(ImportMapping.kind == kind, ImportMapping.signature == signature))
    if row is None:
        return None
    plan = Plan.of_json(row.plan)
    places = [number for number, one in enumerate(head) if not one.startswith(COMMENT)]
    return replace(
        plan, columns=tuple(replace(one, number=places[one.number]) for one in plan.columns if one.number < len(places))
    )


async def remember(session: AsyncSession, kind: str, signature: str, head: Sequence[str], plan: Plan, taken: Taken) -> None:
    """Keep a plan for the next file with this head."""
    places = {number: place for place, number in enumerate(n for n, one in enumerate(head) if not one.startswith(COMMENT))}
    counted = tuple(replace(one, number=places[one.number]) for one in plan.columns if one.number in places)
    values = {"plan": replace(plan, columns=counted).to_json(), "used_at": taken.at, "used_by": taken.actor.name}
    insert = sqlite.insert(ImportMapping) if is_sqlite(session) else postgresql.insert(ImportMapping)
    statement = insert.values(kind=kind, signature=signature, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["kind", "signature"], set_=values))
