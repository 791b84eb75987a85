"""Watches the wall clock: what vouches for it, and when it was set. Writes an anchor into the journal when either changes."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from edge.anchoring import Anchoring, Append
from edge.clock import BoxClock
from edge.clock_state import KernelClock, has_battery_clock, judge, kernel_clock
from sync_protocol.besttime import drift_ns
from sync_protocol.entries import AnchorEntry

log = structlog.get_logger()

EVERY_S = 10.0
"""A step is noticed this late at most, and an idle box wakes no more often than for its other tasks."""

STEP_NS = 1_000_000_000
"""Less is slewing, which time services do all day long."""


class ClockWatch:
    """Keeps `clock.clk` true; one per box."""

    def __init__(
        self,
        append: Append,
        clock: BoxClock,
        anchoring: Anchoring,
        *,
        kernel: Callable[[], KernelClock | None] = kernel_clock,
        battery: Callable[[], bool] = has_battery_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._append = append
        self._clock = clock
        self._anchoring = anchoring
        self._kernel = kernel
        self._battery = battery
        self._sleep = sleep
        self._said = clock.clk.s
        """What vouched for the wall clock by the last entry that told of a change."""
        self._seen: tuple[str, int, int] | None = None
        """Boot, counter and wall clock when the wall clock was last found going on as it did."""

    async def run(self) -> None:
        """Look every EVERY_S until cancelled. Raises what the journal raises; it may be run again."""
        while True:
            await self.look()
            await self._sleep(EVERY_S)

    async def look(self) -> None:
        """Compare with last time; write an anchor when the wall clock was set or something else vouches for it."""
        mono_ns, wall_ns = self._clock.read()
        cloud = self._anchoring.cloud_time(self._clock.boot_id, mono_ns)
        self._clock.clk = judge(self._kernel(), cloud=cloud, wall_ns=wall_ns, battery=self._battery())
        stepped_ns = self._stepped(mono_ns, wall_ns)
        if stepped_ns is not None:
            log.warning("clock_stepped", by_ms=stepped_ns // 1_000_000, clk=self._clock.clk.s)
            await self._append(AnchorEntry(**self._clock.stamp(), why="step", step_ms=stepped_ns // 1_000_000))
        elif self._clock.clk.s != self._said:
            log.info("clock_state_changed", was=self._said, clk=self._clock.clk.s)
            await self._append(AnchorEntry(**self._clock.stamp(), why="state"))
        self._said = self._clock.clk.s
        self._seen = (self._clock.boot_id, mono_ns, wall_ns)

    def _stepped(self, mono_ns: int, wall_ns: int) -> int | None:
        """By how much the wall clock was set since it was last looked at; None when it went on or the machine slept."""
        if self._seen is None or self._seen[0] != self._clock.boot_id:
            return None
        _, mono_then, wall_then = self._seen
        passed_ns = mono_ns - mono_then
        stepped_ns = wall_ns - wall_then - passed_ns
        return stepped_ns if abs(stepped_ns) > STEP_NS + drift_ns(passed_ns) else None
