"""What was found when receipts were verified last, kept where everything that moves goods can ask for it cheaply."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed
from cloud.kernel.events import REPLAYING
from cloud.stock.models import ReceiptVerdict

NOT_VERIFIED = "not_verified"

MAX_PROBLEMS = 100
"""Enough to see what happened; a receipt of which everything was changed has thousands."""


async def blocked(session: AsyncSession, receipt_uid: str) -> str | None:
    """Why the goods of this receipt must stay and no paper be made of it: `not_verified`, or None. One read by key."""
    row = await session.get(ReceiptVerdict, receipt_uid)
    return NOT_VERIFIED if row is not None and not row.ok else None


async def demand_sound(session: AsyncSession, receipt_uid: str, ref: str) -> None:
    """Raises GuardFailed `not_verified` where the receipt is blocked. What happened already is repeated all the same."""
    if session.info.get(REPLAYING):
        return
    why = await blocked(session, receipt_uid)
    if why is not None:
        raise GuardFailed(why, ref=ref)


async def note(session: AsyncSession, receipt_uid: str, problems: Sequence[str], at: datetime) -> bool:
    """Keep what a verification found at `at`; whether the receipt broke with it, that is held until now."""
    row = await session.get(ReceiptVerdict, receipt_uid, with_for_update=True)
    if row is None:
        row = ReceiptVerdict(receipt=receipt_uid, ok=True, problems=[], checked_at=at)
        session.add(row)
    broke = bool(problems) and row.ok
    row.ok, row.problems, row.checked_at = not problems, list(problems[:MAX_PROBLEMS]), at
    row.broken_since = (at if broke else row.broken_since) if problems else None
    await session.flush()
    return broke
