"""The box's devices against simulated instruments on real terminals and sockets, with the machine's own clock."""

import asyncio
import base64
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers import registry
from drivers.api import Reading
from edge.clock import BoxClock
from edge.devices.hub import DeviceHub
from edge.devices.live import Captured, LinkState
from edge.errors import TakeRefused
from edge.settings import DeviceSettings
from firmware_sim.config import FaultConfig, LineConfig, read_site
from firmware_sim.site import Site, run_site
from sync_protocol.entries import Clk

SITE = """
title = "Test"
seed = 5

[[devices]]
name = "scale-1"
kind = "mt-sics"
pty = "scale-1"
scale = { settle = 0.01, stable_after = 0.1, boot = 0.1, noise = 0.0 }

[[devices]]
name = "scale-2"
kind = "mt-sics"
tcp = 0
scale = { unit = "g", capacity = "220", increment = "0.0001", load = "52.1873", noise = 0.0, settle = 0.01, stable_after = 0.1 }

[[devices]]
name = "reader-1"
kind = "serial-reader"
pty = "reader-1"
"""


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Box:
    """A hub over a site; `entries` reads the journal's file."""

    def __init__(self, hub: DeviceHub, site: Site, entries: Any, until: Any) -> None:
        self.hub = hub
        self.site = site
        self.entries = entries
        self.until = until

    async def state(self, device: str, state: LinkState) -> None:
        await self.until(lambda: self.hub.live(device).link is state)

    async def weighs(self, device: str, value: str) -> None:
        """Until the device shows this at rest, and as new as can be."""

        def at_rest() -> bool:
            live = self.hub.live(device)
            return bool(live.reading and live.at_ns and live.reading.stable and live.reading.value == Decimal(value))

        await self.until(at_rest)

    def notes(self, name: str) -> list[Any]:
        return [entry for entry in self.entries() if entry.t == "note" and entry.name == name]


def devices_of(site: Site) -> list[DeviceSettings]:
    host, _, port = site.device("scale-2").address.partition(":")
    tcp = {"kind": "tcp", "host": host, "port": int(port)}

    def serial(name: str) -> dict[str, Any]:
        return {"kind": "serial", "port": site.device(name).address}

    return [
        DeviceSettings(id="scale-1", driver="mt-sics", transport=serial("scale-1"), settings={"interval_ms": 20}),
        DeviceSettings(id="scale-2", driver="mt-sics", transport=tcp, settings={"mode": "stream"}),
        DeviceSettings(id="reader-1", driver="serial-scanner", transport=serial("reader-1"), capture={"policy": "every"}),
    ]


@pytest.fixture
async def box(tmp_path: Path, open_journal: Any, entries: Any, running: Any, until: Any) -> AsyncIterator[Box]:
    clock = BoxClock("boot", Clk(s="none"))
    async with run_site(read_site(SITE), directory=tmp_path) as site, open_journal(clock) as journal:
        hub = DeviceHub(devices_of(site), journal=journal, clock=clock)
        await hub.introduce()
        async with running(hub):
            yield Box(hub, site, entries, until)


async def test_weights_of_all_wires_are_live_and_can_be_taken(box: Box) -> None:
    await box.site.device("scale-1").put("1250")
    await box.weighs("scale-1", "1.250")
    await box.weighs("scale-2", "52.1873")
    one, two = await asyncio.gather(box.hub.take("scale-1"), box.hub.take("scale-2"))
    assert (str(one.reading.value), one.reading.unit) == ("1.250", "kg")
    assert (str(two.reading.value), two.reading.unit) == ("52.1873", "g")
    assert {str(one.entry), str(two.entry)} <= {f"{one.entry.run}:{seq}" for seq in range(len(box.entries()))}


async def test_raw_bytes_on_the_disk_decode_to_the_same_values_again(box: Box) -> None:
    await box.site.device("scale-1").put("1250")
    await box.weighs("scale-1", "1.250")
    async with box.hub.events() as events:
        await box.site.device("reader-1").scan("0107290000000015\x1d10LOT", "]C1")
        await box.hub.take("scale-1")
        async for event in events:
            if isinstance(event, Captured) and event.device == "reader-1":
                break
    stored = box.entries()
    configured = {entry.device: entry for entry in stored if entry.t == "device"}
    readings = [entry for entry in stored if entry.t == "reading"]
    assert {entry.device for entry in readings} >= {"scale-1", "reader-1"}
    for entry in readings:
        device = configured[entry.device]
        (again,) = registry.get(device.driver).decode(base64.b64decode(entry.raw), device.settings)
        assert isinstance(again, Reading)
        assert (str(again.value), again.unit, sorted(again.flags)) == (entry.value, entry.unit, entry.flags)
        assert dict(again.details) == entry.details


