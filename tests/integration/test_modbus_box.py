"""The box's links on simulated Modbus devices: pymodbus on both sides, real lines, an operator in between."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drivers import registry
from drivers.api import Acknowledged, DeviceRefused, Flag, Reading
from drivers.transports import Shared, make_transport
from edge.devices.link import DeviceLink, Owner
from edge.devices.live import LinkState
from firmware_sim.config import make_site
from firmware_sim.site import Site, SiteDevice, run_site

DEADLINE_S = 20.0

SCALE = {"capacity": "60", "increment": "0.005", "boot": 0.2, "settle": 0.05, "stable_after": 0.2, "noise": 0.1}


class RealClock:
    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return 0

    def stamp(self) -> Any:
        raise NotImplementedError


@dataclass
class Watched:
    """One link and what it told."""

    link: DeviceLink
    readings: list[Reading] = field(default_factory=list)
    states: list[LinkState] = field(default_factory=list)
    notes: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def last(self) -> Reading | None:
        return self.readings[-1] if self.readings else None

    def shows(self, value: str | None, *flags: Flag) -> bool:
        last = self.last
        if last is None or not set(flags) <= last.flags:
            return False
        return last.value is None if value is None else str(last.value) == value


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not fact():  # noqa: ASYNC110 - facts of many kinds, none of which can wake anyone
            await asyncio.sleep(0.005)


def watch(driver: str, settings: Mapping[str, object], line: Mapping[str, object], shared: Shared | None = None) -> Watched:
    held = shared or Shared()

    async def reading(item: Reading) -> None:
        watched.readings.append(item)

    async def note(name: str, data: Mapping[str, Any]) -> None:
        watched.notes.append((name, data))

    async def identified(_: str) -> None: ...

    states: list[LinkState] = []
    owner = Owner(reading, states.append, lambda: None, identified, note)
    link = DeviceLink(
        driver,
        registry.get(driver),
        settings,
        transport=lambda: make_transport("modbus", {"timeout_s": 0.2, **line}, held),
        clock=RealClock(),
        owner=owner,
    )
    watched = Watched(link, states=states)
    return watched


@asynccontextmanager
async def running(*watched: Watched) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.link.run()) for one in watched]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


@asynccontextmanager
async def site(directory: Path, **devices: dict[str, Any]) -> AsyncIterator[Site]:
    config = make_site({"devices": [{"name": name.replace("_", "-"), **one} for name, one in devices.items()]})
    async with run_site(config, directory=directory) as at:
        yield at


def line_to(device: SiteDevice) -> dict[str, object]:
    host, colon, port = device.address.rpartition(":")
    return {"host": host, "port": int(port)} if colon else {"port": device.address}


RTU, TCP = {"pty": "line"}, {"tcp": 0}
LAUMAS = ("modbus-laumas", "modbus-laumas", {}, "no-effect")
FT112 = ("modbus-ft112", "modbus-ft-112", {"unit": "kg"}, "4")
SCALES = [
    pytest.param(RTU, *LAUMAS, id="laumas-rtu"),
    pytest.param(TCP, *FT112, id="ft112-tcp"),
    pytest.param(TCP, *LAUMAS, id="laumas-tcp", marks=pytest.mark.deep),
    pytest.param(RTU, *FT112, id="ft112-rtu", marks=pytest.mark.deep),
]
PLACES = [pytest.param(RTU, id="rtu"), pytest.param(TCP, id="tcp")]


@pytest.mark.parametrize(("place", "kind", "driver", "settings", "refusal"), SCALES)
async def test_a_load_is_weighed_tared_and_refused(
    tmp_path: Path, place: dict[str, Any], kind: str, driver: str, settings: dict[str, object], refusal: str
) -> None:
    async with site(tmp_path, scale={"kind": kind, "scale": SCALE, **place}) as at:
        device = at.device("scale")
        watched = watch(driver, {**settings, "interval_ms": 40}, line_to(device))
        async with running(watched):
            await until(lambda: watched.shows("0.000", Flag.STABLE, Flag.ZERO, Flag.GROSS))
            await device.put("12340")
            await until(lambda: watched.last is not None and Flag.MOTION in watched.last.flags)
            await device.act({"action": "remove", "grams": "1"})
            await device.put("1")
            with pytest.raises(DeviceRefused) as refused:
                await watched.link.ask("tare")
            assert refused.value.code == refusal, "it is in motion"
            await until(lambda: watched.shows("12.340", Flag.STABLE, Flag.GROSS))
            done = await watched.link.ask("tare")
            assert isinstance(done, Acknowledged)
            await until(lambda: watched.shows("0.000", Flag.STABLE, Flag.NET))
            assert watched.last is not None
            assert watched.last.details["gross"] == "12.340"
            assert isinstance(await watched.link.ask("clear_tare"), Acknowledged)
            await until(lambda: watched.shows("12.340", Flag.STABLE, Flag.GROSS))
            with pytest.raises(DeviceRefused) as refused:
                await watched.link.ask("zero")
            assert refused.value.code == refusal, "it is outside the zero range"
            await device.put("60000")
            await until(lambda: watched.shows(None, Flag.OVERLOAD))
            await device.remove()
            await until(lambda: watched.shows("0.000", Flag.STABLE))
            assert isinstance(await watched.link.ask("zero"), Acknowledged)


@pytest.mark.parametrize("place", PLACES)
async def test_a_power_cut_is_silence_and_then_the_weight_again(tmp_path: Path, place: dict[str, Any]) -> None:
    async with site(tmp_path, scale={"kind": "modbus-laumas", "scale": SCALE, **place}) as at:
        device = at.device("scale")
        watched = watch("modbus-laumas", {"interval_ms": 40}, line_to(device) | {"timeout_s": 0.05})
        async with running(watched):
            await until(lambda: watched.shows("0.000", Flag.STABLE))
            await device.power_cycle()
            await until(lambda: LinkState.NO_ANSWER in watched.states)
            seen = len(watched.readings)
            await until(lambda: len(watched.readings) > seen)
            assert watched.states[-1] is LinkState.UP


@pytest.mark.parametrize("place", PLACES)
async def test_a_pulled_cable_is_lost_and_found_in_time(tmp_path: Path, place: dict[str, Any]) -> None:
    async with site(tmp_path, scale={"kind": "modbus-ft112", "scale": SCALE, **place}) as at:
        device = at.device("scale")
        watched = watch("modbus-ft-112", {"unit": "kg", "interval_ms": 40}, line_to(device))
        async with running(watched):
            await until(lambda: watched.readings)
            await device.unplug()
            await until(lambda: watched.states[-1] is LinkState.LOST)
            seen = len(watched.readings)
            await device.replug()
            async with asyncio.timeout(2):
                while len(watched.readings) == seen:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
        assert [name for name, _ in watched.notes] == ["link_lost", "link_back"]


async def test_a_weighing_part_that_stands_still_gives_no_weight(tmp_path: Path) -> None:
    async with site(tmp_path, scale={"kind": "modbus-ft112", "scale": SCALE, "tcp": 0, "options": {"stuck": True}}) as at:
        watched = watch("modbus-ft-112", {"unit": "kg", "interval_ms": 100}, line_to(at.device("scale")))
        async with running(watched):
            await until(lambda: watched.shows("0.000"))
            await until(lambda: watched.shows(None, Flag.UNAVAILABLE))
            assert watched.last is not None
            assert watched.last.details["fault"] == "stands still"


@pytest.mark.parametrize("place", PLACES)
async def test_a_climate_transmitter_gives_both_values_or_says_why_not(tmp_path: Path, place: dict[str, Any]) -> None:
    async with site(tmp_path, climate={"kind": "modbus-logger", "options": {"unit_id": 7}, **place}) as at:
        device = at.device("climate")
        watched = watch("modbus-climate", {"unit_id": 7, "interval_ms": 40}, line_to(device))

        def both() -> list[str]:
            return [str(reading.value) for reading in watched.readings[-2:]]

        async with running(watched):
            await until(lambda: sorted(both()) == ["21.5", "45.0"])
            await device.act({"action": "measure", "value": "-18.4"})
            await until(lambda: sorted(both()) == ["-18.4", "45.0"])
            await device.act({"action": "measure", "value": None})
            await until(lambda: sorted(both()) == ["45.0", "None"])


async def test_a_noisy_line_gives_wire_faults_and_never_a_wrong_weight(tmp_path: Path) -> None:
    faults = {"from_device": {"split": 0.5, "split_bytes": 3, "noise": 0.02}}
    async with site(tmp_path, scale={"kind": "modbus-laumas", "scale": SCALE, "pty": "line", "faults": faults}) as at:
        device = at.device("scale")
        await device.put("20000")
        await asyncio.sleep(0.5)
        watched = watch("modbus-laumas", {"interval_ms": 20}, line_to(device) | {"timeout_s": 0.05, "retries": 0})
        async with running(watched):
            await until(lambda: len(watched.readings) >= 20)
        assert {str(reading.value) for reading in watched.readings} == {"20.000"}


@pytest.mark.parametrize("kind", ["modbus-laumas", "modbus-ft112"])
async def test_another_client_reads_the_same_from_the_simulator(tmp_path: Path, kind: str) -> None:
    mbpoll = shutil.which("mbpoll")
    if mbpoll is None:
        pytest.skip("mbpoll is not installed")
    async with site(tmp_path, scale={"kind": kind, "scale": SCALE, "tcp": 0}) as at:
        device = at.device("scale")
        await device.put("12340")
        await asyncio.sleep(1.0)
        start, at_word = ("7", "[8]") if kind == "modbus-laumas" else ("1", "[5]")
        port = str(line_to(device)["port"])
        args = ["-m", "tcp", "-p", port, "-a", "1", "-r", start, "-c", "8", "-t", "4", "-1", "127.0.0.1"]
        found = await _run(mbpoll, *args)
        words = {line.split(":")[0]: int(line.split(":")[1].split()[0]) for line in found.splitlines() if line.startswith("[")}
        low = f"[{int(at_word.strip('[]')) + 1}]"
        assert (words[at_word], words[low]) == (0, 12340)
        # It is refused too many registers, as the paper says.
        assert kind == "modbus-ft112" or "Illegal data value" in await _run(mbpoll, *args[:9], "33", *args[10:])


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    async with asyncio.timeout(DEADLINE_S):
        said, _ = await process.communicate()
    return said.decode()
