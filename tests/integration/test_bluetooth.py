"""The real bleak against a message bus with BlueZ's object tree: what the box sees of Bluetooth devices."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from bleak.backends.bluezdbus import manager as bleak_manager
from bleak.backends.bluezdbus.version import BlueZFeatures

from drivers import registry
from drivers.api import Codec, Decoded, LinkLost, Reading, Refused, Status, Transport
from drivers.envelope import EnvelopeBuffer, Message
from drivers.transports import Shared, bluetooth, bluetooth_radio, make_transport
from edge.clock import BoxClock
from edge.devices.hub import DeviceHub
from edge.devices.live import LinkState
from edge.settings import DeviceSettings
from sync_protocol.entries import Clk, Encoded, Entry, encode, parse
from sync_protocol.ids import EntryId, RunId
from tests.integration.bluez_tree import BluezTree, Gatt, Peripheral, bluez, message_bus

BASE = "-0000-1000-8000-00805f9b34fb"
WEIGHT = f"00002a9d{BASE}"
BATTERY = f"00002a19{BASE}"
VALUE, PARAMETERS, FORMAT = f"00005020{BASE}", f"00005021{BASE}", f"00002904{BASE}"
DEADLINE_S = 20.0


@pytest.fixture
async def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BluezTree]:
    # Its version is asked from a program that may be missing; the answer is kept for the life of the process.
    monkeypatch.setattr(BlueZFeatures, "checked_bluez_version", True)
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(message_bus(tmp_path))
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield await stack.enter_async_context(bluez(address))
        await leave_bus()


async def leave_bus() -> None:
    """bleak keeps one connection to the bus for the life of its event loop."""
    kept = bleak_manager._global_instances.pop(asyncio.get_running_loop(), None)
    if kept is not None and kept._bus is not None:
        kept._bus.disconnect()
        if kept._bus_watcher_task is not None:
            await asyncio.wait({kept._bus_watcher_task})


async def until(fact: Callable[[], object], *, meanwhile: Callable[[], None] = lambda: None) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not fact():
            meanwhile()
            await asyncio.sleep(0.01)


def scale(address: str = "AA:BB:CC:00:00:01", name: str = "Scale 1") -> Peripheral:
    services = {
        f"0000181d{BASE}": {WEIGHT: Gatt(("indicate",))},
        f"0000180f{BASE}": {BATTERY: Gatt(("read",), b"\x50")},
    }
    return Peripheral(address, name, services)


class Session:
    """A codec on an open link, as the box runs them."""

    def __init__(self, driver: str, transport: Transport, **settings: Any) -> None:
        known = registry.get(driver)
        self.codec: Codec = known.make_codec(known.settings(**settings))
        self.transport = transport
        self.found: list[Decoded] = []

    async def poll(self) -> None:
        request = self.codec.poll(0)
        if request is not None:
            await self.transport.write(request)

    async def read(self, count: int = 1) -> list[Decoded]:
        """The next that are decoded."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.found) < count:
                self.found += self.codec.receive(await self.transport.read(), 0)
        found, self.found = self.found[:count], self.found[count:]
        return found


async def opened(transport: Transport, tree: BluezTree, advertise: Callable[[], None]) -> Transport:
    """Open while the device advertises."""
    task = asyncio.create_task(transport.open())
    await until(task.done, meanwhile=advertise)
    await task
    return transport


def link(**settings: Any) -> Transport:
    return make_transport("ble", {"connect_timeout_s": 10, **settings})


async def test_scale_is_found_connected_and_tells_its_weight(tree: BluezTree) -> None:
    tree.plug_adapter()
    device = scale()
    tree.place(device)
    transport = await opened(link(address=device.address), tree, lambda: tree.advertise(device))
    try:
        assert tree.filters["DuplicateData"] is True
        assert not tree.scanning, "nobody listens any more, so the air is left to the connection"
        session = Session("ble-weight-scale", transport)
        await session.poll()
        # The feature that this scale lacks, then its battery, which it does not notify.
        absent, battery = await session.read(2)
        assert isinstance(absent, Status)
        assert isinstance(battery, Reading)
        assert (battery.kind, str(battery.value)) == ("battery", "80")
        tree.notify(device, WEIGHT, bytes.fromhex("005046"))
        (weight,) = await session.read()
        assert isinstance(weight, Reading)
        assert (str(weight.value), weight.unit) == ("90.000", "kg")
        assert Message.from_bytes(weight.raw) == Message(WEIGHT, bytes.fromhex("005046"))
    finally:
        await transport.close()
    assert not device.connected


