"""What staff do to a receipt: decide an exception, post, abandon, mark as reviewed. Each is one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import GuardFailed, NotFound
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.kernel.models import fresh_uid
from cloud.kernel.transition import transition
from cloud.receiving.deciding import accept_code, learned_of, refuse_code
from cloud.receiving.machine import RECEIPT
from cloud.receiving.models import Receipt
from sync_protocol.quantity import plain


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


@dataclass(frozen=True, slots=True)
class Judgement:
    """Release or reject so much of a line, in the product's unit (None: all that waits), from `bucket` where not the usual one;
    of a line with serial numbers perhaps these."""

    action: Literal["release", "reject"]
    line: int
    quantity: Decimal | None = None
    bucket: str | None = None
    serials: Sequence[str] = ()


async def judge(sessions: Sessions, judgement: Judgement, *, ref: str, taken: Taken, version: int | None) -> None:
    """Take a judgement; rejecting takes a reason. GuardFailed where so much is not in the bucket, or does not lie there."""
    given = {"line": str(judgement.line), "serials": ",".join(judgement.serials), "key": fresh_uid()}
    given |= {} if judgement.quantity is None else {"quantity": plain(judgement.quantity)}
    given |= {} if judgement.bucket is None else {"bucket": judgement.bucket}
    await act(sessions, ref=ref, action=judgement.action, taken=replace(taken, values=given), version=version)


async def complete(sessions: Sessions, *, ref: str, taken: Taken, version: int | None) -> None:
    """The receipt is done; it also becomes so by itself. GuardFailed `goods_waiting` while any of its goods wait."""
    await act(sessions, ref=ref, action="complete", taken=taken, version=version)


async def reverse(sessions: Sessions, *, ref: str, taken: Taken, version: int | None) -> None:
    """Take the posting back by opposite moves, with a reason. Refused where goods are not any more where it put them."""
    await act(sessions, ref=ref, action="reverse", taken=taken, version=version)


async def decide_code(sessions: Sessions, *, ref: str, code: str, accept: bool, taken: Taken) -> None:
    """Say of a learned code, by its text, whether it is one of its product, also after the receipt is posted. Raises Refused
    `no_such_code`, GuardFailed `code_taken`."""
    async with sessions.write() as session:
        receipt = await receipt_by_ref(session, ref)
        changes = {"code": code, "standing": [None, "accepted" if accept else "refused"]}
        await settle_code(session, receipt, changes, taken)
        await append_event(session, taken, action="decide_code", kind=RECEIPT.kind, ref=ref, changes=changes)


async def settle_code(session: AsyncSession, receipt: Receipt, changes: Mapping[str, Any], taken: Taken) -> None:
    """What an event of `decide_code` says, in the caller's transaction."""
    learned = learned_of(receipt, str(changes["code"]))
    if changes["standing"][1] == "accepted":
        await accept_code(session, receipt, learned, taken)
    else:
        refuse_code(learned, taken)


async def mark_reviewed(sessions: Sessions, *, ref: str, taken: Taken, version: int | None) -> None:
    """A closed receipt that asked for a look was looked at."""
    await act(sessions, ref=ref, action="review", taken=taken, version=version)
