"""Laboratory and bench balances as the box meets them: each driver against its simulator, on real pseudo-terminals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Acknowledged, DeviceRefused, Flag
from edge.clock import BoxClock
from edge.devices.hub import DeviceHub
from edge.devices.live import LinkState
from edge.settings import DeviceSettings
from firmware_sim.config import make_site
from firmware_sim.site import Site, run_site
from sync_protocol.entries import Clk

SCALE = {"settle": 0.05, "stable_after": 0.1, "boot": 0.2, "noise": 0.0, "stable_wait": 0.6}


@dataclass(frozen=True)
class Family:
    """One driver, its simulator, and what the protocol can say."""

    driver: str
    simulator: str
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    says_rest: bool = True
    says_range: bool = True
    zero: str = "zero"
    tare: str = "tare"
    refusal: str | None = None
    """What a zero far outside its range is refused with; None where the device says nothing to it."""


FAMILIES = {
    "sbi": Family("sartorius-sbi", "sartorius-sbi"),
    "sbi-22": Family("sartorius-sbi", "sartorius-sbi", {"characters": 22, "autoprint": "always"}, {"autoprint": True}),
    "xbpi": Family("sartorius-xbpi", "sartorius-xbpi", refusal="06"),
    "and": Family("and-standard", "and-standard", {"acknowledge": True}, {"acknowledge": True}, refusal="E17"),
    "and-stream": Family("and-standard", "and-standard", {}, {"mode": "stream"}),
    "ohaus": Family("ohaus-print", "ohaus-print", says_range=False),
    "radwag": Family("radwag", "radwag", refusal="Z ^"),
    "radwag-stream": Family("radwag", "radwag", {}, {"mode": "stream"}, refusal="Z ^"),
    "kern": Family("kern-print", "kern-print", says_range=False, zero="tare"),
    "kern-short": Family("kern-print", "kern-print", {"short_lines": True}, says_range=False, zero="tare"),
    "kern-platform": Family("kern-platform", "kern-print", {"letters": "platform"}),
    "adam-cpw": Family("adam-cpw", "adam", says_rest=False, says_range=False, zero="zero_tare", tare="zero_tare"),
    "adam-pgl": Family(
        "adam-pgl", "adam", {"family": "pgl"}, says_rest=False, says_range=False, zero="zero_tare", tare="zero_tare"
    ),
}


class Bench:
    """All families side by side, each on its own terminal."""

    def __init__(self, hub: DeviceHub, site: Site, clock: BoxClock, until: Any) -> None:
        self.hub = hub
        self.site = site
        self.clock = clock
        self.until = until

    def usable(self, name: str) -> Decimal | None:
        """The value that the box would believe now."""
        live = self.hub.live(name)
        if live.link is not LinkState.UP or live.at_ns is None or live.reading is None:
            return None
        return live.reading.value if isinstance(live.reading.value, Decimal) else None

    async def shows(self, name: str, value: str) -> None:
        def at_rest() -> bool:
            reading = self.hub.live(name).reading
            rested = reading is not None and (reading.stable or not FAMILIES[name].says_rest)
            return rested and self.usable(name) == Decimal(value)

        async with named(f"{name} does not show {value}: {self.hub.live(name)}"):
            await self.until(at_rest)

    async def flagged(self, name: str, flag: Flag) -> None:
        def is_flagged() -> bool:
            reading = self.hub.live(name).reading
            return reading is not None and flag in reading.flags

        async with named(f"{name} does not say {flag}"):
            await self.until(is_flagged)

    async def useless(self, name: str) -> None:
        """Until there is nothing that the box would believe."""
        async with named(f"{name} still shows a weight"):
            await self.until(lambda: self.usable(name) is None)

    async def each(self, does: Any, names: Any = tuple(FAMILIES)) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(does(name))


@asynccontextmanager
async def named(what: str) -> AsyncIterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise AssertionError(what) from exc


@pytest.fixture
async def bench(tmp_path: Path, memory: Any, running: Any, until: Any) -> AsyncIterator[Bench]:
    clock = BoxClock("boot", Clk(s="none"))
    devices = [
        {"name": name, "kind": family.simulator, "pty": name, "scale": SCALE, "options": family.options}
        for name, family in FAMILIES.items()
    ]
    async with run_site(make_site({"title": "Bench", "seed": 3, "devices": devices}), directory=tmp_path) as site:
        settings = [
            DeviceSettings(
                id=name,
                driver=family.driver,
                transport={"kind": "serial", "port": site.device(name).address},
                settings=family.settings,
            )
            for name, family in FAMILIES.items()
        ]
        hub = DeviceHub(settings, journal=memory, clock=clock)
        async with running(hub):
            yield Bench(hub, site, clock, until)


async def test_a_load_is_weighed_and_moves_before_it_rests(bench: Bench) -> None:
    async def weigh(name: str) -> None:
        await bench.shows(name, "0.000")
        await bench.site.device(name).put("1250")
        if FAMILIES[name].says_rest:
            await bench.flagged(name, Flag.MOTION)
        await bench.shows(name, "1.250")
        reading = bench.hub.live(name).reading
        assert reading is not None
        assert reading.unit == "kg"

    await bench.each(weigh)


async def test_a_tare_is_taken_and_makes_the_net_weight(bench: Bench) -> None:
    async def tare(name: str) -> None:
        await bench.site.device(name).put("5000")
        await bench.shows(name, "5.000")
        await bench.hub.command(name, FAMILIES[name].tare)
        await bench.shows(name, "0.000")
        await bench.site.device(name).put("500")
        await bench.shows(name, "0.500")

    await bench.each(tare)


async def test_a_zero_far_outside_its_range_is_refused_and_changes_nothing(bench: Bench) -> None:
    async def zero(name: str) -> None:
        family = FAMILIES[name]
        await bench.site.device(name).put("20000")
        await bench.shows(name, "20.000")
        if family.refusal is None:
            assert isinstance(await bench.hub.command(name, "zero"), Acknowledged)
        else:
            with pytest.raises(DeviceRefused) as caught:
                await bench.hub.command(name, "zero")
            assert caught.value.code == family.refusal
        await bench.shows(name, "20.000")

    await bench.each(zero, [name for name, family in FAMILIES.items() if family.zero == "zero"])


async def test_too_much_load_is_never_a_weight(bench: Bench) -> None:
    async def overload(name: str) -> None:
        await bench.site.device(name).put("70000")
        await bench.useless(name)
        if FAMILIES[name].says_range:
            await bench.flagged(name, Flag.OVERLOAD)
        await bench.site.device(name).remove()
        await bench.shows(name, "0.000")

    await bench.each(overload)


async def test_a_balance_switched_on_under_load_has_no_weight_until_it_is_taken_off(bench: Bench) -> None:
    async def cycle(name: str) -> None:
        await bench.site.device(name).put("20000")
        await bench.shows(name, "20.000")
        await bench.site.device(name).power_cycle()
        await bench.useless(name)
        await bench.site.device(name).remove()
        await bench.shows(name, "0.000")

    # Platform, Adam and Ohaus scales say nothing while they are not zeroed; the others show an error or a range.
    await bench.each(cycle)


async def test_an_unplugged_balance_comes_back_by_itself(bench: Bench) -> None:
    async def replug(name: str) -> None:
        await bench.site.device(name).put("1250")
        await bench.shows(name, "1.250")
        await bench.site.device(name).unplug()
        await bench.until(lambda: bench.hub.live(name).link is LinkState.LOST)
        await bench.site.device(name).replug()
        await bench.shows(name, "1.250")

    await bench.each(replug)


@pytest.mark.parametrize(
    ("name", "serial"), [("sbi", "B214507731"), ("sbi-22", "B214507731"), ("xbpi", "0214507731"), ("radwag", "B214507731")]
)
async def test_a_balance_says_who_it_is(bench: Bench, memory: Any, name: str, serial: str) -> None:
    def identified() -> bool:
        return any(note.device == name and note.data["text"] == serial for note in memory.notes("device_identified"))

    async with named(f"{name} was not identified"):
        await bench.until(identified)


@pytest.mark.parametrize(
    ("driver", "family", "settings"), [("adam-azextra", "azextra", {"interval_ms": 2000}), ("adam-16", "sixteen", {})]
)
async def test_an_adam_that_speaks_only_now_and_then_is_no_silent_one(
    tmp_path: Path, memory: Any, running: Any, until: Any, driver: str, family: str, settings: dict[str, Any]
) -> None:
    device = {"name": "it", "kind": "adam", "pty": "it", "scale": SCALE, "options": {"family": family}}
    async with run_site(make_site({"title": "Adam", "devices": [device]}), directory=tmp_path) as site:
        transport = {"kind": "serial", "port": site.device("it").address}
        hub = DeviceHub(
            [DeviceSettings(id="it", driver=driver, transport=transport, settings=settings)],
            journal=memory,
            clock=BoxClock("boot", Clk(s="none")),
        )
        async with running(hub):
            await until(lambda: hub.live("it").link is LinkState.UP)
            await site.device("it").put("1250")
            await asyncio.sleep(0.5)  # to rest
            if family == "sixteen":
                await site.device("it").press("print")
            await until(lambda: hub.live("it").reading is not None)
            assert hub.live("it").link is LinkState.UP
            reading = hub.live("it").reading
            assert reading is not None
            assert str(reading.value) == "1.250"
