"""Exact amounts for the checks: fractions in a given unit, and how they are shown. Nothing is rounded but what is shown."""

from decimal import Decimal
from fractions import Fraction

from sync_protocol.quantity import UNITS, Quantity, plain
from sync_protocol.receiving.facts import LineFacts

SHOWN_PLACES = 6
"""Decimals of an amount for a person's eye; what is compared are the fractions."""

KILOGRAM = "kg"


def dimension(unit: str) -> str | None:
    """The dimension of a UCUM code, None for one that is not known."""
    return UNITS[unit][0] if unit in UNITS else None


def in_unit(amount: Quantity, unit: str) -> Fraction | None:
    """The amount counted in `unit`, not rounded; None across dimensions."""
    if amount.unit == unit:
        return Fraction(amount.value)
    if dimension(unit) != amount.dimension:
        return None
    return Fraction(amount.value) * UNITS[amount.unit][1] / UNITS[unit][1]


def shown(amount: Fraction, unit: str) -> str:
    """`<digits> <unit>`, at most SHOWN_PLACES decimals."""
    return f"{plain(_rounded(amount))} {unit}"


def _rounded(amount: Fraction) -> Decimal:
    return Decimal(round(amount * 10**SHOWN_PLACES)).scaleb(-SHOWN_PLACES).normalize() + 0


def is_weighed(unit: str) -> bool:
    """Whether a product of this unit is received by weight."""
    return dimension(unit) == "mass"


def net_mass(line: LineFacts) -> Fraction | None:
    """Kilograms of a line's goods as far as anything was weighed: its amount, what stands beside it, or gross less tare."""
    for amount in (line.quantity, line.pieces):
        if amount is not None and amount.dimension == "mass":
            return in_unit(amount, KILOGRAM)
    if line.gross is None or line.tare is None:
        return None
    gross, tare = in_unit(line.gross, KILOGRAM), in_unit(line.tare, KILOGRAM)
    return None if gross is None or tare is None else gross - tare


def count(line: LineFacts) -> Fraction | None:
    """How many pieces a line has, None where nobody counted."""
    for amount in (line.quantity, line.pieces):
        if amount is not None and amount.dimension == "count":
            return in_unit(amount, "1")
    return None


def in_celsius(temperature: Quantity) -> Fraction | None:
    """Degrees Celsius, exactly; None for what is no temperature."""
    if temperature.unit == "Cel":
        return Fraction(temperature.value)
    if temperature.unit == "[degF]":
        return (Fraction(temperature.value) - 32) * 5 / 9
    return None
