"""How far an order has come follows from its lines alone, and a back-order is what is open of them."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.masters.models import OrderLine, Product, PurchaseOrder
from cloud.masters.order_progress import OPEN, OVER, PARTLY, RECEIVED, progress_of, refresh_progress, remainder
from cloud.objects import query
from cloud.objects.query import Query
from tests.integration.trading import Trading, refused


@pytest.fixture
async def house(sessions: Sessions) -> Trading:
    made = Trading(sessions)
    await made.fill()
    return made


def line(
    quantity: str, received: str, *, over: str = "0", under: str = "0", closed: bool = False, archived: bool = False
) -> OrderLine:
    product = Product(sku="A", name="a", unit="kg", over_tolerance=Decimal(over), under_tolerance=Decimal(under))
    return OrderLine(product=product, quantity=Decimal(quantity), received=Decimal(received), closed=closed, archived=archived)


CASES: list[tuple[str, Sequence[OrderLine]]] = [
    (OPEN, [line("100", "0")]),
    (OPEN, []),
    (PARTLY, [line("100", "0.000001"), line("5", "0")]),
    (PARTLY, [line("100", "100"), line("5", "0")]),
    (PARTLY, [line("100", "94.999", under="0.05")]),
    (RECEIVED, [line("100", "95", under="0.05")]),
    (RECEIVED, [line("100", "100"), line("5", "5")]),
    (RECEIVED, [line("100", "105", over="0.05")]),
    (RECEIVED, [line("100", "60", closed=True), line("5", "5")]),
    (RECEIVED, [line("100", "100"), line("5", "0", archived=True)]),
    (OVER, [line("100", "100.002")]),
    (OVER, [line("100", "105.000001", over="0.05"), line("5", "0")]),
]


@pytest.mark.parametrize(("expected", "lines"), CASES)
def test_progress_follows_from_the_lines(expected: str, lines: Sequence[OrderLine]) -> None:
    assert progress_of(lines) == expected


def test_the_lines_own_tolerance_goes_before_the_products() -> None:
    agreed = line("100", "103", over="0.05")
    agreed.over_tolerance = Decimal("0.02")
    assert progress_of([agreed]) == OVER
    short = line("100", "98")
    short.under_tolerance = Decimal("0.02")
    assert progress_of([short]) == RECEIVED


@given(st.integers(1, 10**6), st.integers(0, 2 * 10**6), st.booleans())
def test_remainder_and_received_make_up_what_was_ordered_unless_closed(ordered: int, received: int, closed: bool) -> None:
    one = line(str(ordered), str(received), closed=closed)
    rest = remainder(one)
    assert rest >= 0
    assert rest == 0 if closed or received >= ordered else rest + received == ordered


async def test_orders_are_listed_by_how_far_they_have_come(house: Trading) -> None:
    async with house.sessions.write() as session:
        order = (await session.scalars(select(PurchaseOrder).where(PurchaseOrder.ref == "PO-2026-0043"))).one()
        first = (await session.scalars(select(OrderLine).where(OrderLine.order_id == order.id).order_by(OrderLine.id))).first()
        assert first is not None
        first.received = Decimal(10)
        await refresh_progress(session, [order.id])
    async with house.desk() as desk:
        for word, refs in (("partly_received", {"PO-2026-0043"}), ("open", {"PO-2026-0041", "PO-2026-0042"})):
            page = await query.find(desk, "purchase_order", Query(filter=f"progress == '{word}'"))
            assert page.outside == "", "the database filters"
            assert {one.ref for one in page.items} == refs


async def line_of(house: Trading, order: str, number: str) -> str:
    async with house.sessions.read() as session:
        query = select(OrderLine.uid).join(PurchaseOrder).where(PurchaseOrder.ref == order, OrderLine.line == number)
        found = await session.scalar(query)
        assert found is not None
        return found


async def test_a_line_is_closed_short_with_a_reason_and_opened_again(house: Trading) -> None:
    lines = [await line_of(house, "PO-2026-0043", number) for number in "12"]
    await refused(house.change("order_line", lines[0], closed=True), "required", "closed_reason")
    for uid in lines:
        await house.change("order_line", uid, closed=True, closed_reason="out of stock there")
    assert (await house.get("purchase_order", "PO-2026-0043")).values["progress"] == RECEIVED
    opened = await house.change("order_line", lines[0], closed=False)
    assert opened.values["closed_reason"] is None
    assert (await house.get("purchase_order", "PO-2026-0043")).values["progress"] == OPEN


async def test_only_closing_is_said_of_a_confirmed_orders_line(house: Trading) -> None:
    uid = await line_of(house, "PO-2026-0043", "1")
    await refused(house.change("order_line", uid, quantity="7"), "order_not_draft", "order")
    deed = house.change("order_line", uid, quantity="7", closed=True, closed_reason="x")
    await refused(deed, "order_not_draft", "order")
    await house.do("purchase_order", "PO-2026-0043", "close")
    await refused(house.change("order_line", uid, closed=True, closed_reason="x"), "order_not_confirmed", "closed")
    await refused(house.do("purchase_order", "PO-2026-0043", "reopen"), "reason_missing")
    again = await house.do("purchase_order", "PO-2026-0043", "reopen", reason="more is coming")
    assert again.state == "confirmed"


async def test_how_far_an_order_has_come_is_never_typed(house: Trading) -> None:
    await refused(house.change("purchase_order", "PO-2026-0043", progress="received"), "readonly", "progress")
