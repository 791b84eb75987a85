"""Devices that keep to a standard Bluetooth service: weight and body scales, environment sensors, thermometers, batteries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Mode, Settings, Tier
from drivers.ble import services
from drivers.ble.conversation import BleCodec, Conversation, ask, subscribe
from drivers.settings import own_settings, read_settings


class _StandardSettings(Settings):
    battery: bool = Field(default=True, description="Whether the device's own battery is watched too, where it tells it.")


class WeightScaleSettings(_StandardSettings):
    """A Bluetooth weight scale."""


class BodyCompositionSettings(_StandardSettings):
    """A Bluetooth body composition scale."""


class EnvironmentSettings(_StandardSettings):
    """A sensor of temperature, humidity or pressure."""

    interval_ms: int = Field(
        default=60_000,
        ge=1_000,
        le=3_600_000,
        description="Milliseconds between two questions for the values, for sensors that do not tell changes by themselves.",
    )


class ThermometerSettings(_StandardSettings):
    """A Bluetooth thermometer."""


class BatterySettings(Settings):
    """A device of which only the battery is watched."""

    interval_ms: int = Field(
        default=600_000,
        ge=10_000,
        le=86_400_000,
        description="Milliseconds between two questions for the charge, for devices that do not tell changes by themselves.",
    )


@dataclass(frozen=True, slots=True)
class _Device:
    """What makes one driver of a standard service: what is listened to, what is read, what is asked again and again."""

    settings: type[Settings]
    main: tuple[str, ...]
    wanted: tuple[str, ...] = ()
    read_first: tuple[str, ...] = ()
    repeat: bool = False

    def conversation(self, settings: Settings) -> Conversation:
        values = settings.model_dump()
        battery = (services.BATTERY,) if values.get("battery") else ()
        interval_ms = values.get("interval_ms")
        first = (*self.read_first, *(self.main if self.repeat else ()))
        repeated = ask(*self.main, *battery) if self.repeat else ()
        return Conversation(
            readers={uuid: services.READERS[uuid] for uuid in (*self.main, *self.read_first, services.BATTERY)},
            wanted=self.wanted,
            # What is subscribed to is not read any more: the first values are read before.
            start=(*ask(*first, *battery), *subscribe(*self.main, *battery)),
            beat=repeated,
            beat_ns=None if interval_ms is None or not repeated else int(interval_ms) * 1_000_000,
        )

    def make_codec(self, settings: Settings) -> Codec:
        return BleCodec(self.conversation(own_settings(self.settings, settings)))

    def decode(self, capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
        codec = BleCodec(self.conversation(read_settings(self.settings, values)))
        return [*codec.receive(capture, 0), *codec.finish()]


def _driver(device: _Device, info: DriverInfo) -> Driver:
    return Driver(info=info, settings=device.settings, make_codec=device.make_codec, decode=device.decode)


_info = partial(DriverInfo, transports=("ble",), modes=(Mode.AUTOPRINT,))

SUPPLEMENT = "Bluetooth SIG GATT Specification Supplement 11, ch. 3"

WEIGHT_SCALE = _driver(
    _Device(
        WeightScaleSettings,
        main=(services.WEIGHT,),
        wanted=(services.WEIGHT,),
        read_first=(services.WEIGHT_FEATURE,),
    ),
    _info(
        name="ble-weight-scale",
        title="Bluetooth weight scale",
        kinds=frozenset({Kind.MASS, Kind.BATTERY}),
        models=("Scales with the Bluetooth Weight Scale service 0x181D", "Detecto scales with Bluetooth (weight below zero)"),
        sources=("Bluetooth SIG Weight Scale Service 1.0.1, 3.1 and 3.2", f"{SUPPLEMENT} (Weight Measurement)"),
        notes=(
            "The scale sends finished weighings: there is no stability flag, no tare and no live weight.",
            "Many of these scales switch Bluetooth off between two weighings: the link is then lost and comes back by itself.",
        ),
    ),
)

BODY_COMPOSITION = _driver(
    _Device(BodyCompositionSettings, main=(services.BODY,), wanted=(services.BODY,)),
    _info(
        name="ble-body-composition",
        tier=Tier.BRONZE,
        title="Bluetooth body composition scale",
        kinds=frozenset({Kind.MASS, Kind.BATTERY}),
        models=("Scales with the Bluetooth Body Composition service 0x181B", "Xiaomi Mi Body Composition Scale, connected"),
        sources=("Bluetooth SIG Body Composition Service 1.0.1, 3.1 and 3.2", f"{SUPPLEMENT} (Body Composition Measurement)"),
        notes=(
            "The Mi family keeps a layout of its own, told by flags that the standard reserves; its weight is the last field.",
        ),
    ),
)

ENVIRONMENT = _driver(
    _Device(EnvironmentSettings, main=(services.TEMPERATURE, services.HUMIDITY, services.PRESSURE), repeat=True),
    _info(
        name="ble-environment",
        title="Bluetooth sensor of temperature, humidity and pressure",
        kinds=frozenset({Kind.TEMPERATURE, Kind.HUMIDITY, Kind.PRESSURE, Kind.BATTERY}),
        models=("Sensors with the Bluetooth Environmental Sensing service 0x181A",),
        sources=("Bluetooth SIG Environmental Sensing Service 1.0.1, 3.1", f"{SUPPLEMENT} (Temperature, Humidity, Pressure)"),
        modes=(Mode.POLL, Mode.AUTOPRINT),
        notes=("Where a sensor lacks one of the three quantities this is noted once, and the others are read.",),
    ),
)

THERMOMETER = _driver(
    _Device(
        ThermometerSettings,
        main=(services.THERMOMETER, services.THERMOMETER_INTERMEDIATE),
        wanted=(services.THERMOMETER,),
    ),
    _info(
        name="ble-thermometer",
        title="Bluetooth thermometer",
        kinds=frozenset({Kind.TEMPERATURE, Kind.BATTERY}),
        models=("Thermometers with the Bluetooth Health Thermometer service 0x1809",),
        sources=("Bluetooth SIG Health Thermometer Service 1.0, 3.1 to 3.3", "ISO/IEEE 11073-20601, F.6 (FLOAT)"),
        notes=("Intermediate temperatures are shown as moving and are not a finished measurement.",),
    ),
)

BATTERY = _driver(
    _Device(BatterySettings, main=(services.BATTERY,), wanted=(services.BATTERY,), repeat=True),
    _info(
        name="ble-battery",
        title="Battery of a Bluetooth device",
        kinds=frozenset({Kind.BATTERY}),
        models=("Devices with the Bluetooth Battery service 0x180F",),
        sources=("Bluetooth SIG Battery Service 1.1, 3.1", f"{SUPPLEMENT} (Battery Level)"),
        modes=(Mode.POLL, Mode.AUTOPRINT),
        notes=("The other Bluetooth drivers watch the battery of their device by themselves.",),
    ),
)

DRIVERS = (WEIGHT_SCALE, BODY_COMPOSITION, ENVIRONMENT, THERMOMETER, BATTERY)
