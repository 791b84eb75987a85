"""Saying old entries again in the run that is being written: those of a forked run, and those of a damaged journal.

Both are safe to be cut off anywhere: each new entry names its old id, and what is named already is left out.
"""

from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path

import structlog

from edge.clock import Clock
from edge.journal import reissue, salvage
from edge.journal.reader import JournalReader
from edge.journal.reissue import Old, Reissuer
from edge.journal.writer import JournalWriter
from sync_protocol.entries import NoteEntry
from sync_protocol.ids import EntryId, RunId

log = structlog.get_logger()

MAX_NAMED = 200
"""Entries that a note names by their ids: 8 kB of them; the count tells of all."""


class Again:
    """`durable(ticket)` waits until what was placed up to a ticket is on the disk. Raises JournalFault where that does."""

    def __init__(
        self, writer: JournalWriter, reader: JournalReader, clock: Clock, durable: Callable[[int], Awaitable[None]]
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._durable = durable

    async def forked(self, run: RunId, first: int) -> int:
        """Say the entries of a run from `first` on again; how many it were."""
        again = Reissuer(self._place, self._reader.renamed)
        todo = await self._reader.not_said_again(run, first, reissue.CHUNK)
        if todo:
            await again.write(await self._not_yet(await self._reader.devices_before(run, first)))
        while todo:
            await again.write(todo)
            todo = await self._reader.not_said_again(run, EntryId.parse(todo[-1].id).seq + 1, reissue.CHUNK)
        return await self._close(again)

    async def salvaged(self, file: Path) -> int:
        """Say what a salvage file holds for that again; how many it were."""
        again = Reissuer(self._place, self._reader.renamed)
        olds = salvage.olds_of(file)
        while chunk := list(islice(olds, reissue.CHUNK)):
            await again.write(await self._not_yet(chunk))
        return await self._close(again)

    async def _not_yet(self, olds: Sequence[Old]) -> list[Old]:
        done = await self._reader.renamed([old.id for old in olds])
        return [old for old in olds if old.id not in done]

    async def _place(self, entries: Sequence[reissue.Again]) -> None:
        await self._durable(self._writer.submit_again(entries))

    async def _close(self, again: Reissuer) -> int:
        if again.has_devices:
            # The descriptions that were said again are older than today's, which hold for what is captured from now on.
            await self._durable(self._writer.repeat_preamble())
        if again.skipped:
            data = {"count": len(again.skipped), "entries": again.skipped[:MAX_NAMED]}
            note = NoteEntry(**self._clock.stamp(), name="reissue_incomplete", data=data)
            await self._durable(self._writer.submit(note).ticket)
        return again.written
