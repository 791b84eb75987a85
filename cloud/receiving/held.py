"""Which receipts rest on journal that is held or dropped (cloud.ingest.branches): none of them is posted."""

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.ingest.models import HeldRun
from cloud.receiving.models import Evidence, Receipt, ReceiptStep


def rests_on_held() -> ColumnElement[bool]:
    """As a condition on `Receipt`: a step of it, or a reading that it names, is held or dropped."""
    step = or_(ReceiptStep.seq >= HeldRun.held_from, ReceiptStep.seq >= HeldRun.dropped_from)
    reading = or_(Evidence.seq >= HeldRun.held_from, Evidence.seq >= HeldRun.dropped_from)
    return or_(
        exists().where(ReceiptStep.receipt_id == Receipt.id, HeldRun.run == ReceiptStep.run, step),
        exists().where(Evidence.receipt_id == Receipt.id, HeldRun.run == Evidence.run, reading),
    )


async def is_held(session: AsyncSession, receipt: Receipt) -> bool:
    """Whether the receipt rests on such journal now."""
    if await session.scalar(select(HeldRun.run).where(HeldRun.box_id == receipt.box_id).limit(1)) is None:
        return False
    return await session.scalar(select(Receipt.id).where(Receipt.id == receipt.id, rests_on_held())) is not None
