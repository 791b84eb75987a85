"""Steps in journals become goods receipts: clean ones are posted, all others wait for a person."""

from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.masters.models import OrderLine, PurchaseOrder
from cloud.receiving.decisions import receipt_by_ref
from cloud.receiving.models import ProjectionFault, Receipt
from cloud.receiving.projection import project_all
from cloud.receiving.verify import verify_receipt


async def _only_receipt(sessions: Sessions) -> Receipt:
    async with sessions.read() as session:
        faults = [(row.code, row.detail) for row in await session.scalars(select(ProjectionFault))]
        assert faults == []
        return (await session.scalars(select(Receipt))).one()


async def test_clean_receipt_is_posted_for_the_operator(sessions, box, demo, story) -> None:
    box.device("scale-1", "mt-sics", "XS6002S SN 1234567890")
    story.whole("12.340")
    await box.deliver(sessions)
    assert await project_all(sessions) == len(box.run.entries)
    receipt = await _only_receipt(sessions)
    checks = [(row.check, row.found) for row in receipt.exceptions]
    assert (receipt.state, receipt.needs_review, checks) == ("posted", False, [])
    assert (receipt.ref, receipt.posted_by, receipt.document_no) == ("GR-2026-000001", "dana", "DN-1")
    async with sessions.read() as session:
        report = await verify_receipt(session, receipt.ref)
        assert (report.ok, report.problems) == (True, [])
        weight = next(each for each in report.fields if each.field == "quantity")
        assert (weight.value, weight.unit, weight.device, weight.identity) == (
            "12.340",
            "kg",
            "scale-1",
            "XS6002S SN 1234567890",
        )
        assert bytes.fromhex(weight.raw_hex or "") == b"S S     12.340 kg\r\n"
        line = await session.scalar(
            select(OrderLine).join(PurchaseOrder).where(PurchaseOrder.ref == "PO-2026-0041", OrderLine.line == "1")
        )
        assert str(line.received) == "12.34"
        assert (await receipt_by_ref(session, receipt.ref)).lines[0].lot == "L-77"
