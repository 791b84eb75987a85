"""Whoever looks for a Bluetooth device and goes away again leaves it to the next who looks."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from bleak.backends.device import BLEDevice

from drivers.transports import bluetooth_radio
from drivers.transports.bluetooth_radio import Radio

SCALE = BLEDevice("AA:BB:CC:00:00:01", "Scale 1", None)


class Adapter:
    """Nobody is connected."""

    @staticmethod
    async def get(**_: object) -> "Adapter":
        return Adapter()

    async def get_connected_devices(self, _services: list[str]) -> list[BLEDevice]:
        return []


class Scanner:
    """Hears what the test says; starts when the test lets it."""

    may_start = asyncio.Event()
    at_start: Callable[["Scanner"], None] = staticmethod(lambda _scanner: None)

    def __init__(self, heard: Callable[..., None], **_: object) -> None:
        self.heard = heard

    async def start(self) -> None:
        await Scanner.may_start.wait()
        Scanner.at_start(self)

    async def stop(self) -> None:
        pass


@pytest.fixture
async def radio(monkeypatch: pytest.MonkeyPatch) -> Radio:
    monkeypatch.setattr(bluetooth_radio, "BleakAdapter", Adapter)
    monkeypatch.setattr(bluetooth_radio, "BleakScanner", Scanner)
    monkeypatch.setattr(Scanner, "may_start", asyncio.Event())
    return Radio(None)


async def look(radio: Radio, timeout_s: float = 5) -> BLEDevice | None:
    return await radio.find(lambda *_: True, lambda _: True, services=(), timeout_s=timeout_s)


def hears(scanner: Any) -> None:
    asyncio.get_running_loop().call_soon(scanner.heard, SCALE, None)


async def test_who_gave_up_before_the_scan_began_takes_no_device(radio: Radio, monkeypatch: pytest.MonkeyPatch) -> None:
    gives_up = asyncio.create_task(look(radio))
    await asyncio.sleep(0.01)
    gives_up.cancel()
    await asyncio.gather(gives_up, return_exceptions=True)
    Scanner.may_start.set()
    monkeypatch.setattr(Scanner, "at_start", staticmethod(hears))
    assert await look(radio) is SCALE


async def test_device_that_is_heard_as_the_time_ends_is_given(radio: Radio, monkeypatch: pytest.MonkeyPatch) -> None:
    Scanner.may_start.set()
    monkeypatch.setattr(Scanner, "at_start", staticmethod(hears))
    # The advertisement is in the loop's turn before the time-out, which the task sees first.
    assert await look(radio, timeout_s=0) is SCALE
    radio.give_back(SCALE.address)
    assert await look(radio) is SCALE
