"""The journal as the box's tasks use it: append and await durability, go on in a new run, wake the uplink, read."""

import asyncio
import secrets
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self, TypeVar

import structlog

from edge.clock import Clock
from edge.errors import JournalBroken, JournalFault
from edge.journal import aside, medium, recovery, retention, rows, salvage
from edge.journal.again import Again
from edge.journal.notices import Durable, Notices
from edge.journal.opening import SALVAGE
from edge.journal.queue import Origin, Place
from edge.journal.reader import GENERATION, JournalReader
from edge.journal.reissue import references, renamed
from edge.journal.stats import JournalStats, stats_of
from edge.journal.store import Connect, Connection, connect_sqlite
from edge.journal.writer import REOPEN_AFTER_S, JournalWriter
from sync_protocol.entries import Encoded, Entry, StepEntry
from sync_protocol.ids import EntryId, RunId

log = structlog.get_logger()

T = TypeVar("T")

TAKEN = "taken:"
"""Beginning of the keys under which salvage files are known that somebody takes care of."""


class Journal:
    """One start of the journal inside one event loop. Its runs follow each other; entries know theirs."""

    def __init__(self, path: Path, writer: JournalWriter, reader: JournalReader, clock: Clock) -> None:
        self._writer = writer
        self.reader = reader
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._tips: dict[RunId, int] = {writer.durable.run: writer.durable.tip}
        self._settled = writer.last_ticket()
        self._path = path
        self._again = Again(writer, reader, clock, self._durable)
        self._turns = asyncio.Lock()
        self._reissuing = asyncio.Lock()
        self._renamed = False
        self.grown = asyncio.Event()
        """Set when entries became durable; the uplink clears it."""
        self.broken: asyncio.Future[JournalBroken] = asyncio.get_running_loop().create_future()
        """Done when a commit failed and the journal could not be opened again: the process must be started anew."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        firmware: str,
        run: RunId | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        preamble: Callable[[], Sequence[Entry]] = tuple,
        connect: Connect = connect_sqlite,
        reopen_after_s: Sequence[float] = REOPEN_AFTER_S,
    ) -> AsyncIterator[Self]:
        """Begin a new run on the journal at `path`. Raises JournalFault.

        `run` names the first run; the others, and the first without it, draw their names from `entropy`. Every run begins with
        what `preamble()` gives at that time; it is called in any thread and must only read.
        """
        origin = Origin(clock, firmware, _first(run, entropy), preamble, medium.of(path.parent))
        writer = JournalWriter(path, origin, connect=connect, reopen_after_s=reopen_after_s)
        loop = asyncio.get_running_loop()
        journal: Self | None = None

        def hand_over(take: Callable[[Self], None]) -> None:
            if journal is not None:
                loop.call_soon_threadsafe(take, journal)

        notices = Notices(
            on_durable=lambda durable: hand_over(lambda journal: journal.advance(durable)),
            on_failed=lambda fault, ticket: hand_over(lambda journal: journal.fail(fault, ticket)),
            on_broken=lambda fault: hand_over(lambda journal: journal.end(fault)),
        )
        await asyncio.to_thread(writer.start, notices)
        try:
            async with AsyncExitStack() as stack:
                try:
                    reader = await stack.enter_async_context(JournalReader.open(path))
                    journal = cls(path, writer, reader, clock)
                    journal._renamed = await reader.has_reissued()
                except sqlite3.Error as exc:
                    raise recovery.fault_of(exc, "the journal cannot be read") from exc
                await journal.take_salvaged()
                yield journal
        finally:
            # Last, so that the log is moved into the file: a reader that is still there would keep it.
            await asyncio.to_thread(writer.close)

    @property
    def run(self) -> RunId:
        """The newest run that is on the disk."""
        return next(reversed(self._tips))

    @property
    def tip(self) -> int:
        """Entries of that run that are on the disk."""
        return self._tips[self.run]

    @property
    def tips(self) -> Mapping[RunId, int]:
        """Every run of this process with its entries on the disk, oldest first: more than one may have grown."""
        return self._tips

    async def append(self, entry: Entry | Encoded) -> EntryId:
        """Write one entry; returns when it is on the disk, with the place it has there.

        Raises JournalFault, JournalBroken or JournalFull: then nothing is confirmed.
        """
        if self._renamed and isinstance(entry, StepEntry):
            place = await self._submit_renamed(entry)
        else:
            place = self._writer.submit(entry)
        await self._durable(place.ticket)
        return EntryId(place.run, place.seq)

    async def _submit_renamed(self, step: StepEntry) -> Place:
        """A step written now may rest on readings that were said again since they were taken, or are being said again."""
        async with self._reissuing:
            content = step.model_dump(mode="json", exclude_none=True)
            names = await self.reader.renamed(sorted(set(references(content))))
            return self._writer.submit(StepEntry.model_validate(renamed(content, names)) if names else step)

    async def fresh_run(self) -> RunId:
        """Go on in a new run; returns its name when it is on the disk. What was appended before keeps its place. Raises as
        `append`."""
        place = self._writer.fresh_run()
        await self._durable(place.ticket)
        return place.run

    async def reissue(self, run: RunId, first: int) -> int:
        """Write the entries of a forked run from `first` on again, behind the last entry of another run; how many it were.

        The run is then stopped as a fork. What was said again already is left out, so that a call that was cut off by anything
        is simply made again. Raises as `append`.
        """
        self._renamed = True
        async with self._reissuing:
            if run == self._writer.run:
                await self.fresh_run()
            else:
                await self._durable(self._writer.last_ticket())
            written = await self._again.forked(run, first)
        await self.stop_run(run, "fork")
        return written

    async def take_salvaged(self) -> None:
        """Say again what was salvaged of a damaged journal, as far as that was not done. Raises as `append`."""
        for key, name in [*self._writer.known.items()]:
            if not key.startswith(SALVAGE) or not name:
                continue
            self._renamed = True
            written = await self._again.salvaged(self._path.with_name(name))
            await self.know(key, "")
            log.info("journal_salvage_taken", file=name, entries=written)

    def salvage_files(self) -> list[Path]:
        """Files with what was salvaged of damaged journals, oldest first, that nobody has taken charge of."""
        folders = aside.folders(self._path)
        files = [salvage.salvage_file(self._path, aside.number_of(folder)) for folder in folders]
        return [file for file in files if file.exists() and self.known(TAKEN + file.name) is None]

    async def salvage_taken(self, file: Path) -> None:
        """Somebody else takes care that the cloud gets a salvage file: it is not offered again."""
        await self.know(TAKEN + file.name, "1")

    async def housekeeping(self, work: Callable[[Connection], T], *, transaction: bool = True) -> T:
        """Let `work` run on the writer's connection between two commits; its changes are durable when this returns.

        It runs in another thread and should be done in milliseconds: entries wait for it. `transaction=False` for what SQLite
        does not do inside one (a checkpoint). Raises JournalFault when the file refuses, JournalFull, JournalBroken.
        """
        async with self._turns:
            return await asyncio.to_thread(self._writer.in_turn, work, transaction=transaction)

    async def prune(self, *, older_than_s: int, limit: int, keep_jobs: Collection[str] = ()) -> int:
        """Delete up to `limit` entries that the cloud has held for so long (`retention`); how many it were."""
        age_s = self._writer.age_s()
        return await self.housekeeping(
            lambda db: retention.prune(db, age_s=age_s, older_than_s=older_than_s, limit=limit, keep_jobs=keep_jobs)
        )

    def known(self, key: str) -> str | None:
        """A small fact that was kept with `know`."""
        return self._writer.known.get(key)

    async def know(self, key: str, value: str) -> None:
        """Keep a small fact for good; durable when this returns."""
        await self.housekeeping(lambda db: rows.put_known(db, key, value))
        self._writer.known[key] = value

    def mark_acked(self, run: RunId, acked: int) -> None:
        """Remember how far the cloud is, which may be less than before; lost without harm."""
        self._writer.mark_acked(run, acked)

    async def rewind(self, gen: int, acked: Mapping[RunId, int]) -> None:
        """The cloud was restored from a backup: keep its generation, and in the same commit the position of every run that it
        is to be asked about; durable when this returns."""
        age_s = self._writer.age_s()

        def work(db: Connection) -> None:
            for run, position in acked.items():
                rows.set_acked(db, run, position, age_s=age_s)
            # Until the cloud has said of a run where it is, none of it grows old enough to be let go.
            rows.forget_ages(db)
            rows.put_known(db, GENERATION, str(gen))

        self._writer.drop_acks()  # what waits for the next commit must not put the old ones back
        await self.housekeeping(work)
        self._writer.known[GENERATION] = str(gen)

    async def stop_run(self, run: RunId, reason: str) -> None:
        """Remember why nothing more of a run is sent; durable when this returns."""
        await self.housekeeping(lambda db: rows.stop_run(db, run, reason))

    async def begin_command(self, cmd_id: str) -> bool:
        """Take a command of the cloud, durably; False when it was taken before."""
        return await self.housekeeping(lambda db: rows.begin_command(db, cmd_id))

    async def finish_command(self, cmd_id: str) -> None:
        """The command's result is in the journal."""
        await self.housekeeping(lambda db: rows.finish_command(db, cmd_id))

    async def unfinished_commands(self) -> list[str]:
        """Commands that were taken and not finished: nobody knows how far they came."""
        return await self.housekeeping(rows.unfinished_commands)

    def stats(self) -> JournalStats:
        """Figures of the last commits."""
        return stats_of(self._writer.durations_us(), self._writer.pending())

    def steps(self) -> AsyncIterator[tuple[EntryId, StepEntry]]:
        """All steps ever written, in order."""
        return self.reader.steps()

    async def _durable(self, ticket: int) -> None:
        """Wait until all that was placed up to a ticket is on the disk. Raises JournalFault when it will not be."""
        if ticket <= self._settled:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((ticket, done))
        # A cancelled caller must not take the future with it that `advance` will resolve.
        await asyncio.shield(done)

    def advance(self, durable: Durable) -> None:
        """A commit is on the disk: the writer's notice, taken in the loop."""
        self._tips.update(durable.ends)
        self._settled = durable.ticket
        while self._waiting and self._waiting[0][0] <= durable.ticket:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_result(None)
        self.grown.set()

    def fail(self, fault: JournalFault, ticket: int) -> None:
        """Nothing more up to a ticket will become durable: the writer's notice, taken in the loop."""
        self._settled = max(self._settled, ticket)
        while self._waiting and self._waiting[0][0] <= ticket:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_exception(fault)
                done.exception()  # marks it as seen: its caller may be gone

    def end(self, fault: JournalBroken) -> None:
        """The journal is lost to this process: the writer's notice, taken in the loop."""
        if not self.broken.done():
            self.broken.set_result(fault)


def _first(run: RunId | None, entropy: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Randomness that gives the wanted run's name first."""
    wanted = [bytes.fromhex(run)] if run is not None else []
    return lambda count: wanted.pop() if wanted else entropy(count)
