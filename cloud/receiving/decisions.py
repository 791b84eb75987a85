"""What staff do to a receipt: decide an exception, post, abandon, mark as reviewed. Each is one transaction."""

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import GuardFailed, NotFound
from cloud.kernel.actor import Taken
from cloud.kernel.transition import transition
from cloud.receiving.machine import RECEIPT
from cloud.receiving.models import Receipt


async def receipt_by_ref(session: AsyncSession, ref: str) -> Receipt:
    """The receipt of this number with its lines, evidence and exceptions. Raises NotFound."""
    found = await session.scalar(select(Receipt).where(Receipt.ref == ref))
    if found is None:
        raise NotFound("receipt", ref)
    return found


async def act(sessions: Sessions, *, ref: str, action: str, taken: Taken, version: int | None) -> None:
    """Take one action of the receipt's machine. Raises what `transition` raises, and NotFound."""
    async with sessions.write() as session:
        await transition(session, RECEIPT, await receipt_by_ref(session, ref), action, taken, version=version)


async def decide_exception(
    sessions: Sessions, *, ref: str, exception: int, decision: str, taken: Taken, version: int | None
) -> None:
    """Decide one exception: `accept` or `refuse`, with `taken.reason`. May be decided anew until the receipt is posted."""
    about = replace(taken, values={"exception": str(exception), "decision": decision})
    await act(sessions, ref=ref, action="decide", taken=about, version=version)


async def undecide_exception(sessions: Sessions, *, ref: str, exception: int, taken: Taken, version: int | None) -> None:
    """Take a decision back, as if nobody had decided; the log keeps both."""
    about = replace(taken, values={"exception": str(exception)})
    await act(sessions, ref=ref, action="undecide", taken=about, version=version)


async def post(sessions: Sessions, *, ref: str, taken: Taken, version: int | None) -> None:
    """Post the receipt. GuardFailed `new_findings`: other records changed meanwhile; what came up waits to be decided now."""
    try:
        await act(sessions, ref=ref, action="post", taken=taken, version=version)
    except GuardFailed as exc:
        if exc.code == "new_findings":
            await act(sessions, ref=ref, action="recheck", taken=taken, version=version)
        raise


async def abandon(sessions: Sessions, *, ref: str, taken: Taken, version: int | None) -> None:
    """Give the receipt up: nothing of it counts."""
    await act(sessions, ref=ref, action="abandon", taken=taken, version=version)


async def mark_reviewed(sessions: Sessions, *, ref: str, taken: Taken, version: int | None) -> None:
    """A closed receipt that asked for a look was looked at."""
    await act(sessions, ref=ref, action="review", taken=taken, version=version)
