"""Takes commands one after the other: judges each, remembers it on the disk, carries it out, and journals what came of it.

A command is taken before it is carried out and never carried out again: after a crash it is told as interrupted, because
nobody knows how far it came.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

import structlog

from edge.clock import Clock
from edge.commands.book import CommandBook
from edge.commands.cloud_time import CloudTime
from edge.commands.outcomes import CommandEnded, CommandRefused, Result
from sync_protocol.commands import Command, Session, judge
from sync_protocol.entries import CommandEntry
from sync_protocol.errors import TextFault
from sync_protocol.ops import Arguments, arguments
from sync_protocol.wiretext import clean

log = structlog.get_logger()

MAX_QUEUE = 64
"""Commands that wait: twice what the cloud keeps open for a box. What is left out comes again in the next session."""

MAX_DETAIL = 500
"""Characters of a reason in an entry: a validator's message names one setting."""

Deed = Callable[[Arguments], Awaitable[Result]]
"""Carries out one operation. Raises CommandRefused or CommandFailed."""


class Executor:
    """`give` takes what the cloud sends; `run` works on it until cancelled. Raises JournalFault when the disk takes nothing."""

    def __init__(self, book: CommandBook, deeds: Mapping[str, Deed], clock: Clock) -> None:
        self._book = book
        self._deeds = deeds
        self._clock = clock
        self._queue: deque[Command] = deque()
        self._wake = asyncio.Event()
        self._fenced: deque[tuple[str, int]] = deque(maxlen=MAX_QUEUE)
        self.time = CloudTime(clock)

    @property
    def highest_lease(self) -> int:
        """What the box says when it opens a session; 0 before the first."""
        return self._book.fence.highest

    async def opened(self, session: Session, *, rtt_ns: int) -> None:
        """A session was opened: from now on what comes under an older lease is refused."""
        self.time.heard(session.srv_time, rtt_ns=rtt_ns)
        await self._book.saw(session.lease)

    def give(self, command: Command) -> None:
        """Put a command in line; never waits."""
        if len(self._queue) >= MAX_QUEUE:
            log.warning("command_left_out", cmd_id=command.cmd_id, op=clean(command.op))
            return
        self._queue.append(command)
        self._wake.set()

    async def run(self) -> None:
        """Tell what an earlier process left unfinished, then carry out what comes."""
        for begun in await self._book.unfinished():
            await self._book.finish(self._entry(begun.cmd_id, begun.lease, begun.op, Result("interrupted")))
        while True:
            self._wake.clear()
            while self._queue:
                await self._take(self._queue.popleft())
            await self._wake.wait()

    async def _take(self, command: Command) -> None:
        late = self.time.passed(command.not_after)
        _, verdict = judge(self._book.fence, command, known=await self._book.taken(command.cmd_id), late=late)
        if verdict == "again":
            return
        if verdict == "fenced":
            await self._tell_fenced(command)
            return
        await self._book.saw(command.lease)
        await self._book.begin(command)
        result = Result("expired") if verdict == "expired" else await self._carry_out(command)
        log.info("command_ended", cmd_id=command.cmd_id, op=clean(command.op), outcome=result.outcome, detail=result.detail)
        await self._book.finish(self._entry(command.cmd_id, command.lease, command.op, result))

    async def _tell_fenced(self, command: Command) -> None:
        # It is not taken: under the newest lease it may come again and be done. Each copy of it is told once.
        if (command.cmd_id, command.lease) in self._fenced:
            return
        self._fenced.append((command.cmd_id, command.lease))
        log.warning("command_fenced", cmd_id=command.cmd_id, lease=command.lease, highest=self.highest_lease)
        await self._book.tell(self._entry(command.cmd_id, command.lease, command.op, Result("fenced")))

    async def _carry_out(self, command: Command) -> Result:
        try:
            deed = self._deeds.get(command.op)
            if deed is None:
                raise CommandRefused("unknown_op")
            try:
                args = arguments(command.op, command.args)
            except TextFault as exc:
                raise CommandRefused("bad_arguments", str(exc)) from exc
            return await deed(args)
        except CommandEnded as exc:
            return exc.result()

    def _entry(self, cmd_id: str, lease: int, op: str, result: Result) -> CommandEntry:
        data = {key: clean(value)[:MAX_DETAIL] if isinstance(value, str) else value for key, value in result.data.items()}
        detail = None if result.detail is None else clean(result.detail)[:MAX_DETAIL]
        stamp = self._clock.stamp()
        return CommandEntry(**stamp, cmd_id=cmd_id, lease=lease, op=clean(op), outcome=result.outcome, detail=detail, data=data)
