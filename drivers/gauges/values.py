"""What all gauges share: a dimension with the digits that were sent, in a unit that somebody configured or the gauge said."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field

from drivers.api import Decoded, Flag, Kind, Malformed, Reading, Settings

UNITS = {
    "mm": "mm",
    "um": "um",
    "in": "[in_i]",
    "inch": "[in_i]",
    "deg": "deg",
}
"""Unit text of gauges -> UCUM. Radians, and degrees with minutes and seconds, have no code here."""

KINDS = {"deg": Kind.ANGLE}

MAX_DIGITS = 12
"""More than any gauge shows; a longer run of digits is two frames that lost what was between them."""

TOLERANCES = {"=": "in", "<": "under", ">": "over"}
"""Mark of a tolerance judgement -> how it is told in `details["tolerance"]`."""


class GaugeSettings(Settings):
    """What a gauge that sends bare digits cannot say."""

    unit: Literal["mm", "in"] = Field(
        default="mm",
        description="Unit that the gauge is set to: the line carries digits only, and a unit is never taken from their number.",
    )
    decimals: int | None = Field(
        default=None,
        ge=0,
        le=7,
        description="Decimals that the gauge shows; a value with another number of them is refused, as after a change of unit.",
    )


def dimension(
    digits: str,
    unit: str,
    raw: bytes,
    *,
    decimals: int | None = None,
    flags: Iterable[Flag] = (),
    details: Mapping[str, str] | None = None,
) -> Decoded:
    """A length or an angle of digits as sent (sign, digits, one point); Malformed where they do not fit."""
    code = UNITS.get(unit)
    if code is None:
        return Malformed(f"unknown unit {unit[:20]!r}", raw)
    value = Decimal(digits)
    if len(digits.lstrip("+-")) > MAX_DIGITS:
        return Malformed("more digits than a gauge shows", raw)
    if decimals is not None and decimals_of(value) != decimals:
        return Malformed(
            f"{decimals_of(value)} decimals where the gauge is said to show {decimals}: unit or resolution changed", raw
        )
    return Reading(KINDS.get(code, Kind.LENGTH), value, code, frozenset(flags), raw, details=dict(details or {}))


def decimals_of(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def is_value(decoded: Decoded) -> bool:
    """Whether this is the answer to a question for a value."""
    return isinstance(decoded, Reading)