async def test_a_plug_pulled_in_the_middle_of_a_line_comes_back_by_itself(box: Box) -> None:
    scale = box.site.device("scale-1")
    await scale.put("500")
    await box.weighs("scale-1", "0.500")
    with capture_logs() as logs:
        await scale.faults(LineConfig(from_device=FaultConfig(split=1.0, split_bytes=2, split_gap=0.05)))
        await asyncio.sleep(0.12)
        await scale.unplug()
        await box.state("scale-1", LinkState.LOST)
        with pytest.raises(TakeRefused, match="lost"):
            await box.hub.take("scale-1")
        await scale.faults(LineConfig())
        await scale.replug()
        await box.weighs("scale-1", "0.500")
        await box.until(lambda: box.notes("link_back"))
    assert [line["event"] for line in logs] == ["link_lost", "link_back"]
    assert {line["device"] for line in logs} == {"scale-1"}
    assert len(box.notes("link_lost")) == len(box.notes("link_back")) == 1
    assert box.hub.live("scale-2").link is LinkState.UP


async def test_a_tcp_device_comes_back_under_its_port(box: Box) -> None:
    await box.weighs("scale-2", "52.1873")
    await box.site.device("scale-2").unplug()
    await box.state("scale-2", LinkState.LOST)
    await box.site.device("scale-2").replug()
    await box.weighs("scale-2", "52.1873")


async def test_a_silent_scale_is_no_answer_and_comes_back(box: Box) -> None:
    await box.weighs("scale-1", "0.000")
    await box.site.device("scale-1").faults(LineConfig(to_device=FaultConfig(drop=1.0)))
    await box.state("scale-1", LinkState.NO_ANSWER)
    with pytest.raises(TakeRefused, match="no_data"):
        await box.hub.take("scale-1")
    await box.site.device("scale-1").faults(LineConfig())
    await box.weighs("scale-1", "0.000")
    assert not box.notes("link_lost")


@pytest.mark.parametrize(("load", "code"), [("70000", "overload"), (None, "underload")])
async def test_a_scale_out_of_range_cannot_be_taken(box: Box, load: str | None, code: str) -> None:
    scale = box.site.device("scale-1")
    if load:
        await scale.put(load)
    else:
        await scale.put("1000")
        await box.weighs("scale-1", "1.000")
        await box.hub.links["scale-1"].send("zero_now")
        await box.weighs("scale-1", "0.000")
        await scale.remove()
    await box.until(lambda: box.hub.live("scale-1").reading and box.hub.live("scale-1").reading.value is None)
    with pytest.raises(TakeRefused, match=code):
        await box.hub.take("scale-1")


async def test_wrong_line_settings_are_noted_sparingly_and_disturb_no_other_device(box: Box) -> None:
    await box.weighs("scale-2", "52.1873")
    await box.site.device("scale-2").faults(LineConfig(from_device=FaultConfig(parity_7e1=True)))
    await box.until(lambda: box.notes("wire_fault"))
    await box.weighs("scale-1", "0.000")
    await asyncio.sleep(0.3)
    assert len(box.notes("wire_fault")) == 1
    assert "parity" in box.notes("wire_fault")[0].data["reason"]


@asynccontextmanager
async def nothing_left_open() -> AsyncIterator[None]:
    files, threads = open_files(), threading.active_count()
    yield
    async with asyncio.timeout(20):
        # The far end of a closed connection goes in a later turn of the loop.
        while open_files() > files:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert threading.active_count() <= threads


async def test_cancelled_links_close_their_ports(tmp_path: Path, memory: Any, running: Any, until: Any) -> None:
    clock = BoxClock("boot", Clk(s="none"))
    async with run_site(read_site(SITE), directory=tmp_path) as site, nothing_left_open():
        for wait in (False, True):
            hub = DeviceHub(devices_of(site), journal=memory, clock=clock)
            async with running(hub):
                await asyncio.sleep(0)
                if wait:
                    await until(lambda hub=hub: all(hub.live(name).link is LinkState.UP for name in hub.devices()))
            assert {hub.live(name).link for name in hub.devices()} <= {LinkState.LOST, LinkState.CONNECTING}
