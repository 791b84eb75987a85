"""Numbers and units as tills' scales send them, to exact decimals and UCUM codes.

Unusable: a frame of a known shape with a field that cannot be used; never leaves the drivers of this folder.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import reduce
from typing import Literal

from drivers.api import Decoded, Flag, Kind, Malformed, Reading, SettingsFault
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity
from sync_protocol.wiretext import clean

UnitName = Literal["kg", "g", "t", "lb", "oz"]
"""Units of the settings, for protocols that do not send theirs."""

UNITS = {
    "kg": "kg",
    "g": "g",
    "t": "t",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "oz": "[oz_av]",
}
"""Unit text on the wire, in lower case and without a full stop, to UCUM. Others (tael, custom) have no agreed code."""

OUNCES_PER_POUND = 16
"""International avoirdupois."""

_NUMBER = re.compile(r"[+-]? *[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)


class Unusable(Exception):
    """A field that cannot be used; the text says which and why."""


def number(text: str) -> Decimal:
    """Digits with an optional point, padded with blanks, the sign in front. Raises Unusable."""
    digits = text.strip(" ")
    if not _NUMBER.fullmatch(digits):
        raise Unusable(f"not a number: {clean(text, 24)!r}")
    return Decimal(digits.replace(" ", ""))


def shifted(digits: str, decimals: int) -> Decimal:
    """Digits that are sent without their point. Raises Unusable."""
    if not digits.isascii() or not digits.isdigit():
        raise Unusable(f"digits expected, not {clean(digits, 24)!r}")
    return Decimal(digits).scaleb(-decimals)


def unit_code(text: str) -> str:
    """The UCUM code of a unit as sent. Raises Unusable."""
    if (code := UNITS.get(text.strip(" _.").lower())) is None:
        raise Unusable(f"unknown unit {clean(text, 16)!r}: the value cannot be used")
    return code


def ounces(pounds: str, rest: str) -> Decimal:
    """Pounds and ounces of a compound weight as ounces; the sign of the pounds holds for both. Raises Unusable."""
    whole, part = number(pounds), number(rest)
    if part < 0:
        raise Unusable("a sign between pounds and ounces")
    sign = -1 if pounds.strip().startswith("-") else 1
    return sign * (abs(whole) * OUNCES_PER_POUND + part)


def mass(value: Decimal | None, unit: str | None, flags: Iterable[Flag], raw: bytes, **details: str) -> Reading:
    """A weight; without a value it has no unit either."""
    return Reading(Kind.MASS, value, unit if value is not None else None, frozenset(flags), raw, details=details)


def xor(data: bytes) -> int:
    """Block check by exclusive or."""
    return reduce(lambda left, right: left ^ right, data, 0)


def at_rest(*, moving: bool) -> Flag:
    """What a motion bit says."""
    return Flag.MOTION if moving else Flag.STABLE


def guarded(read: Callable[[bytes, str | None], Decoded]) -> Callable[[bytes, str | None], Sequence[Decoded]]:
    """A frame's meaning, where what cannot be used is Malformed with its reason."""

    def reading(raw: bytes, asked: str | None) -> Sequence[Decoded]:
        try:
            return [read(raw, asked)]
        except Unusable as exc:
            return [Malformed(str(exc), raw)]

    return reading


def digits_of(argument: str | None, unit: UnitName, *, decimals: int, width: int) -> str:
    """A quantity in the scale's own unit as digits without a point. Raises SettingsFault."""
    if argument is None:
        raise SettingsFault(f"a quantity in {unit} is expected, such as '1.5 {UNITS[unit]}'", setting="argument")
    try:
        quantity = Quantity.parse(argument)
    except TextFault as exc:
        raise SettingsFault(str(exc), setting="argument") from exc
    scaled = quantity.value.scaleb(decimals)
    if quantity.unit != UNITS[unit] or scaled < 0 or scaled != int(scaled) or len(str(int(scaled))) > width:
        raise SettingsFault(f"not an amount this scale can take: {argument[:40]!r}", setting="argument")
    return f"{int(scaled):0{width}d}"
