"""What leads to a record: other kinds' references to it, counted, the newest of each, and how to add one."""

from dataclasses import dataclass

from cloud.errors import Refused
from cloud.kernel.access import CREATE, READ
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, ObjectDef
from cloud.objects.query import Query, count, find
from cloud.objects.service import Item
from cloud.web.objects.address import ListAddress
from cloud.web.objects.conditions import Condition, subjects, text_of
from cloud.web.objects.listing import Column, Row, cells_of, column_of, readable
from cloud.web.objects.saving import new_url
from cloud.web.objects.values import Shower

SHOWN = 5
"""Of each: the whole list is one press away."""

COLUMNS = 4
"""Beside the number: what fits in a part of a page."""


@dataclass(frozen=True, slots=True)
class Related:
    """Records of one kind that lead here by one field. `new`: where one more is made, "" where the visitor may not."""

    definition: ObjectDef
    field: FieldDef
    count: int
    more: bool
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    all: str
    new: str


async def related(caller: Caller, item: Item, show: Shower) -> list[Related]:
    """For every reference that leads to the record's kind and that the visitor may follow back."""
    found = []
    for definition, field in caller.objects.leading_to(item.kind):
        if caller.access.may(definition.key, READ) and field.key in readable(caller, definition):
            one = await _related(caller, definition, field, item, show)
            if one is not None:
                found.append(one)
    return sorted(found, key=lambda one: (not one.rows, one.definition.group != "records"))


async def _related(caller: Caller, definition: ObjectDef, field: FieldDef, item: Item, show: Shower) -> Related | None:
    known = subjects(definition, readable(caller, definition))
    condition = Condition(field.key, "includes" if field.type == "refs" else "is", item.ref)
    text = text_of(condition, known) or ""
    address = ListAddress(definition.key, conditions=(condition,))
    names = [name for name in _names(definition) if name in known and name != field.key][:COLUMNS]
    try:
        page = await find(caller, definition.key, Query(text, limit=SHOWN, only=frozenset(names)))
        number, more = await count(caller, definition.key, Query(text))
    except Refused:
        return None
    may_add = caller.access.may(definition.key, CREATE) and not definition.read_only and not field.computed
    return Related(
        definition,
        field,
        number,
        more,
        tuple(column_of(known[name], address, show, sortable=False) for name in names),
        tuple(Row(one, show.label(one.title), cells_of(one, definition, names, known, show)) for one in page.items),
        address.url(),
        new_url(definition.key, **{field.key: item.ref}) if may_add else "",
    )


def _names(definition: ObjectDef) -> list[str]:
    chosen = definition.columns or tuple(one.key for one in definition.live if one.type not in {"long", "json", "file"})
    return [name for name in chosen if name not in {"ref", definition.ref}]
