"""What is wrong with a line at the moment it is entered: not ordered, past its date, more than ordered. Exact decimals."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from edge.jobs.receive import Line, ReceiveJob
from edge.mirror.view import MasterView
from sync_protocol.errors import TextFault
from sync_protocol.masters import Order, Product
from sync_protocol.quantity import UNITS, Quantity, decimal, plain
from sync_protocol.steps import FieldValue

ROUND_TO: Final = 9
"""Decimals kept where a unit has no finite decimal form in another (ounces to kilograms): a billionth of the unit."""


@dataclass(frozen=True, slots=True)
class Check:
    """A failed check: `unexpected_item`, `expired` or `over_receipt`, with its limit and by how much it is missed.

    For `over_receipt` the numbers are amounts in `unit`; for `expired` the limit is a date and the difference days.
    """

    code: str
    limit: str | None = None
    found: str | None = None
    difference: str | None = None
    unit: str | None = None


def quantity_of(field: FieldValue) -> Quantity:
    """The amount that a field holds; raises TextFault when it is none."""
    return Quantity(decimal(field.value), field.unit or "1")


def in_unit(amount: Quantity, unit: str) -> Decimal:
    """The amount in another unit: exact where it can be, else rounded half to even at `ROUND_TO`.

    Raises TextFault across dimensions.
    """
    try:
        return amount.to(unit).value
    except TextFault:
        return amount.to(unit, decimals=ROUND_TO).value


def is_weighed(product: Product) -> bool:
    """Whether the product is received by weight."""
    return UNITS.get(product.unit, ("", None))[0] == "mass"


def failed_checks(job: ReceiveJob, line: Line, masters: MasterView, today: date) -> tuple[Check, ...]:
    """Every check that the line fails now. A receipt whose order the box no longer knows is checked by the cloud alone."""
    found: list[Check] = []
    order = masters.order(job.order) if job.order else None
    if order is not None and not any(row.product == line.item.product for row in order.lines):
        found.append(Check("unexpected_item"))
    if line.item.expiry is not None and (past := (today - date.fromisoformat(line.item.expiry.value)).days) > 0:
        found.append(Check("expired", limit=line.item.expiry.value, found=today.isoformat(), difference=str(past)))
    if order is not None and line.amount is not None and (over := _over_receipt(job, line, order, masters)):
        found.append(over)
    return tuple(found)


def received_here(job: ReceiveJob, sku: str, unit: str, *, up_to: int | None = None) -> Decimal:
    """What this job's live lines hold of a product, in `unit`; amounts of another dimension are left out."""
    total = Decimal(0)
    for line in job.lines:
        if line.item.product != sku or line.discarded is not None or line.amount is None:
            continue
        if up_to is not None and line.number > up_to:
            continue
        amount = quantity_of(line.amount)
        if amount.dimension == UNITS.get(unit, ("", None))[0]:
            total += in_unit(amount, unit)
    return total


def _over_receipt(job: ReceiveJob, line: Line, order: Order, masters: MasterView) -> Check | None:
    sku = line.item.product
    rows = [row for row in order.lines if row.product == sku]
    product = masters.product(sku)
    if not rows or product is None:
        return None
    unit = rows[0].unit
    ordered = sum((in_unit(Quantity(decimal(row.quantity), row.unit), unit) for row in rows), Decimal(0))
    posted = sum((in_unit(Quantity(decimal(row.received), row.unit), unit) for row in rows), Decimal(0))
    limit = ordered * (1 + decimal(product.over_tolerance))
    total = posted + received_here(job, sku, unit, up_to=line.number)
    if total <= limit:
        return None
    return Check("over_receipt", limit=_short(limit), found=_short(total), difference=_short(total - limit), unit=unit)


def _short(value: Decimal) -> str:
    return plain(value.normalize() + 0)
