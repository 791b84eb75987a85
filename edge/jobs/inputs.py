"""What the rules of a goods receipt ask of every input: length, form, a known reason, a known product. Pure."""

from datetime import date
from decimal import Decimal
from typing import Final

from edge.errors import JobRefused
from edge.jobs.drafts import Draft, Pallet
from edge.jobs.moment import Context
from edge.jobs.reasons import Occasion, known
from edge.jobs.receive import ReceiveJob
from sync_protocol.errors import TextFault
from sync_protocol.masters import Product
from sync_protocol.quantity import UNITS, Quantity, decimal
from sync_protocol.steps import FieldValue

MAX_TYPED: Final = 48
"""Characters of a typed lot or document number; GS1 allows 20 for a lot (AI 10) and 30 for document numbers (AI 400)."""

MAX_CODE: Final = 256
"""Characters of a scanned code: what a step's value may hold."""

MAX_AMOUNT: Final = Decimal(999_999_999)
"""No delivery holds more of anything in any unit; beyond it is a slipped finger."""


def product_of(context: Context, sku: str) -> Product:
    product = context.masters.product(sku)
    if product is None:
        raise JobRefused("unknown_product", product=sku[:MAX_TYPED])
    return product


def current_product(job: ReceiveJob, context: Context) -> Product:
    return product_of(context, job.lines[-1].item.product)


def check_text(value: str) -> None:
    if not value.strip() or len(value) > MAX_TYPED:
        raise JobRefused("bad_text", limit=str(MAX_TYPED))


def check_code(text: str) -> None:
    if len(text) > MAX_CODE:
        raise JobRefused("code_too_long")


def check_reason(field: FieldValue, occasion: Occasion) -> None:
    if field.mode == "manual":
        known(occasion, field.reason or "")


def is_date(text: str | None) -> bool:
    try:
        return text is not None and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def amount_of(field: FieldValue) -> Quantity:
    """The amount that a field holds. Raises JobRefused(`not_an_amount`)."""
    try:
        return Quantity(decimal(field.value), field.unit or "")
    except TextFault as exc:
        raise JobRefused("not_an_amount", value=field.value[:MAX_TYPED]) from exc


def check_amount(amount: Quantity, unit: str) -> None:
    """Raises JobRefused for an amount of another dimension than `unit`, none at all, or more than anything comes in."""
    if amount.dimension != UNITS.get(unit, ("", None))[0]:
        raise JobRefused("wrong_unit", unit=amount.unit, expected=unit)
    if amount.value <= 0:
        raise JobRefused("not_positive")
    if amount.value > MAX_AMOUNT:
        raise JobRefused("too_much")


def scanned(text: str, entry: str) -> FieldValue:
    return FieldValue(value=text, mode="device", reading=entry)


def word_of_pallet(draft: Draft | None) -> Pallet | None:
    """What was last said of the handling unit in hand, as far as no line's step says it already."""
    return draft.pallet if draft is not None else None
