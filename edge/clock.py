"""The box's clocks: the only place of the box that reads time, and what it stamps on entries."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from edge.clock_state import has_battery_clock, judge, kernel_clock
from sync_protocol.entries import Clk, StampFields

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

APART_NS = 10_000_000
"""Wall clock and counter drift and slew apart by microseconds; when it is this much, the machine may have slept."""

BRACKETS = 5
"""Reads of two clocks of which the closest pair counts: a busy machine takes a thread away between any two reads."""

SLEEP_UNIT_NS = 100_000_000
"""Of the number that tells sleeps of a boot apart: shorter ones do not exist, and two processes measure the same one alike."""


class Clock(Protocol):
    """Time as an argument; tests bring one they can turn."""

    def now_ns(self) -> int:
        """Nanoseconds since boot, sleep included; never goes back within a boot."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since 1970 by the wall clock: a hint."""
        ...

    def stamp(self) -> StampFields: ...


class Sources(NamedTuple):
    """The kernel's clocks in nanoseconds (clock_gettime(2)).

    `raw` counts without sleep and is not slewed: time services pull CLOCK_MONOTONIC and CLOCK_BOOTTIME by up to several per
    cent while they set the wall clock, which no bound of drift would hold.
    """

    raw: Callable[[], int]
    wall: Callable[[], int]
    awake: Callable[[], int]
    """CLOCK_MONOTONIC: slewed, without sleep."""
    since_boot: Callable[[], int]
    """CLOCK_BOOTTIME: the same with sleep; what lies between the two is sleep, whatever the slew."""


KERNEL = Sources(
    raw=partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC_RAW),
    wall=time.time_ns,
    awake=partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC),
    since_boot=partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME),
)


@dataclass(slots=True)
class BoxClock:
    """The machine's own clocks. `clk` says what vouches for the wall clock; edge.clock_watch keeps it true.

    How long a machine slept is known to a second at worst, so each sleep begins another `boot_id`: the kernel's, a plus sign
    and the tenths of a second slept in this boot.
    """

    boot_id: str
    clk: Clk
    sources: Sources = KERNEL
    _raw: Callable[[], int] = field(init=False, repr=False)
    _wall: Callable[[], int] = field(init=False, repr=False)
    """Of `sources`: every reading is stamped, and a look-up costs as much as the clock."""
    _kernel_boot: str = field(init=False)
    _slept_ns: int = field(init=False, default=0)
    _apart_ns: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._raw, self._wall = self.sources.raw, self.sources.wall
        self._kernel_boot = self.boot_id
        self.read()

    @classmethod
    def of_this_machine(cls) -> "BoxClock":
        clk = judge(kernel_clock(), cloud=None, wall_ns=KERNEL.wall(), battery=has_battery_clock())
        return cls(_BOOT_ID.read_text().strip(), clk)

    def read(self) -> tuple[int, int]:
        """`now_ns` and `wall_ns` of one moment."""
        raw_ns, wall_ns = self._raw(), self._wall()
        apart_ns = wall_ns - raw_ns
        # A sleep moves the wall clock against the counter: only then are the two slower clocks asked. The counter was read
        # before, so that a sleep between the two reads counts into this moment and none is ever too early.
        if not -APART_NS < apart_ns - self._apart_ns < APART_NS:
            self._apart_ns = apart_ns
            self._look_for_sleep()
        return raw_ns + self._slept_ns, wall_ns

    def now_ns(self) -> int:
        return self.read()[0]

    def wall_ns(self) -> int:
        return self._wall()

    def stamp(self) -> StampFields:
        mono_ns, wall_ns = self.read()
        return {"boot_id": self.boot_id, "mono_ns": mono_ns, "wall_ns": wall_ns, "clk": self.clk}

    def _look_for_sleep(self) -> None:
        slept_ns = min((self._bracket() for _ in range(BRACKETS)), key=lambda one: one[0])[1]
        if abs(slept_ns - self._slept_ns) <= APART_NS:
            return
        self._slept_ns = slept_ns
        tenths = slept_ns // SLEEP_UNIT_NS
        self.boot_id = f"{self._kernel_boot}+{tenths}" if tenths else self._kernel_boot

    def _bracket(self) -> tuple[int, int]:
        """How far apart the reads were, and the sleep between the two clocks."""
        before = self.sources.awake()
        since_boot = self.sources.since_boot()
        after = self.sources.awake()
        return after - before, since_boot - (before + after) // 2
