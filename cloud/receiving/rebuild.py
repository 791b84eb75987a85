"""Makes all receipts again from the journal and from what staff decided, in the order in which both happened.

Run it while no other process takes entries. Numbers stay, events are not written twice. What staff did to orders stays as it
is: a receipt of an order that was closed later gets the exception that it would get today.
"""

from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import Refused
from cloud.ingest.branches import OVERLAP
from cloud.ingest.models import Branch, ParkedStep
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import REPLAYING, append_event
from cloud.kernel.models import Event
from cloud.kernel.transition import transition
from cloud.masters.models import OrderLine
from cloud.people.models import Role
from cloud.receiving.decisions import receipt_by_ref
from cloud.receiving.machine import RECEIPT
from cloud.receiving.models import (
    Evidence,
    ProjectionCursor,
    ProjectionFault,
    Receipt,
    ReceiptException,
    ReceiptLine,
    ReceiptStep,
)
from cloud.receiving.projection import project_all

log = structlog.get_logger()

MADE_AGAIN = (
    Evidence,
    ReceiptException,
    ReceiptStep,
    ReceiptLine,
    Receipt,
    ProjectionFault,
    ParkedStep,
    ProjectionCursor,
)
"""In an order that foreign keys allow."""

STAFF_ACTIONS = frozenset({"decide", "undecide", "recheck", "post", "abandon", "review"})


async def rebuild(sessions: Sessions, taken: Taken) -> int:
    """Throw away what was projected and make it again; how many entries were passed. `taken`: who asked for it and when."""
    quiet = sessions.marked(**{REPLAYING: True})
    async with quiet.write() as session:
        actions = await _staff_actions(session)
        for table in MADE_AGAIN:
            await session.execute(delete(table))
        await session.execute(update(OrderLine).values(received=0))
        await session.execute(update(Branch).where(Branch.read_as == OVERLAP).values(looked_at=False))
    passed = 0
    for action in actions:
        passed += await project_all(quiet, until=action.at)
        await _repeat(quiet, action)
    passed += await project_all(quiet)
    async with sessions.write() as session:
        await append_event(session, taken, action="rebuild", kind="projection", ref="receiving", changes={"entries": passed})
    return passed


async def _staff_actions(session: AsyncSession) -> Sequence[Event]:
    rows = await session.scalars(
        select(Event)
        .where(
            Event.kind == RECEIPT.kind,
            Event.actor_kind == "user",
            Event.via.is_(None),
            Event.action.in_(STAFF_ACTIONS),
        )
        .order_by(Event.id)
    )
    return rows.all()


async def _repeat(sessions: Sessions, event: Event) -> None:
    # The role was checked when it happened, and may be another one by now.
    actor = Actor.user(event.actor, Role.SUPERVISOR)
    try:
        async with sessions.write() as session:
            receipt = await receipt_by_ref(session, event.ref)
            values = _values(receipt, event)
            await transition(session, RECEIPT, receipt, event.action, Taken(actor, event.at, event.reason, None, values))
    except Refused as exc:
        log.warning("action_not_repeated", ref=event.ref, action=event.action, code=exc.code)


def _values(receipt: Receipt, event: Event) -> Mapping[str, str]:
    if event.action not in {"decide", "undecide"}:
        return {}
    changes = event.changes
    place = (changes.get("check"), changes.get("line"))
    row = next((row for row in receipt.exceptions if (row.check, row.line_number) == place), None)
    return {"exception": str(row.id) if row else "", "decision": str(changes["decision"][1] or "")}
