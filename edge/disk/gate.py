"""What is still taken into the journal at a level. Pure, and the thin door in front of the journal that asks it."""

from collections.abc import AsyncIterator
from typing import Final, Protocol

from edge.disk.levels import ORDER, Level
from edge.errors import JournalFull
from sync_protocol.entries import Encoded, Entry, StepEntry
from sync_protocol.ids import EntryId

NEW_WORK: Final = frozenset({"reading", "step", "blob"})
"""Kinds that are refused when the medium is full. The others are few and small, and say what became of the box."""

LOW_VALUE: Final = frozenset({"periodic", "on_change"})
"""Capture policies whose readings nobody asked for and nobody waits for."""


def admits(level: Level, kind: str) -> bool:
    """Whether an entry of this kind may be written."""
    return level is not Level.FULL or kind not in NEW_WORK


def captures(level: Level, policy: str) -> bool:
    """Whether a device with this capture policy may fill the journal by itself."""
    return ORDER.index(level) < ORDER.index(Level.SHED) or policy not in LOW_VALUE


class Appends(Protocol):
    """What is needed of the journal behind the door."""

    async def append(self, entry: Entry | Encoded) -> EntryId: ...

    def steps(self) -> AsyncIterator[tuple[EntryId, StepEntry]]: ...


class Room(Protocol):
    """What is needed of who watches the medium."""

    @property
    def level(self) -> Level: ...

    def poke(self) -> None:
        """Look again at once."""
        ...


class Door:
    """The journal as devices and jobs get it. `append` raises JournalFull for new work while the medium is full."""

    def __init__(self, journal: Appends, room: Room) -> None:
        self._journal = journal
        self._room = room

    async def append(self, entry: Entry | Encoded) -> EntryId:
        if not admits(self._room.level, entry.t):
            raise JournalFull("the medium is full: nothing new is taken until there is room")
        try:
            return await self._journal.append(entry)
        except JournalFull:
            self._room.poke()
            raise

    def steps(self) -> AsyncIterator[tuple[EntryId, StepEntry]]:
        """All steps ever written, in order."""
        return self._journal.steps()

    def captures(self, policy: str) -> bool:
        """Whether a device with this capture policy may write by itself now."""
        return captures(self._room.level, policy)