async def test_unit_and_scale_of_a_caliper_are_read_before_its_values(tree: BluezTree) -> None:
    tree.plug_adapter()
    characteristics = {
        VALUE: Gatt(("read", "notify"), bytes.fromhex("ffffff7f"), {FORMAT: bytes.fromhex("10f70127010000")}),
        PARAMETERS: Gatt(("read", "notify"), bytes.fromhex("0013")),
    }
    caliper = Peripheral("AA:BB:CC:00:00:02", "SY289", {f"00005000{BASE}": characteristics})
    tree.place(caliper)
    transport = await opened(link(name="SY*"), tree, lambda: tree.advertise(caliper))
    try:
        session = Session("sylvac-sds", transport)
        await session.poll()
        told = await session.read(3)
        assert [type(item) for item in told] == [Status, Status, Status]
        tree.notify(caliper, VALUE, bytes.fromhex("a85ebc00"))
        (value,) = await session.read()
        assert isinstance(value, Reading)
        assert (str(value.value), value.unit) == ("12.345", "mm")
        # The display is switched to inches at its key.
        tree.notify(caliper, PARAMETERS, bytes.fromhex("0024"))
        tree.notify(caliper, VALUE, (12_700_000).to_bytes(4, "little"))
        _, inches = await session.read(2)
        assert isinstance(inches, Reading)
        assert (str(inches.value), inches.unit) == ("0.5000", "[in_i]")
    finally:
        await transport.close()


async def test_commands_are_written_to_their_characteristic(tree: BluezTree) -> None:
    tree.plug_adapter()
    notify, write = f"0000fff4{BASE}", f"000036f5{BASE}"
    services = {f"0000fff0{BASE}": {notify: Gatt(("notify",)), write: Gatt(("write-without-response",))}}
    device = Peripheral("AA:BB:CC:00:00:03", "Decent Scale", services)
    tree.place(device)
    transport = await opened(link(name="Decent*"), tree, lambda: tree.advertise(device))
    try:
        session = Session("decent-scale", transport)
        await session.poll()
        await transport.write(session.codec.command("tare"))
        assert tree.written == [(write, bytes.fromhex("030a0101000108")), (write, bytes.fromhex("030f000000010d"))]
        tree.notify(device, notify, bytes.fromhex("03ce00b9000074"))
        weight = [item for item in await session.read(2) if isinstance(item, Reading)]
        assert [(str(item.value), item.stable) for item in weight] == [("18.5", True)]
    finally:
        await transport.close()


async def test_another_kind_of_device_is_told_by_what_it_lacks(tree: BluezTree) -> None:
    tree.plug_adapter()
    device = scale()
    tree.place(device)
    transport = await opened(link(address=device.address), tree, lambda: tree.advertise(device))
    try:
        session = Session("decent-scale", transport)
        await session.poll()
        (refused,) = await session.read()
        assert isinstance(refused, Refused)
        assert refused.code == "absent"
    finally:
        await transport.close()


async def test_device_that_hangs_up_is_a_lost_link_and_is_found_again(tree: BluezTree) -> None:
    tree.plug_adapter()
    device = scale()
    tree.place(device)
    for _ in range(2):
        transport = await opened(link(address=device.address), tree, lambda: tree.advertise(device))
        session = Session("ble-weight-scale", transport)
        await session.poll()
        tree.notify(device, WEIGHT, bytes.fromhex("005046"))
        assert any(isinstance(item, Reading) and item.unit == "kg" for item in await session.read(3))
        reading = asyncio.create_task(transport.read())
        await asyncio.sleep(0)
        tree.hang_up(device)
        with pytest.raises(LinkLost, match="hung up"):
            await asyncio.wait_for(reading, DEADLINE_S)
        with pytest.raises(LinkLost):
            await transport.write(Message(WEIGHT, b"x").to_bytes())
        await transport.close()


