"""The loop that works jobs off: as many at a time as it has hands, each under a lease that it keeps prolonging."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cloud.clock import Clock, system_clock
from cloud.db.engine import Sessions
from cloud.jobs.bell import hung
from cloud.jobs.faults import LeaseLost
from cloud.jobs.models import Job
from cloud.jobs.running import Handler, Handlers, RunningJob
from cloud.jobs.schedules import Plan, any_due, ensure_plans, put_due
from cloud.jobs.settling import beat, claim, due, give_back, put_down

log = structlog.get_logger()

AWAY = (OperationalError, InterfaceError, PoolTimeout)
"""The database is not there, or somebody held a row for too long: it is asked again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`lease`: after so long without a beat another worker takes the job; several beats must fit into it."""

    lease: timedelta = timedelta(seconds=30)
    beat_s: float = 8.0
    poll_s: float = 1.0
    """Other processes' jobs and those for later are found by looking."""
    retry_s: float = 1.0
    hands: int = 4
    """Jobs at a time: a long one must not keep short ones waiting, and each may hold a connection of ten."""


class Worker:
    """Works in one event loop. `name` tells workers apart on the page; it decides nothing."""

    def __init__(
        self,
        sessions: Sessions,
        handlers: Handlers,
        *,
        name: str,
        plans: Sequence[Plan] = (),
        clock: Clock = system_clock,
        pace: Pace | None = None,
    ) -> None:
        self._sessions = sessions
        self._handlers = handlers
        self._name = name
        self._plans = plans
        self._clock = clock
        self._pace = pace or Pace()
        self._mine: set[int] = set()

    async def run(self) -> None:
        """Work until cancelled; what runs then is given back. A database that is away is asked again."""
        with hung() as bell:
            await self._again_until_there(self._ensure)
            async with asyncio.TaskGroup() as tasks:
                while True:
                    bell.clear()
                    try:
                        job = await self._next()
                    except AWAY as exc:
                        log.warning("jobs_postponed", reason=type(exc).__name__)
                        await asyncio.sleep(self._pace.retry_s)
                        continue
                    if job is not None:
                        self._mine.add(job.id)
                        tasks.create_task(self._hand(job, bell))
                        continue
                    await _within(bell, self._pace.poll_s)

    async def run_due(self) -> int:
        """Work off what is due now, one after the other, and what that makes due; how many tries there were."""
        await self._ensure()
        tries = 0
        while (job := await self._next()) is not None:
            await self._try(job)
            tries += 1
        return tries

    async def _ensure(self) -> None:
        if self._plans:
            async with self._sessions.write() as session:
                await ensure_plans(session, self._plans, self._clock())

    async def _next(self) -> RunningJob | None:
        """Put due schedules into the table and take one job; None when there is nothing, or no hand free."""
        now = self._clock()
        async with self._sessions.read() as session:
            schedules = await any_due(session, now)
            jobs = await session.scalar(due(now, self._handlers, self._mine).with_only_columns(Job.id).limit(1)) is not None
        if schedules:
            async with self._sessions.write() as session:
                await put_due(session, now)
        if not (jobs or schedules) or len(self._mine) >= self._pace.hands:
            return None
        async with self._sessions.write() as session:
            row = await claim(
                session, self._handlers, worker=self._name, now=self._clock(), lease=self._pace.lease, mine=self._mine
            )
        return None if row is None else RunningJob.of(row, self._sessions, self._clock, self._pace.lease)

    async def _hand(self, job: RunningJob, bell: asyncio.Event) -> None:
        try:
            await self._try(job)
        finally:
            self._mine.discard(job.id)
            bell.set()

    async def _try(self, job: RunningJob) -> None:
        log.info("job_started", job=job.uid, kind=job.kind, attempt=job.attempt)
        handler = self._handlers[job.kind]
        work = asyncio.ensure_future(_call(handler, job))
        heart = asyncio.ensure_future(self._beat(job, work))
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait({work})
            if work.cancelled():
                with suppress(*AWAY):  # its lease runs out then
                    await self._give_back(job)
                raise
            await self._settle(job, work)
            raise
        finally:
            heart.cancel()
            await asyncio.wait({heart})
        await self._settle(job, work)

    async def _give_back(self, job: RunningJob) -> None:
        async with self._sessions.write() as session:
            await give_back(session, job)

    async def _settle(self, job: RunningJob, work: "asyncio.Future[dict[str, object] | None]") -> None:
        """Whatever a handler raises ends its own try and nothing else: it is looked at here instead of being caught."""
        fault = None if work.cancelled() else work.exception()
        if work.cancelled() or isinstance(fault, LeaseLost):
            log.warning("job_lost", job=job.uid, kind=job.kind)
            return
        if fault is not None and not isinstance(fault, Exception):
            raise fault

        async def write() -> None:
            async with self._sessions.write() as session:
                status = await put_down(session, job, fault, None if fault else work.result())
            _tell(job, status, fault)

        await self._again_until_there(write)

    async def _beat(self, job: RunningJob, work: "asyncio.Future[dict[str, object] | None]") -> None:
        while True:
            await asyncio.sleep(self._pace.beat_s)
            try:
                async with self._sessions.write() as session:
                    asked = await beat(session, job)
            except AWAY as exc:
                log.warning("jobs_postponed", reason=type(exc).__name__)
                continue
            if asked is None:
                work.cancel()
                return
            job.cancel_asked = asked

    async def _again_until_there(self, write: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await write()
            except AWAY as exc:
                log.warning("jobs_postponed", reason=type(exc).__name__)
                await asyncio.sleep(self._pace.retry_s)
            else:
                return


async def _call(handler: Handler, job: RunningJob) -> dict[str, object] | None:
    result = await handler(job)
    return None if result is None else dict(result)


def _tell(job: RunningJob, status: str | None, fault: BaseException | None) -> None:
    if status is None:
        log.warning("job_lost", job=job.uid, kind=job.kind)
    elif fault is None:
        log.info("job_ended", job=job.uid, kind=job.kind, status=status)
    else:
        log.warning("job_failed", job=job.uid, kind=job.kind, status=status, reason=type(fault).__name__)


async def _within(bell: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()
