"""What the characteristics of the standard Bluetooth services mean: weight, body, environment, thermometer, battery.

Sources: Bluetooth SIG Weight Scale Service 1.0.1 and Profile; Body Composition Service 1.0.1; Environmental Sensing Service
1.0.1; Health Thermometer Service 1.0; Battery Service 1.1; GATT Specification Supplement 11, ch. 3, by characteristic.
"""

from collections.abc import Sequence
from decimal import Decimal

from drivers.api import Decoded, Flag, Kind, Malformed, Reading, Refused, Status
from drivers.ble.conversation import Read, guarded
from drivers.ble.fields import (
    TIME_SIZE,
    FieldFault,
    NoNumber,
    date_time,
    medical_float,
    nothing_after,
    scaled,
    signed,
    unsigned,
)
from drivers.ble.uuids import full

WEIGHT_SERVICE = full(0x181D)
BODY_SERVICE = full(0x181B)
ENVIRONMENT_SERVICE = full(0x181A)
THERMOMETER_SERVICE = full(0x1809)
BATTERY_SERVICE = full(0x180F)

WEIGHT = full(0x2A9D)
WEIGHT_FEATURE = full(0x2A9E)
BODY = full(0x2A9C)
TEMPERATURE = full(0x2A6E)
HUMIDITY = full(0x2A6F)
PRESSURE = full(0x2A6D)
THERMOMETER = full(0x2A1C)
THERMOMETER_INTERMEDIATE = full(0x2A1E)
BATTERY = full(0x2A19)

MASS_STEPS = {False: ("0.005", "kg"), True: ("0.01", "[lb_av]")}
"""By flag 0, imperial: the step and the unit of a mass (GATT Specification Supplement, Weight Measurement)."""

UNSUCCESSFUL = 0xFFFF
"""The mass that stands for a measurement that did not succeed."""

UNKNOWN_USER = 0xFF

PLACES = {1: "armpit", 2: "body", 3: "ear", 4: "finger", 5: "gut", 6: "mouth", 7: "rectum", 8: "toe", 9: "tympanum"}
"""Temperature Type (GATT Specification Supplement)."""

BODY_FIELDS = (
    (3, "basal_metabolism", "1"),
    (4, "muscle_percent", "0.1"),
    (5, "muscle_mass", ""),
    (6, "fat_free_mass", ""),
    (7, "soft_lean_mass", ""),
    (8, "body_water_mass", ""),
    (9, "impedance_ohm", "0.1"),
)
"""Flag, name and step of the fields between user and weight; an empty step is that of the mass."""

VENDOR_FLAGS = 0xE000
"""Flags 13 to 15 of a body composition are reserved; scales of the Mi family set them, and keep a layout of their own."""

VENDOR_SIZE = 13
"""Two bytes of flags, date and time, impedance, weight: as captured from Mi Body Composition Scales."""

VENDOR_REMOVED = 0x8000


def _weight(payload: bytes, raw: bytes) -> Decoded:
    flags = unsigned(payload, 0, 1)
    if flags & 0xE0:
        raise FieldFault(f"flags {flags:02x} hold bits that no version of the service defines")
    step, unit = MASS_STEPS[bool(flags & 1)]
    at, said = 3, None
    details: dict[str, str] = {}
    number = unsigned(payload, 1)
    if flags & 2:
        said = date_time(payload, at)
        at += TIME_SIZE
    if flags & 4:
        details |= _user(unsigned(payload, at, 1))
        at += 1
    if flags & 8:
        details["bmi"] = str(scaled(unsigned(payload, at), "0.1"))
        details["body_height"] = str(scaled(unsigned(payload, at + 2), "0.1" if flags & 1 else "0.001"))
        at += 4
    nothing_after(payload, at)
    if number == UNSUCCESSFUL:
        return Refused("measurement-unsuccessful", "the scale could not finish the weighing", raw)
    # Bit 4 is Detecto's: the weight is below zero.
    value = scaled(-number if flags & 0x10 else number, step)
    return _mass(value, unit, raw, said=said, details=details)


def _mass(value: Decimal, unit: str, raw: bytes, *, said: str | None, details: dict[str, str]) -> Reading:
    if said is not None:
        details["timestamp"] = said
    return Reading(Kind.MASS, value, unit, frozenset(), raw, instrument_time=said, details=details)


def _user(number: int) -> dict[str, str]:
    return {} if number == UNKNOWN_USER else {"user_id": str(number)}