async def test_close_wakes_the_reader_and_may_be_called_twice(tree: BluezTree) -> None:
    tree.plug_adapter()
    device = scale()
    tree.place(device)
    transport = await opened(link(address=device.address), tree, lambda: tree.advertise(device))
    reading = asyncio.create_task(transport.read())
    await asyncio.sleep(0.01)
    await transport.close()
    await transport.close()
    with pytest.raises(LinkLost, match="closed"):
        await reading
    for refused in (transport.read(), transport.write(b"")):
        await _lost(refused)


async def _lost(call: Coroutine[Any, Any, Any]) -> None:
    try:
        await call
    except LinkLost:
        return


async def test_device_that_stayed_connected_is_used_without_being_heard(tree: BluezTree) -> None:
    tree.plug_adapter()
    device = scale()
    tree.place(device)
    tree.scanning = True
    tree.advertise(device)
    tree.connect(device)
    tree.scanning = False
    transport = link(address=device.address)
    await asyncio.wait_for(transport.open(), DEADLINE_S)
    await transport.close()
    assert "StartDiscovery" not in tree.calls


async def test_two_devices_of_one_name_are_never_the_same(tree: BluezTree) -> None:
    tree.plug_adapter()
    devices = [scale(), scale("AA:BB:CC:00:00:09", "Scale 2")]
    for device in devices:
        tree.place(device)
    shared = Shared()
    links = [make_transport("ble", {"name": "Scale*", "connect_timeout_s": 10}, shared) for _ in devices]

    def advertise() -> None:
        for device in devices:
            tree.advertise(device)

    tasks = [asyncio.create_task(one.open()) for one in links]
    await until(lambda: all(task.done() for task in tasks), meanwhile=advertise)
    assert [task.exception() for task in tasks] == [None, None]
    assert [device.connected for device in devices] == [True, True]
    for one in links:
        await one.close()


async def test_advertised_weights_reach_everyone_who_listens_through_one_scan(tree: BluezTree) -> None:
    tree.plug_adapter()
    device = Peripheral("AA:BB:CC:00:00:04", "MIBCS")
    other = Peripheral("AA:BB:CC:00:00:05", "Skale")
    shared = Shared()
    wanted = [{"address": device.address, "services": ["181b"]}, {"name": "Sk*"}]
    links = [make_transport("ble", {"mode": "advertisement", **one}, shared) for one in wanted]
    for one in links:
        await one.open()
    assert tree.calls.count("StartDiscovery") == 1
    settled = bytes.fromhex("0226e607020e10293af7019a38")
    for _ in range(3):
        tree.advertise(device, services=(f"0000181b{BASE}",), service_data={f"0000181b{BASE}": settled})
        tree.advertise(other, manufacturer={0x81EF: bytes.fromhex("b900")})
    sessions = [Session("xiaomi-scale-v2", links[0]), Session("atomax-skale", links[1])]
    (body,) = await sessions[0].read()
    (coffee,) = await sessions[1].read()
    assert isinstance(body, Reading)
    assert isinstance(coffee, Reading)
    assert (str(body.value), str(coffee.value)) == ("72.45", "18.5")
    # Off again: the same weighing is said as removed, once.
    off = settled[:1] + b"\xa6" + settled[2:]
    for _ in range(3):
        tree.advertise(device, services=(f"0000181b{BASE}",), service_data={f"0000181b{BASE}": off})
    (removed,) = await sessions[0].read()
    assert isinstance(removed, Reading)
    assert "removed" in removed.flags
    assert sessions[0].found == []
    with pytest.raises(LinkLost, match="only listened to"):
        await links[0].write(b"x")
    await links[0].close()
    assert tree.scanning
    await links[1].close()
    assert not tree.scanning


async def test_scan_that_died_is_started_again_and_a_pulled_adapter_is_a_lost_link(
    tree: BluezTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluetooth, "QUIET_S", 0.05)
    tree.plug_adapter()
    device = Peripheral("AA:BB:CC:00:00:05", "Skale")
    transport = link(name="Sk*", mode="advertisement")
    await transport.open()
    tree.scanning = False
    reading = asyncio.create_task(transport.read())
    await until(lambda: tree.scanning)
    tree.advertise(device, manufacturer={0x81EF: bytes.fromhex("b900")})
    data = await asyncio.wait_for(reading, DEADLINE_S)
    assert EnvelopeBuffer().feed(data) == [Message("adv:manufacturer:33263", bytes.fromhex("ef81b900"))]
    tree.refuse_scans = True
    with pytest.raises(LinkLost, match="Bluetooth cannot be used"):
        async with asyncio.timeout(DEADLINE_S):
            await transport.read()
    await transport.close()


