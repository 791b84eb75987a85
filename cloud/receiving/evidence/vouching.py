"""What a reading says about a field, and what follows by a formula. Pure and exact: nothing here rounds."""

from collections.abc import Mapping
from fractions import Fraction

from cloud.receiving.amounts import DETAILS, ORDER_PREFIXES
from sync_protocol.entries import ReadingEntry
from sync_protocol.errors import TextFault
from sync_protocol.quantity import UNITS, Quantity, decimal

AMOUNTS = frozenset(
    {"quantity", "gross", "tare", "pieces", "unit_weight", "arrival.temperature", "arrival.weighbridge"},
)
"""Fields whose values are amounts with a unit; all others are texts."""

_MORE_DETAILS: dict[str, tuple[str, ...]] = {
    "unit": ("ai.00", "sscc"),
    "serial": ("ai.21",),
    "arrival.container": (),
    "arrival.seal": (),
    "arrival.vehicle": (),
    "arrival.shipped_at": (),
    "arrival.arrived_at": (),
}
"""Beside amounts.DETAILS. GS1 General Specifications, 3.2 and 3.5: AI 00 is the pallet's number, 21 the serial number."""

_CODED_AMOUNTS: dict[str, tuple[tuple[str, str], ...]] = {
    "quantity": (("net_weight_kg", "kg"), ("ai.37", "{pcs}"), ("ai.30", "{pcs}")),
    "gross": (("gross_weight_kg", "kg"),),
    "pieces": (("ai.37", "{pcs}"), ("ai.30", "{pcs}")),
}
"""Amounts that a label carries: details and their units (GS1 General Specifications, 3.6.2 and 3.9)."""

_NO_TEXT = frozenset({"expiry"})
"""Fields for which the whole text of a code never stands."""


def says(reading: ReadingEntry, field: str, value: str, unit: str | None) -> bool:
    """Whether the reading says that `field` has this value; amounts after exact conversion, which no digit may survive by
    rounding. `serial:<n>` is any serial number."""
    name = field.partition(":")[0]
    if name in AMOUNTS:
        return _same_amount(reading, name, value, unit)
    if reading.kind != "code":
        return False
    details = {**DETAILS, **_MORE_DETAILS}.get(name)
    if details is None:
        return False
    texts = {reading.details[each] for each in details if each in reading.details}
    if name not in _NO_TEXT and reading.value is not None:
        texts.add(reading.value)
        if name == "order":
            texts |= {reading.value.removeprefix(prefix) for prefix in ORDER_PREFIXES}
    return value in texts


def _same_amount(reading: ReadingEntry, field: str, value: str, unit: str | None) -> bool:
    wanted = amount(value, unit)
    if wanted is None or reading.op is not None:
        return False
    if reading.kind == "code":
        coded = (amount(reading.details.get(name), its) for name, its in _CODED_AMOUNTS.get(field, ()))
        return any(each is not None and each.same_as(wanted) for each in coded)
    read = amount(reading.value, reading.unit)
    return read is not None and read.same_as(wanted)


def amount(value: str | None, unit: str | None) -> Quantity | None:
    """An amount from its texts, None where they are none."""
    if value is None:
        return None
    try:
        return Quantity(decimal(value), unit or "1")
    except TextFault:
        return None


def follows(
    formula: str | None, value: str, unit: str | None, inputs: Mapping[str, tuple[str, str | None]], serials: int
) -> bool:
    """Whether a derived value is what its formula gives for the values beside it, exactly.

    `inputs`: the other fields of the line; `serials`: how many serial numbers of it count. A formula that is not known gives
    nothing.
    """
    wanted = amount(value, unit)
    if wanted is None:
        return False
    if formula == "serials":
        return UNITS[wanted.unit][0] == "count" and _base(wanted) == serials
    given = {name: amount(*each) for name, each in inputs.items()}
    match formula:
        case "gross - tare":
            gross, tare = given.get("gross"), given.get("tare")
            if gross is None or tare is None or not gross.dimension == tare.dimension == wanted.dimension:
                return False
            return _base(gross) - _base(tare) == _base(wanted)
        case "pieces * unit_weight":
            pieces, each = given.get("pieces"), given.get("unit_weight")
            if pieces is None or each is None or pieces.dimension != "count" or each.dimension != wanted.dimension:
                return False
            return _base(pieces) * _base(each) == _base(wanted)
    return False


def _base(quantity: Quantity) -> Fraction:
    return Fraction(quantity.value) * UNITS[quantity.unit][1]
