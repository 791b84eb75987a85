"""HID reports on a real descriptor (a pseudo-terminal as the node): one read is one report, a loss is told."""

import asyncio
import os
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.api import LinkLost, SettingsFault, Transport
from drivers.envelope import Message
from drivers.transports import make_transport

DEADLINE_S = 10.0


class Node:
    """A node that the test holds the device's end of."""

    def __init__(self) -> None:
        self.device, node = os.openpty()
        tty.setraw(node)
        self.path = os.ttyname(node)
        self.node = node

    def unplug(self) -> None:
        for fd in (self.node, self.device):
            with suppress(OSError):
                os.close(fd)


@pytest.fixture
def node() -> Iterator[Node]:
    found = Node()
    yield found
    found.unplug()


async def test_report_comes_in_its_envelope(node: Node) -> None:
    device = make_transport("hidraw", {"path": node.path})
    await device.open()
    await device.open()
    for report in (bytes(range(64)), b"\x03\x02"):
        os.write(node.device, report)
        async with asyncio.timeout(DEADLINE_S):
            assert await device.read() == Message("report", report).to_bytes()
    await device.close()


async def test_output_reports_go_out_one_by_one_and_nothing_else(node: Node) -> None:
    device = make_transport("hidraw", {"path": node.path})
    await device.open()
    await device.write(Message("report", b"\x04\x01").to_bytes())
    assert os.read(node.device, 100) == b"\x04\x01"
    with pytest.raises(LinkLost):
        await device.write(b"no envelope at all, no envelope")
    with pytest.raises(LinkLost):
        await device.write(Message("keys", b"\x00").to_bytes())
    with pytest.raises(LinkLost):  # a terminal has no feature reports
        await device.write(Message("feature", b"\x04\x01").to_bytes())
    await device.close()


async def test_unplugged_node_wakes_the_reader_and_opens_again_by_its_link(node: Node, tmp_path: Path) -> None:
    link = tmp_path / "scale"
    link.symlink_to(node.path)
    device = make_transport("hidraw", {"path": str(link)})
    await device.open()
    waiting = asyncio.ensure_future(device.read())
    await asyncio.sleep(0)
    node.unplug()
    with pytest.raises(LinkLost):
        async with asyncio.timeout(DEADLINE_S):
            await waiting
    await device.close()
    link.unlink()
    with pytest.raises(LinkLost):
        await device.open()
    again = Node()
    link.symlink_to(again.path)
    await device.open()
    os.write(again.device, b"\x01")
    assert await device.read() == Message("report", b"\x01").to_bytes()
    await device.close()
    again.unplug()


async def test_closing_wakes_the_reader(node: Node) -> None:
    device = make_transport("hidraw", {"path": node.path})
    await device.open()
    waiting = asyncio.ensure_future(device.read())
    await asyncio.sleep(0)
    await device.close()
    await device.close()
    with pytest.raises(LinkLost):
        async with asyncio.timeout(DEADLINE_S):
            await waiting
    for attempt in (device.read(), device.write(Message("report", b"\x01").to_bytes())):
        with pytest.raises(LinkLost):
            await attempt


async def test_cancelled_reader_leaves_the_device_usable(node: Node) -> None:
    device = make_transport("hidraw", {"path": node.path})
    await device.open()
    waiting = asyncio.ensure_future(device.read())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    os.write(node.device, b"\x09")
    assert await device.read() == Message("report", b"\x09").to_bytes()
    await device.close()


@pytest.mark.parametrize("kind", ["hidraw", "evdev"])
async def test_path_that_is_no_device_is_link_lost(kind: str, tmp_path: Path) -> None:
    if kind == "evdev":
        pytest.importorskip("evdev", reason="evdev is not installed")
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    for path in (str(plain), str(tmp_path / "none"), str(tmp_path / "none*"), "with\0zero", str(tmp_path)):
        device = make_transport(kind, {"path": path})
        with pytest.raises(LinkLost):
            await read_once(device)
        await device.close()


async def read_once(device: Transport) -> None:
    await device.open()
    await device.read()


def test_settings_are_checked_by_name() -> None:
    for wrong in ({}, {"path": ""}, {"path": "/dev/hidraw0", "speed": 9600}):
        with pytest.raises(SettingsFault):
            make_transport("hidraw", wrong)
