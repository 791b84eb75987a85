"""A machine whose clocks the test turns, and a journal that only remembers."""

from dataclasses import dataclass, field

import pytest

from edge.anchoring import Anchoring
from edge.clock import BoxClock, Sources
from edge.clock_state import KernelClock
from edge.clock_watch import ClockWatch
from edge.errors import JournalFault
from sync_protocol.entries import AnchorEntry, Clk
from sync_protocol.ids import EntryId, RunId

S = 1_000_000_000


@dataclass
class Machine:
    """Counters in nanoseconds; `slewed` is what a time service added to the clocks that can be slewed."""

    raw: int = 100 * S
    wall: int = 1_795_334_400 * S
    slept: int = 0
    slewed: int = 0
    read_takes: int = 0
    """Passes between any two reads, as on a busy machine."""
    kernel: KernelClock | None = None
    battery: bool = False

    def sources(self) -> Sources:
        return Sources(
            raw=lambda: self._read("raw"),
            wall=lambda: self._read("wall"),
            awake=lambda: self._read("raw") + self.slewed,
            since_boot=lambda: self._read("raw") + self.slewed + self.slept,
        )

    def _read(self, name: str) -> int:
        self.go(self.read_takes)
        return int(getattr(self, name))

    def go(self, ns: int, *, ppm: int = 0) -> None:
        """Time passes; a service may slew meanwhile."""
        self.raw += ns
        self.slewed += ns * ppm // 1_000_000
        self.wall += ns + ns * ppm // 1_000_000

    def sleep(self, ns: int) -> None:
        self.slept += ns
        self.wall += ns

    def set_wall(self, ns: int) -> None:
        self.wall = ns


@dataclass
class Remembered:
    """Takes entries as the journal does; `full` makes it refuse."""

    entries: list[AnchorEntry] = field(default_factory=list)
    full: bool = False

    async def append(self, entry: AnchorEntry) -> EntryId:
        if self.full:
            raise JournalFault("full")
        self.entries.append(entry)
        return EntryId(RunId("0" * 32), len(self.entries))


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> BoxClock:
    return BoxClock("boot", Clk(s="none"), machine.sources())


@pytest.fixture
def journal() -> Remembered:
    return Remembered()


@pytest.fixture
def anchoring(journal: Remembered) -> Anchoring:
    return Anchoring(journal.append)


@pytest.fixture
def watch(machine: Machine, clock: BoxClock, journal: Remembered, anchoring: Anchoring) -> ClockWatch:
    return ClockWatch(journal.append, clock, anchoring, kernel=lambda: machine.kernel, battery=lambda: machine.battery)
