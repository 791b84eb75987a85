"""A job as its handler sees it: what it is about, how far it is, and steps that count only while the lease is held."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import Clock
from cloud.db.engine import Sessions
from cloud.jobs.faults import CancelAsked, LeaseLost
from cloud.jobs.models import Job, JobStatus
from cloud.kernel.actor import Actor, Taken
from sync_protocol.wiretext import clean

MAX_NOTE = 200
"""Characters: one line of a page."""


@dataclass(slots=True)
class Step:
    """What one transaction of a job adds to its standing. None leaves what is there."""

    advance: int = 0
    total: int | None = None
    note: str | None = None
    place: Any = None
    """Where the next step begins: what JSON holds."""


@dataclass(slots=True)
class RunningJob:
    """One try of a job. `place`, `done` and `total` are what the last committed step said, whoever took it."""

    id: int
    uid: str
    kind: str
    args: Mapping[str, Any]
    attempt: int
    lease_no: int
    chain: str
    created_by: str
    place: Any
    done: int
    total: int | None
    sessions: Sessions
    clock: Clock
    lease: timedelta
    cancel_asked: bool = False
    """Heard of with the heartbeat; steps raise CancelAsked by themselves."""

    @classmethod
    def of(cls, row: Job, sessions: Sessions, clock: Clock, lease: timedelta) -> "RunningJob":
        return cls(
            row.id,
            row.uid,
            row.kind,
            row.args,
            row.attempts,
            row.lease_no,
            row.chain,
            row.created_by,
            row.place,
            row.done,
            row.total,
            sessions,
            clock,
            lease,
        )

    def taken(self) -> Taken:
        """For what the job does in its own name."""
        return Taken(Actor.system(f"job {self.kind}"), self.clock(), chain=self.chain)

    @asynccontextmanager
    async def step(self, session: AsyncSession) -> AsyncIterator[Step]:
        """Put progress into the session's transaction, together with the work of the block.

        Raises LeaseLost or CancelAsked before the block, and LeaseLost after it, so that the transaction is rolled back: work
        and progress are committed both or not at all, and never by a worker whose job another one has.
        """
        await self._look(session)
        step = Step()
        yield step
        await session.flush()
        await self.hold(session, **_changes(step))
        self.done += step.advance
        self.total = self.total if step.total is None else step.total
        self.place = self.place if step.place is None else step.place

    async def hold(self, session: AsyncSession, **values: Any) -> None:
        """Prolong the lease within the session's transaction. Raises LeaseLost. On PostgreSQL the row stays locked until its
        end, so that nobody takes the job over in between."""
        mine = update(Job).where(Job.id == self.id, Job.lease_no == self.lease_no, Job.status == JobStatus.RUNNING)
        found = await session.execute(
            mine.values(lease_until=self.clock() + self.lease, **values).returning(Job.id),
            execution_options={"synchronize_session": False},
        )
        if found.scalar() is None:
            raise LeaseLost(self.uid)

    async def _look(self, session: AsyncSession) -> None:
        query = select(Job.lease_no, Job.status, Job.cancel_asked).where(Job.id == self.id)
        row = (await session.execute(query)).one_or_none()
        if row is None or row[0] != self.lease_no or row[1] != JobStatus.RUNNING:
            raise LeaseLost(self.uid)
        if row[2]:
            self.cancel_asked = True
            raise CancelAsked(self.uid)


def _changes(step: Step) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if step.advance:
        changes["done"] = Job.done + step.advance
    if step.total is not None:
        changes["total"] = step.total
    if step.note is not None:
        changes["note"] = clean(step.note, MAX_NOTE)
    if step.place is not None:
        changes["place"] = step.place
    return changes


Handler = Callable[[RunningJob], Awaitable[Mapping[str, Any] | None]]
"""Does the work of one kind; what it gives is kept as the job's result. It may be called again after any step."""

Handlers = Mapping[str, Handler]
