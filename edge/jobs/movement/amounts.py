"""Amounts that a person or a scale gives for goods in hand: of the right dimension, not below nothing, whole where counted."""

from decimal import Decimal
from typing import Final

from edge.errors import JobRefused
from edge.jobs.movement.words import ALL_THERE, COUNTED, TOUCHED, known
from sync_protocol.errors import TextFault
from sync_protocol.masters import Product
from sync_protocol.quantity import UNITS, Quantity, decimal, plain
from sync_protocol.steps import FieldValue

MAX_AMOUNT: Final = Decimal(999_999_999)
"""No place holds more of anything in any unit; beyond it is a slipped finger."""

MAX_TYPED: Final = 48
"""Characters of a typed code; GS1 allows 20 for a lot (AI 10) and 30 for a location's own part (AI 254)."""


def dimension(unit: str) -> str:
    return UNITS.get(unit, ("", None))[0]


def checked_amount(value: FieldValue, product: Product, *, nothing: bool = False) -> FieldValue:
    """The amount as it goes into the step. `nothing`: whether zero says something. Raises JobRefused."""
    try:
        amount = Quantity(decimal(value.value), value.unit or product.unit)
    except TextFault as exc:
        raise JobRefused("not_an_amount", value=value.value[:MAX_TYPED]) from exc
    if amount.dimension != dimension(product.unit):
        raise JobRefused("wrong_unit", unit=amount.unit, expected=product.unit)
    if amount.value < 0 or (amount.value == 0 and not nothing):
        raise JobRefused("not_positive")
    if amount.value > MAX_AMOUNT:
        raise JobRefused("too_much")
    if amount.dimension == "count" and amount.value != amount.value.to_integral_value():
        raise JobRefused("whole_number")
    if value.mode == "manual" and value.reason not in {COUNTED, ALL_THERE}:
        _typed_weight(value, product)
    return value.model_copy(update={"value": plain(amount.value), "unit": amount.unit})


def _typed_weight(value: FieldValue, product: Product) -> None:
    if product.weight_policy == "required":
        raise JobRefused("weight_required")
    known("much_typed", value.reason)


def checked_text(value: FieldValue) -> FieldValue:
    """A typed or scanned code; raises JobRefused(`bad_text`) when it is empty or longer than any."""
    if not value.value.strip() or len(value.value) > MAX_TYPED:
        raise JobRefused("bad_text", limit=str(MAX_TYPED))
    if value.mode == "manual" and value.reason != TOUCHED:
        known("typed", value.reason)
    return value
