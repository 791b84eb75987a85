"""A real journal with a book of commands on it, a clock that is turned, and operations that note that they were called."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge.commands.book import CommandBook
from edge.commands.executor import Executor
from edge.commands.outcomes import Result
from edge.journal.service import Journal
from sync_protocol.commands import Command
from sync_protocol.entries import Clk, CommandEntry, StampFields, parse

SECOND = 1_000_000_000
DEADLINE_S = 20.0
FAR = "2099-01-01T00:00:00+00:00"


@dataclass
class TurnClock:
    """Stands still until it is turned."""

    ns: int = 1_000 * SECOND
    boot: str = "boot"

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return self.ns

    def stamp(self) -> StampFields:
        return {"boot_id": self.boot, "mono_ns": self.ns, "wall_ns": self.ns, "clk": Clk(s="none")}


def command(number: int, lease: int = 1, op: str = "pull_mirror", not_after: str = FAR, **args: Any) -> Command:
    return Command(cmd_id=f"01HZ{number:022}", lease=lease, not_after=not_after, op=op, args=args)


@dataclass
class Box:
    """The part of a box that takes commands, for as long as its block."""

    journal: Journal
    executor: Executor
    done: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def told(self) -> list[tuple[str, str]]:
        """Id and outcome of every command entry, in order."""
        rows: list[bytes] = await self.journal.housekeeping(
            lambda db: [
                row[0] for row in db.execute("SELECT bytes FROM entry WHERE kind='command' ORDER BY run, seq").fetchall()
            ]
        )
        entries = [parse(row) for row in rows]
        return [(entry.cmd_id, entry.outcome) for entry in entries if isinstance(entry, CommandEntry)]

    async def until_told(self, count: int) -> list[tuple[str, str]]:
        async with asyncio.timeout(DEADLINE_S):
            while len(told := await self.told()) < count:  # noqa: ASYNC110 - the disk cannot wake anyone
                await asyncio.sleep(0.005)
        return told


async def until(fact: Callable[[], object]) -> None:
    """Wait for a fact, with a generous deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not fact():  # noqa: ASYNC110 - facts of many kinds, none of which can wake anyone
            await asyncio.sleep(0.005)


OpenBox = Callable[..., AbstractAsyncContextManager[Box]]


@pytest.fixture
def clock() -> TurnClock:
    return TurnClock()


@pytest.fixture
def open_box(tmp_path: Path, clock: TurnClock) -> OpenBox:
    """`async with open_box(**deeds) as box`: again and again on the same journal; the block's end is a power cut for whatever
    is being carried out."""

    @asynccontextmanager
    async def opened(**deeds: Callable[[Any], Awaitable[Result]]) -> AsyncIterator[Box]:
        async with Journal.open(tmp_path / "journal.db", clock=clock, firmware="0") as journal:
            box = Box(journal, Executor(CommandBook(journal), {}, clock))

            async def note(_args: Any) -> Result:
                box.done.append("pull_mirror")
                return Result("done")

            async def wait(_args: Any) -> Result:
                box.done.append("fresh_run")
                await box.gate.wait()
                return Result("done")

            box.executor = Executor(CommandBook(journal), {"pull_mirror": note, "fresh_run": wait} | deeds, clock)
            running = asyncio.create_task(box.executor.run())
            try:
                yield box
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    return opened
