"""The box's devices against simulated tills' scales on real pseudo-terminals: weights, states, commands, losses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers.api import Acknowledged, DeviceRefused, Flag, NoAnswer
from edge.clock import BoxClock
from edge.devices.hub import DeviceHub
from edge.devices.live import LinkState
from edge.errors import TakeRefused
from edge.settings import DeviceSettings
from firmware_sim.config import read_site
from firmware_sim.site import Site, run_site
from sync_protocol.entries import Clk


@dataclass(frozen=True)
class Till:
    """One simulator with the driver that reads it, and what its protocol can say."""

    driver: str
    kind: str
    settings: dict[str, Any]
    options: str = ""
    motion: bool = True
    """Whether it says that the load moves."""
    tare: bool = False
    zero: bool = False
    over: bool = True
    """Whether it says that the load is above the capacity."""


QUICK = {"interval_ms": 50}

TILLS = {
    "toledo-8217": Till("toledo-8217", "toledo-8217", QUICK, tare=True, zero=True),
    "toledo-8213": Till("toledo-8213", "toledo-8217", QUICK | {"status_bit5": "net"}, 'model = "8213"', tare=True, zero=True),
    "toledo-clone": Till("toledo-8213", "toledo-8217", QUICK, 'model = "8213-clone"', zero=True),
    "nci": Till("nci-scp01", "nci", QUICK, tare=True, zero=True),
    "nci-bare": Till("nci-scp01", "nci", QUICK, "letter = false", tare=True, zero=True),
    "sma": Till("sma", "sma", QUICK, tare=True, zero=True),
    "sma-stream": Till("sma", "sma", {"mode": "stream"}, "underscore = true", tare=True, zero=True),
    "cas": Till("cas-enq", "cas-enq", QUICK),
    "ecr": Till("cas-enq", "cas-enq", QUICK | {"variant": "ecr"}, 'variant = "ecr"', motion=False, over=False),
    "dialog06": Till("dialog06", "dialog06", {"interval_ms": 100}),
    "dialog06-log-on": Till("dialog06", "dialog06", {"interval_ms": 100, "logon_polynomial": "18005"}, 'polynomial = "18005"'),
    "penn": Till("pennsylvania-7600", "penn", {"interval_ms": 100, "ask": "net"}, motion=False, tare=True, zero=True),
    "penn-clipped": Till(
        "pennsylvania-7600", "penn", {"interval_ms": 100, "ask": "net"}, 'echo = "clipped"', motion=False, tare=True, zero=True
    ),
}

SITE = """
title = "Test"
seed = 5

