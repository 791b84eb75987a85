"""A goods receipt folded from its job's steps. Pure: the projection makes rows of it, the verification compares them with it.

Which step may follow which is `STAGES`. A step that does not fit raises StepFault and leaves the draft as it was.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any

from cloud.errors import StepFault
from cloud.receiving import said
from cloud.receiving.models import LineStanding
from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId
from sync_protocol.quantity import Quantity
from sync_protocol.steps import (
    Abandon,
    Amount,
    Approve,
    Arrival,
    Condition,
    Confirm,
    Discard,
    FieldValue,
    Finish,
    Item,
    Learn,
    Open,
    Photo,
    ReceiveStep,
    Remainder,
    Serial,
    receive_step,
)

MAX_LINES = 1000
"""Twice what a box allows: a receipt with more is no receipt."""

MAX_BESIDE = 5000
"""Serials of a line, photos, codes or approvals of a receipt: nobody scans more in a day, and a draft is kept in memory."""

CHOSEN = "chosen_in_list"
"""Reason of an order that was touched instead of scanned."""


class Stage(StrEnum):
    """How far the steps have brought the receipt."""

    OPEN = "open"
    FINISHED = "finished"
    ABANDONED = "abandoned"


STAGES: dict[tuple[Stage, type[ReceiveStep]], Stage] = {
    (Stage.OPEN, Arrival): Stage.OPEN,
    (Stage.OPEN, Item): Stage.OPEN,
    (Stage.OPEN, Serial): Stage.OPEN,
    (Stage.OPEN, Amount): Stage.OPEN,
    (Stage.OPEN, Condition): Stage.OPEN,
    (Stage.OPEN, Photo): Stage.OPEN,
    (Stage.OPEN, Learn): Stage.OPEN,
    (Stage.OPEN, Approve): Stage.OPEN,
    (Stage.OPEN, Confirm): Stage.OPEN,
    (Stage.OPEN, Discard): Stage.OPEN,
    (Stage.OPEN, Finish): Stage.FINISHED,
    (Stage.OPEN, Abandon): Stage.ABANDONED,
}

ARRIVAL = ("shipped_at", "vehicle", "container", "seal", "temperature", "weighbridge", "arrived_at")
"""Fields of the step `arrival`; `arrival.` before the name is the field of their evidence."""

AMOUNTS = ("gross", "tare", "pieces", "unit_weight")
"""Beside the quantity of a step `amount`."""


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
class Pictured:
    """A photo with who took it."""

    photo: Photo
    by: str
    step: EntryId
    reading: EntryId | None


@dataclass(frozen=True, slots=True)
class Learned:
    """A code that was learned, with who said so."""

    learn: Learn
    by: str
    step: EntryId
    reading: EntryId | None


@dataclass(frozen=True, slots=True)
class Approval:
    """What a supervisor decided at the box."""

    approve: Approve
    by: str
    step: Step


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One line. `amount` is the quantity of its claim, read once; `amounts` the others beside it by name."""

    number: int
    item: Item
    identity: Claim
    lot: Claim | None = None
    expiry: Claim | None = None
    expiry_date: date | None = None
    unit: Claim | None = None
    quantity: Claim | None = None
    amount: Quantity | None = None
    beside: Mapping[str, Claim] = field(default_factory=dict)
    amounts: Mapping[str, Quantity] = field(default_factory=dict)
    packaging: str | None = None
    serials: tuple[tuple[int, Claim], ...] = ()
    """Those that still count, each with its place among all that were scanned."""
    scanned: int = 0
    """How many serial numbers were scanned, also those that were taken back."""
    condition: str = "good"
    condition_reason: str | None = None
    standing: LineStanding = LineStanding.COUNTING
    discard_reason: str | None = None
    kept_reason: str | None = None

    def claims(self) -> dict[str, Claim]:
        """Field name to claim, for the fields that were given."""
        found = {"identity": self.identity, "lot": self.lot, "expiry": self.expiry, "unit": self.unit}
        found |= {"quantity": self.quantity, **self.beside}
        found |= {f"serial:{n}": claim for n, claim in self.serials}
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
    arrival: Mapping[str, Claim] = field(default_factory=dict)
    """By the names of ARRIVAL."""
    photos: tuple[Pictured, ...] = ()
    learned: tuple[Learned, ...] = ()
    approvals: tuple[Approval, ...] = ()
    remainders: tuple[Remainder, ...] = ()

    def line(self, number: int) -> DraftLine | None:
        return next((line for line in self.lines if line.number == number), None)

    def claims(self) -> dict[str, Claim]:
        """Claims of the receipt's head."""
        found = {"order": self.order, "document": self.document}
        found |= {f"arrival.{name}": claim for name, claim in self.arrival.items()}
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
    return _HOW[type(payload)](after, payload, step)


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
    return Claim(value, step.entry.by, step.at, said.reading_id(value.reading))


def _with_arrival(draft: Draft, arrival: Arrival, step: Step) -> Draft:
    given = {name: value for name in ARRIVAL if (value := getattr(arrival, name)) is not None}
    for name in ("temperature", "weighbridge"):
        if name in given:
            said.measure(given[name])
    for name in ("shipped_at", "arrived_at"):
        if name in given:
            said.moment(given[name])
    return replace(draft, arrival={**draft.arrival, **{name: _claim(value, step) for name, value in given.items()}})