def _body(payload: bytes, raw: bytes) -> Decoded:
    flags = unsigned(payload, 0)
    if flags & VENDOR_FLAGS:
        return _vendor_body(payload, raw, flags)
    step, unit = MASS_STEPS[bool(flags & 1)]
    at, said = 4, None
    details = {} if unsigned(payload, 2) == UNSUCCESSFUL else {"body_fat_percent": str(scaled(unsigned(payload, 2), "0.1"))}
    if flags & 2:
        said = date_time(payload, at)
        at += TIME_SIZE
    if flags & 4:
        details |= _user(unsigned(payload, at, 1))
        at += 1
    for bit, name, own_step in BODY_FIELDS:
        if flags & (1 << bit):
            details[name] = str(scaled(unsigned(payload, at), own_step or step))
            at += 2
    number = None
    if flags & (1 << 10):
        number = unsigned(payload, at)
        at += 2
    at += 2 if flags & (1 << 11) else 0
    nothing_after(payload, at)
    if number == UNSUCCESSFUL or unsigned(payload, 2) == UNSUCCESSFUL:
        return Refused("measurement-unsuccessful", "the scale could not finish the measurement", raw)
    if number is None:
        return Status("body composition without a weight", raw)
    return _mass(scaled(number, step), unit, raw, said=said, details=details)


def _vendor_body(payload: bytes, raw: bytes, flags: int) -> Decoded:
    nothing_after(payload, VENDOR_SIZE)
    step, unit = MASS_STEPS[bool(flags & 1)]
    # The clock of these scales is often never set (1970): it goes along as what they said, and into no detail.
    said = date_time(payload, 2)
    removed = bool(flags & VENDOR_REMOVED)
    return Reading(
        Kind.MASS,
        scaled(unsigned(payload, 11), step),
        unit,
        frozenset({Flag.REMOVED}) if removed else frozenset(),
        raw,
        instrument_time=said,
        details={"removed": "true"} if removed else {},
    )


def _thermometer(payload: bytes, raw: bytes, flags_more: frozenset[Flag] = frozenset()) -> Decoded:
    flags = unsigned(payload, 0, 1)
    if flags & 0xF8:
        raise FieldFault(f"flags {flags:02x} hold bits that no version of the service defines")
    value, at, said = medical_float(payload, 1), 5, None
    details: dict[str, str] = {}
    if flags & 2:
        said = date_time(payload, at)
        at += TIME_SIZE
    if flags & 4:
        place = unsigned(payload, at, 1)
        details["place"] = PLACES.get(place, str(place))
        at += 1
    nothing_after(payload, at)
    if said is not None:
        details["timestamp"] = said
    if isinstance(value, NoNumber):
        return _no_temperature(value, raw, said)
    unit = "[degF]" if flags & 1 else "Cel"
    return Reading(Kind.TEMPERATURE, value, unit, flags_more, raw, instrument_time=said, details=details)


def _no_temperature(value: NoNumber, raw: bytes, said: str | None) -> Decoded:
    ranges = {"+inf": Flag.OVERLOAD, "-inf": Flag.UNDERLOAD}
    if value.what in ranges:
        return Reading(Kind.TEMPERATURE, None, None, frozenset({ranges[value.what]}), raw, instrument_time=said)
    return Refused(value.what, "the thermometer has no value", raw)


def _intermediate(payload: bytes, raw: bytes) -> Decoded:
    return _thermometer(payload, raw, frozenset({Flag.MOTION}))


def _number(kind: Kind, step: str, unit: str, *, size: int, unknown: int | None, negative: bool = False) -> Read:
    """A characteristic that is one whole number of steps."""

    def read(payload: bytes, raw: bytes) -> Decoded:
        nothing_after(payload, size)
        if unknown is not None and unsigned(payload, 0, size) == unknown:
            return Refused("unknown", "the sensor has no value", raw)
        number = signed(payload, 0, size) if negative else unsigned(payload, 0, size)
        return Reading(kind, scaled(number, step), unit, frozenset(), raw)

    return guarded(read)


def _feature(payload: bytes, raw: bytes) -> Decoded:
    """Weight Scale Feature: what the scale can say besides a weight, and its resolution."""
    nothing_after(payload, 4)
    return Status(f"weight scale feature {unsigned(payload, 0, 4):08x}", raw)


_battery_level = _number(Kind.BATTERY, "1", "%", size=1, unknown=None)


def _battery(payload: bytes, raw: bytes) -> Sequence[Decoded]:
    if len(payload) == 1 and payload[0] > 100:
        return [Malformed(f"a charge of {payload[0]} %", raw)]
    return _battery_level(payload, raw)


READERS: dict[str, Read] = {
    WEIGHT: guarded(_weight),
    WEIGHT_FEATURE: guarded(_feature),
    BODY: guarded(_body),
    TEMPERATURE: _number(Kind.TEMPERATURE, "0.01", "Cel", size=2, unknown=0x8000, negative=True),
    HUMIDITY: _number(Kind.HUMIDITY, "0.01", "%", size=2, unknown=0xFFFF),
    PRESSURE: _number(Kind.PRESSURE, "0.1", "Pa", size=4, unknown=None),
    THERMOMETER: guarded(_thermometer),
    THERMOMETER_INTERMEDIATE: guarded(_intermediate),
    BATTERY: _battery,
}
"""Characteristic -> what its value means."""
