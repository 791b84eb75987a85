"""Checks of a receipt's head: order and notice, delivery note, container, times (1, 15, 17, 19)."""

from collections.abc import Iterator
from datetime import UTC, datetime

from sync_protocol.identifiers import container_fault, normal_container
from sync_protocol.receiving.facts import ReceiptFacts
from sync_protocol.receiving.finding import Finding

NOTICE_OPEN = frozenset({"announced", "arrived", "receiving"})
"""States in which goods of a notice are awaited."""


def steps(facts: ReceiptFacts) -> Iterator[Finding]:
    """What is wrong with the receipt itself."""
    if not facts.lines:
        yield Finding("no_lines")
    for number in facts.left_open:
        yield Finding("line_left_open", number)
    if not facts.station_known:
        yield Finding("station_unknown", found=facts.station)
    if not facts.operator_known:
        yield Finding("operator_unknown", found=facts.operator)


def order(facts: ReceiptFacts) -> Iterator[Finding]:
    """1: there is an order, confirmed, of this supplier."""
    if facts.order_given is None and facts.notice_given is None:
        yield Finding("order_missing")
    if facts.order_given is not None and facts.order is None:
        yield Finding("order_unknown", found=facts.order_given)
    if facts.order is not None and facts.order_state not in {None, "confirmed"}:
        yield Finding("order_not_confirmed", expected="confirmed", found=facts.order_state)
    expected = facts.order.supplier if facts.order is not None else facts.notice.supplier if facts.notice is not None else None
    named = facts.notice.supplier if facts.notice is not None else expected
    if expected is not None and (facts.supplier != expected or named != expected):
        yield Finding("supplier_differs", expected=expected, found=facts.supplier if facts.supplier != expected else named)


def notice(facts: ReceiptFacts) -> Iterator[Finding]:
    """1: what was announced is still awaited, in the order's currency."""
    if facts.notice_given is not None and facts.notice is None:
        yield Finding("notice_unknown", found=facts.notice_given)
    if facts.notice is None:
        return
    if facts.notice_state is not None and facts.notice_state not in NOTICE_OPEN:
        yield Finding("notice_not_open", expected="announced", found=facts.notice_state)
    ordered = facts.order.currency if facts.order is not None else None
    if ordered is not None and facts.notice.currency not in {None, ordered}:
        yield Finding("currency_differs", expected=ordered, found=facts.notice.currency)


def document(facts: ReceiptFacts) -> Iterator[Finding]:
    """17: a delivery note, or a reason, and not one that came before."""
    if facts.document is None and not facts.no_document_reason:
        yield Finding("document_missing")
    if facts.document_received is not None:
        yield Finding("document_again", found=facts.document_received)


def container(facts: ReceiptFacts) -> Iterator[Finding]:
    """15: the number can be one, and number and seal are the announced ones."""
    if facts.container is None:
        return
    if (fault := container_fault(facts.container)) is not None:
        yield Finding("container_check_digit", expected=fault, found=facts.container)
    if facts.notice is None:
        return
    announced = facts.notice.container
    if announced is not None and normal_container(announced) != normal_container(facts.container):
        yield Finding("container_differs", expected=announced, found=facts.container)
    seals = {_seal(text) for text in facts.notice.seals}
    # A container that was announced as sealed and came without a seal is the case that matters most.
    if seals and (facts.seal is None or _seal(facts.seal) not in seals):
        yield Finding("seal_differs", expected=", ".join(facts.notice.seals), found=facts.seal)


def _seal(text: str) -> str:
    return "".join(text.split()).casefold()


def times(facts: ReceiptFacts) -> Iterator[Finding]:
    """19: not from the future, and not here before it was sent."""
    arrived = facts.arrived_at
    if arrived is not None and facts.now is not None and arrived > facts.now:
        yield Finding("arrival_in_future", expected=facts.now.isoformat(), found=arrived.isoformat())
    shipped = facts.shipped_at or _time(facts.notice.shipped_at if facts.notice is not None else None)
    if shipped is None:
        return
    early = arrived < shipped if arrived is not None else facts.arrival < shipped.date()
    if early:
        found = arrived.isoformat() if arrived is not None else facts.arrival.isoformat()
        yield Finding("arrival_before_shipping", expected=shipped.isoformat(), found=found)


def _time(text: str | None) -> datetime | None:
    """An ISO time; without zone it is UTC's. None for what cannot be read."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
