"""What a supplier's deliveries add up to."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from cloud.boxes.models import Box
from cloud.db.engine import Sessions
from cloud.masters.models import Party, Product, PurchaseOrder, Site
from cloud.receiving.models import Receipt, ReceiptException, ReceiptLine
from cloud.receiving.supplier_figures import SupplierFigures, WeightDifference, supplier_figures
from cloud.trade.models import Notice
from tests.integration.trading import NOW, Trading


async def test_deliveries_days_exceptions_and_weights_of_one_supplier(sessions: Sessions) -> None:
    house = Trading(sessions)
    await house.fill()
    async with sessions.write() as session:
        session.add(Box(id="b", name="b", spki=b"", key_id=b"k", registered_at=NOW))
        await session.flush()
        site = (await session.scalars(select(Site))).one()
        suppliers = {row.ref: row.id for row in await session.scalars(select(Party))}
        product = (await session.scalars(select(Product).where(Product.sku == "CHK-CUB"))).one()
        notice = (await session.scalars(select(Notice).where(Notice.ref == "NT-2026-0011"))).one()
        order = (await session.scalars(select(PurchaseOrder).where(PurchaseOrder.ref == "PO-2026-0041"))).one()
        order.expected_on = date(2026, 11, 21)

        def receipt(number: int, supplier: str = "SUP-014", **more: Any) -> Receipt:
            made = Receipt(
                **{
                    "uid": f"u{number}", "ref": f"GR-{number}", "state": "done", "box_id": "b", "station_code": "s",
                    "operator": "dana", "clock_set": True, "site_id": site.id, "supplier_id": suppliers[supplier],
                    "opened_received_at": NOW, **more,
                }
            )  # fmt: skip
            session.add(made)
            return made

        timely = receipt(1, notice_uid=notice.uid, order_id=order.id, arrived_at=NOW)
        timely.lines = [
            ReceiptLine(
                number=1, standing="confirmed", sku="CHK-CUB", product_rev=1, product_id=product.id, notice_line="1",
                stock_quantity=Decimal("78.5"),
            )
        ]  # fmt: skip
        late = receipt(2, order_id=order.id, state="reversed")
        late.exceptions = [ReceiptException(check="over_tolerance", severity="decision") for _ in range(2)]
        late.exceptions.append(ReceiptException(check="damaged", severity="decision"))
        receipt(3, state="posted")
        receipt(4, state="check")
        receipt(5, supplier="SUP-027")
        receipt(6, opened_received_at=NOW - timedelta(days=40))
    async with sessions.read() as session:
        found = await supplier_figures(session, suppliers["SUP-014"], NOW - timedelta(days=30), NOW + timedelta(days=1))
        nothing = await supplier_figures(session, suppliers["SUP-033"], NOW - timedelta(days=30), NOW)
    assert found == SupplierFigures(
        deliveries=3,
        expected=2,
        on_time=1,
        reversed=1,
        clean=2,
        exceptions={"over_tolerance": 2, "damaged": 1},
        weight=WeightDifference(1, Decimal(80), Decimal("78.5")),
    )
    assert found.on_time_share == Decimal("0.5")
    assert found.weight.difference == Decimal("-1.5")
    assert (nothing.deliveries, nothing.on_time_share, nothing.exceptions) == (0, None, {})
