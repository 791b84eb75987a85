"""A goods receipt folded from its job's steps. Pure: the projection makes rows of it, the verification compares them with it.

Which step may follow which is `STAGES`. A step that does not fit raises StepFault and leaves the draft as it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from cloud.errors import StepFault
from cloud.receiving.models import LineStanding
from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId
from sync_protocol.quantity import Quantity, decimal
from sync_protocol.steps import (
    Abandon,
    Amount,
    Confirm,
    Discard,
    FieldValue,
    Finish,
    Item,
    Open,
    ReceiveStep,
    receive_step,
)

MAX_LINES = 1000
"""Twice what a box allows: a receipt with more is no receipt."""

LAST_SEQ = (1 << 63) - 1
"""The last entry that a run can have (header of a frame)."""

CHOSEN = "chosen_in_list"
"""Reason of an order that was touched instead of scanned."""


class Stage(StrEnum):
    """How far the steps have brought the receipt."""

    OPEN = "open"
    FINISHED = "finished"
    ABANDONED = "abandoned"


STAGES: dict[tuple[Stage, type[ReceiveStep]], Stage] = {
    (Stage.OPEN, Item): Stage.OPEN,
    (Stage.OPEN, Amount): Stage.OPEN,
    (Stage.OPEN, Confirm): Stage.OPEN,
    (Stage.OPEN, Discard): Stage.OPEN,
    (Stage.OPEN, Finish): Stage.FINISHED,
    (Stage.OPEN, Abandon): Stage.ABANDONED,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step with the place of its entry."""

    entry: StepEntry
    at: EntryId


@dataclass(frozen=True, slots=True)
class Claim:
    """What a step says one field is, and what that rests on."""

    value: FieldValue
    by: str
    step: EntryId
    reading: EntryId | None = None


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One line. `amount` is the quantity of its claim, read once."""

    number: int
    item: Item
    identity: Claim
    lot: Claim | None = None
    expiry: Claim | None = None
    expiry_date: date | None = None
    quantity: Claim | None = None
    amount: Quantity | None = None
    standing: LineStanding = LineStanding.COUNTING
    discard_reason: str | None = None
    kept_reason: str | None = None

    def claims(self) -> dict[str, Claim]:
        """Field name to claim, for the fields that were given."""
        found = {"identity": self.identity, "lot": self.lot, "expiry": self.expiry, "quantity": self.quantity}
        return {name: claim for name, claim in found.items() if claim is not None}


@dataclass(frozen=True, slots=True)
class Draft:
    """One receipt. `next_n` is the number that the next step should have."""

    job: str
    station: str
    operator: str
    opened: Open
    order: Claim | None
    document: Claim | None
    stage: Stage = Stage.OPEN
    lines: tuple[DraftLine, ...] = ()
    next_n: int = 1

    def line(self, number: int) -> DraftLine | None:
        return next((line for line in self.lines if line.number == number), None)

    def claims(self) -> dict[str, Claim]:
        """Claims of the receipt's head."""
        found = {"order": self.order, "document": self.document}
        return {name: claim for name, claim in found.items() if claim is not None}


def begin(step: Step) -> Draft:
    """The draft after the first step. Raises StepFault when that is no `open`."""
    opened = read(step)
    if not isinstance(opened, Open):
        raise StepFault("no_such_job", f"{step.entry.step} of a job that was never opened")
    entry = step.entry
    claim = None
    if opened.order is not None:
        how = {"mode": "device", "reading": opened.scan} if opened.scan else {"mode": "manual", "reason": CHOSEN}
        claim = _claim(FieldValue.model_validate({"value": opened.order, **how}), step)
    document = _claim(opened.document, step) if opened.document else None
    return Draft(entry.job, entry.station, entry.by, opened, claim, document, next_n=entry.n + 1)


