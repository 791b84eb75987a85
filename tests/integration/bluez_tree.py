"""BlueZ as its clients see it: a private message bus with a small `org.bluez` object tree, for tests of the real bleak.

Signatures and property names are those of BlueZ 5.66, doc/adapter-api.txt, device-api.txt and gatt-api.txt.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""


@dataclass
class Gatt:
    """One characteristic: what may be done with it, its value, its descriptors."""

    flags: tuple[str, ...]
    value: bytes = b""
    descriptors: Mapping[str, bytes] = field(default_factory=dict)
    notifying: bool = False


@dataclass
class Peripheral:
    """A device in the air: services with their characteristics by UUID."""

    address: str
    name: str
    services: Mapping[str, Mapping[str, Gatt]] = field(default_factory=dict)
    connected: bool = False

    @property
    def path(self) -> str:
        return f"/org/bluez/hci0/dev_{self.address.replace(':', '_')}"


class BluezTree:
    """The daemon. `written` collects what clients wrote, `calls` the methods of the adapter and its devices."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self.objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self.peripherals: dict[str, Peripheral] = {}
        self.written: list[tuple[str, bytes]] = []
        self.calls: list[str] = []
        self.filters: dict[str, Any] = {}
        self.scanning = False
        self.refuse_scans = False
        self.refuse_connections = False

    # -- what the test does ---------------------------------------------------------------------------------------------

    def plug_adapter(self) -> None:
        properties = {
            "Address": Variant("s", "00:00:00:00:00:01"),
            "Powered": Variant("b", True),
            "Roles": Variant("as", ["central", "peripheral"]),
            "Discovering": Variant("b", False),
        }
        self._add("/org/bluez/hci0", ADAPTER, properties)

    def place(self, peripheral: Peripheral) -> None:
        """A device is within reach; it is known to the daemon when it first advertises."""
        self.peripherals[peripheral.path] = peripheral

    def advertise(
        self,
        peripheral: Peripheral,
        *,
        services: tuple[str, ...] = (),
        service_data: Mapping[str, bytes] | None = None,
        manufacturer: Mapping[int, bytes] | None = None,
    ) -> None:
        """An advertisement is heard, if anyone scans and nobody is connected to the device."""
        if not self.scanning or peripheral.connected:
            return
        said = {
            "RSSI": Variant("n", -60),
            "UUIDs": Variant("as", list(services)),
            "ServiceData": Variant("a{sv}", {uuid: Variant("ay", data) for uuid, data in (service_data or {}).items()}),
            "ManufacturerData": Variant("a{qv}", {key: Variant("ay", data) for key, data in (manufacturer or {}).items()}),
        }
        if peripheral.path in self.objects:
            self._change(peripheral.path, DEVICE, said)
        else:
            self._add(peripheral.path, DEVICE, self._device(peripheral) | said)

    def notify(self, peripheral: Peripheral, uuid: str, value: bytes) -> None:
        """The device tells a value; nobody hears it who has not subscribed."""
        path, gatt = self._find(peripheral, uuid)
        gatt.value = value
        if gatt.notifying:
            self._change(path, CHARACTERISTIC, {"Value": Variant("ay", value)})

    def hang_up(self, peripheral: Peripheral) -> None:
        """The connection breaks."""
        peripheral.connected = False
        for characteristics in peripheral.services.values():
            for gatt in characteristics.values():
                gatt.notifying = False
        self._change(peripheral.path, DEVICE, {"Connected": Variant("b", False), "ServicesResolved": Variant("b", False)})

    # -- what clients call ----------------------------------------------------------------------------------------------

    def answer(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if message.member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self.objects])
        path = message.path or ""
        if path not in self.objects:
            return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", path)
        handle = getattr(self, f"_do_{message.member}", None)
        if handle is None:
            return None
        self.calls.append(str(message.member))
        reply: Message = handle(message, path)
        return reply

    def _do_SetDiscoveryFilter(self, message: Message, _path: str) -> Message:  # noqa: N802 - the method's name
        self.filters = {name: value.value for name, value in message.body[0].items()} or self.filters
        return Message.new_method_return(message)

    def _do_StartDiscovery(self, message: Message, _path: str) -> Message:  # noqa: N802 - the method's name
        if self.refuse_scans:
            return Message.new_error(message, "org.bluez.Error.NotReady", "Resource Not Ready")
        self.scanning = True
        return Message.new_method_return(message)

    def _do_StopDiscovery(self, message: Message, _path: str) -> Message:  # noqa: N802 - the method's name
        self.scanning = False
        return Message.new_method_return(message)

    def _do_Connect(self, message: Message, path: str) -> Message:  # noqa: N802 - the method's name
        if self.refuse_connections:
            return Message.new_error(message, "org.bluez.Error.Failed", "le-connection-abort-by-remote")
        self.connect(self.peripherals[path])
        return Message.new_method_return(message)

    def connect(self, peripheral: Peripheral) -> None:
        """Connected, and the services are known."""
        peripheral.connected = True
        self._grow(peripheral)
        uuids = ["00001801-0000-1000-8000-00805f9b34fb", *peripheral.services]
        self._change(peripheral.path, DEVICE, {"Connected": Variant("b", True), "UUIDs": Variant("as", uuids)})
        self._change(peripheral.path, DEVICE, {"ServicesResolved": Variant("b", True)})

    def _do_Disconnect(self, message: Message, path: str) -> Message:  # noqa: N802 - the method's name
        self.hang_up(self.peripherals[path])
        return Message.new_method_return(message)

    def _do_StartNotify(self, message: Message, path: str) -> Message:  # noqa: N802 - the method's name
        self._gatt(path).notifying = True
        return Message.new_method_return(message)

    def _do_StopNotify(self, message: Message, path: str) -> Message:  # noqa: N802 - the method's name
        self._gatt(path).notifying = False
        return Message.new_method_return(message)

    def _do_ReadValue(self, message: Message, path: str) -> Message:  # noqa: N802 - the method's name
        if DESCRIPTOR in self.objects[path]:
            uuid = self.objects[path][DESCRIPTOR]["UUID"].value
            return Message.new_method_return(message, "ay", [self._gatt(path.rpartition("/")[0]).descriptors[uuid]])
        return Message.new_method_return(message, "ay", [self._gatt(path).value])

    def _do_WriteValue(self, message: Message, path: str) -> Message:  # noqa: N802 - the method's name
        self.written.append((self.objects[path][CHARACTERISTIC]["UUID"].value, bytes(message.body[0])))
        return Message.new_method_return(message)

    # -- the tree -------------------------------------------------------------------------------------------------------

    def _device(self, peripheral: Peripheral) -> dict[str, Variant]:
        return {
            "Address": Variant("s", peripheral.address),
            "AddressType": Variant("s", "random"),
            "Name": Variant("s", peripheral.name),
            "Alias": Variant("s", peripheral.name),
            "Adapter": Variant("o", "/org/bluez/hci0"),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
            "Paired": Variant("b", False),
        }

    def _nodes(self, peripheral: Peripheral) -> list[tuple[str, str, Gatt]]:
        """Path of each service, and path, UUID of each characteristic."""
        found = []
        for number, characteristics in enumerate(peripheral.services.values(), 1):
            for handle, (uuid, gatt) in enumerate(characteristics.items(), 1):
                found.append((f"{peripheral.path}/service{number:04x}/char{number * 16 + handle:04x}", uuid, gatt))
        return found

    def _grow(self, peripheral: Peripheral) -> None:
        for number, uuid in enumerate(peripheral.services, 1):
            service = {"UUID": Variant("s", uuid), "Device": Variant("o", peripheral.path), "Primary": Variant("b", True)}
            self._add(f"{peripheral.path}/service{number:04x}", SERVICE, service)
        for path, uuid, gatt in self._nodes(peripheral):
            properties = {
                "UUID": Variant("s", uuid),
                "Service": Variant("o", path.rpartition("/")[0]),
                "Value": Variant("ay", b""),
                "Flags": Variant("as", list(gatt.flags)),
                "MTU": Variant("q", 247),
            }
            self._add(path, CHARACTERISTIC, properties)
            for number, descriptor in enumerate(gatt.descriptors, 1):
                place = {"UUID": Variant("s", descriptor), "Characteristic": Variant("o", path)}
                self._add(f"{path}/desc{number + 255:04x}", DESCRIPTOR, place)

    def _find(self, peripheral: Peripheral, uuid: str) -> tuple[str, Gatt]:
        return next((path, gatt) for path, own, gatt in self._nodes(peripheral) if own == uuid)

    def _gatt(self, path: str) -> Gatt:
        return next(gatt for peripheral in self.peripherals.values() for own, _, gatt in self._nodes(peripheral) if own == path)

    def _add(self, path: str, interface: str, properties: dict[str, Variant]) -> None:
        self.objects.setdefault(path, {})[interface] = dict(properties)
        self._signal("/", MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, {interface: properties}])

    def _change(self, path: str, interface: str, changed: dict[str, Variant]) -> None:
        self.objects[path][interface] |= changed
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, changed, []])

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        self._bus.send(Message.new_signal(path, interface, member, signature, body))


@asynccontextmanager
async def message_bus(folder: Path) -> AsyncIterator[str]:
    """A private system bus; gives its address. Skips by name where there is no dbus-daemon."""
    program = shutil.which("dbus-daemon")
    if program is None:
        pytest.skip("dbus-daemon is not installed")
    socket, config = folder / "bus", folder / "bus.conf"
    config.write_text(CONFIG.format(path=socket), encoding="utf-8")
    daemon = await asyncio.create_subprocess_exec(
        program,
        f"--config-file={config}",
        "--nofork",
        "--nopidfile",
        "--print-address",
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert daemon.stdout is not None
        async with asyncio.timeout(20):
            # It says its address once it listens.
            await daemon.stdout.readline()
        yield f"unix:path={socket}"
    finally:
        if daemon.returncode is None:
            daemon.terminate()
        await daemon.wait()


@asynccontextmanager
async def bluez(address: str) -> AsyncIterator[BluezTree]:
    """The daemon on that bus, without an adapter yet."""
    bus = await MessageBus(bus_address=address).connect()
    tree = BluezTree(bus)
    bus.add_message_handler(tree.answer)
    await bus.request_name("org.bluez")
    try:
        yield tree
    finally:
        bus.disconnect()
