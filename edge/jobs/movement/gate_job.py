"""The state of one container's passage. All of it is one step; until then it is a draft. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from pydantic import TypeAdapter

from edge.errors import JobRefused
from edge.jobs.movement.words import GateAwaits
from edge.jobs.receive import Moment
from sync_protocol.entries import StepEntry
from sync_protocol.movements import MovementStep, Passed, movement_step
from sync_protocol.steps import FieldValue


@dataclass(frozen=True, slots=True)
class GateDraft:
    """What is known of the passage so far. `asks`: what it waits for."""

    asks: GateAwaits
    direction: Literal["in", "out"] | None = None
    container: FieldValue | None = None
    seal: FieldValue | None = None
    weight: FieldValue | None = None
    laden: bool | None = None
    vehicle: FieldValue | None = None
    driver: str | None = None
    damaged: bool = False
    note: str | None = None
    photos: tuple[str, ...] = ()
    kind: Literal["gate"] = "gate"
    cmd: str | None = None
    at: int = 0


GATE_DRAFT: Final[TypeAdapter[GateDraft]] = TypeAdapter(GateDraft)


@dataclass(frozen=True, slots=True)
class GateJob:
    """One passage at one moment."""

    id: str
    passed: Passed | None = None
    by: str | None = None
    steps: int = 0
    commands: frozenset[str] = frozenset()
    draft: GateDraft | None = None

    @property
    def closed(self) -> bool:
        return self.passed is not None

    @property
    def awaits(self) -> GateAwaits:
        if self.closed:
            return GateAwaits.NOTHING
        return self.draft.asks if self.draft is not None else GateAwaits.CONTAINER


def apply_gate(job: GateJob, step: MovementStep, _at: Moment, command: str | None) -> GateJob:
    """The job after `step`; raises JobRefused(`step_does_not_fit`): a container passes once."""
    if job.passed is not None or not isinstance(step, Passed):
        raise JobRefused("step_does_not_fit", step=type(step).__name__, stage="passed" if job.passed else "new")
    commands = job.commands | {command} if command else job.commands
    return replace(job, passed=step, steps=job.steps + 1, commands=commands, draft=None)


def fold_gate(job: GateJob, entries: Iterable[StepEntry]) -> GateJob:
    """The job after journal entries. Raises TextFault or JobRefused for steps that do not fit."""
    for entry in entries:
        if entry.n != job.steps:
            raise JobRefused("step_does_not_fit", step=entry.step, stage="new")
        command = entry.data.get("cmd")
        moment = Moment(entry.boot_id, entry.mono_ns)
        job = apply_gate(job, movement_step(entry), moment, command if isinstance(command, str) else None)
        job = replace(job, by=job.by or entry.by)
    return job
