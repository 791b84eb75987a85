"""Drivers of devices that publish JSON: one for any device, and one for each make whose shape is shipped."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import Field, create_model, field_validator, model_validator

from drivers.api import Codec, Decoded, Driver, DriverInfo, Kind, Mode, Settings, SettingsFault, Tier
from drivers.kinds import kind_of
from drivers.mqtt.json_codec import Meaning, MessagesCodec, decode_messages
from drivers.mqtt.rules import MAX_VALUES, AvailabilityRule, Shape, ValueRule
from drivers.settings import own_settings, read_settings

SHAPES = Path(__file__).with_name("shapes")

PROVED = frozenset({"mqtt-tasmota", "mqtt-zigbee2mqtt"})
"""Those whose messages were read from somebody else's captures; the others follow the maker's reference."""

SECOND_NS = 1_000_000_000


class MessageSettings(Settings):
    """What all devices behind a broker have."""

    take_retained: bool = Field(
        default=False, description="Whether a message that the broker kept from earlier counts as a new value."
    )
    silence_s: int | None = Field(
        default=None,
        ge=1,
        le=604_800,
        description="Seconds of silence after which the device counts as gone; never when left out.",
    )

    @property
    def silence_ns(self) -> int | None:
        return None if self.silence_s is None else self.silence_s * SECOND_NS


class AnySettings(MessageSettings):
    """Where the values of any device stand."""

    values: tuple[ValueRule, ...] = Field(
        default=(ValueRule(name="value", unit_path="$.unit", stable_path="$.stable", time_path="$.time"),),
        min_length=1,
        max_length=MAX_VALUES,
        description="The values: name, topic, value (JSONPath), unit or unit_path, kind, stable_path, time_path.",
    )
    availability: AvailabilityRule | None = Field(
        default=None, description="Topic and words by which the device says that it is there or gone."
    )

    @model_validator(mode="after")
    def _names_differ(self) -> "AnySettings":
        names = [rule.name for rule in self.values]
        if len(set(names)) != len(names):
            raise ValueError("two values have the same name")
        return self


class ShapedSettings(MessageSettings):
    """Which values of a make are taken."""

    only: tuple[str, ...] = Field(default=(), description="Names of the values that are taken; all of them when left out.")


@dataclass(frozen=True, slots=True)
class _Shaped:
    """What the driver of a shipped shape does."""

    shape: Shape
    settings: type[ShapedSettings]

    def make_codec(self, settings: Settings) -> Codec:
        return MessagesCodec(self._meaning(own_settings(self.settings, settings)))

    def decode(self, capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
        return decode_messages(self._meaning(read_settings(self.settings, values)), capture)

    def _meaning(self, settings: ShapedSettings) -> Meaning:
        wanted = tuple(rule for rule in self.shape.values if not settings.only or rule.name in settings.only)
        return Meaning(wanted, self.shape.availability, settings.take_retained, settings.silence_ns)


def _known_names(names: frozenset[str], given: tuple[str, ...]) -> tuple[str, ...]:
    if strange := sorted(set(given) - names):
        raise ValueError(f"no value {strange[0]!r}: {', '.join(sorted(names))}")
    return given


def driver_of(shape: Shape) -> Driver:
    """The driver of a shipped shape."""
    does = _Shaped(shape, _settings_of(shape))
    return Driver(
        info=DriverInfo(
            name=shape.name,
            title=shape.title,
            kinds=frozenset(rule.kind or kind_of(rule.unit, Kind.QUANTITY) for rule in shape.values if rule.unit is not None)
            | frozenset(rule.kind for rule in shape.values if rule.kind is not None),
            transports=("mqtt",),
            models=shape.models,
            sources=shape.sources,
            modes=(Mode.STREAM,),
            notes=(f"Values: {', '.join(rule.name for rule in shape.values)}.", *shape.notes),
            tier=Tier.BRONZE if shape.name in PROVED else Tier.NONE,
        ),
        settings=does.settings,
        make_codec=does.make_codec,
        decode=does.decode,
    )


def _settings_of(shape: Shape) -> type[ShapedSettings]:
    """A model of its own for each, that knows the names of its values."""
    names = frozenset(rule.name for rule in shape.values)
    check = field_validator("only")(partial(_known_names, names))
    return create_model(
        f"{shape.name.title().replace('-', '')}Settings", __base__=ShapedSettings, __validators__={"known_names": check}
    )


def read_shape(path: Path) -> Shape:
    """A shipped shape. Raises SettingsFault."""
    try:
        return Shape.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as exc:
        raise SettingsFault(f"{path.name}: {exc}") from exc


def _any_meaning(settings: AnySettings) -> Meaning:
    return Meaning(settings.values, settings.availability, settings.take_retained, settings.silence_ns)


def _make_codec(settings: Settings) -> Codec:
    return MessagesCodec(_any_meaning(own_settings(AnySettings, settings)))


def _decode(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    return decode_messages(_any_meaning(read_settings(AnySettings, values)), capture)


ANY = Driver(
    info=DriverInfo(
        name="mqtt-json",
        title="Any device that publishes JSON or bare numbers",
        kinds=frozenset(kind for kind in Kind if kind not in {Kind.CODE, Kind.IMAGE}),
        transports=("mqtt",),
        models=("Devices and gateways that publish to an MQTT broker, one JSON message or number at a time",),
        sources=("MQTT 5.0, OASIS Standard", "RFC 9535 (JSONPath)", "RFC 8259 (JSON)"),
        modes=(Mode.STREAM,),
        notes=(
            "As it comes it reads {value, unit, stable, time}: the two last may be missing.",
            "Numbers keep the digits that the device sent.",
            "Several values of one message are several readings: give each a device of its own where their capture differs.",
        ),
        tier=Tier.BRONZE,
    ),
    settings=AnySettings,
    make_codec=_make_codec,
    decode=_decode,
)

SHAPED: tuple[Driver, ...] = tuple(driver_of(read_shape(path)) for path in sorted(SHAPES.glob("*.toml")))
