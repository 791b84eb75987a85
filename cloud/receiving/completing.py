"""Receipts of which nothing waits any more are done, by themselves: put-aways and returns know nothing of receipts' states."""

from datetime import datetime

import structlog
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import Refused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.transition import transition
from cloud.receiving.judging import NOTHING, OPEN
from cloud.receiving.machine import RECEIPT
from cloud.receiving.models import Receipt
from cloud.stock.models import LineBucket

log = structlog.get_logger()

PART = "receiving"
"""Name of the actor of the events."""

AT_ONCE = 50
"""Receipts of one look: more are found by the next one."""


async def ready_to_complete(session: AsyncSession) -> list[int]:
    """Ids of posted receipts with goods of which nothing waits."""
    of_receipt = exists().where(LineBucket.receipt == Receipt.uid)
    waiting = of_receipt.where(LineBucket.bucket.in_(OPEN), LineBucket.quantity > NOTHING)
    query = select(Receipt.id).where(Receipt.state == "posted", of_receipt, ~waiting)
    return list(await session.scalars(query.order_by(Receipt.id).limit(AT_ONCE)))


async def complete_ready(sessions: Sessions, now: datetime) -> int:
    """Complete them, each in a transaction of its own; how many were."""
    async with sessions.read() as session:
        ready = await ready_to_complete(session)
    return sum([await _complete(sessions, receipt_id, now) for receipt_id in ready])


async def _complete(sessions: Sessions, receipt_id: int, now: datetime) -> bool:
    try:
        async with sessions.write() as session:
            receipt = await session.get(Receipt, receipt_id)
            if receipt is None:
                return False
            await transition(session, RECEIPT, receipt, "complete", Taken(Actor.system(PART), now))
    except Refused as exc:
        log.warning("receipt_not_completed", receipt=receipt_id, code=exc.code)
        return False
    return True
