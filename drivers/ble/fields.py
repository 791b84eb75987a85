"""Fields that standard Bluetooth services share: date and time, the 32-bit medical float, whole numbers with a fixed point.

Source: Bluetooth GATT Specification Supplement 11, 2.1 (number formats) and 3.71 (Date Time); ISO/IEEE 11073-20601, F.6.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

TIME_SIZE = 7


class FieldFault(ValueError):
    """A field holds what its definition does not allow; never leaves this folder."""


def unsigned(payload: bytes, at: int, size: int = 2) -> int:
    """A whole number, little end first. Raises FieldFault where the payload ends before it."""
    return int.from_bytes(_cut(payload, at, size), "little")


def signed(payload: bytes, at: int, size: int = 2) -> int:
    """As `unsigned`, two's complement."""
    return int.from_bytes(_cut(payload, at, size), "little", signed=True)


def scaled(number: int, step: str) -> Decimal:
    """A whole number of steps, with the digits of the step: 18000 of `0.005` is 90.000."""
    return number * Decimal(step)


def date_time(payload: bytes, at: int) -> str | None:
    """ISO 8601 without a zone; None where year, month or day is the value for unknown. Raises FieldFault."""
    field = _cut(payload, at, TIME_SIZE)
    year, (month, day, hour, minute, second) = unsigned(field, 0), field[2:]
    if 0 in {year, month, day}:
        return None
    try:
        return datetime(year, month, day, hour, minute, second).isoformat()  # noqa: DTZ001 - the device says no zone
    except ValueError as exc:
        raise FieldFault(f"no date and time: {field.hex()}") from exc


SPECIAL = {0x7FFFFF: "nan", 0x800000: "not-at-this-resolution", 0x800001: "reserved", 0x7FFFFE: "+inf", 0x800002: "-inf"}
"""Mantissas of a medical float that are no numbers (exponent 0)."""

MAX_EXPONENT = 12
"""Either way: far beyond any thermometer, and within the 18 digits that amounts are kept with."""


@dataclass(frozen=True, slots=True)
class NoNumber:
    """A medical float that says why there is no value: one of SPECIAL."""

    what: str


def medical_float(payload: bytes, at: int) -> Decimal | NoNumber:
    """A mantissa of 24 bits and an exponent of 8, both signed: the digits are kept as sent. Raises FieldFault."""
    mantissa, exponent = unsigned(payload, at, 3), signed(payload, at + 3, 1)
    if exponent == 0 and mantissa in SPECIAL:
        return NoNumber(SPECIAL[mantissa])
    if abs(exponent) > MAX_EXPONENT:
        raise FieldFault(f"no temperature has an exponent of {exponent}")
    number = mantissa - (1 << 24) if mantissa & 0x800000 else mantissa
    return Decimal(number).scaleb(exponent)


def nothing_after(payload: bytes, size: int) -> None:
    """Refuse bytes behind the last field. Raises FieldFault."""
    if len(payload) != size:
        raise FieldFault(f"{len(payload)} bytes where the flags ask for {size}")


def _cut(payload: bytes, at: int, size: int) -> bytes:
    field = payload[at : at + size]
    if len(field) != size:
        raise FieldFault(f"{len(payload)} bytes: a field of {size} at {at} is cut off")
    return field
