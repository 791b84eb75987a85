"""All cross-checks of a receipt: the one set of rules of box and core. Pure and exact; no amount passes that is over by a hair.

`findings` looks at a receipt as it stands; `bucket_finding` and `approver_finding` at what becomes of it afterwards.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from sync_protocol.masters import Product
from sync_protocol.quantity import plain
from sync_protocol.receiving import group_checks, head_checks, line_checks, weight_checks
from sync_protocol.receiving.facts import LineFacts, ReceiptFacts
from sync_protocol.receiving.finding import Finding
from sync_protocol.receiving.settings import CHECKS, severity

Rule = Callable[[ReceiptFacts], Iterator[Finding]]
LineRule = Callable[[LineFacts], Iterator[Finding]]
ProductRule = Callable[[LineFacts, Product], Iterator[Finding]]
WholeRule = Callable[[ReceiptFacts, LineFacts, Product], Iterator[Finding]]

HEAD: tuple[Rule, ...] = (
    head_checks.steps,
    head_checks.order,
    head_checks.notice,
    head_checks.document,
    head_checks.container,
    head_checks.times,
)
GROUPS: tuple[Rule, ...] = (group_checks.amounts, group_checks.serials, group_checks.lots, group_checks.weights)
LINE: tuple[LineRule, ...] = (
    line_checks.sscc,
    line_checks.condition,
    line_checks.kept,
    weight_checks.tare,
    weight_checks.below_nothing,
    weight_checks.reading,
)
PRODUCT: tuple[ProductRule, ...] = (line_checks.code, line_checks.unit, line_checks.place, weight_checks.policies)
WHOLE: tuple[WholeRule, ...] = (line_checks.lot, line_checks.temperature)


def findings(facts: ReceiptFacts) -> list[Finding]:
    """Everything that does not come out clean, each with how grave it is here: of the head, of the lines, over several."""
    found = [finding for rule in HEAD for finding in rule(facts)]
    for line in facts.lines:
        found += _line(facts, line)
    found += [finding for rule in GROUPS for finding in rule(facts)]
    skus = {line.number: line.sku for line in facts.lines}
    return [
        replace(one, severity=severity(one.check, None if one.line is None else skus.get(one.line), facts.severities))
        for one in found
    ]


def _line(facts: ReceiptFacts, line: LineFacts) -> Iterator[Finding]:
    product = line.product
    if product is None:
        yield Finding("product_unknown", line.number, found=line.sku)
    else:
        yield from line_checks.awaited(facts, line)
        for of_product in PRODUCT:
            yield from of_product(line, product)
        for whole in WHOLE:
            yield from whole(facts, line, product)
    for rule in LINE:
        yield from rule(line)


def bucket_finding(line: int, received: Decimal, buckets: Mapping[str, Decimal]) -> Finding | None:
    """7: what became of a line's goods adds up to what was received."""
    total = sum(buckets.values(), Decimal(0))
    if total == received:
        return None
    return Finding("buckets_differ", line, expected=plain(received), found=plain(total), severity=CHECKS["buckets_differ"])


def approver_finding(check: str, approver: str, counters: frozenset[str], *, apart: bool) -> Finding | None:
    """22: where the setting asks for another person, who decides is none of those who counted."""
    if not apart or approver not in counters:
        return None
    return Finding("approver_is_counter", expected=check, found=approver, severity=CHECKS["approver_is_counter"])
