"""A Bluetooth LE device, connected or only listened to, through bleak and BlueZ.

Connected: the codec asks for what it wants (`drivers.ble.uuids`) in envelopes `notify:<characteristic>` and
`read:<characteristic>`, with or without `/<descriptor>`; any other origin is a characteristic that is written to. What the
device lacks comes back as `absent:<name>`. A value that is subscribed to is not read as well: BlueZ would say it twice.
Listened to: each advertisement comes as envelopes `adv:<service>` and `adv:manufacturer:<number>`; nothing can be sent.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Annotated, Literal, TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakCharacteristicNotFoundError, BleakGATTProtocolError
from pydantic import AfterValidator, Field, model_validator

from drivers.api import LinkLost, Settings, Transport
from drivers.ble.uuids import ABSENT, ADVERTISED, MANUFACTURER, NOTIFY, READ, full
from drivers.envelope import EnvelopeBuffer, Message
from drivers.settings import read_settings
from drivers.transports.bluetooth_radio import QUIET_S, RADIO_FAULTS, Radio, said
from drivers.transports.shared import Shared

CALL_TIMEOUT_S = 10.0
"""One read, write or subscription. A device at the edge of its range answers within the supervision time-out, at most 6 s."""

MAX_WAITING = 1024
"""Messages that wait to be read: a minute of the fastest scale. More means that nobody reads any more."""

T = TypeVar("T")


def _uuid(text: str) -> str:
    """The full form of a service; raises ValueError."""
    lower = text.lower()
    return full(int(lower, 16)) if len(lower) == 4 else lower


ServiceUuid = Annotated[
    str,
    Field(pattern=r"^([0-9a-fA-F]{4}|[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})$"),
    AfterValidator(_uuid),
]


class BluetoothSettings(Settings):
    """Which device, and how it is reached. One of `address`, `name` and `services` is needed; all that are given must fit."""

    address: str | None = Field(
        default=None,
        pattern=r"^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$",
        description="Bluetooth address of the device; the only way to tell two of a kind apart.",
    )
    name: str | None = Field(
        default=None, min_length=1, max_length=64, description="Name of the device, with * for any characters, such as SY*."
    )
    services: tuple[ServiceUuid, ...] = Field(
        default=(), max_length=8, description="Services that the device advertises, as four hexadecimal digits or in full."
    )
    mode: Literal["notify", "advertisement"] = Field(
        default="notify",
        description="notify: connect to the device; advertisement: only listen, for scales that send their weight to everyone.",
    )
    adapter: str | None = Field(
        default=None, pattern=r"^hci[0-9]{1,2}$", description="Bluetooth adapter of the box; the first one when left out."
    )
    connect_timeout_s: float = Field(
        default=20.0, ge=1, le=120, description="Seconds in which the device must be heard, and then connected."
    )

    @model_validator(mode="after")
    def _named(self) -> "BluetoothSettings":
        if self.address is None and self.name is None and not self.services:
            raise ValueError("one of address, name and services says which device it is")
        return self

    def fits(self, device: BLEDevice, heard: AdvertisementData) -> bool:
        """Whether this is the device."""
        offered = {*heard.service_uuids, *heard.service_data}
        return self.is_called(device, heard.local_name) and offered.issuperset(self.services)

    def is_called(self, device: BLEDevice, name: str | None = None) -> bool:
        """Whether address and name fit, where they are given."""
        if self.address is not None and device.address.upper() != self.address.upper():
            return False
        return self.name is None or any(fnmatchcase(one, self.name) for one in (name, device.name) if one)

    def where(self) -> str:
        return self.address or self.name or f"a device with {', '.join(self.services)}"


class _Inbox:
    """Messages that wait to be read, and the reason why no more will come."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._stirred = asyncio.Event()
        self._lost: str | None = None

    def put(self, message: Message) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self.lose(f"more than {MAX_WAITING} messages wait to be read")
        elif self._lost is None:
            self._waiting.append(message.to_bytes())
            self._stirred.set()

    def lose(self, reason: str) -> None:
        self._lost = self._lost or reason
        self._stirred.set()

    async def take(self) -> bytes:
        """Everything that waits. Raises LinkLost when nothing does and nothing will."""
        while not self._waiting:
            if self._lost is not None:
                raise LinkLost(self._lost)
            self._stirred.clear()
            await self._stirred.wait()
        taken = b"".join(self._waiting)
        self._waiting.clear()
        return taken


