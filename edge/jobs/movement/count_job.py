"""The state of one count, folded from its steps. Pure: the same steps always give the same state."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from pydantic import TypeAdapter

from edge.errors import JobRefused
from edge.jobs.movement.words import CountAwaits
from edge.jobs.receive import Moment
from sync_protocol.entries import StepEntry
from sync_protocol.movements import CountDone, Counted, CountOpen, MovementStep, movement_step
from sync_protocol.steps import Abandon, FieldValue


class CountStage(StrEnum):
    """How far the journal's steps have brought the job."""

    NEW = "new"
    OPEN = "open"
    FINISHED = "finished"
    ABANDONED = "abandoned"


COUNT_STAGES: Final[dict[tuple[CountStage, type[MovementStep]], CountStage]] = {
    (CountStage.NEW, CountOpen): CountStage.OPEN,
    (CountStage.OPEN, Counted): CountStage.OPEN,
    (CountStage.OPEN, CountDone): CountStage.FINISHED,
    (CountStage.OPEN, Abandon): CountStage.ABANDONED,
}


@dataclass(frozen=True, slots=True)
class CountDraft:
    """A thing that was found and is not counted yet, or a count whose place is not known. `n`: the line it is."""

    asks: CountAwaits
    n: int = 0
    product: str | None = None
    identity: FieldValue | None = None
    lot: str | None = None
    unit: str | None = None
    kind: Literal["count"] = "count"
    cmd: str | None = None
    at: int = 0


COUNT_DRAFT: Final[TypeAdapter[CountDraft]] = TypeAdapter(CountDraft)


@dataclass(frozen=True, slots=True)
class CountJob:
    """One count at one moment. `lines` by number: the newest word of each."""

    id: str
    stage: CountStage = CountStage.NEW
    opened: CountOpen | None = None
    lines: tuple[Counted, ...] = ()
    by: str | None = None
    steps: int = 0
    commands: frozenset[str] = frozenset()
    draft: CountDraft | None = None

    @property
    def closed(self) -> bool:
        return self.stage in {CountStage.FINISHED, CountStage.ABANDONED}

    @property
    def awaits(self) -> CountAwaits:
        if self.closed:
            return CountAwaits.NOTHING
        if self.draft is not None:
            return self.draft.asks
        return CountAwaits.PLACE if self.stage is CountStage.NEW else CountAwaits.GOODS


def apply_count(job: CountJob, step: MovementStep, _at: Moment, command: str | None) -> CountJob:
    """The job after `step`; raises JobRefused(`step_does_not_fit`)."""
    stage = COUNT_STAGES.get((job.stage, type(step)))
    if stage is None or not _fits(job, step):
        raise JobRefused("step_does_not_fit", step=type(step).__name__, stage=job.stage)
    commands = job.commands | {command} if command else job.commands
    after = replace(job, stage=stage, steps=job.steps + 1, commands=commands, draft=None)
    match step:
        case CountOpen():
            return replace(after, opened=step)
        case Counted():
            return replace(after, lines=(*job.lines[: step.n - 1], step, *job.lines[step.n :]))
    return after


def _fits(job: CountJob, step: MovementStep) -> bool:
    match step:
        case Counted():
            return step.n <= len(job.lines) + 1
        case CountDone():
            return step.lines == [line.n for line in job.lines]
    return True


def fold_counts(job: CountJob, entries: Iterable[StepEntry]) -> CountJob:
    """The job after journal entries, in their order. Raises TextFault or JobRefused for steps that do not fit."""
    for entry in entries:
        if entry.n != job.steps:
            raise JobRefused("step_does_not_fit", step=entry.step, stage=job.stage)
        command = entry.data.get("cmd")
        moment = Moment(entry.boot_id, entry.mono_ns)
        job = apply_count(job, movement_step(entry), moment, command if isinstance(command, str) else None)
        job = replace(job, by=job.by or entry.by)
    return job
