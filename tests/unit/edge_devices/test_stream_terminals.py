"""The box's devices against simulated industrial terminals on real pseudo-terminals: weights, states, commands, losses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers.api import Acknowledged, DeviceRefused, Flag, NoAnswer, SettingsFault
from edge.clock import BoxClock
from edge.devices.hub import DeviceHub
from edge.devices.live import LinkState
from edge.errors import TakeRefused
from edge.settings import DeviceSettings
from firmware_sim.config import read_site
from firmware_sim.site import Site, run_site
from sync_protocol.entries import Clk


@dataclass(frozen=True)
class Terminal:
    """One simulator with the driver that reads it. `says` names the states that its protocol can tell."""

    driver: str
    kind: str
    settings: dict[str, Any]
    options: str = ""
    rest: bool = True
    ranges: bool = True
    commands: bool = False


TERMINALS = {
    "toledo": Terminal("mt-continuous", "mt-continuous", {}, commands=True),
    "toledo-checked": Terminal("mt-continuous", "mt-continuous", {"checksum": True}, "checksum = true", commands=True),
    "toledo-short": Terminal("mt-continuous-short", "mt-continuous", {}, "short = true", commands=True),
    "dini": Terminal("dini-argeo", "dini-argeo", {"interval_ms": 50}, commands=True),
    "dini-address": Terminal("dini-argeo", "dini-argeo", {"interval_ms": 50, "address": "07"}, 'address = "07"', commands=True),
    "dini-stream": Terminal("dini-argeo", "dini-argeo", {"mode": "stream"}, 'output = "continuous"', commands=True),
    "rice-lake": Terminal("ricelake-stream", "rice-lake", {}, commands=True),
    "a9": Terminal("yaohua-stx", "yaohua-a9", {}, rest=False, ranges=False),
    "a9-command": Terminal(
        "yaohua-stx", "yaohua-a9", {"address": "B"}, 'output = "command"\naddress = "B"', rest=False, ranges=False
    ),
    "a9-equals": Terminal("yaohua-eq", "yaohua-a9", {}, 'output = "equals"', rest=False, ranges=False),
    "a9-reversed": Terminal("yaohua-eq-reversed", "yaohua-a9", {}, 'output = "equals_reversed"', rest=False, ranges=False),
    "a12e": Terminal("yaohua-wg", "yaohua-a12e", {}, rest=False),
}

ELSEWHERE = {
    "dini-elsewhere": Terminal("dini-argeo", "dini-argeo", {"address": "08"}, 'address = "07"'),
    "a9-elsewhere": Terminal("yaohua-stx", "yaohua-a9", {"address": "C"}, 'output = "command"'),
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

VARIANTS = {"toledo-checked", "toledo-short", "dini-address", "dini-stream", "a9-equals", "a9-reversed"}
"""The same terminals set another way: what does not depend on the setting is tried with them in the deep run."""


def terminals(wanted: Callable[[Terminal], bool] = lambda _terminal: True) -> Any:
    marks = {name: [pytest.mark.deep] if name in VARIANTS else [] for name in TERMINALS}
    chosen = [name for name, terminal in TERMINALS.items() if wanted(terminal)]
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks[name]) for name in chosen])


every_terminal = terminals()
commanded = terminals(lambda terminal: terminal.commands)


class Desk:
    """The terminal, the box beside it, and somebody who waits for what the box shows."""

    def __init__(self, terminal: Terminal, hub: DeviceHub, site: Site, until: Any) -> None:
        self.terminal = terminal
        self.hub = hub
        self.scale = site.device("scale")
        self.until = until

    @property
    def live(self) -> Any:
        return self.hub.live("scale")

    async def shows(self, value: str, *flags: Flag) -> None:
        """Until this is live, at rest where the protocol can say so."""
        wanted = {*flags, Flag.STABLE} if self.terminal.rest else set(flags)

        def there() -> bool:
            reading = self.live.reading
            return bool(self.live.at_ns and reading and reading.value == Decimal(value) and wanted <= reading.flags)

        await self.until(there)

    async def says(self, *flags: Flag) -> None:
        await self.until(lambda: self.live.reading and set(flags) <= self.live.reading.flags)

    async def ask(self, command: str, argument: str | None = None) -> Any:
        return await self.hub.links["scale"].ask(command, argument)


Sit = Callable[[str], Any]


@pytest.fixture
def sit(tmp_path: Path, memory: Any, running: Any, until: Any) -> Sit:
    """`async with sit("dini") as desk`: a running site, and the box that reads it."""

    @asynccontextmanager
    async def opened(name: str) -> AsyncIterator[Desk]:
        terminal = (TERMINALS | ELSEWHERE)[name]
        site_file = read_site(SITE.format(kind=terminal.kind, options=terminal.options))
        async with run_site(site_file, directory=tmp_path) as site:
            transport = {"kind": "serial", "port": site.device("scale").address}
            device = DeviceSettings(id="scale", driver=terminal.driver, transport=transport, settings=terminal.settings)
            hub = DeviceHub([device], journal=memory, clock=BoxClock("boot", Clk(s="none")))
            async with running(hub):
                yield Desk(terminal, hub, site, until)

    return opened


@pytest.mark.parametrize("name", TERMINALS)
async def test_weights_come_with_digits_and_unit(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.scale.put("1250")
        await desk.shows("1.250")
        assert (str(desk.live.reading.value), desk.live.reading.unit) == ("1.250", "kg")
        await desk.scale.remove()
        await desk.shows("0.000")


@terminals(lambda terminal: terminal.rest)
async def test_motion_is_said_and_a_moving_weight_cannot_be_taken(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.shows("0.000")
        moved = asyncio.Event()
        async with desk.hub.events() as events:
            await desk.scale.put("30000")
            async for event in events:
                if Flag.MOTION in event.live.reading.flags:
                    moved.set()
                    with pytest.raises(TakeRefused):
                        await desk.hub.take("scale")
                    break
        assert moved.is_set()
        await desk.shows("30.000")


@terminals(lambda terminal: terminal.ranges)
async def test_overload_is_a_state_without_a_number(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.scale.put("70000")
        await desk.says(Flag.OVERLOAD)
        assert (desk.live.reading.value, desk.live.reading.unit) == (None, None)
        with pytest.raises(TakeRefused):
            await desk.hub.take("scale")


@pytest.mark.parametrize("name", ["a9-command", pytest.param("a9", marks=pytest.mark.deep)])
async def test_terminal_that_says_nothing_out_of_range_shows_no_answer(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.shows("0.000")
        await desk.scale.put("70000")
        await desk.until(lambda: desk.live.link is LinkState.NO_ANSWER)
        await desk.scale.remove()
        await desk.shows("0.000")


@commanded
async def test_tare_gives_a_net_weight_and_clearing_it_the_gross_one(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.scale.put("2000")
        await desk.shows("2.000", Flag.GROSS)
        assert isinstance(await desk.ask("tare"), Acknowledged)
        await desk.shows("0.000", Flag.NET)
        await desk.scale.put("500")
        await desk.shows("0.500", Flag.NET)
        assert isinstance(await desk.ask("clear_tare"), Acknowledged)
        await desk.shows("2.500", Flag.GROSS)


@commanded
async def test_zero_takes_a_small_load_away(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.scale.put("100")
        await desk.shows("0.100")
        assert isinstance(await desk.ask("zero"), Acknowledged)
        await desk.shows("0.000")


@pytest.mark.parametrize(("name", "code"), [("dini", "ERR03"), ("rice-lake", "??")])
async def test_refusals_come_with_the_terminals_own_word(sit: Sit, name: str, code: str) -> None:
    async with sit(name) as desk:
        await desk.scale.put("30000")
        await desk.shows("30.000")
        with pytest.raises(DeviceRefused) as caught:
            await desk.ask("zero")  # outside the zero range
        assert caught.value.code == code
        await desk.shows("30.000")


async def test_toledo_terminal_ignores_what_it_may_not_do(sit: Sit) -> None:
    async with sit("toledo") as desk:
        await desk.scale.put("30000")
        await desk.shows("30.000")
        await desk.ask("zero")
        await asyncio.sleep(0.1)
        await desk.shows("30.000", Flag.GROSS)


async def test_toledo_print_key_is_seen(sit: Sit) -> None:
    async with sit("toledo") as desk:
        await desk.shows("0.000")
        async with desk.hub.events() as events:
            await desk.ask("print")
            async for event in events:
                if event.live.reading.details.get("print_request") == "true":
                    break


async def test_preset_tare_in_the_displays_unit_only(sit: Sit) -> None:
    async with sit("dini") as desk:
        await desk.scale.put("2000")
        await desk.shows("2.000")
        with pytest.raises(SettingsFault, match="display"):
            await desk.ask("preset_tare", "500 g")
        await desk.ask("preset_tare", "0.500 kg")
        await desk.shows("1.500", Flag.NET)
        with pytest.raises(DeviceRefused, match="data"):
            await desk.ask("preset_tare", "99 kg")


@pytest.mark.parametrize("name", ["dini-elsewhere", "a9-elsewhere"])
async def test_terminal_of_another_address_stays_unanswered(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.until(lambda: desk.live.link is LinkState.NO_ANSWER)
        assert desk.live.reading is None


async def test_handshake_is_answered(sit: Sit) -> None:
    async with sit("a9-command") as desk:
        await desk.shows("0.000")
        assert (await desk.ask("handshake")).command == "handshake"


@pytest.mark.parametrize("name", ["toledo", "toledo-short"])
async def test_weights_after_power_up_without_a_zero_cannot_be_taken(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.scale.put("30000")
        await desk.shows("30.000")
        await desk.scale.power_cycle()
        await desk.says(Flag.NOT_ZEROED)
        await desk.says(Flag.NOT_ZEROED, Flag.STABLE)
        with pytest.raises(TakeRefused):
            await desk.hub.take("scale")
        await desk.scale.remove()
        await desk.until(lambda: Flag.NOT_ZEROED not in desk.live.reading.flags)
        await desk.shows("0.000")


@every_terminal
async def test_power_cycle_is_lived_through(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.scale.put("500")
        await desk.shows("0.500")
        await desk.scale.remove()
        await desk.shows("0.000")
        await desk.scale.power_cycle()
        await desk.scale.put("1000")
        await desk.until(lambda: desk.live.reading and desk.live.reading.value == Decimal("0.000"))
        await desk.scale.put("250")
        await desk.until(lambda: desk.live.link is LinkState.UP and desk.live.at_ns)


@every_terminal
async def test_unplugged_and_plugged_in_again_is_said_once_each(sit: Sit, name: str) -> None:
    async with sit(name) as desk:
        await desk.scale.put("500")
        await desk.shows("0.500")
        with capture_logs() as logs:
            await desk.scale.unplug()
            await desk.until(lambda: desk.live.link is LinkState.LOST)
            with pytest.raises(TakeRefused):
                await desk.hub.take("scale")
            await desk.scale.replug()
            await desk.shows("0.500")
        assert [line["event"] for line in logs] == ["link_lost", "link_back"]


async def test_silent_terminal_gives_no_answer_to_a_command(sit: Sit) -> None:
    async with sit("dini") as desk:
        await desk.shows("0.000")
        await desk.scale.power_cycle()
        with pytest.raises(NoAnswer):
            await desk.hub.links["scale"].ask("zero", settle_s=0.01, ask_s=0.05)
