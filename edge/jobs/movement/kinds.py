"""Moves, put-aways, counts and the gate as kinds of job of the desk."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from edge.errors import JobRefused
from edge.jobs.kinds import Act, Job, JobKind, Scene
from edge.jobs.movement import commands as m
from edge.jobs.movement.count_job import COUNT_DRAFT, CountJob, apply_count, fold_counts
from edge.jobs.movement.counting import COUNT_TABLE, decide_count
from edge.jobs.movement.gate import GATE_TABLE, decide_gate
from edge.jobs.movement.gate_job import GATE_DRAFT, GateJob, apply_gate, fold_gate
from edge.jobs.movement.move_job import MOVE_DRAFT, MoveJob, apply_move, fold_moves
from edge.jobs.movement.moving import MOVE_TABLE, decide_move
from edge.jobs.movement.words import CountAwaits, GateAwaits, MoveAwaits
from edge.jobs.receive import Moment
from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry
from sync_protocol.movements import COUNT, GATE, MOVE, MOVEMENT_STEPS, PUT_AWAY
from sync_protocol.steps import FieldValue

MovementJob = MoveJob | CountJob | GateJob


@dataclass(frozen=True, slots=True)
class MovementKind:
    """`JobKind` of one of the smaller jobs: its parts by name."""

    code: str
    make: Callable[[str], Job]
    table: Mapping[type, object]
    decide_with: Callable[[Any, Any, Scene], Act]
    apply_with: Callable[[Any, Any, Moment, str | None], Job]
    fold_with: Callable[[Any, Iterable[StepEntry]], Job]
    draft: TypeAdapter[Any]
    weighs_while: frozenset[str]

    def new(self, job: str) -> Job:
        return self.make(job)

    def takes(self, command: object) -> bool:
        return type(command) in self.table

    def awaits(self, job: MovementJob, _masters: MasterView) -> str:
        return job.awaits

    def weighs(self, job: MovementJob, masters: MasterView) -> Callable[[FieldValue], object]:
        if (awaited := self.awaits(job, masters)) not in self.weighs_while:
            raise JobRefused("not_now", awaited=awaited)
        return m.GiveMuch

    def decide(self, job: MovementJob, command: Any, scene: Scene) -> Act:
        return self.decide_with(job, command, scene)

    def apply(self, job: MovementJob, act: Act, at: Moment, command: str | None) -> Job:
        return self.apply_with(job, act.step, at, command)

    def fold(self, job: MovementJob, entries: Iterable[StepEntry]) -> Job:
        return self.fold_with(job, entries)

    def name_of(self, step: BaseModel) -> str:
        return next(name for (kind, name), model in MOVEMENT_STEPS.items() if kind == self.code and model is type(step))

    def draft_text(self, draft: Any) -> str:
        return self.draft.dump_json(draft).decode()

    def read_draft(self, text: str) -> object | None:
        try:
            read: object = self.draft.validate_json(text)
        except ValidationError:
            return None
        return read

    def with_draft(self, job: MovementJob, draft: Any, *, command: str | None, by: str | None) -> Job:
        # Kept with the draft, so that the command is known again after a restart, as a step's is from the journal.
        kept = replace(draft, cmd=command, at=job.steps) if draft is not None else None
        commands = job.commands | {command} if command else job.commands
        return replace(job, draft=kept, commands=commands, by=job.by or by)

    def restored(self, job: MovementJob, draft: Any) -> Job | None:
        return self.with_draft(job, draft, command=draft.cmd, by=None) if draft.at == job.steps else None


def _moves(code: str) -> MovementKind:
    return MovementKind(
        code,
        lambda job: MoveJob(job, code),
        MOVE_TABLE,
        decide_move,
        apply_move,
        fold_moves,
        MOVE_DRAFT,
        frozenset({MoveAwaits.MUCH}),
    )


MOVEMENT_KINDS: Final[tuple[JobKind, ...]] = (
    _moves(MOVE),
    _moves(PUT_AWAY),
    MovementKind(
        COUNT, CountJob, COUNT_TABLE, decide_count, apply_count, fold_counts, COUNT_DRAFT, frozenset({CountAwaits.MUCH})
    ),
    MovementKind(GATE, GateJob, GATE_TABLE, decide_gate, apply_gate, fold_gate, GATE_DRAFT, frozenset({GateAwaits.DETAILS})),
)
