"""Records kept in step with another system, by its own keys: for programs that send a few rows at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cloud.errors import NotFound, Refused
from cloud.imports.converting import MAX_KEY, Incoming, refs_of_keys
from cloud.imports.faults import MappingRefused
from cloud.imports.heads import SOURCE_KEY
from cloud.imports.mapping import Plan
from cloud.imports.models import Done
from cloud.imports.staging import demand_importable
from cloud.imports.writing import Written, faults_of, uid_of, write_row
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef

MAX_AT_ONCE = 1000
"""Rows of one call: they are one transaction, and on SQLite nobody else writes meanwhile."""
MAX_SOURCE = 60

BY_KEY = "key"
"""A reference given as `{"key": text}` leads to the record with that key of the same source; a text is a number of ours."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One row: the other system's key, and values by field as the service takes them."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    ref: str | None = None
    """Our number for the record, where it is to be made with one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one row. `faults` as rows of imports keep them: `{field, code, values, message}`."""

    key: str
    done: Done
    ref: str | None = None
    version: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    faults: Sequence[Mapping[str, Any]] = ()


async def upsert_many(caller: Caller, kind: str, source: str, rows: Sequence[Sent]) -> list[Answer]:
    """Make or change the record of each row, in order; a faulty row leaves the others alone. The caller commits, or rolls back
    where one faulty row is too many.

    Saying the same again changes nothing. Raises NotFound, Forbidden, MappingRefused for what concerns all rows.
    """
    definition = demand_importable(caller, kind)
    source = source.strip()
    if not source or len(source) > MAX_SOURCE:
        raise MappingRefused("import_source_missing")
    if len(rows) > MAX_AT_ONCE:
        raise MappingRefused("import_at_once", max=str(MAX_AT_ONCE))
    if not caller.rows(kind).has(SOURCE_KEY):
        raise MappingRefused("import_key", field=SOURCE_KEY)
    plan = Plan(mode="upsert", key=SOURCE_KEY, source=source, policy="good")
    # Each row with eyes of its own: one before it may be what it leads to, or was rolled back.
    return [await _one(replace(caller), definition, plan, row) for row in rows]


async def _one(caller: Caller, definition: ObjectDef, plan: Plan, row: Sent) -> Answer:
    key = row.key.strip()
    if not key or len(key) > MAX_KEY:
        return Answer(row.key[:MAX_KEY], Done.FAULTY, faults=[_fault("import_key_empty", SOURCE_KEY)])
    one = Incoming(key, row.ref, key)
    await _led_by_key(caller, definition, plan, row, one)
    if one.faults:
        return Answer(key, Done.FAULTY, faults=one.faults)
    rows = caller.rows(definition.key)
    try:
        found: Written = await write_row(caller, rows, plan, one, uid_of(definition.key, plan, one, "", 0))
    except (Refused, NotFound) as exc:
        return Answer(key, Done.FAULTY, faults=faults_of(exc, plan))
    return Answer(key, found.done, found.ref, found.version, found.changes)


def _fault(code: str, name: str) -> dict[str, Any]:
    return {"column": None, "field": name, "code": code, "values": {}, "message": {}}


async def _led_by_key(caller: Caller, definition: ObjectDef, plan: Plan, row: Sent, one: Incoming) -> None:
    """Values with our numbers in place of the other system's keys."""
    for name, value in row.values.items():
        field_ = definition.by_key.get(name)
        listed = value if isinstance(value, list) else [value]
        keys = [each[BY_KEY] for each in listed if isinstance(each, Mapping) and each.keys() == {BY_KEY}]
        if field_ is None or not field_.target or not keys:
            one.given[name] = value
            continue
        refs = await refs_of_keys(caller, field_.target, plan.source, {str(key) for key in keys})
        missing = [str(key) for key in keys if str(key) not in refs]
        if missing:
            one.fault(name, "no_such", None, {"ref": missing[0][:60]})
            continue
        told = [refs[str(each[BY_KEY])] if isinstance(each, Mapping) else each for each in listed]
        one.given[name] = told if isinstance(value, list) else told[0]