def apply(draft: Draft, step: Step) -> Draft:
    """The draft after one more step. Raises StepFault."""
    payload = read(step)
    stage = STAGES.get((draft.stage, type(payload)))
    if stage is None:
        raise StepFault("step_does_not_fit", f"{step.entry.step} after {draft.stage}")
    after = replace(draft, stage=stage, next_n=max(draft.next_n, step.entry.n + 1))
    match payload:
        case Item():
            return _with_item(after, payload, step)
        case Amount():
            line = _open_line(after, payload.line)
            claim = _claim(payload.quantity, step)
            return _replaced(after, replace(line, quantity=claim, amount=_amount(payload.quantity)))
        case Confirm():
            line = _open_line(after, payload.line)
            if line.amount is None:
                raise StepFault("line_without_amount", f"line {line.number}")
            kept = step.entry.data.get("kept_because")
            return _replaced(
                after, replace(line, standing=LineStanding.CONFIRMED, kept_reason=kept if isinstance(kept, str) else None)
            )
        case Discard():
            found = after.line(payload.line)
            if found is None or found.standing is LineStanding.DISCARDED:
                raise StepFault("no_such_line", f"line {payload.line}")
            return _replaced(after, replace(found, standing=LineStanding.DISCARDED, discard_reason=payload.reason))
        case Finish():
            confirmed = [line.number for line in after.lines if line.standing is LineStanding.CONFIRMED]
            if sorted(payload.lines) != confirmed:
                raise StepFault("lines_differ", f"finished with {payload.lines[:20]}, confirmed are {confirmed[:20]}")
    return after


def fold(steps: Iterable[Step]) -> Draft | None:
    """The draft after all steps, None for none. Raises StepFault."""
    draft: Draft | None = None
    for step in steps:
        draft = begin(step) if draft is None else apply(draft, step)
    return draft


def read(step: Step) -> ReceiveStep:
    """The step's payload. Raises StepFault."""
    try:
        return receive_step(step.entry)
    except TextFault as exc:
        raise StepFault("unreadable_step", str(exc)) from exc


def _claim(value: FieldValue, step: Step) -> Claim:
    if value.reading is None:
        return Claim(value, step.entry.by, step.at)
    try:
        reading = EntryId.parse(value.reading)
    except TextFault as exc:
        raise StepFault("bad_reading_id", value.reading) from exc
    if reading.seq > LAST_SEQ:
        raise StepFault("bad_reading_id", value.reading)
    return Claim(value, step.entry.by, step.at, reading)


def _with_item(draft: Draft, item: Item, step: Step) -> Draft:
    known = draft.line(item.line)
    if known is not None and known.standing is not LineStanding.COUNTING:
        raise StepFault("line_again", f"line {item.line} is {known.standing}")
    if item.line > MAX_LINES:
        raise StepFault("too_many_lines", str(item.line))
    line = DraftLine(
        item.line,
        item,
        _claim(item.identity, step),
        _claim(item.lot, step) if item.lot else None,
        _claim(item.expiry, step) if item.expiry else None,
        _date(item.expiry) if item.expiry else None,
    )
    return _replaced(draft, line)


def _replaced(draft: Draft, line: DraftLine) -> Draft:
    others = [other for other in draft.lines if other.number != line.number]
    return replace(draft, lines=tuple(sorted([*others, line], key=lambda each: each.number)))


def _open_line(draft: Draft, number: int) -> DraftLine:
    line = draft.line(number)
    if line is None or line.standing is not LineStanding.COUNTING:
        raise StepFault("no_such_line", f"line {number}")
    return line


def _date(field: FieldValue) -> date:
    try:
        found = date.fromisoformat(field.value)
    except ValueError as exc:
        raise StepFault("bad_date", field.value) from exc
    if found.isoformat() != field.value:
        raise StepFault("bad_date", field.value)
    return found


def _amount(field: FieldValue) -> Quantity:
    try:
        amount = Quantity(decimal(field.value), field.unit or "1")
    except TextFault as exc:
        raise StepFault("bad_amount", str(exc)) from exc
    if amount.value <= Decimal(0):
        raise StepFault("bad_amount", str(amount))
    return amount
