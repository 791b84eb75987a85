"""Measured and counted amounts: an exact decimal with a UCUM unit code. Digits are kept as they were sent."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Self

from sync_protocol.errors import TextFault

# UCUM code -> (dimension, factor to the dimension's base). Source: UCUM 2.1, tables of SI prefixes, avoirdupois, troy and
# international customary units. Temperatures have an offset and are kept out: they are compared in their own unit.
UNITS: dict[str, tuple[str, Fraction]] = {
    "g": ("mass", Fraction(1)),
    "ug": ("mass", Fraction(1, 1_000_000)),
    "mg": ("mass", Fraction(1, 1000)),
    "kg": ("mass", Fraction(1000)),
    "t": ("mass", Fraction(1_000_000)),
    "[gr]": ("mass", Fraction("0.06479891")),
    "[oz_av]": ("mass", Fraction("28.349523125")),
    "[lb_av]": ("mass", Fraction("453.59237")),
    "[oz_tr]": ("mass", Fraction("31.1034768")),
    "[pwt_tr]": ("mass", Fraction("1.55517384")),
    "[car_m]": ("mass", Fraction("0.2")),
    "[ston_av]": ("mass", Fraction("907184.74")),
    "m": ("length", Fraction(1)),
    "mm": ("length", Fraction(1, 1000)),
    "cm": ("length", Fraction(1, 100)),
    "um": ("length", Fraction(1, 1_000_000)),
    "[in_i]": ("length", Fraction("0.0254")),
    "1": ("count", Fraction(1)),
    "{pcs}": ("count", Fraction(1)),
    "%": ("ratio", Fraction(1, 100)),
    "Cel": ("temperature", Fraction(1)),
    "[degF]": ("fahrenheit", Fraction(1)),
    "N": ("force", Fraction(1)),
    "deg": ("angle", Fraction(1)),
    "Pa": ("pressure", Fraction(1)),
    "hPa": ("pressure", Fraction(100)),
    "kPa": ("pressure", Fraction(1000)),
    "bar": ("pressure", Fraction(100_000)),
    "V": ("voltage", Fraction(1)),
    "mV": ("voltage", Fraction(1, 1000)),
    "A": ("current", Fraction(1)),
    "mA": ("current", Fraction(1, 1000)),
    "W": ("power", Fraction(1)),
    "kW": ("power", Fraction(1000)),
    "W.h": ("energy", Fraction(1)),
    "kW.h": ("energy", Fraction(1000)),
    "lx": ("illuminance", Fraction(1)),
}

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)


def decimal(text: str) -> Decimal:
    """An exact decimal from plain digits: no exponent, no blanks, no `+`, at most 18 digits on either side."""
    if not _NUMBER.fullmatch(text):
        raise TextFault(f"not a plain decimal number: {text[:40]!r}")
    try:
        return Decimal(text)
    except InvalidOperation as exc:  # pragma: no cover - the pattern admits nothing that Decimal refuses
        raise TextFault(f"not a plain decimal number: {text[:40]!r}") from exc


def plain(value: Decimal) -> str:
    """The digits of a decimal without an exponent: what `decimal` reads back."""
    return format(value, "f")


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact amount. `12.340 kg` and `12.34 kg` compare by value through `same_as`, and keep their own digits."""

    value: Decimal
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise TextFault(f"unknown unit {self.unit[:20]!r}: UCUM codes are expected")

    @classmethod
    def parse(cls, text: str) -> Self:
        """`<digits> <UCUM code>`, one blank between."""
        digits, blank, unit = text.partition(" ")
        if not blank:
            raise TextFault(f"a quantity is a number, a blank and a unit, not {text[:40]!r}")
        return cls(decimal(digits), unit)

    def __str__(self) -> str:
        return f"{plain(self.value)} {self.unit}"

    @property
    def dimension(self) -> str:
        return UNITS[self.unit][0]

    def to(self, unit: str, *, decimals: int | None = None) -> "Quantity":
        """The same amount in another unit of the dimension; raises TextFault across dimensions.

        Exact when the result has a finite decimal form of at most 18 places; otherwise `decimals` says where to round
        (half to even), and leaving it out is an error: nothing is rounded silently.
        """
        if unit not in UNITS or UNITS[unit][0] != self.dimension:
            raise TextFault(f"{self.unit} cannot be converted to {unit[:20]}")
        exact = Fraction(self.value) * UNITS[self.unit][1] / UNITS[unit][1]
        return Quantity(_as_decimal(exact, decimals), unit)

    def same_as(self, other: "Quantity") -> bool:
        """Whether both are the same amount, whatever their units and digits."""
        if self.dimension != other.dimension:
            return False
        return Fraction(self.value) * UNITS[self.unit][1] == Fraction(other.value) * UNITS[other.unit][1]


def _as_decimal(exact: Fraction, decimals: int | None) -> Decimal:
    places = 18 if decimals is None else decimals
    scaled = exact * 10**places
    if decimals is None and scaled.denominator != 1:
        raise TextFault("the converted amount has no finite decimal form: say how many decimals")
    value = Decimal(round(scaled)).scaleb(-places)
    return value if decimals is not None else value.normalize() + 0