def _with_item(draft: Draft, item: Item, step: Step) -> Draft:
    known = draft.line(item.line)
    if known is not None and known.standing is not LineStanding.COUNTING:
        raise StepFault("line_again", f"line {item.line} is {known.standing}")
    if item.line > MAX_LINES:
        raise StepFault("too_many_lines", str(item.line))
    said.plain_pack(item.pack)
    line = DraftLine(
        item.line,
        item,
        _claim(item.identity, step),
        _claim(item.lot, step) if item.lot else None,
        _claim(item.expiry, step) if item.expiry else None,
        said.day(item.expiry) if item.expiry else None,
        _claim(item.unit, step) if item.unit else None,
    )
    return _replaced(draft, line)


def _with_serial(draft: Draft, serial: Serial, step: Step) -> Draft:
    line = _open_line(draft, serial.line)
    if serial.gone:
        gone = next((n for n, claim in reversed(line.serials) if claim.value.value == serial.serial.value), None)
        if gone is None:
            raise StepFault("no_such_serial", f"line {line.number}")
        return _replaced(draft, replace(line, serials=tuple(each for each in line.serials if each[0] != gone)))
    if line.scanned >= MAX_BESIDE:
        raise StepFault("too_many_serials", f"line {line.number}")
    more = (line.scanned + 1, _claim(serial.serial, step))
    return _replaced(draft, replace(line, serials=(*line.serials, more), scanned=line.scanned + 1))


def _with_amount(draft: Draft, amount: Amount, step: Step) -> Draft:
    line = _open_line(draft, amount.line)
    beside = {name: value for name in AMOUNTS if (value := getattr(amount, name)) is not None}
    return _replaced(
        draft,
        replace(
            line,
            quantity=_claim(amount.quantity, step),
            amount=said.amount(amount.quantity),
            beside={name: _claim(value, step) for name, value in beside.items()},
            amounts={name: said.measure(value) if name == "tare" else said.amount(value) for name, value in beside.items()},
            packaging=amount.packaging,
        ),
    )


def _with_condition(draft: Draft, condition: Condition, _step: Step) -> Draft:
    line = _line(draft, condition.line)
    return _replaced(draft, replace(line, condition=condition.condition, condition_reason=condition.reason))


def _with_photo(draft: Draft, photo: Photo, step: Step) -> Draft:
    if photo.line is not None:
        _line(draft, photo.line)
    _demand_room(draft.photos)
    pictured = Pictured(photo, step.entry.by, step.at, said.reading_id(photo.reading))
    return replace(draft, photos=(*draft.photos, pictured))


def _with_learned(draft: Draft, learn: Learn, step: Step) -> Draft:
    _demand_room(draft.learned)
    said.plain_pack(learn.pack)
    learned = Learned(learn, step.entry.by, step.at, said.reading_id(learn.reading))
    return replace(draft, learned=(*draft.learned, learned))


def _with_approval(draft: Draft, approve: Approve, step: Step) -> Draft:
    _demand_room(draft.approvals)
    return replace(draft, approvals=(*draft.approvals, Approval(approve, step.entry.by, step)))


def _with_confirm(draft: Draft, confirm: Confirm, step: Step) -> Draft:
    line = _open_line(draft, confirm.line)
    if line.amount is None:
        raise StepFault("line_without_amount", f"line {line.number}")
    kept = step.entry.data.get("kept_because")
    return _replaced(draft, replace(line, standing=LineStanding.CONFIRMED, kept_reason=kept if isinstance(kept, str) else None))


def _with_discard(draft: Draft, discard: Discard, _step: Step) -> Draft:
    line = _line(draft, discard.line)
    return _replaced(draft, replace(line, standing=LineStanding.DISCARDED, discard_reason=discard.reason))


def _with_finish(draft: Draft, finish: Finish, _step: Step) -> Draft:
    confirmed = [line.number for line in draft.lines if line.standing is LineStanding.CONFIRMED]
    if sorted(finish.lines) != confirmed:
        raise StepFault("lines_differ", f"finished with {finish.lines[:20]}, confirmed are {confirmed[:20]}")
    if len({each.order_line for each in finish.remainders}) < len(finish.remainders):
        raise StepFault("remainder_again", f"{len(finish.remainders)} remainders")
    return replace(draft, remainders=tuple(finish.remainders))


def _unchanged(draft: Draft, _payload: Abandon, _step: Step) -> Draft:
    return draft


_HOW: Mapping[type[ReceiveStep], Callable[[Draft, Any, Step], Draft]] = {
    Arrival: _with_arrival,
    Item: _with_item,
    Serial: _with_serial,
    Amount: _with_amount,
    Condition: _with_condition,
    Photo: _with_photo,
    Learn: _with_learned,
    Approve: _with_approval,
    Confirm: _with_confirm,
    Discard: _with_discard,
    Finish: _with_finish,
    Abandon: _unchanged,
}


def _replaced(draft: Draft, line: DraftLine) -> Draft:
    others = [other for other in draft.lines if other.number != line.number]
    return replace(draft, lines=tuple(sorted([*others, line], key=lambda each: each.number)))


def _open_line(draft: Draft, number: int) -> DraftLine:
    line = draft.line(number)
    if line is None or line.standing is not LineStanding.COUNTING:
        raise StepFault("no_such_line", f"line {number}")
    return line


def _line(draft: Draft, number: int) -> DraftLine:
    line = draft.line(number)
    if line is None or line.standing is LineStanding.DISCARDED:
        raise StepFault("no_such_line", f"line {number}")
    return line


def _demand_room(beside: tuple[object, ...]) -> None:
    if len(beside) >= MAX_BESIDE:
        raise StepFault("too_many", str(len(beside)))