async def test_bus_that_dies_is_a_lost_link(tree: BluezTree) -> None:
    tree.plug_adapter()
    device = scale()
    tree.place(device)
    transport = await opened(link(address=device.address), tree, lambda: tree.advertise(device))
    kept = bleak_manager._global_instances[asyncio.get_running_loop()]
    assert kept._bus is not None
    kept._bus.disconnect()
    with pytest.raises(LinkLost):
        async with asyncio.timeout(DEADLINE_S):
            await transport.read()
    await transport.close()


@pytest.mark.parametrize("mode", ["notify", "advertisement"])
async def test_machine_without_an_adapter_says_so(tree: BluezTree, mode: str) -> None:
    transport = link(name="x", mode=mode)
    with pytest.raises(LinkLost, match=r"Bluetooth cannot be used: .*adapter"):
        await transport.open()
    await transport.close()


@pytest.mark.parametrize("mode", ["notify", "advertisement"])
async def test_machine_without_a_bus_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    transport = link(name="x", mode=mode)
    with pytest.raises(LinkLost, match="Bluetooth cannot be used"):
        await transport.open()
    await transport.close()
    await leave_bus()


async def test_device_that_is_not_heard_or_refuses_is_a_lost_link(tree: BluezTree) -> None:
    tree.plug_adapter()
    device = scale()
    tree.place(device)
    with pytest.raises(LinkLost, match="not heard in 1 s"):
        await link(address=device.address, connect_timeout_s=1).open()
    assert not tree.scanning
    tree.refuse_connections = True
    transport = link(address=device.address)
    with pytest.raises(LinkLost, match="cannot be connected"):
        await opened(transport, tree, lambda: tree.advertise(device))
    tree.refuse_connections = False
    await opened(transport, tree, lambda: tree.advertise(device))
    await transport.close()


async def test_reader_that_sleeps_too_long_loses_the_link_instead_of_messages(
    tree: BluezTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluetooth, "MAX_WAITING", 3)
    tree.plug_adapter()
    device = Peripheral("AA:BB:CC:00:00:05", "Skale")
    transport = link(name="Sk*", mode="advertisement")
    await transport.open()
    for number in range(5):
        tree.advertise(device, manufacturer={0x81EF: bytes([number, 0])})
    await asyncio.sleep(0.2)
    assert len(EnvelopeBuffer().feed(await transport.read())) == 3
    with pytest.raises(LinkLost, match="wait to be read"):
        await transport.read()
    await transport.close()


def test_radio_faults_are_named_where_they_have_no_words() -> None:
    assert bluetooth_radio.said(TimeoutError()) == "TimeoutError"


class Memory:
    """A journal that is always quick."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    async def append(self, entry: Entry | Encoded) -> EntryId:
        self.entries.append(parse(encode(entry)))
        return EntryId(RunId("0" * 32), len(self.entries) - 1)


async def test_the_box_keeps_each_weighing_once_and_finds_the_scale_again(tree: BluezTree) -> None:
    tree.plug_adapter()
    device = scale()
    tree.place(device)
    settings = DeviceSettings(
        id="floor",
        driver="ble-weight-scale",
        transport={"kind": "ble", "address": device.address},
        capture={"policy": "every"},
    )
    memory = Memory()
    hub = DeviceHub([settings], journal=memory, clock=BoxClock("boot", Clk(s="none")))
    running = asyncio.create_task(hub.links["floor"].run())

    def weights() -> list[str]:
        return [entry.value for entry in memory.entries if entry.t == "reading" and entry.kind == "mass"]

    def state() -> LinkState:
        return hub.live("floor").link

    try:
        weight = device.services[f"0000181d{BASE}"][WEIGHT]
        for payload in ("005046", "00983a"):
            await until(lambda: state() is LinkState.UP and weight.notifying, meanwhile=lambda: tree.advertise(device))
            before = len(weights())
            tree.notify(device, WEIGHT, bytes.fromhex(payload))
            await until(lambda before=before: len(weights()) > before)
            tree.hang_up(device)
            await until(lambda: state() is LinkState.LOST)
        assert weights() == ["90.000", "75.000"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not device.connected
