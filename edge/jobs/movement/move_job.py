"""The state of one move or put-away, folded from its steps. Pure: the same steps always give the same state."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from pydantic import TypeAdapter

from edge.errors import JobRefused
from edge.jobs.movement.words import MoveAwaits
from edge.jobs.receive import Moment
from sync_protocol.entries import StepEntry
from sync_protocol.movements import MOVE, PUT_AWAY, Done, Moved, MovementStep, MoveOpen, movement_step
from sync_protocol.steps import FieldValue


class MoveStage(StrEnum):
    """How far the journal's steps have brought the job."""

    NEW = "new"
    OPEN = "open"
    FINISHED = "finished"


MOVE_STAGES: Final[dict[tuple[MoveStage, type[MovementStep]], MoveStage]] = {
    (MoveStage.NEW, MoveOpen): MoveStage.OPEN,
    (MoveStage.OPEN, Moved): MoveStage.OPEN,
    (MoveStage.OPEN, Done): MoveStage.FINISHED,
}


@dataclass(frozen=True, slots=True)
class MoveDraft:
    """An act that is not whole yet. `asks` is what it waits for; `doubts` are why a reason is asked for."""

    asks: MoveAwaits
    source: FieldValue | None = None
    product: str | None = None
    identity: FieldValue | None = None
    lot: str | None = None
    unit: FieldValue | None = None
    owner: str | None = None
    receipt: str | None = None
    receipt_line: int | None = None
    there: str | None = None
    """How much is known to lie there, in the product's unit."""
    quantity: FieldValue | None = None
    target: FieldValue | None = None
    doubts: tuple[str, ...] = ()
    kind: Literal["move"] = "move"
    cmd: str | None = None
    at: int = 0
    """How many steps the job had: a draft is older than a step that was written after it."""

    @property
    def whole_unit(self) -> bool:
        """Whether a handling unit is moved with all that is on it."""
        return self.unit is not None and self.product is None


MOVE_DRAFT: Final[TypeAdapter[MoveDraft]] = TypeAdapter(MoveDraft)


@dataclass(frozen=True, slots=True)
class MoveJob:
    """One move or put-away at one moment. `acts` were written, each for itself."""

    id: str
    kind: str = MOVE
    """MOVE or PUT_AWAY: the latter knows where the goods wait."""
    stage: MoveStage = MoveStage.NEW
    opened: MoveOpen | None = None
    acts: tuple[Moved, ...] = ()
    by: str | None = None
    steps: int = 0
    commands: frozenset[str] = frozenset()
    draft: MoveDraft | None = None

    @property
    def closed(self) -> bool:
        return self.stage is MoveStage.FINISHED

    @property
    def awaits(self) -> MoveAwaits:
        if self.closed:
            return MoveAwaits.NOTHING
        if self.draft is not None:
            return self.draft.asks
        return MoveAwaits.GOODS if self.kind == PUT_AWAY else MoveAwaits.SOURCE


def apply_move(job: MoveJob, step: MovementStep, _at: Moment, command: str | None) -> MoveJob:
    """The job after `step`; raises JobRefused(`step_does_not_fit`)."""
    stage = MOVE_STAGES.get((job.stage, type(step)))
    if stage is None or (isinstance(step, Moved) and step.n != len(job.acts) + 1):
        raise JobRefused("step_does_not_fit", step=type(step).__name__, stage=job.stage)
    commands = job.commands | {command} if command else job.commands
    after = replace(job, stage=stage, steps=job.steps + 1, commands=commands, draft=None)
    match step:
        case MoveOpen():
            return replace(after, opened=step)
        case Moved():
            return replace(after, acts=(*job.acts, step))
    return after


def fold_moves(job: MoveJob, entries: Iterable[StepEntry]) -> MoveJob:
    """The job after journal entries, in their order. Raises TextFault or JobRefused for steps that do not fit."""
    for entry in entries:
        if entry.n != job.steps or entry.job_kind != job.kind:
            raise JobRefused("step_does_not_fit", step=entry.step, stage=job.stage)
        command = entry.data.get("cmd")
        moment = Moment(entry.boot_id, entry.mono_ns)
        job = apply_move(job, movement_step(entry), moment, command if isinstance(command, str) else None)
        job = replace(job, by=job.by or entry.by)
    return job
