"""The contract every driver keeps: readings, notices, codecs, transports, descriptions, and the errors that may come out.

DriverError
├── SettingsFault     ours: the configuration does not fit the driver
├── LinkLost          theirs: the port or connection is gone (unplugged, refused, reset)
├── NoAnswer          theirs: the device was asked and said nothing in its time
├── DeviceRefused     theirs: the device understood and said no
└── WireFault         theirs: bytes that the protocol does not allow, or more than a buffer's cap
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict


class DriverError(Exception):
    """Root of everything that drivers raise."""


class SettingsFault(DriverError):
    """The settings given for a device do not fit its driver; `field` names the setting where one is to blame."""

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


class LinkLost(DriverError):
    """The link to the device is gone; opening it again may help."""


class NoAnswer(DriverError):
    """The device was asked and did not answer in the time its manual gives."""


class DeviceRefused(DriverError):
    """The device answered with a refusal; `code` is its own word for it."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class WireFault(DriverError):
    """Bytes that the protocol does not allow."""


class Kind(StrEnum):
    """What a reading is of."""

    MASS = "mass"
    COUNT = "count"
    PERCENT = "percent"
    LENGTH = "length"
    TEMPERATURE = "temperature"
    HUMIDITY = "humidity"
    PRESSURE = "pressure"
    FORCE = "force"
    ANGLE = "angle"
    BATTERY = "battery"
    """Charge of the device itself, in percent."""
    QUANTITY = "quantity"
    """A measured value of another kind (power, voltage, flow...); the unit says which."""
    CODE = "code"
    IMAGE = "image"
    """A still picture; the value is its SHA-256 in hexadecimal."""


class Flag(StrEnum):
    """What the device said about its own value. Absence means that the protocol does not say."""

    STABLE = "stable"
    MOTION = "motion"
    GROSS = "gross"
    NET = "net"
    TARE = "tare"
    ZERO = "zero"
    OVERLOAD = "overload"
    UNDERLOAD = "underload"
    OUT_OF_CALIBRATION = "out_of_calibration"
    NO_READ = "no_read"
    NOT_ZEROED = "not_zeroed"
    """No zero was taken since the device was switched on: the digits mean nothing yet."""
    STATUS = "status"
    """The device told how it is and no value."""
    TOTAL = "total"
    """A sum that the device printed over several weighings; not what lies on it."""
    REMOVED = "removed"
    """The last weighing said again after its load was taken off."""
    UNAVAILABLE = "unavailable"
    """The device has no value now (no sensor, probe broken, cell error); `details["fault"]` says why where it does."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value from a device. `value` is None when the device says that it has none (overload, no read): never 0 instead.

    `value` is a Decimal with the digits as sent for measurements, text for codes. `unit` is a UCUM code. `details` holds what
    else the frame said (for codes: `symbology_id`, `gtin`, `ai.10`, `expiry`...; for scales: `tare`).
    `raw` is every byte of the frame, terminators included.
    """

    kind: Kind
    value: Decimal | str | None
    unit: str | None
    flags: frozenset[Flag]
    raw: bytes
    operator: str | None = None
    instrument_time: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def stable(self) -> bool | None:
        """True or False when the device says so, None when its protocol cannot."""
        if Flag.STABLE in self.flags:
            return True
        return False if Flag.MOTION in self.flags else None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The device did what `command` asked."""

    command: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """The device says who it is; `power_up` when it said so unasked, as after a restart."""

    text: str
    raw: bytes
    what: str = "serial"
    power_up: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The device understood and refused, or reports a fault of its own; `code` is its own word."""

    code: str
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no frame of this protocol. They are kept, the fault is named, decoding goes on behind them."""

    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Status:
    """The device told how it is in words of its own (diagnostics, a mode, a label of its menu); no value, nothing refused."""

    text: str
    raw: bytes
    stable: bool | None = None
    """Whether it is at rest meanwhile, where it says so."""


Event = Acknowledged | Identity | Refused | Malformed | Status
Decoded = Reading | Event


class Codec(Protocol):
    """Bytes to readings and back. No I/O, no clock. Any bytes in any split are legal input; no exception comes out of them."""

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take bytes as they arrived and give what is complete. Buffers are capped: more than the cap becomes Malformed.

        Empty `data` says that time has passed: frames that end by silence come out of it (readers set to send no suffix).
        """
        ...

    def poll(self, now_ns: int) -> bytes | None:
        """Bytes to send now, or None. Called when `due_ns` says so and after every receipt; also where silence is noticed."""
        ...

    def due_ns(self, now_ns: int) -> int | None:
        """When `poll`, `overdue` or an empty `receive` may next have something to say, if no byte comes before.

        May be in the past (now). None: nothing happens until bytes come or a command is given. Nobody looks at the codec
        between, so a time that is not given here is a time that is missed.
        """
        ...

    def overdue(self, now_ns: int) -> bool:
        """Whether the device owes an answer for longer than its protocol allows."""
        ...

    def command(self, name: str, argument: str | None = None) -> bytes:
        """The bytes of a named command (`zero`, `tare`...). Raises SettingsFault for a name the driver does not declare."""
        ...

    def finish(self) -> list[Decoded]:
        """The input has ended: what is left in the buffer, as Malformed. The codec is empty afterwards."""
        ...


