"""What the desk asks of every kind of job: a pure engine and the text of its drafts. Kinds know no journal, clock or device."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from pydantic import BaseModel

from edge.jobs.overlay import Stock
from edge.jobs.receive import Moment
from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry
from sync_protocol.steps import FieldValue


class Job(Protocol):
    """One job at one moment, whatever its kind. `steps` is the number of the next step, `commands` the ids acted upon."""

    @property
    def id(self) -> str: ...

    @property
    def steps(self) -> int: ...

    @property
    def commands(self) -> frozenset[str]: ...

    @property
    def by(self) -> str | None: ...

    @property
    def draft(self) -> object | None: ...

    @property
    def closed(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Scene:
    """What decisions depend on besides the job. `stock` is the mirror's, with what this box did since.

    `at` is the time by the box's clock, None while nothing has set it.
    """

    masters: MasterView
    today: date
    now: Moment
    by: str
    stock: Stock
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """A step for the journal, or a draft that waits for the rest of its step; neither: the draft is dropped.

    `remarks` go into the step's data beside its payload. `by` is who stands for the step, when it is not who asked.
    """

    step: BaseModel | None = None
    draft: object | None = None
    remarks: dict[str, Any] = field(default_factory=dict)
    by: str | None = None
    more: tuple[BaseModel, ...] = ()
    """Further steps of the same act, written one by one after `step`: remarks go with the last, `draft` waits after them."""


class JobKind(Protocol):
    """The rules of one kind. Jobs and commands are of the kind's own types: the desk only hands them through."""

    @property
    def code(self) -> str:
        """The `job_kind` of its steps."""
        ...

    def new(self, job: str) -> Job:
        """A job of which nothing is known but its id."""
        ...

    def takes(self, command: object) -> bool:
        """Whether the command is one of the kind's."""
        ...

    def awaits(self, job: Any, masters: MasterView) -> str:
        """The one input that the operator is asked for."""
        ...

    def weighs(self, job: Any, masters: MasterView) -> Callable[[FieldValue], object]:
        """What makes a command of the scale's weight. Raises JobRefused(`not_now`) when no weight is awaited."""
        ...

    def decide(self, job: Any, command: Any, scene: Scene) -> Act:
        """What the command becomes. Raises JobRefused."""
        ...

    def apply(self, job: Any, act: Act, at: Moment, command: str | None) -> Job:
        """The job after the act's step. Raises JobRefused(`step_does_not_fit`)."""
        ...

    def fold(self, job: Any, entries: Iterable[StepEntry]) -> Job:
        """The job after journal entries. Raises TextFault or JobRefused for steps that do not fit."""
        ...

    def name_of(self, step: BaseModel) -> str:
        """The step's name in a StepEntry."""
        ...

    def draft_text(self, draft: Any) -> str:
        """A draft as it is kept. The text's `kind` tells the drafts of all kinds apart."""
        ...

    def read_draft(self, text: str) -> object | None:
        """The draft of a text; None when it is none of this kind."""
        ...

    def with_draft(self, job: Any, draft: Any, *, command: str | None, by: str | None) -> Job:
        """The job with a draft (None: without one), made by this command of this person."""
        ...

    def restored(self, job: Any, draft: Any) -> Job | None:
        """The job with a draft that was kept over a restart; None when it does not fit the job's state."""
        ...
