"""Checks of a finished receipt: the rules that core and boxes share, over the facts as the core knows them, and faults of its
steps, which only the core sees. Codes and severities: sync_protocol.receiving.settings."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.receiving.facts import gather
from cloud.receiving.models import ProjectionFault, Receipt
from sync_protocol.receiving.checks import findings
from sync_protocol.receiving.finding import Finding

RECHECKED = frozenset(
    {
        "order_unknown",
        "order_not_confirmed",
        "notice_not_open",
        "unit_differs",
        "over_tolerance",
        "serial_in_stock",
        "lot_expiry_differs",
        "lot_blocked",
        "reading_used_twice",
        "document_again",
        "sscc_again",
        "location_unfit",
        "location_of_other_owner",
    }
)
"""What other receipts or staff can change between the finish and the posting: looked at again when posting."""


async def all_findings(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    """Every finding about a receipt whose rows are complete, but for its verification."""
    return [*await _faults(session, receipt), *findings(await gather(session, receipt))]


async def changing_findings(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    """Findings that depend on other records, RECHECKED."""
    return [each for each in findings(await gather(session, receipt)) if each.check in RECHECKED]


async def _faults(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    rows = await session.scalars(
        select(ProjectionFault)
        .where(ProjectionFault.job == receipt.uid, ProjectionFault.box_id == receipt.box_id)
        .order_by(ProjectionFault.run, ProjectionFault.seq)
    )
    return [Finding("steps_contradict", found=f"{row.code} {row.run}:{row.seq}") for row in rows]
