"""By the clock: lines of boxes that waited for something that has come since are tried again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import NotFound, Refused
from cloud.jobs.running import RunningJob
from cloud.jobs.schedules import Plan
from cloud.kernel.actor import Taken
from cloud.kernel.transition import transition
from cloud.transfers.machine import TRANSFER_LINE, by_program
from cloud.transfers.models import TransferLine

log = structlog.get_logger()

RETRY = "transfers.retry"

PASSING = frozenset(
    {
        *("receipt_not_posted", "not_released", "not_enough", "unit_empty", "stock_busy", "not_verified"),
        *("product_unknown", "lot_unknown", "unit_unknown_here", "owner_unknown", "place_unknown"),
    }
)
"""What can come to an end without anybody touching the line: a receipt is posted, another box's journal comes in, a code is
learned."""

WAITED_ENOUGH = timedelta(days=14)
"""As long as steps wait for earlier ones; after that only a person tries."""

AT_ONCE = 200
"""Lines of one round, the oldest first: the next round is minutes away."""


def plans(zone: str) -> tuple[Plan, ...]:
    """Every five minutes: the operator has put the goods down long ago."""
    return (Plan("transfers-retry", RETRY, "*/5 * * * *", zone),)


async def retry_waiting(sessions: Sessions, taken: Taken, receipt: str | None = None) -> int:
    """Try lines again that wait for what may have come (of one receipt, by its uid, or all); how many were posted. What still
    stands against a line changes nothing."""
    async with sessions.read() as session:
        lines = await _waiting(session, taken, receipt)
    done = 0
    for number in lines:
        done += await _retry(sessions, number, taken)
    return done


async def _waiting(session: AsyncSession, taken: Taken, receipt: str | None) -> list[int]:
    asked = select(TransferLine.id).where(
        TransferLine.state == "needs_review",
        TransferLine.review_code.in_(PASSING),
        TransferLine.created_at > taken.at - WAITED_ENOUGH,
    )
    if receipt is not None:
        asked = asked.where(TransferLine.receipt == receipt)
    return list((await session.scalars(asked.order_by(TransferLine.id).limit(AT_ONCE))).all())


async def _retry(sessions: Sessions, number: int, taken: Taken) -> int:
    try:
        async with sessions.write() as session:
            line = await session.get_one(TransferLine, number)
            if line.state == "needs_review":
                await transition(session, TRANSFER_LINE, line, "retry", by_program(taken))
    except (Refused, NotFound):
        return 0
    return 1


async def retry(job: RunningJob) -> Mapping[str, Any]:
    """The handler of RETRY."""
    posted = await retry_waiting(job.sessions, job.taken())
    async with job.sessions.write() as session, job.step(session) as step:
        step.advance = step.total = 1
    if posted:
        log.info("waiting_lines_posted", lines=posted)
    return {"posted": posted}
