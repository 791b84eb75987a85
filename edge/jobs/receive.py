"""The state of one goods receipt, folded from its steps. Pure: the same steps always give the same state.

Which step may follow which is `STAGES`; a step outside the table does not fit the job.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from edge.errors import JobRefused
from edge.jobs.drafts import Draft, OrderDraft
from sync_protocol.entries import StepEntry
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
    Serial,
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
    (Stage.OPEN, Arrival): Stage.OPEN,
    (Stage.OPEN, Item): Stage.BEGUN,
    (Stage.OPEN, Condition): Stage.OPEN,
    (Stage.OPEN, Photo): Stage.OPEN,
    (Stage.OPEN, Learn): Stage.OPEN,
    (Stage.OPEN, Approve): Stage.OPEN,
    (Stage.OPEN, Discard): Stage.OPEN,
    (Stage.OPEN, Finish): Stage.FINISHED,
    (Stage.OPEN, Abandon): Stage.ABANDONED,
    (Stage.BEGUN, Serial): Stage.BEGUN,
    (Stage.BEGUN, Condition): Stage.BEGUN,
    (Stage.BEGUN, Photo): Stage.BEGUN,
    (Stage.BEGUN, Amount): Stage.WHOLE,
    (Stage.BEGUN, Discard): Stage.OPEN,
    (Stage.BEGUN, Abandon): Stage.ABANDONED,
    (Stage.WHOLE, Condition): Stage.WHOLE,
    (Stage.WHOLE, Photo): Stage.WHOLE,
    (Stage.WHOLE, Approve): Stage.WHOLE,
    (Stage.WHOLE, Confirm): Stage.OPEN,
    (Stage.WHOLE, Discard): Stage.OPEN,
    (Stage.WHOLE, Abandon): Stage.ABANDONED,
}
_OfLine = Amount | Confirm | Discard | Serial | Condition
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
class Line:
    """One line. It counts when confirmed and not discarded; `kept` is why it was confirmed against a check."""

    item: Item
    at: Moment
    measured: Amount | None = None
    counted_by: str | None = None
    """Login of who gave the amount."""
    serials: tuple[FieldValue, ...] = ()
    condition: Condition | None = None
    photos: tuple[Photo, ...] = ()
    confirmed: bool = False
    kept: str | None = None
    discarded: str | None = None

    @property
    def number(self) -> int:
        return self.item.line

    @property
    def amount(self) -> FieldValue | None:
        return self.measured.quantity if self.measured is not None else None

    @property
    def damaged(self) -> bool:
        return self.condition is not None and self.condition.condition == "damaged"

    @property
    def counts(self) -> bool:
        return self.confirmed and self.discarded is None

    @property
    def live(self) -> bool:
        return self.discarded is None


@dataclass(frozen=True, slots=True)
class Approved:
    """A supervisor's word about a failed check."""

    step: Approve
    by: str | None


@dataclass(frozen=True, slots=True)
class ReceiveJob:
    """One receipt at one moment. `steps` is the number of the next step, `commands` the ids already acted upon."""

    id: str
    stage: Stage = Stage.NEW
    opened: Open | None = None
    by: str | None = None
    arrival: Arrival | None = None
    lines: tuple[Line, ...] = ()
    photos: tuple[Photo, ...] = ()
    learned: tuple[Learn, ...] = ()
    approved: tuple[Approved, ...] = ()
    steps: int = 0
    commands: frozenset[str] = frozenset()
    draft: Draft | None = None

    @property
    def order(self) -> str | None:
        return self._head("order")

    @property
    def notice(self) -> str | None:
        return self._head("notice")

    @property
    def supplier(self) -> str | None:
        return self._head("supplier")

    @property
    def owner(self) -> str | None:
        return self._head("owner")

    def _head(self, name: str) -> str | None:
        source = self.opened if self.opened is not None else self.draft
        value = getattr(source, name, None) if isinstance(source, Open | OrderDraft) else None
        return value if isinstance(value, str) else None

    @property
    def closed(self) -> bool:
        return self.stage in CLOSED

    @property
    def current(self) -> Line | None:
        """The line that is begun or whole and not yet confirmed."""
        return self.lines[-1] if self.stage in {Stage.BEGUN, Stage.WHOLE} else None

    @property
    def unit(self) -> FieldValue | None:
        """The handling unit on which the next goods lie: of the last word about it, else that of the newest line."""
        if self.draft is not None and self.draft.pallet is not None:
            return self.draft.pallet.unit
        return self.lines[-1].item.unit if self.lines else None

    def last_live(self) -> Line | None:
        """The newest line that was not discarded."""
        return next((line for line in reversed(self.lines) if line.live), None)

    def line(self, number: int) -> Line | None:
        return next((line for line in self.lines if line.number == number), None)

    def decided(self, check: str, line: int | None) -> Approved | None:
        """The last word of a supervisor about this check."""
        same = (one for one in reversed(self.approved) if (one.step.check, one.step.line) == (check, line))
        return next(same, None)


