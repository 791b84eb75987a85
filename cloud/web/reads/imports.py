"""What the pages of imports show: a file's columns with what they may fill, what its check found, what became of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloud.imports.cells import FORMULA, words
from cloud.imports.heads import COMMENT
from cloud.imports.mapping import Column, Plan, keys_of, targets
from cloud.imports.models import Done, ImportRow, Outcome
from cloud.imports.staging import first_rows
from cloud.imports.steps import Standing, rows_of, standing
from cloud.kernel.access import Mask
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, Label, ObjectDef
from cloud.objects.permits import open_masks

SAMPLES = 3
SHOWN = 50
"""Rows of one outcome: the rest is in the list of faults, and in the records themselves."""
CONSTANTS = 3
MAX_SHOWN = 120


@dataclass(frozen=True, slots=True)
class ColumnView:
    """One column of the file and what its form offers."""

    number: int
    head: str
    samples: Sequence[str]
    chosen: Column | None
    type: str
    target: bool
    values: str


@dataclass(frozen=True, slots=True)
class FaultView:
    """What stands against a row: `where` is the column's name, `found` what stands there."""

    where: str
    label: Label | None
    found: str
    fault: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeView:
    """What a field becomes."""

    label: Label
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RowView:
    """One row of the report."""

    number: int
    ref: str
    done: str | None
    faults: Sequence[FaultView]
    notes: Sequence[FaultView]
    changes: Sequence[ChangeView]


@dataclass(frozen=True)
class ImportView:
    """An import as its page shows it."""

    standing: Standing
    definition: ObjectDef
    plan: Plan
    columns: Sequence[ColumnView] = ()
    targets: Mapping[str, Label] = field(default_factory=dict)
    keys: Sequence[str] = ()
    shown: str = ""
    rows: Sequence[RowView] = ()

    @property
    def outcomes(self) -> Mapping[str, int]:
        found: Mapping[str, int] = self.standing.row.counts.get("outcome", {})
        return found

    @property
    def dones(self) -> Mapping[str, int]:
        found: Mapping[str, int] = self.standing.row.counts.get("done", {})
        return found

    @property
    def constants(self) -> list[tuple[str, str]]:
        """What is said for every row, and room for more."""
        said = list(self.plan.constants.items())
        return said + [("", "")] * max(1, CONSTANTS - len(said))


async def import_view(caller: Caller, uid: str, *, shown: str = "", plan: Plan | None = None) -> ImportView:
    """Raises NotFound. `plan`: what somebody sent that could not be taken."""
    found = await standing(caller, uid)
    definition = caller.rows(found.row.kind).definition
    plan = plan or Plan.of_json(found.row.plan)
    sample = await first_rows(caller.session, found.row.id, SAMPLES)
    shown = shown or _first_shown(found)
    rows: Sequence[ImportRow] = ()
    if shown in list(Outcome):
        rows = await rows_of(caller.session, found.row.id, outcome=Outcome(shown), limit=SHOWN)
    elif shown in list(Done):
        rows = await rows_of(caller.session, found.row.id, done=shown, limit=SHOWN)
    offered = targets(caller, definition)
    return ImportView(
        found,
        definition,
        plan,
        [_column(number, head, sample, plan, definition) for number, head in enumerate(found.row.head) if head[:1] != COMMENT],
        offered,
        keys_of(caller, definition),
        shown,
        [_row(one, found, definition, offered, open_masks(caller, definition)) for one in rows],
    )


def _first_shown(found: Standing) -> str:
    outcomes = found.row.counts.get("outcome", {})
    dones = found.row.counts.get("done", {})
    if dones:
        return next(
            (one.value for one in (Done.KEPT, Done.FAULTY, Done.MADE, Done.CHANGED) if dones.get(one)), next(iter(dones))
        )
    return next((one.value for one in (Outcome.FAULTY, Outcome.NEW, Outcome.CHANGED) if outcomes.get(one)), Outcome.SAME.value)


def _column(number: int, head: str, sample: Sequence[ImportRow], plan: Plan, definition: ObjectDef) -> ColumnView:
    chosen = next((one for one in plan.columns if one.number == number), None)
    one: FieldDef | None = definition.by_key.get(chosen.field) if chosen else None
    values = "" if chosen is None else "\n".join(f"{key} = {value}" for key, value in chosen.form.values.items())
    samples = [_said(row.raw[number]) if number < len(row.raw) else "" for row in sample]
    return ColumnView(number, head, samples, chosen, one.type if one else "", bool(one and one.target), values)


def _said(cell: Any) -> str:
    text = str(cell.get(FORMULA)) if isinstance(cell, dict) else words(cell)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _row(one: ImportRow, found: Standing, definition: ObjectDef, offered: Mapping[str, Label], mask: Mask) -> RowView:
    def told(fault: Mapping[str, Any]) -> FaultView:
        place = fault["column"]
        head = found.row.head[place] if place is not None and place < len(found.row.head) else ""
        cell = _said(one.raw[place]) if place is not None and place < len(one.raw) else ""
        return FaultView(head, offered.get(fault["field"]), cell, fault)

    changes = [
        ChangeView(definition.by_key[name].label, _plain(pair[0]), _plain(pair[1]))
        for name, pair in one.changes.items()
        # Who may write a field need not be allowed to read what it held.
        if name in definition.by_key and mask.allows(name)
    ]
    return RowView(
        one.number, one.ref or "", one.done, [told(each) for each in one.faults], [told(each) for each in one.notes], changes
    )


def _plain(value: Any) -> str:
    if value is None:
        return ""
    text = ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def importable(caller: Caller) -> list[ObjectDef]:
    """Kinds of which the caller may make or change records, by group and key."""
    return [
        one
        for one in caller.objects.definitions.values()
        if not one.read_only
        and not one.archived
        and (caller.access.may(one.key, "create") or caller.access.may(one.key, "write"))
    ]
