"""What looks after the box itself, put together: the guard of its medium, its figures, and who writes them down."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from edge.clock import Clock
from edge.disk.ballast import Ballast, make_room_to_start
from edge.disk.gate import Door
from edge.disk.guard import DiskGuard, DiskPolicy, Frees
from edge.disk.levels import MIB, Level, Marks
from edge.errors import JournalFault
from edge.health.facts import BoxHealth, JournalFigures, UplinkFigures, file_bytes, rss_bytes
from edge.health.keeper import HealthKeeper
from edge.journal.service import Journal
from edge.settings import BoxSettings
from edge.supervisor import keep_running
from edge.uplink.sender import Sender

RECOUNT_S = 60.0
"""How often runs are counted: they change with starts, and pruning."""


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while the box runs, and what other parts of it know."""

    box: str | None
    firmware: str
    certificate_until: date | None = None
    open_jobs: Callable[[], Collection[str]] = tuple
    sender: Callable[[], Sender | None] = lambda: None
    blobs_waiting: Callable[[], int] = lambda: 0
    frees: Sequence[Frees] = ()
    level_changed: Callable[[Level], None] = lambda _level: None
    """Called when the medium's level changed: screens are to be made anew."""


def ballast_of(settings: BoxSettings) -> Ballast:
    """The box's ballast."""
    return Ballast(settings.data_dir, settings.disk.ballast_mib * MIB)


def before_the_journal(settings: BoxSettings) -> None:
    """To be called before the journal is opened: on a full medium the ballast makes room for a run to begin in."""
    make_room_to_start(settings.data_dir, ballast_of(settings))


class Care:
    """One per box. `door` is the journal as devices and jobs get it."""

    def __init__(self, settings: BoxSettings, path: Path, journal: Journal, clock: Clock, about: About) -> None:
        disk, kept = settings.disk, settings.retention
        marks = Marks(disk.prune_at, disk.shed_at, disk.refuse_at)
        self._settings = settings
        self._path = path
        self._journal = journal
        self._clock = clock
        self._about = about
        self._earlier = 0
        self._runs = 0
        self.guard = DiskGuard(
            settings.data_dir,
            journal,
            DiskPolicy(marks, kept.acked_days, kept.floor_days, kept.full_hours / 24),
            ballast=ballast_of(settings),
            open_jobs=about.open_jobs,
            frees=about.frees,
            level_changed=about.level_changed,
        )
        self.door = Door(journal, self.guard)
        self._keeper = HealthKeeper(journal, self.health, clock=clock, moved=self.guard.moved)

    def level(self) -> Level:
        """How full the medium is; costs nothing."""
        return self.guard.level

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to look after the box."""
        every = self._settings
        tasks.create_task(keep_running("disk", lambda: self.guard.run(every.disk.every_s)))
        tasks.create_task(keep_running("health", lambda: self._keeper.run(every.health.every_s)))
        tasks.create_task(keep_running("figures", self._count))

    async def _count(self) -> None:
        while True:
            await self.recount()
            await asyncio.sleep(RECOUNT_S)

    async def recount(self) -> None:
        """Count the runs, and what waits of those before this start."""
        try:
            runs = (await self._journal.reader.outbox()).runs
        except JournalFault:
            return
        self._runs = len(runs)
        ours = self._journal.tips
        self._earlier = sum(max(state.tip - state.acked, 0) for state in runs if state.run not in ours)

    def health(self) -> BoxHealth:
        """Every figure now."""
        return BoxHealth(
            uplink=self._uplink(),
            journal=self._figures(),
            disk=self.guard.facts,
            clk=self._clock.stamp()["clk"],
            blobs_waiting=self._about.blobs_waiting(),
            rss_bytes=rss_bytes(),
            uptime_s=self._clock.now_ns() // 1_000_000_000,
            certificate_until=self._about.certificate_until,
            box=self._about.box,
            firmware=self._about.firmware,
        )

    def _uplink(self) -> UplinkFigures:
        sender = self._about.sender()
        if sender is None:
            return UplinkFigures()
        facts = sender.facts
        ago_s = None if facts.answered_ns is None else self._seconds_since(facts.answered_ns)
        return UplinkFigures(
            link=facts.binding or "none",
            up=facts.up,
            alarm=facts.alarm,
            answered_ago_s=ago_s,
            batch_ms_p50=facts.batch_ms(50),
            batch_ms_p99=facts.batch_ms(99),
        )

    def _figures(self) -> JournalFigures:
        sender, stats = self._about.sender(), self._journal.stats()
        oldest_ns = sender.facts.oldest_waiting_ns if sender else None
        return JournalFigures(
            unacked=sender.waiting() if sender else self._earlier + sum(self._journal.tips.values()),
            oldest_unacked_s=None if oldest_ns is None else self._seconds_since(oldest_ns),
            runs=max(self._runs, 1),
            commit_us_p50=stats.commit_us_p50,
            commit_us_p99=stats.commit_us_p99,
            bytes=file_bytes(self._path),
        )

    def _seconds_since(self, then_ns: int) -> int:
        return max(self._clock.now_ns() - then_ns, 0) // 1_000_000_000
