"""The journal as the box's tasks use it: append and await durability, wake the uplink, read."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from edge.clock import Clock
from edge.errors import JournalBroken
from edge.journal.reader import JournalReader
from edge.journal.store import Connect, connect_sqlite
from edge.journal.writer import JournalWriter, Notices
from sync_protocol.entries import Encoded, Entry, StepEntry
from sync_protocol.ids import EntryId, RunId


class Journal:
    """One run of the journal inside one event loop."""

    def __init__(self, writer: JournalWriter, reader: JournalReader) -> None:
        self._writer = writer
        self.reader = reader
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._durable = 1
        self.grown = asyncio.Event()
        """Set when entries became durable; the uplink clears it."""
        self.broken: asyncio.Future[JournalBroken] = asyncio.get_running_loop().create_future()
        """Done when a commit failed: the process must open a new run."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, clock: Clock, run: RunId, firmware: str, connect: Connect = connect_sqlite
    ) -> AsyncIterator[Self]:
        """Begin a new run on the journal at `path`. Raises JournalFault."""
        writer = JournalWriter(path, clock=clock, run=run, firmware=firmware, connect=connect)
        loop = asyncio.get_running_loop()
        journal: Self | None = None

        def durable(tip: int) -> None:
            if journal is not None:
                loop.call_soon_threadsafe(journal._advance, tip)

        def broken(exc: JournalBroken) -> None:
            if journal is not None:
                loop.call_soon_threadsafe(journal._fail, exc)

        await asyncio.to_thread(writer.start, Notices(durable, broken))
        try:
            async with JournalReader.open(path) as reader:
                journal = cls(writer, reader)
                yield journal
                await asyncio.to_thread(writer.close)
        finally:
            await asyncio.to_thread(writer.close)

    @property
    def run(self) -> RunId:
        return self._writer.run

    @property
    def tip(self) -> int:
        """Entries of this run that are on the disk."""
        return self._durable

    async def append(self, entry: Entry | Encoded) -> EntryId:
        """Write one entry; returns when it is on the disk. Raises JournalFault or JournalBroken: then nothing is confirmed."""
        seq = self._writer.submit(entry)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, done))
        # A cancelled caller must not take the future with it that `_advance` will resolve.
        await asyncio.shield(done)
        return EntryId(self.run, seq)

    def mark_acked(self, run: RunId, acked: int) -> None:
        """Remember how far the cloud is; lost without harm."""
        self._writer.mark_acked(run, acked)

    def steps(self) -> AsyncIterator[tuple[EntryId, StepEntry]]:
        """All steps ever written, in order."""
        return self.reader.steps()

    def _advance(self, tip: int) -> None:
        self._durable = tip
        while self._waiting and self._waiting[0][0] < tip:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_result(None)
        self.grown.set()

    def _fail(self, exc: JournalBroken) -> None:
        while self._waiting:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_exception(exc)
                done.exception()  # marks it as seen: its caller may be gone
        if not self.broken.done():
            self.broken.set_result(exc)
