"""State machines as tables, and the one function that changes a state."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Conflict, Forbidden, ReasonMissing, WrongState
from cloud.kernel.access import TRANSITION
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event


class StatefulRecord(Protocol):
    """What a machine runs on: a row of a table with `Stateful`'s columns and a human number."""

    @property
    def ref(self) -> Any: ...

    state: Any
    version: Any


R = TypeVar("R", bound=StatefulRecord)
R_contra = TypeVar("R_contra", bound=StatefulRecord, contravariant=True)


class Guard(Protocol[R_contra]):
    """Raises GuardFailed when the action may not be taken now. Reads only."""

    def __call__(self, session: AsyncSession, record: R_contra, taken: Taken, /) -> Awaitable[None]: ...


class Effect(Protocol[R_contra]):
    """What the action changes beside the state; gives further `field: [old, new]` for the event."""

    def __call__(self, session: AsyncSession, record: R_contra, taken: Taken, /) -> Awaitable[Mapping[str, Any]]: ...


class Rules(Protocol):
    """What customers demand of a transition beside the code: their guard, then fields that must have a value. Raises
    GuardFailed or another Refused."""

    def __call__(self, session: AsyncSession, kind: str, record: Any, action: str, taken: Taken, /) -> Awaitable[None]: ...


RULES = "customers_rules"
"""Key of `session.info`: the Rules of this installation, for every transition of the session."""


@dataclass(frozen=True, slots=True)
class Transition(Generic[R]):
    """One row of a machine."""

    action: str
    sources: frozenset[str]
    target: str
    roles: frozenset[str]
    guard: Guard[R] | None = None
    effect: Effect[R] | None = None
    needs_reason: bool = False
    takes: frozenset[str] = frozenset()
    """Names of `Taken.values` that whoever takes it may give; they are no fields of the record."""


@dataclass(frozen=True, slots=True)
class Machine(Generic[R]):
    """All transitions of one kind of record. The same action may stand in several rows with different sources."""

    kind: str
    initial: str
    transitions: tuple[Transition[R], ...]
    states: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        named = {state for row in self.transitions for state in (*row.sources, row.target)}
        object.__setattr__(self, "states", frozenset({self.initial, *named}))

    def find(self, state: str, action: str) -> Transition[R]:
        """The row for an action in a state. Raises WrongState."""
        for row in self.transitions:
            if row.action == action and state in row.sources:
                return row
        raise WrongState("wrong_state", kind=self.kind, state=state, action=action)

    def actions(self, state: str, role: str) -> list[str]:
        """What somebody of this role may try in this state: the buttons of a page. Guards may still refuse."""
        return [row.action for row in self.transitions if state in row.sources and role in row.roles]


def permitted(machine: Machine[R], row: Transition[R], taken: Taken) -> bool:
    """Whether the actor may take this row at all."""
    if taken.access is not None:
        return taken.access.may(machine.kind, f"{TRANSITION}{row.action}")
    return taken.actor.role in row.roles


async def transition(
    session: AsyncSession, machine: Machine[R], record: R, action: str, taken: Taken, *, version: int | None = None
) -> None:
    """Take `action` on `record` in the session's transaction, or raise and change nothing.

    The row is locked first. `version` is the one the actor saw: Conflict when the record moved on. Then WrongState, Forbidden
    (by grants where the actor has them, else by role), ReasonMissing, the coded guard, the customers' rules: GuardFailed. The
    event, which is also what leaves by webhook, is written in the same transaction.
    """
    await session.flush()
    await session.refresh(record, attribute_names=["state", "version"], with_for_update=True)
    if version is not None and version != record.version:
        raise Conflict("conflict", ref=record.ref, seen=str(version), now=str(record.version))
    row = machine.find(record.state, action)
    if not permitted(machine, row, taken):
        raise Forbidden("forbidden", action=action, role=taken.actor.role)
    if row.needs_reason and not (taken.reason or "").strip():
        raise ReasonMissing("reason_missing", action=action)
    if row.guard is not None:
        await row.guard(session, record, taken)
    rules: Rules | None = session.info.get(RULES)
    if rules is not None:
        await rules(session, machine.kind, record, action, taken)
    changes: dict[str, Any] = {"state": [record.state, row.target]}
    if row.effect is not None:
        changes.update(await row.effect(session, record, taken))
    record.state = row.target
    record.version += 1
    await append_event(session, taken, action=action, kind=machine.kind, ref=record.ref, changes=changes)
    await session.flush()


def begin(record: Any, state: str) -> None:
    """Give a record that is not stored yet the first state of its machine."""
    record.state = state
