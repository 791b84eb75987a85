"""What the writer's thread tells, and to whom."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import JournalBroken, JournalFault
from sync_protocol.ids import RunId


@dataclass(frozen=True, slots=True)
class Durable:
    """What a commit made safe: how far each run in it goes, and the last ticket."""

    ends: tuple[tuple[RunId, int], ...]
    ticket: int


@dataclass(frozen=True, slots=True)
class Notices:
    """Called in the writer's thread: they must hand over and return."""

    on_durable: Callable[[Durable], None]

    on_failed: Callable[[JournalFault, int], None]
    """Entries up to this ticket that were not said to be durable are not saved."""

    on_broken: Callable[[JournalBroken], None]
    """The journal could not be opened again; nothing more will become durable."""