[[devices]]
name = "scale"
kind = "{kind}"
pty = "scale"
scale = {{ settle = 0.01, stable_after = 0.1, boot = 0.1, noise = 0.0, repeat_hz = 50.0 }}
[devices.options]
{options}
"""

VARIANTS = frozenset({"toledo-8213", "toledo-clone", "nci-bare", "sma-stream", "dialog06-log-on", "penn-clipped"})
"""The same scales set another way: what does not depend on the setting is tried with them in the deep run."""

REST = VARIANTS | {"nci", "sma", "ecr", "penn"}
"""Where the link alone is tried, one scale of each manner of talking is enough outside the deep run."""


def tills(wanted: Callable[[Till], bool] = lambda _till: True, *, deep: frozenset[str] = VARIANTS) -> Any:
    marks = {name: [pytest.mark.deep] if name in deep else [] for name in TILLS}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks[name]) for name in TILLS if wanted(TILLS[name])])


class Counter:
    """The scale, the box beside it, and somebody who waits for what the box shows."""

    def __init__(self, hub: DeviceHub, site: Site, until: Any) -> None:
        self.hub = hub
        self.scale = site.device("scale")
        self.until = until

    @property
    def live(self) -> Any:
        return self.hub.live("scale")

    async def shows(self, value: str, *flags: Flag) -> None:
        def there() -> bool:
            reading = self.live.reading
            return bool(reading and reading.value == Decimal(value) and set(flags) <= reading.flags)

        await self.until(there)

    async def says(self, *flags: Flag) -> None:
        await self.until(lambda: self.live.reading and set(flags) <= self.live.reading.flags)

    async def ask(self, command: str, argument: str | None = None) -> Any:
        return await self.hub.links["scale"].ask(command, argument)


Sit = Callable[..., Any]


@pytest.fixture
def sit(tmp_path: Path, memory: Any, running: Any, until: Any) -> Sit:
    """`async with sit("nci") as counter`: a running site, and the box that reads it."""

    @asynccontextmanager
    async def opened(name: str, **more: Any) -> AsyncIterator[Counter]:
        till = TILLS[name]
        options = "\n".join([till.options, *(f"{key} = {value}" for key, value in more.get("options", {}).items())])
        async with run_site(read_site(SITE.format(kind=till.kind, options=options)), directory=tmp_path) as site:
            transport = {"kind": "serial", "port": site.device("scale").address}
            settings = till.settings | more.get("settings", {})
            device = DeviceSettings(id="scale", driver=till.driver, transport=transport, settings=settings)
            hub = DeviceHub([device], journal=memory, clock=BoxClock("boot", Clk(s="none")))
            async with running(hub):
                yield Counter(hub, site, until)

    return opened


@tills()
async def test_weights_come_with_digits_and_unit(sit: Sit, name: str) -> None:
    async with sit(name) as counter:
        await counter.scale.put("1250")
        await counter.shows("1.250")
        assert (str(counter.live.reading.value), counter.live.reading.unit) == ("1.250", "kg")
        await counter.scale.put("750")
        await counter.shows("2.000")


@tills(lambda till: till.motion)
async def test_motion_is_said_and_a_moving_weight_cannot_be_taken(sit: Sit, name: str) -> None:
    async with sit(name) as counter:
        await counter.until(lambda: counter.live.reading)
        async with counter.hub.events() as events:
            await counter.scale.put("30000")
            async for event in events:
                if event.live.reading and Flag.MOTION in event.live.reading.flags:
                    with pytest.raises(TakeRefused):
                        await counter.hub.take("scale")
                    break
        await counter.shows("30.000")


@tills(lambda till: till.over)
async def test_overload_is_a_state_without_a_number(sit: Sit, name: str) -> None:
    async with sit(name) as counter:
        await counter.scale.put("70000")
        await counter.says(Flag.OVERLOAD)
        assert (counter.live.reading.value, counter.live.reading.unit) == (None, None)
        with pytest.raises(TakeRefused):
            await counter.hub.take("scale")


@tills(lambda till: till.tare)
async def test_tare_gives_a_net_weight(sit: Sit, name: str) -> None:
    async with sit(name) as counter:
        await counter.scale.put("2000")
        await counter.shows("2.000")
        await asyncio.sleep(0.2)  # at rest, where the protocol cannot say so
        assert isinstance(await counter.ask("tare"), Acknowledged)
        await counter.shows("0.000", Flag.NET)
        await counter.scale.put("500")
        await counter.shows("0.500", Flag.NET)


@tills(lambda till: till.zero)
async def test_zero_takes_a_small_load_away(sit: Sit, name: str) -> None:
    async with sit(name) as counter:
        await counter.scale.put("100")
        await counter.shows("0.100")
        await asyncio.sleep(0.2)  # at rest, where the protocol cannot say so
        assert isinstance(await counter.ask("zero"), Acknowledged)
        await counter.shows("0.000")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("toledo-8217", "zero-range"),
        pytest.param("toledo-clone", "zero-range", marks=pytest.mark.deep),
        ("nci", "zero-range"),
        ("sma", "zero-error"),
        ("penn", "OLOLOL"),
    ],
)
async def test_zero_out_of_range_is_refused(sit: Sit, name: str, code: str) -> None:
    async with sit(name) as counter:
        await counter.scale.put("30000")
        await counter.shows("30.000")
        await asyncio.sleep(0.2)  # at rest, where the protocol cannot say so
        with pytest.raises(DeviceRefused) as caught:
            await counter.ask("zero")
        assert caught.value.code == code
        await counter.shows("30.000")


@pytest.mark.parametrize(
    ("name", "code"), [("toledo-8217", "over"), ("nci", "over"), ("sma", "tare-error"), ("penn", "OLOLOL")]
)
async def test_tare_of_an_overload_is_refused(sit: Sit, name: str, code: str) -> None:
    async with sit(name) as counter:
        await counter.scale.put("70000")
        await counter.says(Flag.OVERLOAD)
        await asyncio.sleep(0.2)  # at rest, which an overload does not say everywhere
        with pytest.raises(DeviceRefused) as caught:
            await counter.ask("tare")
        assert caught.value.code == code


async def test_tare_that_is_switched_off_stays_unanswered(sit: Sit) -> None:
    async with sit("toledo-8217", options={"tare_enabled": "false"}) as counter:
        await counter.scale.put("2000")
        await counter.shows("2.000")
        with pytest.raises(NoAnswer):
            await counter.hub.links["scale"].ask("tare", ask_s=0.5)


async def test_preset_tare_and_its_clearing(sit: Sit) -> None:
    async with sit("toledo-8217") as counter:
        await counter.scale.put("2000")
        await counter.shows("2.000", Flag.GROSS)
        await counter.ask("preset_tare", "0.5 kg")
        await counter.shows("1.500", Flag.NET)
        await counter.ask("clear_tare")
        await counter.shows("2.000", Flag.GROSS)


async def test_self_test_is_told_apart_from_a_state(sit: Sit) -> None:
    async with sit("toledo-8217", options={"memory_fault": "true"}) as counter:
        await counter.shows("0.000")
        await counter.ask("self_test")
        with pytest.raises(DeviceRefused) as caught:
            await counter.ask("self_test_result")
        assert caught.value.code == "ram"
        with pytest.raises(DeviceRefused) as caught:
            await counter.ask("self_test_result")
        assert caught.value.code == "no-result"


async def test_level_one_scale_refuses_tare(sit: Sit) -> None:
    async with sit("sma", options={"level": "1"}) as counter:
        await counter.shows("0.000", Flag.ZERO)
        with pytest.raises(DeviceRefused) as caught:
            await counter.ask("tare")
        assert caught.value.code == "?"


async def test_a_load_that_has_not_moved_can_be_taken_for_a_while(sit: Sit, memory: Any) -> None:
    async with sit("dialog06") as counter:
        await counter.scale.put("1000")
        await counter.shows("1.000")
        await asyncio.sleep(0.5)  # the scale is asked again, and says that nothing moved
        assert (await counter.hub.take("scale")).reading.value == Decimal("1.000")
        assert not memory.notes("device_refused")
        await counter.scale.put("500")
        await counter.shows("1.500", Flag.NET)


async def test_a_load_that_was_weighed_before_the_box_came_must_be_lifted(sit: Sit, memory: Any) -> None:
    async with sit("dialog06") as counter:
        await counter.scale.put("1000")
        await counter.shows("1.000")
        counter.hub.restart("scale")
        await counter.until(lambda: memory.notes("device_refused"))
        assert memory.notes("device_refused")[0].data["code"] == "21"
        with pytest.raises(TakeRefused):
            await counter.hub.take("scale")


async def test_a_log_on_without_its_polynomial_is_asked_for_by_name(sit: Sit, memory: Any) -> None:
    async with sit("dialog06-log-on", settings={"logon_polynomial": None}) as counter:
        await counter.until(lambda: memory.notes("device_refused"))
        assert "logon_polynomial" in memory.notes("device_refused")[0].data["reason"]
        assert counter.live.reading is None


async def test_a_block_that_the_scale_does_not_confirm_is_no_weight(sit: Sit, memory: Any) -> None:
    async with sit("ecr", options={"misheard": "1"}) as counter:
        await counter.scale.put("1250")
        await counter.shows("1.250")
        await counter.until(lambda: memory.notes("wire_fault"))
        assert "confirm" in memory.notes("wire_fault")[0].data["reason"]


@tills(deep=REST)
async def test_nothing_is_weighed_after_power_up_without_a_zero(sit: Sit, name: str) -> None:
    async with sit(name) as counter:
        await counter.scale.put("30000")
        await counter.shows("30.000")
        await counter.scale.power_cycle()
        await counter.until(lambda: counter.live.at_ns is None or counter.live.reading.value is None)
        with pytest.raises(TakeRefused):
            await counter.hub.take("scale")
        await counter.scale.remove()
        await asyncio.sleep(0.3)  # the scale takes its zero
        await counter.scale.put("1250")
        await counter.shows("1.250")


@tills(deep=REST)
async def test_unplugged_and_plugged_in_again_is_said_once_each(sit: Sit, name: str) -> None:
    async with sit(name) as counter:
        await counter.scale.put("500")
        await counter.shows("0.500")
        with capture_logs() as logs:
            await counter.scale.unplug()
            await counter.until(lambda: counter.live.link is LinkState.LOST)
            with pytest.raises(TakeRefused):
                await counter.hub.take("scale")
            await counter.scale.replug()
            await counter.scale.put("500")
            await counter.shows("1.000")
        assert [line["event"] for line in logs] == ["link_lost", "link_back"]