class Transport(Protocol):
    """Moves bytes. Opening, reading and writing raise LinkLost and nothing else.

    Links that carry messages (Modbus, Bluetooth, MQTT, HID reports, key events) move each one in an envelope
    (`drivers.envelope`), so that a codec sees one stream of bytes whatever it came over, and raw bytes say where they are from.
    """

    async def open(self) -> None: ...

    async def read(self) -> bytes:
        """At least one byte; raises LinkLost when the link is gone."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None:
        """Never raises; may be called twice."""
        ...


@runtime_checkable
class MayOverflow(Protocol):
    """A transport whose line goes on while nobody reads, so that bytes are lost behind what its buffer keeps."""

    overflowed: bool
    """Whether what `read` gave last is of a buffer that was found full: old, by as long as nobody read."""


class Settings(BaseModel):
    """Root of every driver's settings model: unknown settings are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(StrEnum):
    """How far a driver has been proved (docs/DRIVERS.md)."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


class Mode(StrEnum):
    """How a device comes to speak."""

    POLL = "poll"
    """One question, one answer."""
    STREAM = "stream"
    """Several frames a second, unasked."""
    AUTOPRINT = "autoprint"
    """Once for each load, key or scan."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How an unknown port is asked whether this device is there. What is sent never changes a measurement.

    `send` is empty for a device that speaks by itself: then it is only listened to. `recognises` judges everything that came
    within `wait_ms`; it is True only for what no other driver's device would send. `undo` goes out when it was not
    recognised, for devices to which the question meant something else.
    """

    send: bytes
    recognises: Callable[[bytes], bool]
    order: int
    """Lower is asked first. Single letters come before words: to a device that knows letters only, each letter of a word is
    a command."""
    wait_ms: int = 300
    undo: bytes = b""
    lines: tuple[str, ...] = ()
    """Line settings to try, as `9600-8N1`; those of `serial_defaults` when empty."""


@dataclass(frozen=True, slots=True)
class DriverInfo:
    """What a person and the configuration need to know of a driver."""

    name: str
    title: str
    kinds: frozenset[Kind]
    transports: tuple[str, ...]
    """Of `drivers.transports.KINDS`: how the device may be connected."""
    models: tuple[str, ...]
    sources: tuple[str, ...]
    """Manual and page, one a line."""
    serial_defaults: Mapping[str, object] = field(default_factory=dict)
    """`baudrate`, `bytesize`, `parity`, `stopbits` of the devices as shipped."""
    commands: tuple[str, ...] = ()
    tier: Tier = Tier.NONE
    modes: tuple[Mode, ...] = (Mode.POLL,)
    probe: Probe | None = None
    """None where nothing is safe to send, or nothing that comes back would be certain."""
    notes: tuple[str, ...] = ()
    """What whoever installs one should know, a sentence each; shown on the page of devices."""
    unofficial: bool = False
    """The protocol was found out by others and never published: a new firmware may change it."""


@dataclass(frozen=True, slots=True)
class Driver:
    """One protocol: its description, its settings model and how to make a codec."""

    info: DriverInfo
    settings: type[Settings]
    make_codec: Callable[[Settings], Codec]
    decode: Callable[[bytes, Mapping[str, object]], Sequence[Decoded]]
    """A whole capture to everything in it; the mapping holds the settings by name. Raises SettingsFault only."""


TransportFactory = Callable[[Mapping[str, object]], Transport]
ByteStream = AsyncIterator[bytes]
