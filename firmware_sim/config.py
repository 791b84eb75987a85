"""The description of a simulated site, as a TOML file gives it. Every complaint names the key that is to blame."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from firmware_sim.balance import GRAMS_PER, BalanceSpec
from firmware_sim.errors import SiteFault
from firmware_sim.faults import FaultPlan, LineFaults
from firmware_sim.specs import ReaderSpec, TerminalSpec
from sync_protocol.errors import TextFault
from sync_protocol.quantity import decimal

DEVICE_NAME = r"[a-z0-9][a-z0-9-]{0,31}"
SECOND_NS = 1_000_000_000


def _exact(value: object) -> Decimal:
    """Amounts are decimal strings: a TOML or JSON number has lost its digits by the time it is read."""
    if not isinstance(value, str):
        raise ValueError('an amount is written as text, such as "12.340"')  # noqa: TRY004 - pydantic wants ValueError
    try:
        return decimal(value)
    except TextFault as exc:
        raise ValueError(str(exc)) from exc


def _seconds(value: object) -> object:
    """Seconds, or a time of day after the start as H:MM:SS."""
    if isinstance(value, str) and value.count(":") == 2:
        hours, minutes, seconds = value.split(":")
        if not (hours + minutes).isascii() or not (hours + minutes).isdigit():
            raise ValueError(f"a time is seconds or H:MM:SS, not {value[:20]!r}")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return value


def _encoding(value: str) -> str:
    try:
        "".encode(value)
    except LookupError as exc:
        raise ValueError(f"unknown text encoding {value[:20]!r}") from exc
    return value


def _unit(value: str) -> str:
    if value not in GRAMS_PER:
        raise ValueError(f"unknown unit {value[:20]!r}: one of {', '.join(GRAMS_PER)}")
    return value


Amount = Annotated[Decimal, BeforeValidator(_exact)]
PositiveAmount = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0)]
Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=7 * 86400)]
Chance = Annotated[float, Field(ge=0, le=1)]


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScaleConfig(_Strict):
    """A balance. Amounts are in `unit`."""

    unit: Annotated[str, AfterValidator(_unit)] = "kg"
    capacity: PositiveAmount = Decimal(60)
    increment: PositiveAmount = Decimal("0.005")
    model: str = Field(default="TBX-60", pattern=r"^[\x20-\x21\x23-\x7e]{1,40}$")
    serial_number: str = Field(default="B214507731", pattern=r"^[\x20-\x21\x23-\x7e]{1,40}$")
    settle: Annotated[float, Field(ge=0, le=60)] = 0.25
    noise: Annotated[float, Field(ge=0, le=1000)] = 0.2
    window: Annotated[float, Field(gt=0, le=1000)] = 1.0
    stable_after: Annotated[float, Field(ge=0.1, le=10)] = 0.5
    stable_wait: Annotated[float, Field(gt=0, le=120)] = 10.0
    boot: Annotated[float, Field(ge=0, le=120)] = 2.0
    repeat_hz: Annotated[float, Field(gt=0, le=100)] = 10.0
    restart_zeroes: bool = True
    load: Annotated[Decimal, BeforeValidator(_exact), Field(ge=0)] = Decimal(0)
    """Grams on the platform when the site starts; the scale was zeroed without them."""

    def balance(self) -> BalanceSpec:
        return BalanceSpec(
            capacity=self.capacity,
            increment=self.increment,
            unit=self.unit,
            settle_ns=_ns(self.settle),
            noise=self.noise,
            window=self.window,
            stable_ns=_ns(self.stable_after),
            restart_zeroes=self.restart_zeroes,
        )

    def terminal(self) -> TerminalSpec:
        return TerminalSpec(
            model=self.model,
            serial_number=self.serial_number,
            stable_wait_ns=_ns(self.stable_wait),
            repeat_ns=_ns(1 / self.repeat_hz),
            boot_ns=_ns(self.boot),
        )


class ReaderConfig(_Strict):
    """A serial barcode reader."""

    prefix: str = ""
    suffix: str = "\r"
    aim_prefix: bool = True
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8"
    no_read: str | None = None

    def spec(self) -> ReaderSpec:
        return ReaderSpec(
            prefix=self.prefix.encode("latin-1"),
            suffix=self.suffix.encode("latin-1"),
            aim_prefix=self.aim_prefix,
            encoding=self.encoding,
            no_read=None if self.no_read is None else self.no_read.encode(self.encoding),
        )


class FaultConfig(_Strict):
    """One direction of a line; times in seconds, chances 0..1. See firmware_sim.faults.FaultPlan."""

    split: Chance = 0.0
    split_bytes: Annotated[int, Field(ge=1, le=1000)] = 3
    split_gap: Seconds = 0.002
    glue: Seconds = 0.0
    delay: tuple[Seconds, Seconds] = (0.0, 0.0)
    drop: Chance = 0.0
    noise: Chance = 0.0
    unplug: Chance = 0.0
    away: tuple[Seconds, Seconds] = (0.5, 3.0)
    parity_7e1: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, (low, high) in (("delay", self.delay), ("away", self.away)):
            if low > high:
                raise ValueError(f"{name} is [shortest, longest]")
        return self

    def plan(self) -> FaultPlan:
        return FaultPlan(
            split=self.split,
            split_bytes=self.split_bytes,
            split_gap_ns=_ns(self.split_gap),
            glue_ns=_ns(self.glue),
            delay_ns=(_ns(self.delay[0]), _ns(self.delay[1])),
            drop=self.drop,
            noise=self.noise,
            unplug=self.unplug,
            away_ns=(_ns(self.away[0]), _ns(self.away[1])),
            parity_7e1=self.parity_7e1,
        )


class LineConfig(_Strict):
    """Faults in both directions of one line."""

    from_device: FaultConfig = FaultConfig()
    to_device: FaultConfig = FaultConfig()

    def faults(self) -> LineFaults:
        return LineFaults(self.from_device.plan(), self.to_device.plan())


class DeviceConfig(_Strict):
    """One device and where it is plugged in: `pty` (a link in the site's directory) or `tcp` (a port, 0 for a free one)."""

    name: str = Field(pattern=f"^{DEVICE_NAME}$")
    kind: str = Field(pattern=f"^{DEVICE_NAME}$")
    pty: Path | None = None
    tcp: Annotated[int, Field(ge=0, le=65535)] | None = None
    host: str = "127.0.0.1"
    scale: ScaleConfig | None = None
    reader: ReaderConfig | None = None
    options: Mapping[str, object] = {}
    """What only this kind of device has; checked by the kind (`firmware_sim.kinds`)."""
    faults: LineConfig = LineConfig()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.pty is None) == (self.tcp is None):
            raise ValueError("give either pty or tcp")
        return self