class _Link:
    """What both kinds share: the radio, held while the link is open, and the inbox."""

    def __init__(self, settings: BluetoothSettings, shared: Shared) -> None:
        self._settings = settings
        self._shared = shared
        self._key = ("ble", settings.adapter)
        self._radio: Radio | None = None
        self._inbox = _Inbox()

    async def _hold(self) -> Radio:
        if self._radio is None:
            self._inbox = _Inbox()
            self._radio = await self._shared.hold(self._key, lambda: Radio(self._settings.adapter))
        return self._radio

    async def _release(self) -> None:
        radio, self._radio = self._radio, None
        self._inbox.lose(f"{self._settings.where()} was closed")
        if radio is not None:
            await self._shared.release(self._key, radio)


class AdvertisementLink(_Link):
    """A device that is only listened to."""

    async def open(self) -> None:
        """Start to listen. Raises LinkLost where the machine has no Bluetooth. The device need not be there yet."""
        radio = await self._hold()
        try:
            await radio.listen(self._heard)
        except BaseException:
            await self._release()
            raise

    async def read(self) -> bytes:
        """At least one envelope. Raises LinkLost when the radio is gone; silence of the device alone is none."""
        while True:
            if self._radio is None:
                raise LinkLost(f"{self._settings.where()} is not listened to")
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET_S):
                    return await self._inbox.take()
            # Nobody says so when an adapter is pulled out or stops scanning: a radio that hears nobody is started again.
            await self._radio.revive()

    async def write(self, data: bytes) -> None:  # noqa: ARG002 - the contract's signature
        """Always raises LinkLost: a device that is only listened to cannot be told anything."""
        raise LinkLost(f"{self._settings.where()} is only listened to: nothing can be sent to it")

    async def close(self) -> None:
        """Never raises; a reader that waits meanwhile gets LinkLost."""
        if self._radio is not None:
            await self._radio.leave(self._heard)
        await self._release()

    def _heard(self, device: BLEDevice, heard: AdvertisementData) -> None:
        if not self._settings.fits(device, heard):
            return
        for service, data in heard.service_data.items():
            self._inbox.put(Message(ADVERTISED + service.lower(), data))
        for number, data in heard.manufacturer_data.items():
            self._inbox.put(Message(f"{MANUFACTURER}{number}", number.to_bytes(2, "little") + data))


