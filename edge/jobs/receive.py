"""The state of one goods receipt, folded from its steps. Pure: the same steps always give the same state.

Which step may follow which is `STAGES`; a step outside the table does not fit the job.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from pydantic import TypeAdapter

from edge.errors import JobRefused
from sync_protocol.entries import StepEntry
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
    name_of,
    receive_step,
)


class Stage(StrEnum):
    """How far the journal's steps have brought the job."""

    NEW = "new"
    OPEN = "open"
    BEGUN = "begun"
    WHOLE = "whole"
    FINISHED = "finished"
    ABANDONED = "abandoned"


STAGES: Final[dict[tuple[Stage, type[ReceiveStep]], Stage]] = {
    (Stage.NEW, Open): Stage.OPEN,
    (Stage.OPEN, Item): Stage.BEGUN,
    (Stage.OPEN, Discard): Stage.OPEN,
    (Stage.OPEN, Finish): Stage.FINISHED,
    (Stage.OPEN, Abandon): Stage.ABANDONED,
    (Stage.BEGUN, Amount): Stage.WHOLE,
    (Stage.BEGUN, Discard): Stage.OPEN,
    (Stage.BEGUN, Abandon): Stage.ABANDONED,
    (Stage.WHOLE, Confirm): Stage.OPEN,
    (Stage.WHOLE, Discard): Stage.OPEN,
    (Stage.WHOLE, Abandon): Stage.ABANDONED,
}
CLOSED: Final = frozenset({Stage.FINISHED, Stage.ABANDONED})


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time that can be compared within one boot only."""

    boot_id: str
    ns: int

    def within(self, now: "Moment", span_ns: int) -> bool:
        """Whether `now` is in the same boot and at most `span_ns` later."""
        return self.boot_id == now.boot_id and 0 <= now.ns - self.ns <= span_ns


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """An order was chosen, its delivery note is awaited; no step yet. `cmd` is the command that made the draft."""

    order: str
    scan: str | None = None
    kind: Literal["order"] = "order"
    cmd: str | None = None


@dataclass(frozen=True, slots=True)
class ItemDraft:
    """An item was identified, something of it is awaited; no step yet. `again`: the same code is on a line already."""

    product: str
    identity: FieldValue
    lot: FieldValue | None = None
    expiry: FieldValue | None = None
    again: bool = False
    kind: Literal["item"] = "item"
    cmd: str | None = None


Draft = OrderDraft | ItemDraft
DRAFT_TEXT: Final[TypeAdapter[Draft]] = TypeAdapter(Draft)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. It counts when confirmed and not discarded; `kept` is why it was confirmed against a check."""

    item: Item
    at: Moment
    amount: FieldValue | None = None
    confirmed: bool = False
    kept: str | None = None
    discarded: str | None = None

    @property
    def number(self) -> int:
        return self.item.line

    @property
    def counts(self) -> bool:
        return self.confirmed and self.discarded is None


@dataclass(frozen=True, slots=True)
class ReceiveJob:
    """One receipt at one moment. `steps` is the number of the next step, `commands` the ids already acted upon."""

    id: str
    stage: Stage = Stage.NEW
    opened: Open | None = None
    by: str | None = None
    lines: tuple[Line, ...] = ()
    steps: int = 0
    commands: frozenset[str] = frozenset()
    draft: Draft | None = None

    @property
    def order(self) -> str | None:
        if self.opened is not None:
            return self.opened.order
        return self.draft.order if isinstance(self.draft, OrderDraft) else None

    @property
    def closed(self) -> bool:
        return self.stage in CLOSED

    @property
    def current(self) -> Line | None:
        """The line that is begun or whole and not yet confirmed."""
        return self.lines[-1] if self.stage in {Stage.BEGUN, Stage.WHOLE} else None

    def last_live(self) -> Line | None:
        """The newest line that was not discarded."""
        return next((line for line in reversed(self.lines) if line.discarded is None), None)

    def line(self, number: int) -> Line | None:
        return next((line for line in self.lines if line.number == number), None)


def apply(job: ReceiveJob, step: ReceiveStep, at: Moment, *, command: str | None = None, kept: str | None = None) -> ReceiveJob:
    """The job after `step`; raises JobRefused(`step_does_not_fit`) when `STAGES` or the line numbers do not allow it."""
    stage = STAGES.get((job.stage, type(step)))
    if stage is None or not _fits(job, step):
        raise JobRefused("step_does_not_fit", step=name_of(step), stage=job.stage)
    commands = job.commands | {command} if command else job.commands
    after = replace(job, stage=stage, steps=job.steps + 1, commands=commands, draft=None)
    match step:
        case Open():
            return replace(after, opened=step)
        case Item():
            return replace(after, lines=(*job.lines, Line(step, at)))
        case Amount():
            return _with_line(after, step.line, at, amount=step.quantity)
        case Confirm():
            return _with_line(after, step.line, at, confirmed=True, kept=kept)
        case Discard():
            return _with_line(after, step.line, at, discarded=step.reason)
    return after


def _fits(job: ReceiveJob, step: ReceiveStep) -> bool:
    match step:
        case Item():
            return step.line == len(job.lines) + 1
        case Amount() | Confirm():
            return job.current is not None and step.line == job.current.number
        case Discard():
            line = job.line(step.line)
            return line is not None and line.discarded is None and job.current in {None, line}
        case Finish():
            return step.lines == [line.number for line in job.lines if line.counts]
    return True


def _with_line(
    job: ReceiveJob,
    number: int,
    at: Moment,
    *,
    amount: FieldValue | None = None,
    confirmed: bool = False,
    kept: str | None = None,
    discarded: str | None = None,
) -> ReceiveJob:
    old = job.lines[number - 1]
    new = Line(
        old.item, at, amount or old.amount, confirmed=confirmed or old.confirmed, kept=kept or old.kept, discarded=discarded
    )
    return replace(job, lines=(*job.lines[: number - 1], new, *job.lines[number:]))


def fold(job: ReceiveJob, entries: Iterable[StepEntry]) -> ReceiveJob:
    """The job after journal entries, in their order. Raises TextFault or JobRefused for steps that do not fit."""
    for entry in entries:
        if entry.n != job.steps:
            raise JobRefused("step_does_not_fit", step=entry.step, stage=job.stage)
        command, kept = entry.data.get("cmd"), entry.data.get("kept_because")
        job = apply(
            job,
            receive_step(entry),
            Moment(entry.boot_id, entry.mono_ns),
            command=command if isinstance(command, str) else None,
            kept=kept if isinstance(kept, str) else None,
        )
        job = replace(job, by=entry.by) if job.by is None else job
    return job
