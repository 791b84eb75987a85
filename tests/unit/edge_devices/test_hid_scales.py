"""A USB scale on the box. There is no hidraw here: a terminal in raw mode stands in for its node, and once umockdev's does.

Each write to the terminal is read as one report, because the box reads it before the next one comes; a node that goes away
gives a terminal's EIO where the kernel's hidraw gives ENODEV.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers.api import Flag
from edge.clock import BoxClock
from edge.devices.hub import DeviceHub
from edge.devices.live import LinkState
from edge.errors import TakeRefused
from edge.settings import DeviceSettings
from firmware_sim.balance import Balance, BalanceSpec
from firmware_sim.streams_hid import SLEEP_NS, HidScale
from sync_protocol.entries import Clk

ROOT = Path(__file__).resolve().parents[3]
REPORT_S = 0.02
SPEC = BalanceSpec(Decimal(10_000), Decimal(2), settle_ns=10_000_000, noise=0.0, stable_ns=100_000_000)


class Node:
    """The scale's node: there while the scale is on."""

    def __init__(self, path: Path, scale: HidScale, clock: BoxClock) -> None:
        self.path = path
        self.scale = scale
        self._clock = clock
        self._ends: tuple[int, int] | None = None

    def appear(self) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        self._ends = master, slave
        self.path.symlink_to(os.ttyname(slave))

    def vanish(self) -> None:
        if self._ends is not None:
            self.path.unlink()
            for end in self._ends:
                os.close(end)
            self._ends = None

    def put(self, grams: str) -> None:
        self.scale.balance.put(Decimal(grams), self._clock.now_ns())

    async def run(self) -> None:
        while True:
            if self._ends is not None:
                os.write(self._ends[0], self.scale.report(self._clock.now_ns()))
            await asyncio.sleep(REPORT_S)


@pytest.fixture
async def desk(tmp_path: Path, memory: Any, running: Any) -> AsyncIterator[tuple[DeviceHub, Node]]:
    clock = BoxClock("boot", Clk(s="none"))
    node = Node(tmp_path / "hidraw0", HidScale(Balance(SPEC, 1)), clock)
    device = DeviceSettings(id="scale", driver="hid-pos-scale", transport={"kind": "hidraw", "path": str(node.path)})
    hub = DeviceHub([device], journal=memory, clock=clock)
    node.appear()
    async with _going(node), running(hub):
        yield hub, node


@asynccontextmanager
async def _going(node: Node) -> AsyncIterator[None]:
    task = asyncio.create_task(node.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        node.vanish()


def shows(hub: DeviceHub, value: str, *flags: Flag) -> Any:
    def there() -> bool:
        live = hub.live("scale")
        return bool(live.at_ns and live.reading and live.reading.value == Decimal(value) and set(flags) <= live.reading.flags)

    return there


def test_scale_sleeps_three_minutes_after_the_last_change() -> None:
    scale = HidScale(Balance(SPEC, 1))
    scale.report(SLEEP_NS)
    scale.report(2 * SLEEP_NS - 1)
    assert scale.awake(2 * SLEEP_NS - 1)
    assert not scale.awake(2 * SLEEP_NS)


async def test_weights_motion_and_overload_are_live(desk: tuple[DeviceHub, Node], until: Any) -> None:
    hub, node = desk
    await until(shows(hub, "0", Flag.STABLE, Flag.ZERO))
    node.put("500")
    await until(lambda: Flag.MOTION in hub.live("scale").reading.flags)  # type: ignore[union-attr]
    await until(shows(hub, "500", Flag.STABLE))
    assert hub.live("scale").reading.unit == "g"  # type: ignore[union-attr]
    node.put("20000")
    await until(lambda: Flag.OVERLOAD in hub.live("scale").reading.flags)  # type: ignore[union-attr]
    with pytest.raises(TakeRefused):
        await hub.take("scale")


async def test_scale_that_switches_itself_off_is_lost_once_and_back_once(desk: tuple[DeviceHub, Node], until: Any) -> None:
    hub, node = desk
    await until(shows(hub, "0", Flag.STABLE))
    with capture_logs() as logs:
        node.vanish()
        await until(lambda: hub.live("scale").link is LinkState.LOST)
        await asyncio.sleep(0.5)
        assert [line["event"] for line in logs] == ["link_lost"]
        node.scale.wake(BoxClock("boot", Clk(s="none")).now_ns())
        node.appear()
        await until(shows(hub, "0", Flag.STABLE))
    assert [line["event"] for line in logs] == ["link_lost", "link_back"]


NODE = """P: /devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/0003:0922:8003.0001/hidraw/hidraw7
N: hidraw7
E: DEVNAME=/dev/hidraw7
E: SUBSYSTEM=hidraw
E: MAJOR=240
E: MINOR=7
A: dev=240:7\\n
"""

READER = """
import asyncio, json, sys
from drivers import registry
from drivers.envelope import Message
from drivers.transports import make_transport

async def main():
    transport = make_transport("hidraw", {"path": "/dev/hidraw7"})
    await transport.open()
    await transport.write(Message("report", b"go").to_bytes())  # the node's script waits for it
    codec = registry.get("hid-pos-scale").make_codec(registry.get("hid-pos-scale").settings())
    found = []
    async with asyncio.timeout(20):
        while len(found) < int(sys.argv[1]):
            found += codec.receive(await transport.read(), 0)
    await transport.close()
    print(json.dumps([[str(item.value), item.unit, sorted(item.flags)] for item in found]))

asyncio.run(main())
"""


def escaped(report: bytes) -> str:
    """Bytes as a script of umockdev spells them: control characters with ^, and no others here."""
    assert all(byte < 0x20 or (0x20 < byte < 0x7F and byte != 0x5E) for byte in report)
    return "".join(f"^{chr(byte + 0x40)}" if byte < 0x20 else chr(byte) for byte in report)


def test_node_of_the_kernels_kind_gives_the_scales_reports(tmp_path: Path) -> None:
    if shutil.which("umockdev-run") is None:
        pytest.skip("umockdev is not installed")
    scale = HidScale(Balance(SPEC, 1))
    reports = [scale.report(200_000_000)]
    scale.balance.put(Decimal(100), 200_000_000)
    reports += [scale.report(210_000_000), scale.report(900_000_000)]
    (tmp_path / "scale.umockdev").write_text(NODE, encoding="ascii")
    script = ["w 0 go", *(f"r 400 {escaped(report)}" for report in reports)]
    (tmp_path / "scale.script").write_text("\n".join(script) + "\n", encoding="ascii")
    command = ["umockdev-run", "-d", "scale.umockdev", "-s", "/dev/hidraw7=scale.script", "--", sys.executable, "-c", READER]
    done = subprocess.run(
        [*command, str(len(reports))],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert [value for value, _, _ in values][::2] == ["0", "100"]
    assert [unit for _, unit, _ in values] == ["g"] * 3
    assert [flags for _, _, flags in values] == [["stable", "zero"], ["motion"], ["stable"]]
