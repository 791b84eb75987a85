"""Gauges as the box meets them: each driver against its simulator, on real pseudo-terminals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Acknowledged, DeviceRefused, Reading
from edge.clock import BoxClock
from edge.devices.hub import DeviceHub
from edge.devices.live import LinkState
from edge.settings import DeviceSettings
from firmware_sim.config import make_site
from firmware_sim.site import Site, run_site
from sync_protocol.entries import Clk

OPTIONS = {"settle_ms": 30, "boot_ms": 300}


@dataclass(frozen=True)
class Gauge:
    """One driver with its simulator. `no_value` is the code with which it says that it has none; None where it is silent."""

    driver: str
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    no_value: str | None = None
    zero: bool = True
    button_only: bool = False


GAUGES = {
    "box": Gauge("mitutoyo-spc", {}, {"mode": "poll", "interval_ms": 100}, no_value="911", zero=False),
    "button": Gauge("mitutoyo-spc", {"channel": 2}, {"channel": 2}, no_value="912", zero=False, button_only=True),
    "idh": Gauge("mitutoyo-idh", {"decimals": 4}, {"identifier": 1, "decimals": 4}),
    "dial": Gauge("sylvac-serial", {"lower": "9", "upper": "11"}, {"interval_ms": 50}, no_value="ERR0"),
    "millimar": Gauge("mahr", {"features": 2}, {"feature": 1}, no_value="ERR6", zero=False),
}
POLLED = [name for name, gauge in GAUGES.items() if not gauge.button_only]


class Bench:
    """All gauges side by side, each on its own terminal."""

    def __init__(self, hub: DeviceHub, site: Site, memory: Any, until: Any) -> None:
        self.hub = hub
        self.site = site
        self.memory = memory
        self.until = until

    async def measure(self, name: str, value: str | None) -> None:
        await self.site.perform({"action": "measure", "device": name, "value": value})

    async def press(self, name: str, key: str) -> None:
        await self.site.perform({"action": "press", "device": name, "key": key})

    def usable(self, name: str) -> Reading | None:
        """The reading that the box would believe now."""
        live = self.hub.live(name)
        return live.reading if live.link is LinkState.UP and live.at_ns is not None else None

    async def shows(self, name: str, value: str) -> Reading:
        def it_does() -> bool:
            reading = self.usable(name)
            return reading is not None and reading.value == Decimal(value)

        async with named(f"{name} does not show {value}: {self.hub.live(name)}"):
            await self.until(it_does)
        reading = self.usable(name)
        assert reading is not None
        return reading

    async def useless(self, name: str) -> None:
        """Until there is nothing that the box would believe."""
        async with named(f"{name} still shows a value"):
            await self.until(lambda: self.usable(name) is None)

    def refused(self, name: str, code: str) -> bool:
        return any(note.device == name and note.data["code"] == code for note in self.memory.notes("device_refused"))


@asynccontextmanager
async def named(what: str) -> AsyncIterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise AssertionError(what) from exc


@pytest.fixture
async def bench(tmp_path: Path, memory: Any, running: Any, until: Any) -> AsyncIterator[Bench]:
    devices = [
        {"name": name, "kind": gauge.driver, "pty": name, "options": OPTIONS | gauge.options} for name, gauge in GAUGES.items()
    ]
    async with run_site(make_site({"title": "Gauges", "devices": devices}), directory=tmp_path) as site:
        settings = [
            DeviceSettings(
                id=name,
                driver=gauge.driver,
                transport={"kind": "serial", "port": site.device(name).address},
                settings=gauge.settings,
            )
            for name, gauge in GAUGES.items()
        ]
        hub = DeviceHub(settings, journal=memory, clock=BoxClock("boot", Clk(s="none")))
        async with running(hub):
            yield Bench(hub, site, memory, until)


@pytest.mark.parametrize("name", POLLED)
async def test_a_part_is_measured_in_the_unit_that_was_configured(bench: Bench, name: str) -> None:
    await bench.measure(name, "12.345")
    reading = await bench.shows(name, "12.345")
    assert reading.unit == "mm"


async def test_a_gauge_with_a_button_sends_when_it_is_pressed_or_asked(bench: Bench) -> None:
    await bench.until(lambda: bench.hub.live("button").link is LinkState.UP)
    await bench.measure("button", "7.5")
    # Nobody asks this gauge by itself; the command does. Its wire may not have noticed the box yet.
    async with asyncio.timeout(20):
        while bench.usable("button") is None or bench.usable("button").value != Decimal("7.5"):
            await bench.hub.links["button"].send("print")
            await asyncio.sleep(0.05)
    await bench.measure("button", "-3.5")
    await asyncio.sleep(0.2)
    assert bench.usable("button").value == Decimal("7.5"), "nothing comes without the button"
    await bench.press("button", "data")
    reading = await bench.shows("button", "-3.5")
    assert reading.details["channel"] == "2"


@pytest.mark.parametrize("name", [name for name in POLLED if GAUGES[name].no_value])
async def test_no_value_is_never_a_number(bench: Bench, name: str) -> None:
    await bench.measure(name, "12.345")
    await bench.shows(name, "12.345")
    await bench.measure(name, None)
    await bench.useless(name)
    code = GAUGES[name].no_value
    assert code is not None
    assert bench.refused(name, code)
    with pytest.raises(DeviceRefused):
        await bench.hub.command(name, "print")
    await bench.measure(name, "1")
    await bench.shows(name, "1")


async def test_an_indicator_that_does_not_answer_is_said_to_be_silent(bench: Bench) -> None:
    await bench.measure("idh", "2")
    await bench.shows("idh", "2")
    await bench.measure("idh", None)
    await bench.until(lambda: bench.hub.live("idh").link is LinkState.NO_ANSWER)


@pytest.mark.parametrize("name", [name for name, gauge in GAUGES.items() if gauge.zero])
async def test_zero_is_taken_where_the_tip_stands(bench: Bench, name: str) -> None:
    await bench.measure(name, "5")
    await bench.shows(name, "5")
    assert isinstance(await bench.hub.command(name, "zero"), Acknowledged)
    await bench.shows(name, "0")
    await bench.measure(name, "5.25")
    await bench.shows(name, "0.25")


async def test_the_greatest_value_is_kept_in_its_mode(bench: Bench) -> None:
    await bench.shows("idh", "0")
    assert isinstance(await bench.hub.command("idh", "maximum"), Acknowledged)
    await bench.measure("idh", "4")
    await bench.shows("idh", "4")
    await bench.measure("idh", "-4")
    reading = await bench.shows("idh", "4")
    assert reading.details["mode"] == "max"


async def test_the_tolerance_mark_goes_with_the_value(bench: Bench) -> None:
    for value, mark in (("8.5", "under"), ("10", "in"), ("11.5", "over")):
        await bench.measure("dial", value)
        assert (await bench.shows("dial", value)).details["tolerance"] == mark


async def test_a_gauge_switched_to_inches_is_refused_until_it_is_back(bench: Bench) -> None:
    await bench.measure("dial", "25.4")
    await bench.shows("dial", "25.4")
    await bench.press("dial", "unit")
    await bench.until(lambda: bench.refused("dial", "unit"))
    await bench.useless("dial")
    await bench.press("dial", "unit")
    await bench.shows("dial", "25.4")


@pytest.mark.parametrize("name", POLLED)
async def test_a_gauge_switched_off_and_on_comes_back(bench: Bench, name: str) -> None:
    await bench.measure(name, "3")
    await bench.shows(name, "3")
    await bench.site.device(name).power_cycle()
    await bench.shows(name, "3")


async def test_an_unplugged_gauge_comes_back_by_itself(bench: Bench) -> None:
    for name in POLLED:
        await bench.measure(name, "3")
        await bench.shows(name, "3")
        await bench.site.device(name).unplug()
        await bench.until(lambda name=name: bench.hub.live(name).link is LinkState.LOST)
        await bench.site.device(name).replug()
        await bench.shows(name, "3")
