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
            flight = _Flight(sender)
            try:
                while loop.time() < end:
                    moved = await plan(job, self.sight)
                    sent = await self._send(job, flight)
                    if not (moved or sent or flight.busy) and not await self._wanted(job):
                        return
                    await self._note(job, flight, 0 if moved else self.pace.look_s)
                while flight.busy:
                    await self._note(job, flight, self.pace.look_s)
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

    async def _note(self, job: RunningJob, flight: "_Flight", seconds: float) -> None:
        """Wait until some have landed, or for so long, and write down all that have: together, since a commit takes longer than
        most answers."""
        landed = await flight.landed(seconds)
        if not landed:
            return
        async with job.sessions.write() as session:
            for request, answer in landed:
                await note(session, request, answer, job.taken())
            await session.flush()
            await job.hold(session)
        flight.forget(landed)

    async def _wanted(self, job: RunningJob) -> bool:
        async with job.sessions.read() as session:
            return await _any(session)


async def _any(session: AsyncSession) -> bool:
    return await session.scalar(select(Endpoint.id).where(Endpoint.status != Standing.PAUSED).limit(1)) is not None


class _Flight:
    """Requests on their way, each in a task of its own; one is on its way until it was written down."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._tasks: dict[asyncio.Task[Answer], Request] = {}

    @property
    def busy(self) -> list[tuple[int, int]]:
        return [(request.endpoint, request.delivery) for request in self._tasks.values()]

    def begin(self, request: Request) -> None:
        self._tasks[asyncio.create_task(self._carry(request))] = request

    async def landed(self, seconds: float) -> list[tuple[Request, Answer]]:
        """Those that have an answer, once there is one or so much time has passed."""
        if not self._tasks:
            await asyncio.sleep(seconds)
            return []
        done, _ = await asyncio.wait(self._tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        found = [(self._tasks[task], task.result()) for task in done]
        return sorted(found, key=lambda one: (one[0].endpoint, one[0].delivery))

    def forget(self, landed: list[tuple[Request, Answer]]) -> None:
        """They are written down."""
        noted = {request.delivery for request, _ in landed}
        self._tasks = {task: request for task, request in self._tasks.items() if request.delivery not in noted}

    async def stop(self) -> None:
        """Give up what is on its way; it is sent again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _carry(self, request: Request) -> Answer:
        if request.content is None:
            return Answer(None, NOT_VISIBLE, 0)
        return await self._sender.post(request.url, request.headers, request.content)