class GattLink(_Link):
    """A connected device."""

    def __init__(self, settings: BluetoothSettings, shared: Shared) -> None:
        super().__init__(settings, shared)
        self._client: BleakClient | None = None
        self._address: str | None = None
        self._sent = EnvelopeBuffer()
        self._subscribed: set[str] = set()

    async def open(self) -> None:
        """Find the device, connect, and learn its services. Raises LinkLost."""
        if self._client is not None:
            return
        radio = await self._hold()
        try:
            await self._connect(radio)
        except BaseException:
            await self.close()
            raise

    async def read(self) -> bytes:
        """At least one envelope. Raises LinkLost when the device has gone."""
        self._connected()
        return await self._inbox.take()

    async def write(self, data: bytes) -> None:
        """Do what the envelopes ask, in their order. Raises LinkLost."""
        for item in self._sent.feed(data):
            if isinstance(item, Message):
                await self._do(item)

    async def close(self) -> None:
        """Never raises; a reader that waits meanwhile gets LinkLost."""
        client, self._client = self._client, None
        self._subscribed.clear()
        self._sent.flush()
        self._inbox.lose(f"{self._settings.where()} was closed")
        if client is not None:
            with suppress(*RADIO_FAULTS):
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    await client.disconnect()
        if self._radio is not None and self._address is not None:
            self._radio.give_back(self._address)
            self._address = None
        await self._release()

    async def _connect(self, radio: Radio) -> None:
        settings = self._settings
        device = await radio.find(
            settings.fits, settings.is_called, services=settings.services, timeout_s=settings.connect_timeout_s
        )
        if device is None:
            raise LinkLost(f"{settings.where()} was not heard in {settings.connect_timeout_s:g} s")
        self._address = device.address
        client = BleakClient(
            device,
            disconnected_callback=lambda _client: self._inbox.lose(f"{settings.where()} hung up"),
            timeout=settings.connect_timeout_s,
        )
        # Adapters make one connection at a time; others wait here and not in the adapter, where they would time out.
        async with radio.connecting:
            try:
                await client.connect()
            except RADIO_FAULTS as exc:
                raise LinkLost(f"{settings.where()} cannot be connected: {said(exc)}") from exc
        self._client = client

    async def _do(self, asked: Message) -> None:
        client = self._connected()
        if asked.origin.startswith(NOTIFY):
            name = asked.origin.removeprefix(NOTIFY)
            await self._tried(name, self._subscribe(client, name))
        elif asked.origin.startswith(READ):
            name = asked.origin.removeprefix(READ)
            await self._tried(name, self._ask(client, name))
        else:
            await self._tried(asked.origin, self._tell(client, asked))

    async def _tried(self, name: str, call: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await call
        except (BleakCharacteristicNotFoundError, BleakGATTProtocolError):
            # Not there, or not for us: the codec knows whether it can do without.
            self._inbox.put(Message(ABSENT + name, b""))
        except RADIO_FAULTS as exc:
            raise LinkLost(f"{self._settings.where()}: {said(exc)}") from exc

    async def _subscribe(self, client: BleakClient, name: str) -> None:
        characteristic = _characteristic(client, name)
        if not {"notify", "indicate"} & set(characteristic.properties) or name in self._subscribed:
            return
        await client.start_notify(characteristic, lambda _, data: self._inbox.put(Message(name, bytes(data))))
        self._subscribed.add(name)

    async def _ask(self, client: BleakClient, name: str) -> None:
        uuid, _, descriptor_uuid = name.partition("/")
        characteristic = _characteristic(client, uuid)
        if descriptor_uuid:
            descriptor = characteristic.get_descriptor(descriptor_uuid)
            if descriptor is None:
                raise BleakCharacteristicNotFoundError(name)
            value = await client.read_gatt_descriptor(descriptor)
        elif uuid in self._subscribed or "read" not in characteristic.properties:
            return
        else:
            value = await client.read_gatt_char(characteristic)
        self._inbox.put(Message(name, bytes(value)))

    async def _tell(self, client: BleakClient, asked: Message) -> None:
        characteristic = _characteristic(client, asked.origin)
        await client.write_gatt_char(characteristic, asked.payload, response="write" in characteristic.properties)

    def _connected(self) -> BleakClient:
        if self._client is None:
            raise LinkLost(f"{self._settings.where()} is not connected")
        return self._client


def _characteristic(client: BleakClient, uuid: str) -> BleakGATTCharacteristic:
    """Raises BleakCharacteristicNotFoundError, and BleakError when the connection is gone."""
    found = client.services.get_characteristic(uuid)
    if found is None:
        raise BleakCharacteristicNotFoundError(uuid)
    return found


def make(settings: Mapping[str, object], shared: Shared) -> Transport:
    """A closed link. Raises SettingsFault."""
    wanted = read_settings(BluetoothSettings, settings)
    return AdvertisementLink(wanted, shared) if wanted.mode == "advertisement" else GattLink(wanted, shared)