class StepConfig(_Strict):
    """One timed action: `at` is the time since the start, in seconds or as H:MM:SS; the rest is an action of the device."""

    model_config = ConfigDict(extra="allow", frozen=True)

    at: Seconds
    device: str
    action: str

    def request(self) -> Mapping[str, object]:
        return {"device": self.device, "action": self.action, **(self.model_extra or {})}


class SiteConfig(_Strict):
    """A whole site. `speed` makes the scenario's clock run faster; the devices keep their own pace."""

    title: str = ""
    seed: int = Field(default=0, ge=0)
    speed: Annotated[float, Field(gt=0, le=1000)] = 1.0
    control_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    devices: tuple[DeviceConfig, ...] = Field(min_length=1, max_length=64)
    steps: tuple[StepConfig, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [device.name for device in self.devices]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two devices are called {twice!r}")
        return self


def read_site(text: str) -> SiteConfig:
    """A site from TOML text; raises SiteFault with the key to blame."""
    try:
        return make_site(tomllib.loads(text))
    except tomllib.TOMLDecodeError as exc:
        raise SiteFault(f"not TOML: {exc}", key="") from exc


def make_site(data: Mapping[str, object]) -> SiteConfig:
    """A site from data of the same form; raises SiteFault with the key to blame."""
    try:
        return SiteConfig.model_validate(data)
    except ValidationError as exc:
        raise as_site_fault(exc) from exc


def as_site_fault(exc: ValidationError) -> SiteFault:
    """The first complaint, with its dotted key."""
    first = exc.errors(include_url=False)[0]
    return SiteFault(first["msg"].removeprefix("Value error, "), key=".".join(str(part) for part in first["loc"]))
