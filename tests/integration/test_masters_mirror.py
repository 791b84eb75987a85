"""A box gets what it can work with: goods in its own units, and what each code means, by itself and on a supplier's label."""

from datetime import UTC, datetime
from decimal import Decimal

from cloud.db.engine import Sessions
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.transition import transition
from cloud.masters.lookup import products_of_code
from cloud.masters.machine import PURCHASE_ORDER
from cloud.masters.models import OrderLine, Party, Product, ProductCode, PurchaseOrder, Site, Station
from cloud.mirror.rows import desired_rows

TAKEN = Taken(Actor.system("test"), datetime(2026, 11, 22, 8, 0, tzinfo=UTC))


async def test_only_what_a_box_can_use_is_mirrored(sessions: Sessions) -> None:
    async with sessions.write() as session:
        site = Site(code="s", name="s")
        suppliers = [Party(ref=ref, name=ref, roles=["supplier"]) for ref in ("ONE", "TWO")]
        nut, oil, hour, old = (
            Product(sku="NUT", name="n", unit="kg"),
            Product(sku="OIL", name="o", unit="L"),
            Product(sku="HOUR", name="h", unit="{pcs}", kind="service"),
            Product(sku="OLD", name="o", unit="kg", archived=True),
        )
        box = Product(sku="BOX", name="b", unit="{pcs}")
        session.add_all([site, Station(code="st", name="st", site=site), *suppliers, nut, oil, hour, old, box])
        await session.flush()
        session.add_all(
            [
                ProductCode(scheme="supplier", code="X", product=nut, party_id=suppliers[0].id),
                ProductCode(scheme="supplier", code="X", product=box, party_id=suppliers[1].id),
                ProductCode(scheme="supplier", code="Y", product=nut, party_id=suppliers[0].id),
                ProductCode(scheme="supplier", code="Y", product=nut, party_id=suppliers[1].id),
                ProductCode(scheme="udi", code="Z", product=nut),
                ProductCode(scheme="own", code="OILS", product=oil),
                ProductCode(scheme="own", code="GONE", product=nut, archived=True),
            ]
        )
        order = PurchaseOrder(ref="PO", supplier=suppliers[0], site=site)
        order.lines = [
            OrderLine(line=str(number), product=product, quantity=Decimal(1), unit=product.unit)
            for number, product in enumerate((nut, oil), 1)
        ]
        session.add(order)
        await session.flush()
        await transition(session, PURCHASE_ORDER, order, "confirm", TAKEN)
    async with sessions.read() as session:
        rows = await desired_rows(session, "st")
        assert {key for table, key in rows if table == "product"} == {"NUT", "BOX"}
        codes = {key: (value["product"], value.get("others", [])) for (table, key), value in rows.items() if table == "code"}
        assert codes == {
            "supplier:X": ("NUT", ["BOX"]),
            "supplier:X:ONE": ("NUT", []),
            "supplier:X:TWO": ("BOX", []),
            "supplier:Y": ("NUT", []),
            "supplier:Y:ONE": ("NUT", []),
            "supplier:Y:TWO": ("NUT", []),
        }
        assert [line["product"] for line in rows["order", "PO"]["lines"]] == ["NUT"]
        assert await products_of_code(session, "X") == {"NUT", "BOX"}
        assert await products_of_code(session, "GONE") == set()
