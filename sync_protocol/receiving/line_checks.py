"""Checks of one line of a receipt: product, code, unit, lot, dates, condition, places (2 to 4, 9 to 11, 16, 18, 20, 21)."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from sync_protocol.identifiers import sscc_ok
from sync_protocol.masters import Location, Product
from sync_protocol.places import PlaceFacts, keeps, kept_between
from sync_protocol.quantity import plain
from sync_protocol.receiving.facts import LineFacts, ReceiptFacts
from sync_protocol.receiving.finding import Finding
from sync_protocol.receiving.measures import in_celsius, in_unit, shown

BLOCKED = frozenset({"hold", "rejected", "recalled"})
"""States of a lot of which no more is taken in without a decision."""

PLACES = frozenset({"receiving", "stock", "quarantine", "rejected"})
"""Usages of places to which received goods may go."""


def awaited(facts: ReceiptFacts, line: LineFacts) -> Iterator[Finding]:
    """2: the product is ordered, and announced."""
    if facts.order is not None and (line.order_line is None or line.order_line.product != line.sku):
        yield Finding("product_not_on_order", line.number, found=line.sku)
    if facts.notice is not None and (line.notice_line is None or line.notice_line.product != line.sku):
        yield Finding("product_not_on_notice", line.number, found=line.sku)


def code(line: LineFacts, _product: Product) -> Iterator[Finding]:
    """3: the scanned text means this product and no other."""
    if line.code is None:
        return
    means = ", ".join(sorted(line.code_means))
    if not line.code_means:
        yield Finding("code_learned" if line.learned else "code_unknown", line.number, expected=line.sku, found=line.code)
    elif line.sku not in line.code_means:
        yield Finding("code_of_other_product", line.number, expected=line.sku, found=means)
    elif len(line.code_means) > 1:
        yield Finding("code_ambiguous", line.number, expected=line.sku, found=means)


def unit(line: LineFacts, product: Product) -> Iterator[Finding]:
    """4: the amount can be converted to what the product is counted in, and to what was ordered and announced."""
    if line.quantity is None:
        return
    asked = [product.unit, *(row.unit for row in (line.order_line, line.notice_line) if row is not None)]
    wrong = next((each for each in asked if in_unit(line.quantity, each) is None), None)
    if wrong is not None:
        yield Finding("unit_differs", line.number, expected=wrong, found=line.quantity.unit)


def lot(facts: ReceiptFacts, line: LineFacts, product: Product) -> Iterator[Finding]:
    """9, 10, 11: lot and expiry are there where they are asked for, the lot's date is one, and it is good for long enough."""
    if product.tracking == "lot" and not line.lot:
        yield Finding("lot_missing", line.number)
    known = line.lot_known
    if known is not None and known.expiry is not None and line.expiry is not None and known.expiry != line.expiry:
        yield Finding("lot_expiry_differs", line.number, expected=known.expiry.isoformat(), found=line.expiry.isoformat())
    if known is not None and known.status in BLOCKED:
        yield Finding("lot_blocked", line.number, found=known.status)
    # The lot is the one source of its date: what is known of it need not be entered again.
    expiry = line.expiry or (known.expiry if known is not None else None)
    if expiry is None:
        if product.expiry == "required":
            yield Finding("expiry_missing", line.number)
        return
    if expiry < facts.arrival:
        yield Finding("expired", line.number, expected=facts.arrival.isoformat(), found=expiry.isoformat())
    elif product.min_life_days is not None and (expiry - facts.arrival).days < product.min_life_days:
        least = facts.arrival + timedelta(days=product.min_life_days)
        yield Finding("life_too_short", line.number, expected=least.isoformat(), found=expiry.isoformat())


def temperature(facts: ReceiptFacts, line: LineFacts, product: Product) -> Iterator[Finding]:
    """16: within what the product bears."""
    low, high = _number(product.temp_min), _number(product.temp_max)
    if low is None and high is None:
        return
    bounds = f"{product.temp_min or ''}..{product.temp_max or ''} Cel"
    measured = in_celsius(facts.temperature) if facts.temperature is not None else None
    if measured is None:
        yield Finding("temperature_missing", line.number, expected=bounds)
    elif (low is not None and measured < low) or (high is not None and measured > high):
        yield Finding("temperature_out_of_range", line.number, expected=bounds, found=shown(measured, "Cel"))


def sscc(line: LineFacts) -> Iterator[Finding]:
    """18: the unit's number can be one, and did not come before."""
    if line.sscc is None:
        return
    if not sscc_ok(line.sscc):
        yield Finding("sscc_check_digit", line.number, found=line.sscc)
    if line.sscc_received is not None:
        yield Finding("sscc_again", line.number, expected=line.sscc_received, found=line.sscc)


def place(line: LineFacts, product: Product) -> Iterator[Finding]:
    """20: where the goods go, goods of this kind and owner may lie."""
    where = line.location
    if where is None:
        return
    if where.usage not in PLACES:
        yield Finding("location_unfit", line.number, expected="receiving", found=where.usage)
    elif not keeps(facts := _facts(where), _degrees(product.temp_min), _degrees(product.temp_max)):
        bounds = f"{product.temp_min or ''}..{product.temp_max or ''} Cel"
        low, high = ("" if one is None else plain(one) for one in kept_between(facts))
        yield Finding("location_unfit", line.number, expected=bounds, found=f"{low}..{high} Cel")
    if where.owner is not None and line.owner != where.owner:
        yield Finding("location_of_other_owner", line.number, expected=where.owner, found=line.owner)


def _facts(where: Location) -> PlaceFacts:
    return PlaceFacts(
        where.usage,
        owner=where.owner,
        temperature_class=where.temperature_class,
        temp_min=_degrees(where.temp_min),
        temp_max=_degrees(where.temp_max),
    )


def _degrees(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def condition(line: LineFacts) -> Iterator[Finding]:
    """21: damage is decided, and seen on a picture."""
    if line.condition != "damaged":
        return
    yield Finding("damaged", line.number)
    if line.photos == 0:
        yield Finding("photo_missing", line.number)


def kept(line: LineFacts) -> Iterator[Finding]:
    """What the operator said against a failed check."""
    if line.kept_reason:
        yield Finding("kept_by_operator", line.number, found=line.kept_reason)


def _number(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)
