"""What each row would do, and everything that stands against it. Nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect

from cloud.errors import Refused
from cloud.imports.cells import Cell
from cloud.imports.converting import Incoming, convert
from cloud.imports.finding import find_rows
from cloud.imports.heads import takes_ref
from cloud.imports.mapping import Plan
from cloud.imports.models import Outcome
from cloud.imports.writing import faults_of
from cloud.kernel.access import ARCHIVE, CREATE, READ, WRITE
from cloud.objects.caller import Caller
from cloud.objects.faults import FieldFault
from cloud.objects.permits import reach, ways_of
from cloud.objects.rows import Rows
from cloud.objects.service import changes_of
from cloud.objects.validation import Draft, draft, facts_of
from cloud.objects.values import said
from sync_protocol.expressions import Expression, ExpressionFault

KEY = "\0key"
"""Among the names of fields: no field is called so."""


@dataclass
class Seen:
    """What earlier rows of the import hold: unique values with the row's number, numbers and keys of records to be made."""

    values: dict[str, dict[str, int]] = field(default_factory=dict)
    new_refs: set[str] = field(default_factory=set)
    new_keys: set[str] = field(default_factory=set)

    def twice(self, name: str, value: str, number: int) -> int | None:
        """The row that had the value before; this one has it now where there is none."""
        before = self.values.setdefault(name, {}).setdefault(value, number)
        return None if before == number else before

    def note(self, name: str, value: str, number: int) -> None:
        """A row that was checked before."""
        self.values.setdefault(name, {}).setdefault(value, number)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the check found of one row."""

    number: int
    outcome: Outcome
    incoming: Incoming
    changes: Mapping[str, Any]
    ref: str | None = None
    record_id: int | None = None


async def check_rows(
    caller: Caller, rows: Rows, plan: Plan, lines: Sequence[tuple[int, Sequence[Cell]]], width: int, seen: Seen, *, csv: bool
) -> list[Finding]:
    """The findings of some rows, in order; `lines` are their numbers and cells."""
    found = await convert(caller, rows.definition, plan, [cells for _, cells in lines], width, csv=csv)
    there = await find_rows(caller, rows, plan, [one.key for one in found if one.key]) if plan.key else {}
    return [
        await _check(caller, rows, plan, number, one, there.get(one.key or ""), seen)
        for (number, _), one in zip(lines, found, strict=True)
    ]


async def _check(caller: Caller, rows: Rows, plan: Plan, number: int, row: Incoming, record: Any, seen: Seen) -> Finding:
    _forgive(rows, row, seen)
    if row.key is not None and (before := seen.twice(KEY, row.key, number)) is not None:
        row.fault(plan.key, "import_twice", _place(plan, plan.key), {"row": str(before)})
    if record is not None:
        if not await _may_change(caller, rows, plan, row, record):
            # Nothing more is said of it: what a record holds is not for whoever cannot reach it.
            return Finding(number, Outcome.FAULTY, row, {})
    elif row.key is not None and (plan.mode == "update" or (row.ref and not takes_ref(rows.definition))):
        row.fault(plan.key, "import_not_there", _place(plan, plan.key), {"key": row.key[:60]})
    made = await draft(caller, rows, record, row.given)
    await _against(caller, plan, row, made, seen)
    _unique_here(plan, number, row, made, seen)
    changes = await changes_of(caller, made)
    ref = row.ref if record is None else rows.ref(record)
    if row.faults:
        return Finding(number, Outcome.FAULTY, row, changes, ref)
    if record is None:
        if row.ref or plan.key == rows.definition.ref:
            seen.new_refs.add(row.ref or row.key or "")
        if row.source_key:
            seen.new_keys.add(row.source_key)
        return Finding(number, Outcome.NEW, row, changes, ref)
    same = not made.changed and not getattr(record, "archived", False)
    return Finding(number, Outcome.SAME if same else Outcome.CHANGED, row, changes, ref, record.id)


def _place(plan: Plan, name: str) -> int | None:
    column = plan.column_of(name)
    return None if column is None or column.number < 0 else column.number


def _forgive(rows: Rows, row: Incoming, seen: Seen) -> None:
    """References by key to records that earlier rows make."""
    for name in list(row.waits_for):
        one = rows.definition.by_key[name]
        waiting = [each for each in row.faults if each["field"] == name and each["code"] == "no_such"]
        if one.target == rows.definition.key and all(each["values"]["ref"] in seen.new_keys for each in waiting):
            row.faults = [each for each in row.faults if each not in waiting]
        else:
            row.waits_for.discard(name)


async def _may_change(caller: Caller, rows: Rows, plan: Plan, row: Incoming, record: Any) -> bool:
    place = _place(plan, plan.key)
    if not await reach(caller, rows, record, READ) or not await reach(caller, rows, record, WRITE):
        row.fault(plan.key, "import_out_of_reach", place)
    elif plan.mode == "create":
        row.fault(plan.key, "import_exists", place, {"ref": rows.ref(record)})
    elif getattr(record, "archived", False) and not await reach(caller, rows, record, ARCHIVE):
        row.fault(plan.key, "import_archived", place)
    else:
        return True
    return False


async def _against(caller: Caller, plan: Plan, row: Incoming, made: Draft, seen: Seen) -> None:
    kind = made.rows.definition.key
    here = {one["field"] for one in row.faults} | row.waits_for
    for fault in made.faults:
        one = made.rows.definition.by_key.get(fault.field)
        forgiven = (
            fault.code == "no_such" and one is not None and one.target == kind and fault.values.get("ref") in seen.new_refs
        )
        if not forgiven and fault.field not in here:
            _add(plan, row, fault)
    if row.faults:
        return
    row.faults += await _coded(caller, plan, made)
    if made.row is None or made.changed:
        inside = await _inside(caller, made, CREATE if made.row is None else WRITE)
        if not inside:
            row.fault("", "out_of_scope")


def _add(plan: Plan, row: Incoming, fault: FieldFault) -> None:
    row.fault(fault.field, fault.code, _place(plan, fault.field), fault.values, fault.message)


async def _inside(caller: Caller, made: Draft, action: str) -> bool:
    """Whether the record would lie where the caller may act so."""
    for condition, _mask in ways_of(caller, made.rows.definition, action):
        if condition is None or await _holds(caller, made, condition):
            return True
    return False


async def _holds(caller: Caller, made: Draft, condition: Expression) -> bool:
    try:
        return condition.holds(await facts_of(caller, made, condition.names()), caller.given())
    except ExpressionFault:
        return False


async def _coded(caller: Caller, plan: Plan, made: Draft) -> list[dict[str, Any]]:
    """What the kind's own code says, asked with a row that no session knows."""
    typed = caller.objects.typed.get(made.rows.definition.key)
    if typed is None or typed.before_save is None or (made.row is not None and not made.changed):
        return []
    row = made.rows.new()
    if made.row is not None:
        for one in inspect(type(made.row)).column_attrs:
            setattr(row, one.key, getattr(made.row, one.key))
    for each in made.fields:
        if each.type != "refs" and (made.row is None or each.key in made.changed) and made.values.get(each.key) is not None:
            made.rows.put(row, each, made.values[each.key])
    try:
        await typed.before_save(caller.session, row, {name: made.values.get(name) for name in made.changed}, caller.taken)
    except Refused as exc:
        return faults_of(exc, plan)
    return []


def _unique_here(plan: Plan, number: int, row: Incoming, made: Draft, seen: Seen) -> None:
    for one in made.fields:
        value = made.values.get(one.key)
        if not one.unique or value in (None, []) or one.key not in made.changed or one.key == plan.key:
            continue
        before = seen.twice(one.key, str(said(value)), number)
        if before is not None:
            row.fault(one.key, "import_twice", _place(plan, one.key), {"row": str(before)})


def unique_fields(rows: Rows, plan: Plan) -> list[str]:
    """Fields whose values must differ between the rows of one import."""
    return [one.key for one in rows.definition.live if one.unique and one.key != plan.key]
