"""Rows of cells as what the service takes, by a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from cloud.imports.cells import Cell, Note, given, unescaped, words
from cloud.imports.heads import COMMENT, REF, SOURCE_KEY
from cloud.imports.mapping import Column, Plan
from cloud.kernel.access import READ
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, ObjectDef
from cloud.objects.permits import reach
from cloud.objects.values import Unfit, accept, said

MAX_KEY = 200


@dataclass
class Incoming:
    """One row on its way: `given` by field as the service takes it, `key` by which its record is found. `faults` and `notes`
    are as rows of the table keep them."""

    key: str | None = None
    ref: str | None = None
    source_key: str | None = None
    given: dict[str, object] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    waits_for: set[str] = field(default_factory=set)
    """Fields that lead to keys of the other system which are not here yet."""

    def fault(
        self,
        name: str,
        code: str,
        column: int | None = None,
        values: Mapping[str, str] | None = None,
        message: Mapping[str, str] | None = None,
    ) -> None:
        """Something stands against the row; `code` is a translation key below `invalid.` or `fault.`."""
        said = {"values": dict(values or {}), "message": dict(message or {})}
        self.faults.append({"column": column, "field": name, "code": code, **said})


def is_comment(head: Sequence[str], cells: Sequence[Cell]) -> bool:
    """Whether the row is for people: an example, a remark."""
    return any(name == COMMENT and words(cell).strip() for name, cell in zip(head, cells, strict=False))


async def convert(
    caller: Caller, definition: ObjectDef, plan: Plan, rows: Sequence[Sequence[Cell]], width: int, *, csv: bool
) -> list[Incoming]:
    """What each row gives. `width` is the head's; `csv` says that texts may carry an apostrophe before what would run."""
    found = [_one(caller, definition, plan, cells, width, csv=csv) for cells in rows]
    for column in plan.columns:
        one = definition.by_key.get(column.field)
        if one is not None and one.target and column.by == SOURCE_KEY:
            await _by_key(caller, plan.source, column, one, found)
    return found


def _one(caller: Caller, definition: ObjectDef, plan: Plan, cells: Sequence[Cell], width: int, *, csv: bool) -> Incoming:
    made = Incoming()
    for place, cell in enumerate(cells[width:], width):
        if words(cell).strip():
            made.fault("", "import_cells_beyond", place, {"found": words(cell)[:60]})
    for name, text in plan.constants.items():
        _take(caller, definition, made, Column(-1, name), text)
    for column in plan.columns:
        cell = cells[column.number] if column.number < len(cells) else None
        _take(caller, definition, made, column, unescaped(cell) if csv and isinstance(cell, str) else cell)
    if plan.key:
        made.key = _key(definition, plan, made)
        if made.key is None and made.given.get(plan.key) is None:
            holder = plan.column_of(plan.key)
            made.fault(plan.key, "import_key_empty", None if holder is None else holder.number)
    return made


def _key(definition: ObjectDef, plan: Plan, made: Incoming) -> str | None:
    """What the record is found by, in the form that the stored value has."""
    if plan.key not in definition.by_key:
        return made.ref if plan.key == REF else made.source_key
    try:
        value = accept(definition.by_key[plan.key], made.given.get(plan.key))
    except Unfit:
        return None
    return None if value is None else str(said(value))[:MAX_KEY]


def _take(caller: Caller, definition: ObjectDef, made: Incoming, column: Column, cell: Cell) -> None:
    name, place = column.field, column.number if column.number >= 0 else None
    if name in {REF, SOURCE_KEY} and name not in definition.by_key:
        text = words(cell).strip()
        setattr(made, name, (column.form.values.get(text, text) if isinstance(cell, str) else text)[:MAX_KEY] or None)
        return
    one = definition.by_key.get(name)
    if one is None:
        made.fault(name, "unknown_field", place)
        return
    try:
        value, note = given(one, cell, column.form, caller.zone)
    except Unfit as exc:
        made.fault(name, exc.code, place, exc.values)
        return
    made.given[name] = value
    if note is not None:
        made.notes.append(_noted(name, place, note))


def _noted(name: str, place: int | None, note: Note) -> dict[str, Any]:
    return {"column": place, "field": name, "code": note.code, "values": dict(note.values)}


async def _by_key(caller: Caller, source: str, column: Column, one: FieldDef, rows: Sequence[Incoming]) -> None:
    """Put the numbers of the records in place of another system's keys."""
    asked: dict[int, list[str]] = {}
    for place, row in enumerate(rows):
        value = row.given.get(one.key)
        if value not in (None, []):
            asked[place] = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    refs = await refs_of_keys(caller, one.target, source, {key for keys in asked.values() for key in keys})
    for place, keys in asked.items():
        row = rows[place]
        missing = [key for key in keys if key not in refs]
        if missing:
            row.fault(one.key, "no_such", column.number, {"ref": missing[0][:60]})
            row.waits_for.add(one.key)
            del row.given[one.key]
        else:
            row.given[one.key] = [refs[key] for key in keys] if one.type == "refs" else refs[keys[0]]


async def refs_of_keys(caller: Caller, kind: str, source: str, keys: set[str]) -> dict[str, str]:
    """The numbers of records by another system's keys, of those that the caller may see."""
    rows, found = caller.rows(kind), {}
    if not keys or not rows.has("source_key"):
        return {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        query = select(rows.model).where(*rows.own(), rows.model.source == source, rows.model.source_key.in_(part))
        for row in await caller.session.scalars(query):
            if await reach(caller, rows, row, READ):
                found[str(row.source_key)] = rows.ref(row)
    return found
