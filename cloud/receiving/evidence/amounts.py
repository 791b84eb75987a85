"""From a receipt's own digits to the ledger's: exact where the product's unit has a finite form of six places."""

from dataclasses import dataclass
from decimal import Decimal

from cloud.db.types import MICRO
from cloud.receiving.amounts import exact
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity


@dataclass(frozen=True, slots=True)
class Stocked:
    """An amount in the product's unit, whole millionths. `rounded`: half to even, as there is no finite form."""

    quantity: Decimal
    rounded: bool


def stocked(quantity: Quantity, unit: str) -> Stocked | None:
    """The amount as stock counts it, None where the units measure different things."""
    try:
        scaled = exact(quantity, unit) * 10**MICRO
    except TextFault:
        return None
    return Stocked(Decimal(round(scaled)).scaleb(-MICRO), scaled.denominator != 1)


def in_unit(quantity: Quantity, unit: str) -> Decimal:
    """The amount as an order's line counts it: exact where that has an end, else half to even at a millionth. Nothing across
    dimensions, which is a check's to say."""
    try:
        return quantity.to(unit).value
    except TextFault:
        rounded = stocked(quantity, unit)
        return rounded.quantity if rounded is not None else Decimal(0)
