"""Asks for a look at the receipts that rest on a branch of a box's journal which is held or was dropped."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.ingest.models import Branch
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.transition import transition
from cloud.receiving.held import rests_on_held
from cloud.receiving.machine import RECEIPT
from cloud.receiving.models import Receipt

PART = "branches"
"""Name of the actor of the events."""


async def changed_branches(session: AsyncSession) -> list[int]:
    """Branches of which the receipts were not looked at since they became an overlap, or were decided."""
    return list(await session.scalars(select(Branch.id).where(Branch.looked_at.is_(False)).order_by(Branch.id)))


async def question_receipts(session: AsyncSession, branch: int) -> None:
    """Mark the receipts of the branch's box that rest on what is held, each once."""
    row = await session.get(Branch, branch, with_for_update=True)
    if row is None or row.looked_at:
        return
    row.looked_at = True
    taken = Taken(Actor.system(PART), row.overlap_at or row.seen_at)
    resting = select(Receipt).where(Receipt.box_id == row.box_id, Receipt.needs_review.is_(False), rests_on_held())
    for receipt in list(await session.scalars(resting.order_by(Receipt.id))):
        await transition(session, RECEIPT, receipt, "question", taken)
