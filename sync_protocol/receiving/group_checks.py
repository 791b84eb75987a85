"""Checks over several lines: amounts of one order's line over all deliveries, serials, lots, weights (5, 6, 8, 9, 13)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction

from sync_protocol.masters import NoticeLine, OrderLine, Product
from sync_protocol.receiving.facts import LineFacts, ReceiptFacts
from sync_protocol.receiving.finding import Finding
from sync_protocol.receiving.measures import KILOGRAM, count, dimension, in_unit, net_mass, shown


def amounts(facts: ReceiptFacts) -> Iterator[Finding]:
    """5, 6: what was received so far and what comes with this receipt, together, against what was ordered."""
    lines = [line for line in facts.lines if line.order_line is not None]
    for name in dict.fromkeys(line.order_line.line for line in lines if line.order_line is not None):
        group = [line for line in lines if line.order_line is not None and line.order_line.line == name]
        row, last = group[0].order_line, group[-1]
        if row is not None:
            yield from _against_order(row, group, last)


def _against_order(row: OrderLine, group: Sequence[LineFacts], last: LineFacts) -> Iterator[Finding]:
    total = Fraction(row.received)
    for line in group:
        total += (in_unit(line.quantity, row.unit) if line.quantity is not None else None) or 0
    most, least = _limits(row, last.product)
    if total > most:
        yield Finding("over_tolerance", last.number, expected=shown(most, row.unit), found=shown(total, row.unit))
    elif total < least:
        yield Finding("under_tolerance", last.number, expected=shown(least, row.unit), found=shown(total, row.unit))


def _limits(row: OrderLine, product: Product | None) -> tuple[Fraction, Fraction]:
    """The most and the least that may be received in all. A line that was closed awaits nothing more."""
    ordered = Fraction(row.quantity)
    if row.closed:
        received = min(Fraction(row.received), ordered)
        return received, received
    over = row.over_tolerance or (product.over_tolerance if product is not None else "0")
    under = row.under_tolerance or (product.under_tolerance if product is not None else "0")
    return ordered * (1 + Fraction(over)), ordered * (1 - Fraction(under))


def serials(facts: ReceiptFacts) -> Iterator[Finding]:
    """8: one number per piece, none twice, none that is here already or that nobody announced."""
    seen: dict[tuple[str, str], int] = {}
    for line in facts.lines:
        yield from _serial_count(line)
        twice = {text for text, times in Counter(line.serials).items() if times > 1}
        twice |= {text for text in line.serials if (line.sku, text) in seen}
        seen |= {(line.sku, text): line.number for text in line.serials}
        here = set(line.serials) & line.serials_in_stock
        announced = set(line.notice_line.serials) if line.notice_line is not None else set()
        strange = set(line.serials) - announced if announced else set()
        for check, found in (("serial_twice", twice), ("serial_in_stock", here), ("serial_not_announced", strange)):
            if found:
                yield Finding(check, line.number, found=", ".join(sorted(found)))


def _serial_count(line: LineFacts) -> Iterator[Finding]:
    if line.product is None or line.product.tracking != "serial":
        return
    # One number cannot share a weight with another: goods counted by weight are one piece to a line.
    wanted = count(line) if dimension(line.product.unit) == "count" else Fraction(1)
    if wanted is not None and wanted != len(line.serials):
        yield Finding("serial_count", line.number, expected=shown(wanted, "1").split()[0], found=str(len(line.serials)))


def lots(facts: ReceiptFacts) -> Iterator[Finding]:
    """9: within the receipt, too, a lot has one date."""
    dates: dict[tuple[str, str], date] = {}
    for line in facts.lines:
        if not line.lot or line.expiry is None:
            continue
        first = dates.setdefault((line.sku, line.lot), line.expiry)
        known = line.lot_known is not None and line.lot_known.expiry is not None
        if first != line.expiry and not known:
            yield Finding("lot_expiry_differs", line.number, expected=first.isoformat(), found=line.expiry.isoformat())


def weights(facts: ReceiptFacts) -> Iterator[Finding]:
    """13: what was weighed against what was announced, and against the count."""
    lines = [line for line in facts.lines if line.notice_line is not None]
    for name in dict.fromkeys(line.notice_line.line for line in lines if line.notice_line is not None):
        group = [line for line in lines if line.notice_line is not None and line.notice_line.line == name]
        row = group[0].notice_line
        if row is not None:
            yield from _against_notice(row, group)
    for line in facts.lines:
        yield from _against_count(line)


def _against_notice(row: NoticeLine, group: Sequence[LineFacts]) -> Iterator[Finding]:
    last = group[-1]
    share = last.product.weight_tolerance if last.product is not None else None
    masses = [net_mass(line) for line in group]
    if share is None or row.weight is None or any(mass is None for mass in masses):
        return
    announced = Fraction(row.weight) * _part(row, group)
    weighed = sum((mass for mass in masses if mass is not None), Fraction(0))
    if _off(weighed, announced, share):
        yield Finding("weight_off_notice", last.number, expected=shown(announced, KILOGRAM), found=shown(weighed, KILOGRAM))


def _part(row: NoticeLine, group: Sequence[LineFacts]) -> Fraction:
    """Which part of the announced goods was counted: of goods that are weighed, the weight itself is the amount."""
    counts = [count(line) for line in group]
    if dimension(row.unit) != "count" or Fraction(row.quantity) == 0 or any(each is None for each in counts):
        return Fraction(1)
    return sum((each for each in counts if each is not None), Fraction(0)) / Fraction(row.quantity)


def _against_count(line: LineFacts) -> Iterator[Finding]:
    product = line.product
    if product is None or product.weight_tolerance is None or product.unit_weight is None:
        return
    pieces, weighed = count(line), net_mass(line)
    # `unit_weight` is of one of the product's unit: of goods counted in kilograms it says nothing about a piece.
    if pieces is None or weighed is None or dimension(product.unit) != "count":
        return
    wanted = pieces * Fraction(product.unit_weight)
    if _off(weighed, wanted, product.weight_tolerance):
        yield Finding("weight_off_count", line.number, expected=shown(wanted, KILOGRAM), found=shown(weighed, KILOGRAM))


def _off(weighed: Fraction, wanted: Fraction, share: str) -> bool:
    return abs(weighed - wanted) > wanted * Fraction(share)
