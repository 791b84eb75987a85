"""The box's clocks: the only place of the box that reads time, and what it stamps on entries."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sync_protocol.entries import Clk, StampFields

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """Time as an argument; tests bring one they can turn."""

    def now_ns(self) -> int:
        """Nanoseconds since boot, sleep included; never goes back within a boot."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since 1970 by the wall clock: a hint."""
        ...

    def stamp(self) -> StampFields: ...


@dataclass(slots=True)
class BoxClock:
    """The machine's own clocks. `clk` is what last set the wall clock; who sets it says so here."""

    boot_id: str
    clk: Clk

    @classmethod
    def of_this_machine(cls) -> "BoxClock":
        return cls(_BOOT_ID.read_text().strip(), Clk(s="none"))

    def now_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall_ns(self) -> int:
        return time.time_ns()

    def stamp(self) -> StampFields:
        return {"boot_id": self.boot_id, "mono_ns": self.now_ns(), "wall_ns": self.wall_ns(), "clk": self.clk}
