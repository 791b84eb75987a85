"""An instrument that a technician described, in the box on a pseudo-terminal: the scale B1 of docs/PROFILES.md."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers.api import Acknowledged, DeviceRefused, Flag
from drivers.profiles.own import EXAMPLE
from edge.clock import BoxClock
from edge.devices.hub import DeviceHub, check_devices
from edge.devices.live import LinkState
from edge.errors import SettingsFault, TakeRefused
from edge.settings import DeviceSettings
from firmware_sim.wires import PtyWire


class BenchScale:
    """The scale B1 as its manual describes it: letters and CR LF, answered by one line."""

    def __init__(self, wire: PtyWire) -> None:
        self.shown = "W   12.340 kg S"
        self.refuses = False
        self.on = True
        self.printed = 0
        self._wire = wire
        self._heard = bytearray()

    def hear(self, data: bytes) -> None:
        self._heard += data
        while b"\r\n" in self._heard:
            line, _, rest = bytes(self._heard).partition(b"\r\n")
            self._heard = bytearray(rest)
            answer = self._answer(line) if self.on else None
            if answer is not None:
                self._wire.send(answer.encode() + b"\r\n")

    def _answer(self, line: bytes) -> str | None:
        if line == b"R":
            return self.shown
        if line in {b"Z", b"T", b"C"}:
            return "E02" if self.refuses else "OK"
        if line == b"P":
            self.printed += 1
        return None if line == b"P" else "E01"


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[PtyWire]:
    plug = PtyWire(tmp_path / "scale")
    yield plug
    plug.unplug()


@pytest.fixture
async def scale(wire: PtyWire) -> BenchScale:
    made = BenchScale(wire)
    await wire.plug(made.hear)
    return made


@pytest.fixture
def settings(tmp_path: Path, wire: PtyWire) -> DeviceSettings:
    profile = tmp_path / "b1.toml"
    profile.write_bytes(EXAMPLE.read_bytes())
    return DeviceSettings(
        id="bench",
        driver="profile",
        transport={"kind": "serial", "port": wire.address},
        settings={"file": str(profile), "interval_ms": 20},
    )


@pytest.fixture
def hub(settings: DeviceSettings, memory: Any) -> DeviceHub:
    return DeviceHub([settings], journal=memory, clock=BoxClock.of_this_machine())


async def test_weight_motion_and_overload(scale: BenchScale, hub: DeviceHub, running: Any, until: Any) -> None:
    def shows(value: str | None, *flags: Flag) -> Any:
        return lambda: (
            (live := hub.live("bench").reading)
            and (None if live.value is None else str(live.value)) == value
            and live.flags == frozenset(flags)
        )

    async with running(hub):
        await until(shows("12.340", Flag.GROSS, Flag.STABLE))
        taken = await hub.take("bench")
        assert taken.reading.value == Decimal("12.340")
        scale.shown = "W   12.355 kg M"
        await until(shows("12.355", Flag.GROSS, Flag.MOTION))
        with pytest.raises(TakeRefused, match="motion"):
            await hub.take("bench")
        scale.shown = "W   OVER"
        await until(shows(None, Flag.OVERLOAD))
        with pytest.raises(TakeRefused, match="overload"):
            await hub.take("bench")


async def test_commands_are_done_or_refused(scale: BenchScale, hub: DeviceHub, running: Any, until: Any) -> None:
    async with running(hub):
        await until(lambda: hub.live("bench").reading)
        assert await hub.command("bench", "zero") == Acknowledged("zero", b"OK\r\n")
        assert await hub.command("bench", "print") == Acknowledged("print", b"P\r\n")
        await until(lambda: scale.printed == 1)
        scale.refuses = True
        with pytest.raises(DeviceRefused) as caught:
            await hub.command("bench", "tare")
        assert caught.value.code == "02"


async def test_silence_power_cut_and_pulled_cable(
    scale: BenchScale, wire: PtyWire, hub: DeviceHub, running: Any, until: Any
) -> None:
    with capture_logs() as logs:
        async with running(hub):
            await until(lambda: hub.live("bench").reading)
            scale.on = False
            await until(lambda: hub.live("bench").link is LinkState.NO_ANSWER)
            scale.on = True
            await until(lambda: hub.live("bench").link is LinkState.UP)
            wire.unplug()
            await until(lambda: hub.live("bench").link is LinkState.LOST)
            scale.shown = "W   1.000 kg S"
            await wire.plug(scale.hear)
            await until(lambda: hub.live("bench").link is LinkState.UP and hub.live("bench").reading.value == 1)
    assert [line["event"] for line in logs] == ["link_lost", "link_back"]


def test_a_profile_that_cannot_be_used_stops_the_start_with_its_place(settings: DeviceSettings) -> None:
    path = Path(str(settings.settings["file"]))
    path.write_text(path.read_text().replace("longest", "longst"))
    with pytest.raises(SettingsFault, match=r"bench.*b1\.toml, line \d+: framing\.longst: is no key here"):
        check_devices([settings])


def test_what_a_reading_meant_is_kept_with_the_device(settings: DeviceSettings, hub: DeviceHub) -> None:
    (described,) = hub.descriptions()
    assert described.settings["text"] == EXAMPLE.read_text()
