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
from typing import Protocol

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
    CODE = "code"


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


Event = Acknowledged | Identity | Refused | Malformed
Decoded = Reading | Event


class Codec(Protocol):
    """Bytes to readings and back. No I/O, no clock. Any bytes in any split are legal input; no exception comes out of them."""

    def receive(self, data: bytes, now_ns: int) -> list[Decoded]:
        """Take bytes as they arrived and give what is complete. Buffers are capped: more than the cap becomes Malformed.

        Empty `data` says that time has passed: frames that end by silence come out of it (readers set to send no suffix).
        """
        ...

    def poll(self, now_ns: int) -> bytes | None:
        """Bytes to send now, or None. Called at least every 50 ms; also where an overdue answer is noticed."""
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
    """Moves bytes. Opening, reading and writing raise LinkLost and nothing else."""

    async def open(self) -> None: ...

    async def read(self) -> bytes:
        """At least one byte; raises LinkLost when the link is gone."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None:
        """Never raises; may be called twice."""
        ...


class Settings(BaseModel):
    """Root of every driver's settings model: unknown settings are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(StrEnum):
    """How far a driver has been proved (docs/DRIVERS.md)."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


@dataclass(frozen=True, slots=True)
class DriverInfo:
    """What a person and the configuration need to know of a driver."""

    name: str
    title: str
    kinds: frozenset[Kind]
    transports: tuple[str, ...]
    """Of `serial`, `tcp`: how the device may be connected."""
    models: tuple[str, ...]
    sources: tuple[str, ...]
    """Manual and page, one a line."""
    serial_defaults: Mapping[str, object] = field(default_factory=dict)
    """`baudrate`, `bytesize`, `parity`, `stopbits` of the devices as shipped."""
    commands: tuple[str, ...] = ()
    tier: Tier = Tier.NONE
    probe: bytes | None = None
    """Bytes that identify the device without changing a measurement, or None where none are safe."""


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
