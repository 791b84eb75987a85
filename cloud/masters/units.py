"""Conversion between units of measure, exact by fractions. Within one dimension only; nothing is rounded unasked."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.masters.models import Unit
from sync_protocol import quantity

PLACES = 18
"""Of an exact result: what `sync_protocol.quantity.decimal` reads at most."""

UNSCALED = frozenset({"temperature", "fahrenheit"})
"""Dimensions whose zero is a matter of convention: 10 of them are not ten times 1 of them, so nothing is counted in them."""

_FURTHER: dict[str, tuple[str, Fraction]] = {
    "L": ("volume", Fraction(1)),
    "mL": ("volume", Fraction(1, 1000)),
    "m3": ("volume", Fraction(1000)),
    "[gal_us]": ("volume", Fraction("3.785411784")),
    "[ft_i]": ("length", Fraction("0.3048")),
    "m2": ("area", Fraction(1)),
    "s": ("time", Fraction(1)),
    "min": ("time", Fraction(60)),
    "h": ("time", Fraction(3600)),
    "d": ("time", Fraction(86_400)),
}
"""What houses trade in and no device measures. UCUM 2.1, tables of customary units and units accepted with the SI."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One of a unit in its dimension's base."""

    dimension: str
    factor: Fraction


Units = Mapping[str, Factor]
"""By UCUM code."""

BUILT_IN: Units = {code: Factor(*said) for code, said in {**quantity.UNITS, **_FURTHER}.items()}
"""Known without a database."""


async def units_of(session: AsyncSession) -> Units:
    """The built-in units and those that the house added. What is built in keeps its meaning whatever a row says."""
    rows = await session.scalars(select(Unit).where(Unit.archived.is_(False)))
    return {**{row.code: Factor(row.dimension, Fraction(row.numerator, row.denominator)) for row in rows}, **BUILT_IN}


def ratio(frm: str, to: str, units: Units = BUILT_IN) -> Fraction:
    """How many of `to` one of `frm` is. Raises Refused `unit_unknown`, `unit_dimension` or, for degrees, `unit_offset`."""
    one, other = (_known(code, units) for code in (frm, to))
    if one.dimension != other.dimension:
        raise Refused("unit_dimension", frm=frm, to=to)
    if frm != to and one.dimension in UNSCALED:
        raise Refused("unit_offset", unit=frm)
    return one.factor / other.factor


def exact(amount: Decimal | Fraction, frm: str, to: str, units: Units = BUILT_IN) -> Fraction:
    """The same amount in another unit. Raises as `ratio`."""
    return Fraction(amount) * ratio(frm, to, units)


def convert(amount: Decimal, frm: str, to: str, units: Units = BUILT_IN, *, decimals: int | None = None) -> Decimal:
    """The same amount in another unit, as a decimal. `decimals` says where to round, half to even; without it a result that
    has no end within 18 places is Refused `unit_inexact`. Raises as `ratio` too."""
    result = exact(amount, frm, to, units)
    scaled = result * 10 ** (PLACES if decimals is None else decimals)
    if decimals is not None:
        return Decimal(round(scaled)).scaleb(-decimals)
    if scaled.denominator != 1:
        raise Refused("unit_inexact", frm=frm, to=to)
    # Not through Decimal's arithmetic, which would keep 28 digits and drop the rest.
    digits = Decimal((int(scaled < 0), tuple(int(one) for one in str(abs(scaled.numerator))), -PLACES))
    return _short(digits)


def content(packs: Decimal, pack_qty: Decimal, pack_unit: str | None, unit: str, units: Units = BUILT_IN) -> Fraction:
    """How much of a product (in its own `unit`) so many packs hold, each `pack_qty` of `pack_unit` (None: the product's): what
    a code that stands on a carton means. Raises as `ratio`."""
    return exact(Fraction(packs) * Fraction(pack_qty), pack_unit or unit, unit, units)


def countable(unit: str, units: Units = BUILT_IN) -> bool:
    """Whether amounts of it may be added and multiplied: a unit of stock, packs, prices and BOM lines."""
    return unit in units and units[unit].dimension not in UNSCALED


def _known(code: str, units: Units) -> Factor:
    found = units.get(code)
    if found is None:
        raise Refused("unit_unknown", unit=code[:40])
    return found


def _short(value: Decimal) -> Decimal:
    text = format(value, "f")
    return Decimal(text.rstrip("0").rstrip(".")) if "." in text else value
