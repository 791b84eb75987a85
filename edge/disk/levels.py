"""How full the medium is, as one of four levels, and what each level allows. Pure: facts in, level out."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

MIB: Final = 1024 * 1024

LEAVE_BELOW: Final = 0.02
"""A level ends this share of the medium below its mark: the box must not go to and fro with every reading."""

PLENTY: Final = 512 * MIB
"""With more free than this nobody is stopped, whatever the share: 600,000 readings, a busy station's week, fit into it."""

LevelName = Literal["ok", "prune", "shed", "full"]


class Level(StrEnum):
    """`prune`: what the cloud has goes early. `shed`: readings of low value are not kept. `full`: nothing new is taken."""

    OK = "ok"
    PRUNE = "prune"
    SHED = "shed"
    FULL = "full"


ORDER: Final = tuple(Level)


@dataclass(frozen=True, slots=True)
class Usage:
    """A file system as an ordinary process may use it, in bytes."""

    total: int
    free: int

    @property
    def share(self) -> float:
        """How much of it is used, 0 to 1; a file system without size is full."""
        return 1 - self.free / self.total if self.total > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the levels begin, as shares of the medium."""

    prune_at: float = 0.70
    shed_at: float = 0.85
    refuse_at: float = 0.95


def reserved(usage: Usage, ballast_missing: int) -> Usage:
    """The medium with the ballast in its place: giving it away makes room to delete in and is no reason to take readings."""
    return Usage(usage.total, max(0, usage.free - ballast_missing))


def level_of(usage: Usage, marks: Marks, before: Level) -> Level:
    """The level now, given the one before. Upwards at once, downwards only well below the mark."""
    found = _reached(usage, marks, 0.0)
    if ORDER.index(found) >= ORDER.index(before):
        return found
    return min(before, _reached(usage, marks, LEAVE_BELOW), key=ORDER.index)


def _reached(usage: Usage, marks: Marks, slack: float) -> Level:
    share = usage.share + slack
    if share >= marks.refuse_at and usage.free <= PLENTY:
        return Level.FULL
    if share >= marks.shed_at:
        return Level.SHED
    return Level.PRUNE if share >= marks.prune_at else Level.OK


def wanted_bytes(usage: Usage, marks: Marks) -> int:
    """How much has to go so that the medium is well below the first mark; 0 when it is."""
    return max(0, int((usage.share - (marks.prune_at - LEAVE_BELOW)) * usage.total))


def wants_ballast(usage: Usage, marks: Marks, size: int) -> bool:
    """Whether there is room to put the ballast back, or to make it the first time, without nearing the top mark."""
    return usage.free > 2 * size and reserved(usage, size).share < marks.refuse_at - LEAVE_BELOW
