"""Names of records as one caller may hear them: of what they may not read they see the number that stands on the paper."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cloud.kernel.access import READ
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, Label, ObjectDef
from cloud.objects.models import Record
from cloud.objects.permits import Reach, reach, ways_of
from cloud.objects.rows import Reference, Rows


async def named(caller: Caller, one: FieldDef, ids: Iterable[int]) -> dict[int, Reference]:
    """What a reference leads to, by row number."""
    found = await caller.references.named(one.target, ids)
    target = caller.rows(one.target)
    if named_openly(caller, target.definition):
        return found
    return {key: replace(each, title=await _title_behind(caller, target, each)) for key, each in found.items()}


async def _title_behind(caller: Caller, target: Rows, found: Reference) -> Label:
    row = await caller.references.row(found.kind, found.id)
    return Label(found.ref) if row is None else await title_of(caller, target, row, await reach(caller, target, row, READ))


async def title_of(caller: Caller, rows: Rows, row: Any, readable: Reach) -> Label:
    """The title of a row of which a caller may read so much; its number where they may not read all that it is made of."""
    definition = rows.definition
    if not readable or not all(readable.allows(name) for name in definition.title_fields):
        return Label(rows.ref(row))
    closed = [one for one in _led_to(definition) if not named_openly(caller, caller.objects.get(one.target))]
    if not closed:
        if isinstance(row, Record) and definition.plain_title:
            return Label(row.title or row.ref)
        return (await caller.references.fresh(rows, row)).title
    values = await caller.references.title_values(rows, row)
    for one in closed:
        value = values.get(one.key)
        if isinstance(value, Reference) and not await _may_name(caller, one.target, value.id):
            values[one.key] = replace(value, title=Label(value.ref))
    return rows.title(row, values)


async def _may_name(caller: Caller, kind: str, row_id: int) -> bool:
    target, row = caller.rows(kind), await caller.references.row(kind, row_id)
    readable = await reach(caller, target, row, READ)
    return bool(readable) and all(readable.allows(name) for name in target.definition.title_fields)


def named_openly(caller: Caller, definition: ObjectDef) -> bool:
    """Whether the caller may hear the names of all records of a kind, with the names in them."""
    known = caller.named_openly.get(definition.key)
    if known is None:
        behind = [caller.objects.get(one.target) for one in _led_to(definition)]
        known = all(_wholly_named(caller, one) for one in (definition, *behind))
        caller.named_openly[definition.key] = known
    return known


def _wholly_named(caller: Caller, definition: ObjectDef) -> bool:
    ways = ways_of(caller, definition, READ)
    return any(condition is None and all(map(Reach((mask,)).allows, definition.title_fields)) for condition, mask in ways)


def _led_to(definition: ObjectDef) -> list[FieldDef]:
    """References in the title."""
    return [one for one in definition.live if one.type == "ref" and one.key in definition.title_fields]
