"""Watches the wall clock and listens to the cloud's: writes an anchor into the journal when there is something to be known."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from edge.clock import BoxClock
from edge.clock_state import KernelClock, has_battery_clock, judge, kernel_clock
from edge.errors import EdgeError
from sync_protocol.besttime import Anchor, Interval, drift_ns, parse_time, worth_anchoring
from sync_protocol.entries import AnchorEntry, StampFields
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId

log = structlog.get_logger()

EVERY_S = 10.0
"""A step is noticed this late at most, and an idle box wakes no more often than for its other tasks."""

STEP_NS = 1_000_000_000
"""Less is slewing, which time services do all day long."""


class Append(Protocol):
    """Writes an entry; returns when it is on the disk."""

    def __call__(self, entry: AnchorEntry, /) -> Awaitable[EntryId]: ...


class ClockWatch:
    """Keeps `clock.clk` true; one per box. `heard` is told every answer of the cloud that carries its time."""

    def __init__(
        self,
        append: Append,
        clock: BoxClock,
        *,
        kernel: Callable[[], KernelClock | None] = kernel_clock,
        battery: Callable[[], bool] = has_battery_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._append = append
        self._clock = clock
        self._kernel = kernel
        self._battery = battery
        self._sleep = sleep
        self._last: Anchor | None = None
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
        battery = self._battery()
        self._clock.clk = judge(self._kernel(), cloud=self._cloud_time(mono_ns), wall_ns=wall_ns, battery=battery)
        stepped_ns = self._stepped(mono_ns, wall_ns)
        if stepped_ns is not None:
            log.warning("clock_stepped", by_ms=stepped_ns // 1_000_000, clk=self._clock.clk.s)
            await self._append(AnchorEntry(**self._clock.stamp(), why="step", step_ms=stepped_ns // 1_000_000))
        elif self._clock.clk.s != self._said:
            log.info("clock_state_changed", was=self._said, clk=self._clock.clk.s)
            await self._append(AnchorEntry(**self._clock.stamp(), why="state"))
        self._said = self._clock.clk.s
        self._seen = (self._clock.boot_id, mono_ns, wall_ns)

    async def heard(self, srv_time: str, heard: StampFields, rtt_ns: int) -> None:
        """The cloud's time came with an answer; `heard` was stamped then, `rtt_ns` after asking. Anchors if it is worth it."""
        last = self._last if self._last is not None and self._last.boot_id == heard["boot_id"] else None
        if not worth_anchoring(last, rtt_ns, heard["mono_ns"]):
            return
        try:
            srv_ns = parse_time(srv_time)
        except TextFault:
            log.warning("cloud_time_unreadable", srv_time=srv_time[:40])
            return
        # Before the disk has it: the next answer must not be written for the same reason.
        before, self._last = self._last, Anchor(heard["boot_id"], heard["mono_ns"], srv_ns, rtt_ns)
        try:
            await self._append(AnchorEntry(**heard, srv_time=srv_time, rtt_ns=rtt_ns))
        except EdgeError:
            self._last = before
            raise

    def _cloud_time(self, mono_ns: int) -> Interval | None:
        if self._last is None or self._last.boot_id != self._clock.boot_id:
            return None
        return self._last.pin.seen_from(mono_ns)

    def _stepped(self, mono_ns: int, wall_ns: int) -> int | None:
        """By how much the wall clock was set since it was last looked at; None when it went on or the machine slept."""
        if self._seen is None or self._seen[0] != self._clock.boot_id:
            return None
        _, mono_then, wall_then = self._seen
        passed_ns = mono_ns - mono_then
        stepped_ns = wall_ns - wall_then - passed_ns
        return stepped_ns if abs(stepped_ns) > STEP_NS + drift_ns(passed_ns) else None
