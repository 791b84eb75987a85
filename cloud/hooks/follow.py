"""The one job behind all webhooks: makes deliveries of new events and sends them, for as long as any endpoint wants to be told.

It holds its lease like every job, so that of all processes one sends; when that one is killed, another goes on. What was sent
and not yet written down is then sent again, under the same id.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.hooks.delivering import NOT_VISIBLE, Request, note, ready
from cloud.hooks.endpoints import ensure_following
from cloud.hooks.models import Endpoint, Standing
from cloud.hooks.planning import plan
from cloud.hooks.send import Answer, Sender
from cloud.hooks.sight import Sight
from cloud.jobs.running import RunningJob

MAX_IN_FLIGHT = 16
"""Requests on their way at once, over all endpoints."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`turn_s`: so long one try of the job goes on; then it puts itself back, which also forgets earlier failures."""

    look_s: float = 1.0
    turn_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Follower:
    """The job's handler."""

    sight: Sight
    sender: Callable[[], AbstractAsyncContextManager[Sender]]
    pace: Pace = Pace()

    async def __call__(self, job: RunningJob) -> None:
        """Ends when nobody wants to be told anything, or after a turn. Raises LeaseLost and CancelAsked as steps do."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.pace.turn_s
        async with self.sender() as sender:
            flight = _Flight(job, sender)
            try:
                while loop.time() < end:
                    moved = await plan(job, self.sight)
                    sent = await self._send(job, flight)
                    if not (moved or sent or flight.busy) and not await self._wanted(job):
                        return
                    await flight.wait(0 if moved else self.pace.look_s)
                await flight.land()
            finally:
                await flight.stop()
        async with job.sessions.write() as session:
            await ensure_following(session, job.taken())

    async def _send(self, job: RunningJob, flight: "_Flight") -> int:
        room = MAX_IN_FLIGHT - len(flight.busy)
        if room <= 0:
            return 0
        async with job.sessions.read() as session:
            requests = await ready(session, job.clock(), self.sight, busy=flight.busy, room=room)
        for request in requests:
            flight.begin(request)
        return len(requests)

    async def _wanted(self, job: RunningJob) -> bool:
        async with job.sessions.read() as session:
            return await _any(session)


async def _any(session: AsyncSession) -> bool:
    return await session.scalar(select(Endpoint.id).where(Endpoint.status != Standing.PAUSED).limit(1)) is not None


class _Flight:
    """Requests on their way, each sent and written down by a task of its own."""

    def __init__(self, job: RunningJob, sender: Sender) -> None:
        self._job = job
        self._sender = sender
        self._tasks: dict[asyncio.Task[None], tuple[int, int]] = {}

    @property
    def busy(self) -> set[tuple[int, int]]:
        return set(self._tasks.values())

    def begin(self, request: Request) -> None:
        task = asyncio.create_task(self._carry(request))
        self._tasks[task] = (request.endpoint, request.delivery)

    async def wait(self, seconds: float) -> None:
        """Until one has landed, or for so long. Raises what a task raised."""
        if not self._tasks:
            await asyncio.sleep(seconds)
            return
        done, _ = await asyncio.wait(self._tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            del self._tasks[task]
        for task in done:
            task.result()

    async def land(self) -> None:
        while self._tasks:
            await self.wait(1.0)

    async def stop(self) -> None:
        """Give up what is on its way; it is sent again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _carry(self, request: Request) -> None:
        if request.content is None:
            answer = Answer(None, NOT_VISIBLE, 0)
        else:
            answer = await self._sender.post(request.url, request.headers, request.content)
        async with self._job.sessions.write() as session:
            await note(session, request, answer, self._job.taken())
            await session.flush()
            await self._job.hold(session)
