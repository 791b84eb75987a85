"""Papers and labels over rows of every kind that they read, on both databases, and who may have them made."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud import catalogue
from cloud.boxes.models import Box
from cloud.db.engine import Sessions
from cloud.errors import Forbidden, NotFound, Refused
from cloud.kernel.access import Access, Grant, Mask
from cloud.kernel.actor import Actor, Taken
from cloud.masters.demo import load_demo
from cloud.masters.models import Location, Party, Product, PurchaseOrder, Site
from cloud.objects.caller import Caller, caller
from cloud.papers import making
from cloud.papers.gs1 import joined
from cloud.papers.labels.contents import SOURCES, location_labels, lot_labels, product_labels, unit_labels
from cloud.papers.labels.placing import PlacedCode, place
from cloud.papers.labels.template import Label
from cloud.papers.making import Office
from cloud.papers.models import Paper, PaperCopy
from cloud.papers.reads.common import Reading
from cloud.papers.typesetting import Typesetter
from cloud.papers.verifying import check
from cloud.papers.words import Words
from cloud.receiving.models import Receipt, ReceiptException, ReceiptLine
from cloud.stock import verdicts
from cloud.stock.models import HandlingUnit, LineBucket, Lot, Quant
from cloud.stock.place_rules import may_lie
from cloud.trade.models import Container, ContainerEvent, Notice, NoticeLine
from cloud.transfers.models import Transfer, TransferLine
from tests.integration.object_world import NOW, ZONE
from tests.unit.cloud.papers.samples import LIBRARIES

SSCC = "106141411234567897"
RECEIPT = "01930000-0000-7000-8000-000000000009"
HEBREW = Words("he", ZoneInfo("Asia/Jerusalem"))
TODAY = date(2026, 11, 22)


@dataclass
class House:
    """The demo company with one of everything that can be printed."""

    sessions: Sessions
    office: Office

    async def at(self, session: AsyncSession, *grants: Grant, minutes: int = 0) -> Caller:
        access = Access.of(grants) if grants else Access.all()
        taken = Taken(Actor.user("noa", "supervisor"), NOW + timedelta(minutes=minutes), access=access)
        return await caller(session, catalogue.registry(), taken, zone=ZONE, hooks=catalogue.hooks())

    async def make(self, key: str, ref: str, **more: Any) -> Paper:
        async with self.sessions.write() as session:
            return await making.make(await self.at(session, **more), self.office, key, ref, "he")

    async def says(self, key: str, ref: str) -> dict[str, Any]:
        """What the paper says, once it was typeset too."""
        paper = await self.make(key, ref)
        assert (await making.typeset(self.office, paper)).startswith(b"%PDF-")
        found: dict[str, Any] = json.loads(paper.snapshot)["content"]
        return found


@pytest.fixture
async def house(sessions: Sessions) -> House:
    if not (LIBRARIES / "@fontsource").exists():
        pytest.skip("the fonts are missing: run script/setup")
    async with sessions.write() as session:
        await load_demo(session, Taken(Actor.system("test"), NOW), pins={})
        await furnish(session)
    return House(sessions, Office(Typesetter(LIBRARIES), ZONE, "Galil"))


async def one(session: AsyncSession, model: Any, **values: Any) -> Any:
    """The row that has these values."""
    row = await session.scalar(select(model).filter_by(**values))
    assert row is not None, (model, values)
    return row


async def furnish(session: AsyncSession) -> None:
    session.add(Box(id="01H00000000000000000000001", name="b", spki=b"k", key_id=b"k", registered_at=NOW))
    chicken, boxes = await one(session, Product, sku="CHK-CUB"), await one(session, Product, sku="BOX-450")
    site, supplier = (await session.scalars(select(Site).order_by(Site.id))).first(), await one(session, Party, ref="SUP-014")
    order = await one(session, PurchaseOrder, ref="PO-2026-0041")
    assert site is not None
    cold = {"temp_min": chicken.temp_min, "temp_max": chicken.temp_max}
    shelf = Location(code="Z-01-01", name="Shelf", name_he="מדף", site_id=site.id, **cold)
    warm = Location(code="A-00-00", name="Warm", site_id=site.id, temperature_class="ambient")
    dock = Location(code="Z-RCV", name="Dock", site_id=site.id, usage="receiving")
    session.add_all([shelf, warm, dock])
    await session.flush()
    lot = Lot(ref="LOT-1", product_id=chicken.id, code="L-2611-A", expires_on=date(2026, 12, 1), first_receipt=RECEIPT)
    unit = HandlingUnit(sscc=SSCC, location_id=dock.id)
    session.add_all([lot, unit])
    await session.flush()
    session.add(quant(chicken, lot, dock, unit, supplier, "342"))
    notice = Notice(ref="SN-1", supplier_id=supplier.id, site_id=site.id, order_id=order.id)
    session.add(notice)
    await session.flush()
    session.add(NoticeLine(notice_id=notice.id, line="1", product_id=chicken.id, quantity=Decimal(350), unit="kg"))
    await receipt(
        session,
        [chicken, boxes],
        lot,
        unit,
        {"site_id": site.id, "order_id": order.id, "supplier_id": supplier.id, "notice_uid": notice.uid},
    )
    transfer = Transfer(
        ref="RT-1",
        kind="supplier_return",
        site_id=site.id,
        party_id=supplier.id,
        from_id=dock.id,
        receipt_ref="GR-9",
        reason="damaged",
    )
    box = Container(
        number="CSQU3054383",
        site_id=site.id,
        handling_unit_id=unit.id,
        gross=Decimal(18400),
        holds=["customs"],
        seals=[{"number": "S-1"}],
    )
    session.add_all([transfer, box, Transfer(ref="TR-1", site_id=site.id)])
    await session.flush()
    session.add(TransferLine(transfer_id=transfer.id, number=1, product_id=chicken.id, lot_id=lot.id, quantity=Decimal("2.5")))
    session.add(TransferLine(transfer_id=transfer.id, number=2, unit_id=unit.id))
    session.add(TransferLine(transfer_id=transfer.id, number=3, product_id=boxes.id, quantity=Decimal(1), state="discarded"))
    session.add(ContainerEvent(container_id=box.id, number=box.number, code="gate_in", at=NOW))
    session.add(ContainerEvent(container_id=box.id, number=box.number, code="gate_out", at=NOW, certainty="planned"))


def quant(product: Product, lot: Lot | None, place_: Location, unit: HandlingUnit | None, owner: Party, amount: str) -> Quant:
    ids = (product.id, lot and lot.id, place_.id, unit and unit.id, owner.id)
    return Quant(
        key=".".join("" if each is None else str(each) for each in ids), product_id=product.id, lot_id=lot and lot.id,
        location_id=place_.id, unit_id=unit and unit.id, owner_id=owner.id, internal=True,
        quantity=Decimal(amount), since=NOW, moved_at=NOW,
    )  # fmt: skip


async def receipt(session: AsyncSession, products: list[Product], lot: Lot, unit: HandlingUnit, more: dict[str, Any]) -> None:
    row = Receipt(
        uid=RECEIPT, ref="GR-9", box_id="01H00000000000000000000001", station_code="receiving-1", operator="dana",
        clock_set=True, opened_received_at=NOW, order_ref="PO-2026-0041", notice_ref="SN-1", document_no="DN-1",
        state="posted", **more,
    )  # fmt: skip
    session.add(row)
    await session.flush()
    for number, product in enumerate(products, 1):
        line = ReceiptLine(
            receipt_id=row.id, number=number, standing="confirmed", sku=product.sku, product_rev=1, product_id=product.id,
            quantity=Decimal("342500.0") if number == 1 else Decimal(12), unit="g" if number == 1 else "{pcs}",
        )  # fmt: skip
        if number == 1:
            line.lot_id, line.handling_unit_id, line.lot = lot.id, unit.id, lot.code
        session.add(line)
    dropped = ReceiptLine(receipt_id=row.id, number=3, standing="discarded", sku="NOTHING", product_rev=1)
    session.add(dropped)
    for bucket, amount in (("released", "300"), ("rejected", "42.5")):
        session.add(LineBucket(receipt=RECEIPT, line=1, bucket=bucket, quantity=Decimal(amount)))
    session.add(ReceiptException(receipt_id=row.id, line_number=2, check="product_not_on_order", severity="decision"))
    await session.flush()


async def test_note_says_what_was_received_and_what_it_rests_on(house: House) -> None:
    note = await house.says("goods_received", "GR-9")
    first, second = note["lines"]
    assert first["quantity"] == {"value": "342500.0", "unit": "g"}
    assert dict(first["buckets"]) == {"released": {"value": "300", "unit": "kg"}, "rejected": {"value": "42.5", "unit": "kg"}}
    assert first["goods"]["name"]["he"]
    assert second["origin"] == "manual"
    assert note["supplier"]["ref"] == "SUP-014"
    # No step is behind these rows: the paper does not say that they were verified.
    assert note["proof"]["ok"] is False


async def test_report_compares_in_the_products_own_unit(house: House) -> None:
    report = await house.says("discrepancy", "GR-9")
    lines = {line["goods"]["sku"]: line for line in report["lines"]}
    chicken = lines["CHK-CUB"]
    assert chicken["received"]["value"] == "342.5"
    assert chicken["announced"]["value"] == "350"
    assert chicken["rejected"]["value"] == "42.5"
    assert chicken["difference"]["value"] == "-7.5"
    assert lines["BOX-450"]["reasons"] == ["product_not_on_order"]
    assert "NOTHING" not in lines


async def test_put_away_goes_to_a_place_that_is_cold_enough_and_then_beside_its_like(house: House) -> None:
    (line,) = (await house.says("put_away", "GR-9"))["lines"]
    assert line["quantity"] == {"value": "300", "unit": "kg"}
    async with house.sessions.read() as session:
        where, owner = await one(session, Location, code=line["target"]), await one(session, Party, ref="SUP-014")
        assert may_lie(where, await one(session, Product, sku="CHK-CUB"), owner) == []
        assert where.usage == "stock"
    async with house.sessions.write() as session:
        ours = (await session.scalars(select(Party).where(Party.has_role("house")))).first()
        assert ours is not None
        chicken, shelf = await one(session, Product, sku="CHK-CUB"), await one(session, Location, code="Z-01-01")
        session.add(quant(chicken, None, shelf, None, ours, "5000"))
    (line,) = (await house.says("put_away", "GR-9"))["lines"]
    assert line["target"] == "Z-01-01"


async def test_return_note_has_lines_that_count_and_other_transfers_none(house: House) -> None:
    note = await house.says("return_note", "RT-1")
    assert [line["number"] for line in note["lines"]] == [1, 2]
    assert note["lines"][0]["goods"]["lot"] == "L-2611-A"
    assert note["lines"][1]["whole"] is True
    assert {line["source"] for line in note["lines"]} == {"Z-RCV"}
    with pytest.raises(Refused, match="paper_not_for_this"):
        await house.make("return_note", "TR-1")


async def test_gate_pass_says_what_holds_it_what_is_inside_and_its_last_passage(house: House) -> None:
    found = await house.says("gate_pass", "CSQU3054383")
    assert (found["holds"], found["seals"], found["gate"], found["number_good"]) == (["customs"], ["S-1"], "gate_in", True)
    assert found["contents"][0]["quantity"] == {"value": "342", "unit": "kg"}


async def test_copies_are_counted_by_their_bytes(house: House) -> None:
    paper = await house.make("return_note", "RT-1")
    for data, given in ((b"a", True), (b"a", False), (b"a", True), (b"b", False)):
        async with house.sessions.write() as session:
            await making.count_copy(session, paper.id, data, Taken(Actor.user("noa", ""), NOW), given_out=given)
    async with house.sessions.read() as session:
        rows = (await session.scalars(select(PaperCopy).order_by(PaperCopy.id))).all()
        assert [row.copies for row in rows] == [2, 0]
        for row in rows:
            assert (await check(session, paper.uid, row.pdf_sha256)).match
        assert (await check(session, paper.uid, paper.sha256)).match
        assert not (await check(session, paper.uid, "")).match
        assert not (await check(session, "", paper.sha256)).match


async def test_paper_of_a_record_that_moved_on_or_is_gone_is_an_old_one(house: House) -> None:
    paper = await house.make("return_note", "RT-1")
    async with house.sessions.write() as session:
        assert not (await check(session, paper.uid, paper.sha256)).superseded
        row = await one(session, Transfer, ref="RT-1")
        row.version += 1
        await session.flush()
        assert (await check(session, paper.uid, paper.sha256)).superseded
    again = await house.make("return_note", "RT-1", minutes=5)
    assert again.content_sha256 == paper.content_sha256
    async with house.sessions.read() as session:
        assert not (await check(session, again.uid, again.sha256)).superseded


READ = Grant("r", "receipt", "read")


@pytest.mark.parametrize(
    ("grants", "fault"),
    [
        ((Grant("r", "transfer", "read"),), NotFound),
        ((Grant("r", "receipt", "create"),), NotFound),
        ((Grant("r", "receipt", "read", scope="document_no == 'DN-2'"),), NotFound),
        ((Grant("r", "receipt", "read", mask=Mask.parse("-supplier")),), Forbidden),
        ((Grant("r", "receipt", "read", mask=Mask.parse("document_no")),), Forbidden),
        ((READ,), None),
        ((Grant("r", "receipt", "read", scope="document_no == 'DN-1'"),), None),
    ],
)
async def test_paper_is_for_whoever_reads_the_whole_record(
    house: House, grants: tuple[Grant, ...], fault: type[Exception] | None
) -> None:
    made = await house.make("goods_received", "GR-9")
    async with house.sessions.write() as session:
        desk = await house.at(session, *grants)
        if fault is None:
            assert (await making.newest(desk, "goods_received", "GR-9", "he")).uid == made.uid
            assert (await making.make(desk, house.office, "goods_received", "GR-9", "he")).uid == made.uid
            return
        with pytest.raises(fault):
            await making.newest(desk, "goods_received", "GR-9", "he")
        with pytest.raises(fault):
            await making.make(desk, house.office, "goods_received", "GR-9", "he")


def codes(key: str, label: Label) -> dict[str, str]:
    placed = [each for each in place(SOURCES[key][0], label) if isinstance(each, PlacedCode)]
    return {each.part.says: each.holds if isinstance(each.holds, str) else joined(each.holds, "|") for each in placed}


async def test_labels_say_what_is_known_and_their_codes_nothing_else(house: House) -> None:
    async with house.sessions.read() as session:
        reading = Reading(session, "Galil")
        lot, unit = await one(session, Lot, ref="LOT-1"), await one(session, HandlingUnit, sscc=SSCC)
        (label,) = await lot_labels(reading, HEBREW, lot, TODAY)
        assert codes("lot", label)["gs1"].endswith("1726120110L-2611-A")
        (label,) = await unit_labels(reading, HEBREW, unit, TODAY)
        found = codes("sscc", label)
        assert found["sscc"] == f"00{SSCC}"
        assert found.get("batch") == "10L-2611-A"
        assert found["content"].endswith("172612013100000342" + "37342")
        assert label.texts["quantity"] == "342 ק״ג"
        (label,) = await location_labels(reading, HEBREW, await one(session, Location, code="Z-01-01"), TODAY)
        assert codes("location", label) == {"place": "Z-01-01"}
        assert label.texts["name"] == "מדף"
        labels = await product_labels(reading, HEBREW, lot.product, TODAY)
        assert all(codes("product", each)["gs1"].startswith("010729") for each in labels)


async def test_mixed_pallet_bears_its_number_alone(house: House) -> None:
    async with house.sessions.write() as session:
        unit, boxes = await one(session, HandlingUnit, sscc=SSCC), await one(session, Product, sku="BOX-450")
        dock, owner = await one(session, Location, code="Z-RCV"), await one(session, Party, ref="SUP-014")
        session.add(quant(boxes, None, dock, unit, owner, "10"))
        await session.flush()
        (label,) = await unit_labels(Reading(session, "Galil"), HEBREW, unit, TODAY)
        assert codes("sscc", label) == {"sscc": f"00{SSCC}"}
        assert label.texts["name"] == "סחורה מעורבת"


async def test_pallet_that_is_no_whole_number_of_packs_says_so_in_words_alone(house: House) -> None:
    """What GS1 has for goods on a pallet (AI 02) goes with how many there are (AI 37)."""
    async with house.sessions.write() as session:
        unit = await one(session, HandlingUnit, sscc=SSCC)
        (await one(session, Quant, unit_id=unit.id)).quantity = Decimal("342.5")
        await session.flush()
        (label,) = await unit_labels(Reading(session, "Galil"), HEBREW, unit, TODAY)
        assert codes("sscc", label) == {"sscc": f"00{SSCC}"}
        assert label.texts["quantity"] == "342.5 ק״ג"
        assert label.texts["lot"] == "L-2611-A"


async def test_receipts_labels_follow_its_lines(house: House) -> None:
    async with house.sessions.read() as session:
        row = await one(session, Receipt, ref="GR-9")
        for key in ("receipt_lots", "receipt_units"):
            labels = await SOURCES[key][1](Reading(session, "Galil"), HEBREW, row, TODAY)
            assert len(labels) == 1
        (label,) = await SOURCES["receipt_lots"][1](Reading(session, "Galil"), HEBREW, row, TODAY)
        assert label.texts["lot"] == "L-2611-A"


async def test_no_paper_is_made_of_a_receipt_that_does_not_verify(house: House) -> None:
    async with house.sessions.write() as session:
        transfer = await one(session, Transfer, ref="RT-1")
        transfer.receipt = RECEIPT
        await verdicts.note(session, RECEIPT, ["line_differs:1"], NOW)
    for key, ref in (("goods_received", "GR-9"), ("discrepancy", "GR-9"), ("put_away", "GR-9"), ("return_note", "RT-1")):
        with pytest.raises(Refused, match="not_verified"):
            await house.make(key, ref)
    async with house.sessions.write() as session:
        await verdicts.note(session, RECEIPT, [], NOW)
    await house.make("put_away", "GR-9")
