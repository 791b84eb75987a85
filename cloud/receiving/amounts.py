"""Comparing amounts exactly across units, and what a reading can vouch for."""

from fractions import Fraction

from sync_protocol.entries import ReadingEntry
from sync_protocol.errors import TextFault
from sync_protocol.quantity import UNITS, Quantity, decimal

ORDER_PREFIXES = ("TB-ORDER:", "PO:")
"""May stand before an order's number on its paper."""

# Field of a record -> details of a scan that may carry its value beside the scan's whole text (GS1 General Specifications, 3:
# AI 01 and 02 are GTINs, 10 the lot, 400 the customer's order number; `gtin` and `expiry` are made by the reader's driver).
DETAILS: dict[str, tuple[str, ...]] = {
    "identity": ("gtin", "ai.01", "ai.02"),
    "lot": ("ai.10",),
    "expiry": ("expiry",),
    "order": ("ai.400",),
    "document": (),
}
WHOLE_TEXT = frozenset({"identity", "lot", "order", "document"})


def exact(amount: Quantity, unit: str) -> Fraction:
    """The amount counted in `unit`, not rounded. Raises TextFault across dimensions."""
    if unit not in UNITS or UNITS[unit][0] != amount.dimension:
        raise TextFault(f"{amount.unit} cannot be converted to {unit[:20]}")
    return Fraction(amount.value) * UNITS[amount.unit][1] / UNITS[unit][1]


def vouches(reading: ReadingEntry, field: str, value: str, unit: str | None) -> bool:
    """Whether the reading says that `field` has this value, after exact conversion of amounts."""
    if field == "quantity":
        return _same_amount(reading, value, unit)
    if reading.kind != "code":
        return False
    texts = {reading.details[name] for name in DETAILS.get(field, ()) if name in reading.details}
    if field in WHOLE_TEXT and reading.value is not None:
        texts.add(reading.value)
        if field == "order":
            texts |= {reading.value.removeprefix(prefix) for prefix in ORDER_PREFIXES}
    return value in texts


def _same_amount(reading: ReadingEntry, value: str, unit: str | None) -> bool:
    if reading.kind == "code" or reading.value is None or reading.op is not None:
        return False
    try:
        read = Quantity(decimal(reading.value), reading.unit or "1")
        return read.same_as(Quantity(decimal(value), unit or "1"))
    except TextFault:
        return False