def draft_fits(job: ReceiveJob, draft: Draft) -> bool:
    """Whether a draft that was kept over a restart belongs to where the journal has brought the job."""
    if draft.at is not None:
        return draft.at == job.steps
    # Kept by a version that did not say: only what is awaited between two lines can have been meant.
    return job.current is None and (draft.kind == "order") == (job.steps == 0)


def apply(
    job: ReceiveJob,
    step: ReceiveStep,
    at: Moment,
    *,
    command: str | None = None,
    kept: str | None = None,
    by: str | None = None,
) -> ReceiveJob:
    """The job after `step` of this person; raises JobRefused(`step_does_not_fit`) where it does not fit."""
    stage = STAGES.get((job.stage, type(step)))
    if stage is None or not _fits(job, step):
        raise JobRefused("step_does_not_fit", step=name_of(step), stage=job.stage)
    commands = job.commands | {command} if command else job.commands
    after = replace(job, stage=stage, steps=job.steps + 1, commands=commands, draft=None)
    match step:
        case Open():
            return replace(after, opened=step)
        case Arrival():
            return replace(after, arrival=_merged(job.arrival, step))
        case Learn():
            return replace(after, learned=(*job.learned, step))
        case Approve():
            return replace(after, approved=(*job.approved, Approved(step, by)))
        case Item():
            return replace(after, lines=(*job.lines, Line(step, at)))
        case Photo():
            if step.line is None:
                return replace(after, photos=(*job.photos, step))
            line = job.lines[step.line - 1]
            return _with_line(after, replace(line, photos=(*line.photos, step)))
        case Amount() | Confirm() | Discard() | Serial() | Condition():
            return _with_line(after, _changed(job, step, at, kept, by))
    return after


def _changed(job: ReceiveJob, step: _OfLine, at: Moment, kept: str | None, by: str | None) -> Line:
    """The line that the step speaks of, after it. Only what can be undone makes it newer."""
    line: Line = job.lines[step.line - 1]
    match step:
        case Amount():
            return replace(line, at=at, measured=step, counted_by=by)
        case Confirm():
            return replace(line, at=at, confirmed=True, kept=kept or line.kept)
        case Discard():
            return replace(line, at=at, discarded=step.reason)
        case Serial(gone=True):
            return replace(line, serials=tuple(one for one in line.serials if one.value != step.serial.value))
        case Serial():
            return replace(line, serials=(*line.serials, step.serial))
    return replace(line, condition=step)


def _merged(old: Arrival | None, new: Arrival) -> Arrival:
    given = {name: value for name in type(new).model_fields if (value := getattr(new, name)) is not None}
    return old.model_copy(update=given) if old is not None else new


def _fits(job: ReceiveJob, step: ReceiveStep) -> bool:
    match step:
        case Item():
            return step.line == len(job.lines) + 1
        case Amount() | Confirm():
            return job.current is not None and step.line == job.current.number
        case Serial():
            return job.current is not None and step.line == job.current.number and _serial_fits(job.current, step)
        case Discard():
            line = job.line(step.line)
            return line is not None and line.live and job.current in {None, line}
        case Condition():
            line = job.line(step.line)
            return line is not None and line.live
        case Photo() | Approve():
            return step.line is None or ((line := job.line(step.line)) is not None and line.live)
        case Finish():
            return step.lines == [line.number for line in job.lines if line.counts]
    return True


def _serial_fits(line: Line, step: Serial) -> bool:
    return step.gone == any(one.value == step.serial.value for one in line.serials)


def _with_line(job: ReceiveJob, line: Line) -> ReceiveJob:
    return replace(job, lines=(*job.lines[: line.number - 1], line, *job.lines[line.number :]))


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
            by=entry.by,
        )
        job = replace(job, by=entry.by) if job.by is None else job
    return job
