"""A box of the simulation: the shipped journal and sender, a person who takes readings, and everything that befalls it."""

import asyncio
import hashlib
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from random import Random

from edge.errors import EdgeError, JournalFault
from edge.journal.queue import Origin
from edge.journal.service import Journal
from edge.supervisor import keep_running
from edge.uplink.backoff import Backoff
from edge.uplink.frames import Credentials
from edge.uplink.sender import Sender
from sync_protocol.entries import Clk, Entry, NoteEntry, StampFields, parse
from sync_protocol.ids import BoxId
from tests.simulation.disk import Disk, VirtualWriter, broken, open_journal
from tests.simulation.network import Network, SimBinding

BOX = BoxId("01J8Z3K4M5N6P7Q8R9S0T1V2W3")
KEY_ID = b"simulated key id"
_SECRET = b"known to both"

START_AGAIN_S = 5.0


def sign(message: bytes) -> bytes:
    """A quick stand-in for ES256 that depends on every byte; the box and the cloud of a simulation trust each other's key."""
    return hashlib.sha256(_SECRET + message).digest()


@dataclass
class SimClock:
    """The loop's time since this boot, and a wall clock that is wrong by as much as somebody makes it."""

    boot_id: str
    booted_s: float
    wall_off_ns: int = 0

    def now_ns(self) -> int:
        return round((asyncio.get_running_loop().time() - self.booted_s) * 1e9)

    def wall_ns(self) -> int:
        return 1_700_000_000_000_000_000 + self.now_ns() + self.wall_off_ns

    def stamp(self) -> StampFields:
        return {"boot_id": self.boot_id, "mono_ns": self.now_ns(), "wall_ns": self.wall_ns(), "clk": Clk(s="none")}


@dataclass
class SimBox:
    """One machine. Several may have one identity: copies of a disk know no better."""

    name: str
    disk: Disk
    network: Network
    random: Random
    seen: Counter[str]
    confirmed: set[str] = field(default_factory=set)
    unforeseen: list[str] = field(default_factory=list)
    quiet: bool = False
    tasks: "list[asyncio.Task[None]]" = field(default_factory=list)
    journal: Journal | None = None
    writer: VirtualWriter | None = None
    sender: Sender | None = None
    boots: int = 0
    written: int = 0
    _ending: "asyncio.Task[None] | None" = None

    def start(self, *, resume: bool = False) -> None:
        """Switch it on; a disk that does not let the journal open is tried again, as a machine does."""
        loop = asyncio.get_running_loop()
        self.boots += 1
        self.clock = SimClock(f"{self.name}-{self.boots}", loop.time())
        try:
            self._open(resume)
        except (sqlite3.Error, JournalFault):
            self.seen["start_failed"] += 1
            self.tasks = [loop.create_task(self._start_later(resume))]

    async def _start_later(self, resume: bool) -> None:
        await asyncio.sleep(START_AGAIN_S)
        self.start(resume=resume)

    def _open(self, resume: bool) -> None:
        loop = asyncio.get_running_loop()
        origin = Origin(self.clock, "sim", self.random.randbytes, self._preamble)
        self.journal, self.writer = open_journal(self.disk, origin, random=self.random, resume=resume)
        self.sender = Sender(
            self.journal,
            SimBinding(self.network, self.name),
            Credentials(BOX, KEY_ID, sign),
            clock=self.clock,
            backoff=Backoff(self.random.choice((2.0, 30.0)), self.random.random),
        )
        self.tasks = [
            loop.create_task(keep_running("uplink", partial(self._send, self.sender))),
            loop.create_task(self._work(self.journal)),
            loop.create_task(self._retention(self.journal)),
        ]

    def _preamble(self) -> list[Entry]:
        return [NoteEntry(**self.clock.stamp(), name="preamble")]

    async def stop(self) -> None:
        """Pull the plug: what is not committed is lost."""
        if self.writer is not None:
            self.writer.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []

    async def restart(self, *, resume: bool = False) -> None:
        await self.stop()
        self.start(resume=resume)

    def is_on(self) -> bool:
        return bool(self.tasks)

    async def _send(self, sender: Sender) -> None:
        try:
            await sender.run()
        except EdgeError:
            # The disk refused what the uplink wanted to note.
            self.seen["uplink_restarted"] += 1
            raise
        except Exception as exc:
            self.unforeseen.append(f"{type(exc).__name__}: {exc}")
            raise

    async def _work(self, journal: Journal) -> None:
        """Somebody takes readings, alone or by the dozen, and remembers which ones were called saved."""
        while True:
            await asyncio.sleep(self.random.choice((0.01, 0.5, 3.0, 10.0)))
            if broken(journal) is not None:
                self.seen["process_ended"] += 1
                self._ending = asyncio.get_running_loop().create_task(self.restart())
                return
            if not self.quiet:
                many = self.random.choice((1, 1, 1, 2, 8))
                await asyncio.gather(*(self._take_reading(journal) for _ in range(many)))

    async def _take_reading(self, journal: Journal) -> None:
        self.written += 1
        uid = f"{self.name}-{self.boots}-{self.written}"
        try:
            await journal.append(NoteEntry(**self.clock.stamp(), name="reading", data={"uid": uid}))
        except JournalFault:
            self.seen["refused_reading"] += 1
        else:
            self.confirmed.add(uid)

    async def _retention(self, journal: Journal) -> None:
        while True:
            await asyncio.sleep(17.0)
            try:
                gone = await journal.prune(older_than_s=4 * 3600, limit=50)
            except EdgeError:
                continue
            if gone:
                self.seen["pruned"] += gone

    def readings(self) -> set[str]:
        """Every reading on its disk."""
        found = self.disk.run("SELECT bytes FROM entry", ()).fetchall()
        return {uid for (data,) in found if (uid := uid_of(data)) is not None}


def uid_of(data: bytes) -> str | None:
    """The reading that an entry says, None for entries that are no reading."""
    entry = parse(data)
    if isinstance(entry, NoteEntry) and entry.name == "reading":
        return str(entry.data["uid"])
    return None
