"""Writes how the box is into its journal: every few minutes, and at once when the medium's level changes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog

from edge.clock import Clock
from edge.disk.levels import ORDER, Level
from edge.errors import JournalFault
from edge.health.facts import BoxHealth, entry_of
from sync_protocol.entries import Entry
from sync_protocol.ids import EntryId

log = structlog.get_logger()

RARE: Final = 12
"""From `shed` on an hour lies between two entries that would be five minutes apart: they are of low value too."""


class Appends(Protocol):
    """What is needed of the journal."""

    async def append(self, entry: Entry) -> EntryId: ...


def due_after_s(level: Level, every_s: float) -> float:
    """How long to wait for the next entry."""
    return every_s * RARE if ORDER.index(level) >= ORDER.index(Level.SHED) else every_s


class HealthKeeper:
    """`moved` is set by who watches the medium, whenever its level changed."""

    def __init__(self, journal: Appends, gather: Callable[[], BoxHealth], *, clock: Clock, moved: asyncio.Event) -> None:
        self._journal = journal
        self._gather = gather
        self._clock = clock
        self._moved = moved

    async def run(self, every_s: float) -> None:
        """Until cancelled. The first entry is written after the first pause: at the start nothing is known yet."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(due_after_s(self._gather().disk.level, every_s)):
                    await self._moved.wait()
            self._moved.clear()
            await self.write()

    async def write(self) -> None:
        """One entry now. A journal that cannot take it is no reason to stop telling."""
        health = self._gather()
        try:
            await self._journal.append(entry_of(health, self._clock.stamp()))
        except JournalFault as exc:
            log.warning("health_not_kept", reason=str(exc), disk=health.disk.level)
