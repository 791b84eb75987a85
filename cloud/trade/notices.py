"""States of a shipping notice, and what receipts tell it: that goods arrived, are counted, and how much was posted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.transition import Machine, Transition, transition
from cloud.masters.units import convert, units_of
from cloud.people.models import Role
from cloud.trade.models import Notice, NoticeLine

_STAFF = frozenset({Role.ADMIN, Role.SUPERVISOR, SYSTEM})
_ANYONE = _STAFF | {Role.OPERATOR}

OPEN = frozenset({"announced", "arrived", "receiving"})
"""States in which goods may be received against a notice."""

MICRO_PLACES = 6


async def _has_lines(_session: AsyncSession, notice: Notice, _taken: Taken) -> None:
    if not any(not line.archived for line in notice.lines):
        raise GuardFailed("notice_without_lines", ref=notice.ref)


async def _arrives(_session: AsyncSession, notice: Notice, taken: Taken) -> Mapping[str, Any]:
    if notice.arrived_at is not None:
        return {}
    notice.arrived_at = taken.at
    return {"arrived_at": [None, taken.at.isoformat()]}


NOTICE: Machine[Notice] = Machine(
    kind="notice",
    initial="draft",
    transitions=(
        Transition("announce", frozenset({"draft"}), "announced", _STAFF, guard=_has_lines),
        Transition("arrive", frozenset({"announced"}), "arrived", _ANYONE, effect=_arrives),
        Transition("receive", frozenset({"announced", "arrived"}), "receiving", _ANYONE, effect=_arrives),
        Transition("complete", frozenset({"receiving"}), "received", _STAFF),
        Transition("reopen", frozenset({"received"}), "receiving", frozenset({SYSTEM})),
        Transition("close", frozenset({"received"}), "closed", _STAFF),
        Transition("close", frozenset({"arrived", "receiving"}), "closed", _STAFF, needs_reason=True),
        Transition("cancel", frozenset({"draft", "announced"}), "cancelled", _STAFF, needs_reason=True),
    ),
)
"""A notice is complete by itself once all of it was posted; one that stays short is closed by a person with a reason."""


@dataclass(frozen=True, slots=True)
class Came:
    """So much was posted of a notice's line; less than nothing where a posting was taken back. `line` is its number."""

    line: str
    quantity: Decimal
    unit: str


async def notice_by_ref(session: AsyncSession, ref: str | None) -> Notice | None:
    """The notice of this number."""
    return None if ref is None else await session.scalar(select(Notice).where(Notice.ref == ref))


async def note_arrived(session: AsyncSession, notice_uid: str, taken: Taken) -> None:
    """Its goods are at the door. Nothing happens where they were already, or where nobody knows the notice."""
    notice = await _locked(session, notice_uid)
    if notice is not None and notice.state == "announced":
        await transition(session, NOTICE, notice, "arrive", _itself(taken))


async def note_receiving(session: AsyncSession, notice_uid: str, taken: Taken) -> None:
    """Its goods are being counted. Nothing happens where that was known, or where nobody knows the notice."""
    notice = await _locked(session, notice_uid)
    if notice is not None and notice.state in {"announced", "arrived"}:
        await transition(session, NOTICE, notice, "receive", _itself(taken))


async def note_received(session: AsyncSession, notice_uid: str, lines: Iterable[Came], taken: Taken) -> None:
    """Add what was posted, in the transaction of the posting. A line that the notice does not have is passed over: the checks
    of the receipt said so. Amounts of another unit are converted, rounded half to even to a millionth where they have no end.

    Raises Refused where a unit is no amount of the line's.
    """
    notice = await _locked(session, notice_uid)
    if notice is None:
        return
    if notice.state in {"announced", "arrived"}:
        await transition(session, NOTICE, notice, "receive", _itself(taken))
    units = await units_of(session)
    known = {line.line: line for line in notice.lines}
    for came in lines:
        line = known.get(came.line)
        if line is not None:
            amount = convert(came.quantity, came.unit, line.unit, units, decimals=MICRO_PLACES)
            line.received = max(Decimal(0), line.received + amount)
    await session.flush()
    whole = all(line.received >= line.quantity for line in notice.lines if not line.archived)
    if whole and notice.state == "receiving":
        await transition(session, NOTICE, notice, "complete", _itself(taken))
    elif not whole and notice.state == "received":
        await transition(session, NOTICE, notice, "reopen", _itself(taken))


async def forget_received(session: AsyncSession, taken: Taken) -> list[str]:
    """All amounts back to nothing: for making receipts again, which tells them anew. Notices that were complete await goods
    again (gives their uids, for `complete_again`): that very receipts completed them stands against none. Other states stay."""
    await session.execute(update(NoticeLine).values(received=Decimal(0)))
    complete = list(await session.scalars(select(Notice).where(Notice.state == "received").order_by(Notice.id)))
    for notice in complete:
        await transition(session, NOTICE, notice, "reopen", _itself(taken))
    return [notice.uid for notice in complete]


async def complete_again(session: AsyncSession, uids: Iterable[str], taken: Taken) -> None:
    """Those of the notices that receipts did not complete are complete again as somebody said."""
    for uid in uids:
        notice = await _locked(session, uid)
        if notice is not None and notice.state == "receiving":
            await transition(session, NOTICE, notice, "complete", _itself(taken))


async def _locked(session: AsyncSession, uid: str) -> Notice | None:
    return await session.scalar(
        select(Notice).where(Notice.uid == uid).with_for_update(of=Notice).execution_options(populate_existing=True)
    )


def _itself(taken: Taken) -> Taken:
    """Whoever may post a receipt thereby moves its notice on, whatever their grants about notices are."""
    return replace(taken, actor=replace(taken.actor, role=SYSTEM), access=None)
