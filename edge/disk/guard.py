"""Keeps room on the journal's medium: looks, judges by `edge.disk.levels`, lets go of what may go, gives and takes the ballast.

It never touches an entry that the cloud lacks: `edge.journal.retention` does not choose one, and the file itself refuses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol, TypeVar

import structlog

from edge.disk import pages
from edge.disk.ballast import Ballast, usage_of
from edge.disk.levels import Level, Marks, Usage, level_of, reserved, wanted_bytes, wants_ballast
from edge.errors import JournalFault
from edge.journal.store import Connection

log = structlog.get_logger()

T = TypeVar("T")

DAY_S: Final = 86_400

CHUNK: Final = 500
"""Entries of one transaction: a few milliseconds, so that no reading waits for housekeeping, and a log of half a megabyte."""

CUTS_A_TURN: Final = 40
"""While there is room, 20,000 entries at a time go by age: a backlog of weeks is gone within the hour, and nobody notices."""

Frees = Callable[[int], Awaitable[int]]
"""Asked for so many bytes, lets go of files that the cloud has (oldest first); answers how many bytes that gave."""


class Keeps(Protocol):
    """What is needed of the journal: short work in its writer's thread, between two groups. Raises JournalFault."""

    async def housekeeping(self, work: Callable[[Connection], T], *, transaction: bool = True) -> T: ...

    async def prune(self, *, older_than_s: int, limit: int, keep_jobs: Collection[str] = ()) -> int:
        """Let go of up to `limit` entries that the cloud has held for so long, oldest first; how many it were."""
        ...


@dataclass(frozen=True, slots=True)
class DiskPolicy:
    """What the settings allow: marks, and for how many days entries stay after the cloud has them: when there is room, when
    room is wanted, and when nothing new can be taken any more."""

    marks: Marks = field(default_factory=Marks)
    acked_days: float = 14.0
    floor_days: float = 1.0
    full_days: float = 1 / 24


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """What was found last. `reusable` is free inside the journal's file; `pruned` counts entries since the start."""

    level: Level = Level.OK
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    reusable: int = 0
    ballast: bool = False
    pruned: int = 0


class DiskGuard:
    """One per box. `facts` always tells how it is; `moved` is set when the level changed, and cleared by who waits for it."""

    def __init__(
        self,
        folder: Path,
        journal: Keeps,
        policy: DiskPolicy,
        *,
        ballast: Ballast,
        open_jobs: Callable[[], Collection[str]] = tuple,
        frees: Sequence[Frees] = (),
        level_changed: Callable[[Level], None] = lambda _level: None,
        usage: Callable[[Path], Usage] = usage_of,
    ) -> None:
        self._folder = folder
        self._journal = journal
        self._policy = policy
        self._ballast = ballast
        self._open_jobs = open_jobs
        self._frees = tuple(frees)
        self._level_changed = level_changed
        self._usage = usage
        self._wake = asyncio.Event()
        self.moved = asyncio.Event()
        self.facts = DiskFacts()

    @property
    def level(self) -> Level:
        return self.facts.level

    def poke(self) -> None:
        """Look again at once: something was refused for want of room."""
        self._wake.set()

    async def run(self, every_s: float) -> None:
        """Look every so many seconds, until cancelled."""
        while True:
            # Before the look: what is refused during it must bring another.
            self._wake.clear()
            await self.check()
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self._wake.wait()

    async def check(self) -> None:
        """One turn. What cannot be done now (a failing disk, no room to delete in) is tried again in the next."""
        await self._look()
        self._give_ballast()
        try:
            await self._let_go(self._policy.acked_days, most=CUTS_A_TURN)
            if self.level is not Level.OK:
                await self._make_room()
                await self._look()
        except JournalFault as exc:
            log.warning("prune_failed", reason=str(exc), disk=self.level)
        self._take_ballast()

    async def _look(self) -> Usage:
        """Measure and judge; answers the medium as the level sees it."""
        usage = self._usage(self._folder)
        reusable = self.facts.reusable
        with suppress(JournalFault):
            reusable = await self._journal.housekeeping(pages.reusable_bytes, transaction=False)
        seen = reserved(Usage(usage.total, min(usage.total, usage.free + reusable)), self._ballast.missing)
        before, level = self.facts.level, level_of(seen, self._policy.marks, self.facts.level)
        lies = self._ballast.size > 0 and not self._ballast.missing
        self.facts = replace(self.facts, level=level, usage=usage, reusable=reusable, ballast=lies)
        if level is not before:
            log.warning("disk_level_changed", now=level, before=before, free=usage.free, total=usage.total)
            self.moved.set()
            self._level_changed(level)
        return seen

    def _give_ballast(self) -> None:
        """At the top level, and only when there is too little room to delete in."""
        tight = self.level is Level.FULL and self.facts.usage.free < self._ballast.size
        if tight and self._ballast.release():
            log.warning("ballast_given", size=self._ballast.size)

    def _take_ballast(self) -> None:
        size = self._ballast.missing
        if not size or not wants_ballast(self._usage(self._folder), self._policy.marks, size):
            return
        try:
            made = self._ballast.make()
        except OSError as exc:
            log.warning("ballast_failed", reason=str(exc))
            return
        if made:
            self.facts = replace(self.facts, ballast=True)
            log.info("ballast_made", size=size)

    async def _make_room(self) -> None:
        """Oldest first, as far as needed and the policy allows: entries that the cloud has, then files that it has."""
        await self._let_go(self._policy.floor_days, until=lambda seen: not wanted_bytes(seen, self._policy.marks))
        if self.level is Level.FULL:
            # Operators stand still: what the cloud took an hour ago is safer there than a pallet that nobody weighs.
            await self._let_go(self._policy.full_days, until=lambda _: self.level is not Level.FULL)
        for free in self._frees:
            wanted = wanted_bytes(await self._look(), self._policy.marks)
            if wanted:
                await free(wanted)
        await self._give_back()

    async def _let_go(self, days: float, *, most: int | None = None, until: Callable[[Usage], bool] | None = None) -> None:
        done = 0
        while most is None or done < most:
            if until is not None and until(await self._look()):
                return
            gone = await self._journal.prune(older_than_s=int(days * DAY_S), limit=CHUNK, keep_jobs=self._open_jobs())
            if not gone:
                return
            done += 1
            self.facts = replace(self.facts, pruned=self.facts.pruned + gone)

    async def _give_back(self) -> None:
        """Return free pages to the file system where the file allows it; else new entries take them.

        The log is moved into the file after every piece: all of it at once would need the room that is not there.
        """
        while self.facts.reusable and await self._journal.housekeeping(pages.give_back_pages):
            await self._journal.housekeeping(pages.checkpoint, transaction=False)
            await self._look()
