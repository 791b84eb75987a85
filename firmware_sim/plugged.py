"""One device on one wire in real time: carries bytes through the fault layers, and wakes the device when it wants to speak.

Sleeps while the device has nothing in hand: no timer is armed then.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from firmware_sim.device import Device
from firmware_sim.faults import FaultLayer, LineFaults, PlugPulled, seen_as_7e1
from firmware_sim.wires import Wire

Clock = Callable[[], int]
"""Nanoseconds that only go forward."""

MIN_SLEEP_S = 0.001
"""A timer is never armed for less, so that a device that is always due cannot occupy the loop."""


class Plug(Protocol):
    """A device where it is plugged in, as a site handles it."""

    @property
    def address(self) -> str: ...

    @property
    def is_plugged(self) -> bool: ...

    async def start(self) -> None:
        """Make the address appear. Raises WireTaken when something else has it."""
        ...

    async def run(self) -> None:
        """What goes on until cancelled."""
        ...

    def close(self) -> None: ...

    def unplug(self) -> None: ...

    async def replug(self) -> None: ...

    def say(self, data: bytes) -> None:
        """Send what the device says because of something other than the wire or the time."""
        ...

    def set_faults(self, faults: LineFaults) -> None: ...


class PluggedDevice:
    """Runs from `start` to `close`, with `run` beside it. Everything happens in one event loop."""

    def __init__(self, device: Device, wire: Wire, *, clock: Clock, seed: int = 0, faults: LineFaults | None = None) -> None:
        self.wire = wire
        self._device = device
        self._clock = clock
        self._seed = seed
        self._timer: asyncio.TimerHandle | None = None
        self._return_ns: int | None = None
        self._returned = asyncio.Event()
        self._closed = False
        self.set_faults(faults or LineFaults())

    @property
    def address(self) -> str:
        return self.wire.address

    @property
    def is_plugged(self) -> bool:
        return self.wire.plugged

    def set_faults(self, faults: LineFaults) -> None:
        """Exchange the fault plans; what is on the line is lost."""
        self._faults = faults
        self._out = FaultLayer(faults.from_device, self._seed * 2)
        self._in = FaultLayer(faults.to_device, self._seed * 2 + 1)

    async def start(self) -> None:
        await self.wire.plug(self._received)
        self.pump()

    async def run(self) -> None:
        """Plug in again what a fault has pulled, when its time has come. Raises WireTaken when the address was taken."""
        while True:
            await self._returned.wait()
            self._returned.clear()
            await self.replug()

    def close(self) -> None:
        self._closed = True
        self._disarm()
        self.wire.unplug()

    def unplug(self) -> None:
        """Pull the plug until `replug`; what is under way is lost."""
        self._return_ns = None
        self._pull_plug()

    async def replug(self) -> None:
        self._return_ns = None
        if not self.wire.plugged:
            await self.wire.plug(self._received)
        self.pump()

    def say(self, data: bytes) -> None:
        """Send what the device says because of something other than the wire or the time."""
        self._out.push(data, self._clock())
        self.pump()

    def pump(self) -> None:
        """Let everything happen that is due by now, and arm the timer for what comes next."""
        if self._closed:
            return
        now_ns = self._clock()
        self._deliver(now_ns)
        due = self._device.due_ns(now_ns)
        if due is not None and due <= now_ns:
            self._out.push(self._device.tick(now_ns), now_ns)
        self._emit(now_ns)
        self._arm(now_ns)

    def _received(self, data: bytes) -> None:
        # An instrument set to 7E1 sees parity errors in what an 8N1 host sends.
        heard = seen_as_7e1(data) if self._faults.from_device.parity_7e1 else data
        self._in.push(heard, self._clock())
        self.pump()

    def _deliver(self, now_ns: int) -> None:
        for happening in self._in.pull(now_ns):
            if isinstance(happening, PlugPulled):
                self._pull_for(happening, now_ns)
                return
            self._out.push(self._device.receive(happening.data, now_ns), now_ns)

    def _emit(self, now_ns: int) -> None:
        for happening in self._out.pull(now_ns):
            if isinstance(happening, PlugPulled):
                self._pull_for(happening, now_ns)
                return
            self.wire.send(happening.data)

    def _pull_for(self, pulled: PlugPulled, now_ns: int) -> None:
        self._return_ns = now_ns + pulled.away_ns
        self._pull_plug()

    def _pull_plug(self) -> None:
        self.wire.unplug()
        self._in.cut()
        self._out.cut()

    def _arm(self, now_ns: int) -> None:
        self._disarm()
        due = [self._device.due_ns(now_ns), self._in.due_ns(), self._out.due_ns(), self._return_ns]
        soonest = min((at for at in due if at is not None), default=None)
        if soonest is not None:
            delay_s = max((soonest - now_ns) / 1e9, MIN_SLEEP_S)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._wake)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._timer = None
        if self._return_ns is not None and self._clock() >= self._return_ns:
            self._return_ns = None
            self._returned.set()
        self.pump()
