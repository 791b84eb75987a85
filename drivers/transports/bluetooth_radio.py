"""One Bluetooth adapter, used by all its devices together: one scanner for everyone who listens, one connection at a time."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from bleak import BleakAdapter, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast.errors import DBusFastError

from drivers.api import LinkLost
from drivers.ble.uuids import full

RADIO_FAULTS = (BleakError, DBusFastError, OSError, EOFError, TimeoutError, AssertionError)
"""What comes out of bleak when Bluetooth, its daemon, the bus or the device goes away; some of it as a failed assertion."""

QUIET_S = 60.0
"""Somewhere in earshot something advertises every few seconds; a minute of nothing is a scan that has died."""

CONNECTED_SERVICES = frozenset({full(0x1800), full(0x1801)})
"""Services that every connected device has (Bluetooth Core Specification 5.4, vol. 3, part C, 12)."""

Heard = Callable[[BLEDevice, AdvertisementData], None]
Fits = Callable[[BLEDevice, AdvertisementData], bool]


def said(exc: BaseException) -> str:
    """A fault of the radio in words, also where it has none."""
    return str(exc) or type(exc).__name__


class Radio:
    """An adapter. It scans only while someone listens: a scan takes airtime from those who are connected."""

    def __init__(self, adapter: str | None) -> None:
        self._adapter = adapter
        self._listeners: list[Heard] = []
        self._scanner: BleakScanner | None = None
        self._changing = asyncio.Lock()
        self._heard_since = False
        self._taken: set[str] = set()
        self.connecting = asyncio.Lock()

    async def open(self) -> None:
        """Nothing yet: the adapter is asked for with the first scan."""

    async def close(self) -> None:
        """Never raises."""
        self._listeners.clear()
        async with self._changing:
            await self._stop()

    async def listen(self, heard: Heard) -> None:
        """Call `heard` for each advertisement from now on. Raises LinkLost where the machine cannot scan."""
        async with self._changing:
            self._listeners.append(heard)
            try:
                await self._start()
            except BaseException:
                # Also when it is cancelled: one who listens no more must not be handed a device.
                self._listeners.remove(heard)
                raise

    async def leave(self, heard: Heard) -> None:
        """No more calls. Never raises."""
        async with self._changing:
            if heard in self._listeners:
                self._listeners.remove(heard)
            if not self._listeners:
                await self._stop()

    async def revive(self) -> None:
        """Start the scan again if it has heard nobody since the last call. Raises LinkLost where that fails."""
        async with self._changing:
            alive, self._heard_since = self._heard_since, False
            if not alive and self._listeners:
                await self._stop()
                await self._start()

    async def find(
        self, fits: Fits, is_called: Callable[[BLEDevice], bool], *, services: Collection[str], timeout_s: float
    ) -> BLEDevice | None:
        """The first device that fits and is heard, or is connected already; None when the time is over. Raises LinkLost.

        It belongs to the caller until it is given back: two links to devices of one name never share one. A device that
        stayed connected when its program was killed does not advertise, and would never be heard.
        """
        for device in await self._still_connected(services or CONNECTED_SERVICES):
            if is_called(device) and self._take(device):
                return device
        found: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()

        def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
            if not found.done() and fits(device, advertisement) and self._take(device):
                found.set_result(device)

        await self.listen(heard)
        try:
            async with asyncio.timeout(timeout_s):
                return await found
        except TimeoutError:
            # It may be heard in the very turn in which the time is over: then it is taken, and belongs to the caller.
            return found.result() if found.done() and not found.cancelled() else None
        except BaseException:
            if found.done() and not found.cancelled():
                self.give_back(found.result().address)
            raise
        finally:
            await self.leave(heard)

    def give_back(self, address: str) -> None:
        """The device may be found again."""
        self._taken.discard(address)

    def _take(self, device: BLEDevice) -> bool:
        if device.address in self._taken:
            return False
        self._taken.add(device.address)
        return True

    async def _still_connected(self, services: Collection[str]) -> list[BLEDevice]:
        try:
            adapter = await BleakAdapter.get(bluez={"adapter": self._adapter} if self._adapter else {})
            return await adapter.get_connected_devices(list(services))
        except RADIO_FAULTS as exc:
            raise LinkLost(f"Bluetooth cannot be used: {said(exc)}") from exc

    async def _start(self) -> None:
        if self._scanner is not None:
            return
        scanner = BleakScanner(
            self._heard,
            # With duplicates left out BlueZ says nothing when only the weight in an advertisement changes.
            bluez={"filters": {"DuplicateData": True}, **({"adapter": self._adapter} if self._adapter else {})},
        )
        try:
            await scanner.start()
        except RADIO_FAULTS as exc:
            raise LinkLost(f"Bluetooth cannot be used: {said(exc)}") from exc
        self._scanner = scanner

    async def _stop(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            with suppress(*RADIO_FAULTS):
                await scanner.stop()

    def _heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self._heard_since = True
        for listener in list(self._listeners):
            listener(device, advertisement)
