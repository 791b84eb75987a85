"""Xiaomi Mi scales: the weight stands in the service data of their advertisements, said many times a second.

Not published by the maker. Sources: oliexdev/openScale wiki, page Xiaomi Bluetooth Mi Scale; theengs/decoder,
tests/BLE/test_ble.cpp; custom-components/ble_monitor, test_miscale_parser.py.
"""

from collections.abc import Mapping, Sequence

from pydantic import Field

from drivers.api import Codec, Decoded, Driver, DriverInfo, Flag, Kind, Malformed, Mode, Reading, Settings, Tier
from drivers.ble.conversation import BleCodec, Conversation
from drivers.ble.fields import FieldFault, date_time, nothing_after, scaled, unsigned
from drivers.ble.uuids import ADVERTISED, full
from drivers.settings import own_settings, read_settings

V1_ORIGIN = ADVERTISED + full(0x181D)
V2_ORIGIN = ADVERTISED + full(0x181B)

V1_SIZE = 10
V2_SIZE = 13

V1_POUNDS, V1_JIN, V1_STABLE, V1_REMOVED = 0x01, 0x10, 0x20, 0x80
V2_POUNDS, V2_KILOGRAMS = 0x03, 0x02
V2_IMPEDANCE, V2_STABLE, V2_JIN, V2_REMOVED = 0x02, 0x20, 0x40, 0x80

NO_IMPEDANCE = frozenset({0, 0xFFFE})


class XiaomiV1Settings(Settings):
    """A Mi Smart Scale."""

    settled_only: bool = Field(
        default=False, description="Whether advertisements without a settled weight are left out; they show it while it moves."
    )


class XiaomiV2Settings(Settings):
    """A Mi Body Composition Scale."""

    settled_only: bool = Field(
        default=False, description="Whether advertisements without a settled weight are left out; they show it while it moves."
    )


def read_v1(payload: bytes, raw: bytes, *, settled_only: bool = False) -> Sequence[Decoded]:
    """Service data of 0x181D: control, weight, date and time."""
    try:
        nothing_after(payload, V1_SIZE)
        control, number = payload[0], unsigned(payload, 1)
        said = date_time(payload, 3)
    except FieldFault as exc:
        return [Malformed(str(exc), raw)]
    flags = _flags(stable=bool(control & V1_STABLE), removed=bool(control & V1_REMOVED))
    if settled_only and Flag.MOTION in flags:
        return []
    return [_weight(number, raw, flags, said, pounds=bool(control & V1_POUNDS), jin=bool(control & V1_JIN))]


def read_v2(payload: bytes, raw: bytes, *, settled_only: bool = False) -> Sequence[Decoded]:
    """Service data of 0x181B: unit, control, date and time, impedance, weight."""
    try:
        nothing_after(payload, V2_SIZE)
        unit, control = payload[0], payload[1]
        said, impedance, number = date_time(payload, 2), unsigned(payload, 9), unsigned(payload, 11)
    except FieldFault as exc:
        return [Malformed(str(exc), raw)]
    flags = _flags(stable=bool(control & V2_STABLE), removed=bool(control & V2_REMOVED))
    if settled_only and Flag.MOTION in flags:
        return []
    jin = bool(control & V2_JIN)
    if not jin and unit not in {V2_KILOGRAMS, V2_POUNDS}:
        return [Malformed(f"unknown unit {unit:02x}", raw)]
    has_impedance = bool(control & V2_IMPEDANCE) and impedance not in NO_IMPEDANCE
    details = {"impedance": str(impedance)} if has_impedance else {}
    return [_weight(number, raw, flags, said, pounds=unit == V2_POUNDS and not jin, jin=jin, details=details)]


def _flags(*, stable: bool, removed: bool) -> frozenset[Flag]:
    return frozenset({Flag.STABLE if stable else Flag.MOTION, *({Flag.REMOVED} if removed else ())})


def _weight(
    number: int,
    raw: bytes,
    flags: frozenset[Flag],
    said: str | None,
    *,
    pounds: bool,
    jin: bool,
    details: Mapping[str, str] | None = None,
) -> Decoded:
    if jin:
        return Malformed("unknown unit: the scale is set to jin", raw)
    # Half a hundredth is sent where it is one; a third digit that is always 0 or 5 would claim a resolution that is not there.
    step = "0.01" if pounds else "0.005"
    value = scaled(number // 2, "0.01") if not pounds and number % 2 == 0 else scaled(number, step)
    removed = {"removed": "true" if Flag.REMOVED in flags else "false"}
    return Reading(
        Kind.MASS,
        value,
        "[lb_av]" if pounds else "kg",
        flags,
        raw,
        instrument_time=said,
        details={**removed, **(details or {})},
    )


def _v1(settings: XiaomiV1Settings) -> BleCodec:
    settled = settings.settled_only
    return BleCodec(Conversation({V1_ORIGIN: lambda payload, raw: read_v1(payload, raw, settled_only=settled)}, once=True))


def _v2(settings: XiaomiV2Settings) -> BleCodec:
    settled = settings.settled_only
    return BleCodec(Conversation({V2_ORIGIN: lambda payload, raw: read_v2(payload, raw, settled_only=settled)}, once=True))


def _make_v1(settings: Settings) -> Codec:
    return _v1(own_settings(XiaomiV1Settings, settings))


def _make_v2(settings: Settings) -> Codec:
    return _v2(own_settings(XiaomiV2Settings, settings))


def _decode_v1(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = _v1(read_settings(XiaomiV1Settings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


def _decode_v2(capture: bytes, values: Mapping[str, object]) -> Sequence[Decoded]:
    codec = _v2(read_settings(XiaomiV2Settings, values))
    return [*codec.receive(capture, 0), *codec.finish()]


NOTES = (
    "The same weighing is advertised many times; it counts once, known by its whole content with the time stamp.",
    "When the load is taken off, the last weighing is said again: that reading is marked as removed and is none of its own.",
    "A scale set to jin (catty) is refused: set it to kilograms or pounds.",
)

SOURCES = (
    "oliexdev/openScale wiki, page Xiaomi Bluetooth Mi Scale",
    "theengs/decoder, tests/BLE/test_ble.cpp",
)

V1 = Driver(
    info=DriverInfo(
        name="xiaomi-scale-v1",
        title="Xiaomi Mi Smart Scale",
        kinds=frozenset({Kind.MASS}),
        transports=("ble",),
        models=("Mi Smart Scale (XMTZC01HM), Mi Smart Scale 2 (XMTZC04HM)",),
        sources=SOURCES,
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        tier=Tier.BRONZE,
        notes=NOTES,
        unofficial=True,
    ),
    settings=XiaomiV1Settings,
    make_codec=_make_v1,
    decode=_decode_v1,
)

V2 = Driver(
    info=DriverInfo(
        name="xiaomi-scale-v2",
        title="Xiaomi Mi Body Composition Scale",
        kinds=frozenset({Kind.MASS}),
        transports=("ble",),
        models=("Mi Body Composition Scale (XMTZC02HM), Mi Body Composition Scale 2 (XMTZC05HM)",),
        sources=(*SOURCES, "custom-components/ble_monitor, test_miscale_parser.py"),
        modes=(Mode.STREAM, Mode.AUTOPRINT),
        tier=Tier.BRONZE,
        notes=NOTES,
        unofficial=True,
    ),
    settings=XiaomiV2Settings,
    make_codec=_make_v2,
    decode=_decode_v2,
)
