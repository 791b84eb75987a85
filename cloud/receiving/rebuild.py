"""Makes all receipts again from the journal and from what staff decided, in the order in which both happened.

Run it while no other process takes entries. Numbers stay, events are not written twice. What staff did to orders stays as it
is: a receipt of an order that was closed later gets the exception that it would get today.
"""

from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.received import JobTakers, Takers
from cloud.db.engine import Sessions
from cloud.errors import Refused
from cloud.ingest.branches import OVERLAP
from cloud.ingest.models import Branch, JournalEntry, ParkedStep
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import REPLAYING, append_event
from cloud.kernel.models import Event
from cloud.kernel.transition import transition
from cloud.masters.models import OrderLine
from cloud.people.models import Role
from cloud.receiving.completing import complete_ready
from cloud.receiving.decisions import receipt_by_ref, settle_code
from cloud.receiving.judging import CLOSED_AT_BOX
from cloud.receiving.machine import RECEIPT
from cloud.receiving.models import (
    Evidence,
    LearnedCode,
    ProjectionCursor,
    ProjectionFault,
    Receipt,
    ReceiptException,
    ReceiptLine,
    ReceiptPhoto,
    ReceiptRemainder,
    ReceiptSerial,
    ReceiptStep,
)
from cloud.receiving.projection import NO_JOBS, NO_TAKERS, project_all
from cloud.stock.models import Move
from cloud.trade.notices import complete_again, forget_received
from sync_protocol.entries import StepEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.steps import RECEIVE

log = structlog.get_logger()

MADE_AGAIN = (
    Evidence,
    ReceiptException,
    ReceiptStep,
    ReceiptSerial,
    ReceiptPhoto,
    LearnedCode,
    ReceiptRemainder,
    ReceiptLine,
    Receipt,
    ProjectionCursor,
)
"""In an order that foreign keys allow. Moves, lots, buckets and other jobs' records stay: posting again finds its old moves."""

CODE = "decide_code"

STAFF_ACTIONS = frozenset(
    {"decide", "undecide", "recheck", "post", "abandon", "review", "release", "reject", "complete", "reverse", CODE}
)

LEDGER_DIFFERS = "ledger_differs"
"""Reason of a receipt that stock was posted for, and which made anew is not what was posted."""


async def rebuild(sessions: Sessions, taken: Taken, *, takers: Takers = NO_TAKERS, job_takers: JobTakers = NO_JOBS) -> int:
    """Throw away what was projected and make it again; how many entries were passed. `taken`: who asked for it and when.

    `takers` and `job_takers` get what was never taken before, as of `project_all`, after all else is made again.
    """
    quiet = sessions.marked(**{REPLAYING: True})
    async with quiet.write() as session:
        reached = {row.run: row.next_seq for row in await session.scalars(select(ProjectionCursor))}
        actions = await _staff_actions(session)
        closed = await _closed_by_receipts(session)
        for table in MADE_AGAIN:
            await session.execute(delete(table))
        await _forget_faults(session)
        notices = await forget_received(session, taken)
        await session.execute(update(OrderLine).where(OrderLine.id.in_(closed)).values(closed=False, closed_reason=None))
        await session.execute(update(OrderLine).values(received=0))
        await session.execute(update(Branch).where(Branch.read_as == OVERLAP).values(looked_at=False))
    passed = 0
    for action in actions:
        passed += await project_all(quiet, until=action.at, again=reached)
        await _repeat(quiet, action)
    passed += await project_all(quiet, again=reached)
    passed += await project_all(sessions, takers=takers, job_takers=job_takers)
    await _compare(quiet, taken)
    while await complete_ready(quiet, taken.at):
        pass
    async with quiet.write() as session:
        await complete_again(session, notices, taken)
    async with sessions.write() as session:
        await append_event(session, taken, action="rebuild", kind="projection", ref="receiving", changes={"entries": passed})
    return passed


async def _forget_faults(session: AsyncSession) -> None:
    """Faults and waiting steps of receipts; those of other jobs and of other entries are not made again, and stay."""
    for table in (ProjectionFault, ParkedStep):
        rows = await session.execute(
            select(table.run, table.seq, JournalEntry.content)
            .join(JournalEntry, and_(JournalEntry.run == table.run, JournalEntry.seq == table.seq))
            .where(JournalEntry.kind.in_(("step", "unreadable")))
        )
        for run, seq, content in rows.all():
            if _of_receipt(content):
                await session.execute(delete(table).where(table.run == run, table.seq == seq))


def _of_receipt(content: bytes) -> bool:
    try:
        entry = parse(content)
    except TextFault:
        return True
    return not isinstance(entry, StepEntry) or entry.job_kind == RECEIVE


async def _closed_by_receipts(session: AsyncSession) -> list[int]:
    """Ids of order lines that were given up when a receipt was done, as its operator said: it will say so again."""
    rows = await session.scalars(
        select(OrderLine.id)
        .join(Receipt, Receipt.order_id == OrderLine.order_id)
        .join(ReceiptRemainder, and_(ReceiptRemainder.receipt_id == Receipt.id, ReceiptRemainder.order_line == OrderLine.line))
        .where(
            Receipt.done_at.is_not(None),
            ReceiptRemainder.policy == "close_short",
            OrderLine.closed.is_(True),
            OrderLine.closed_reason == func.coalesce(func.nullif(ReceiptRemainder.reason, ""), CLOSED_AT_BOX),
        )
    )
    return list(rows)


async def _compare(sessions: Sessions, taken: Taken) -> None:
    """Ask for a look at receipts that brought goods into stock and are not posted any more."""
    async with sessions.write() as session:
        posted = select(Move.document).where(Move.document_kind == RECEIPT.kind, Move.reverses_id.is_(None))
        rows = await session.scalars(
            select(Receipt)
            .where(Receipt.uid.in_(posted), Receipt.state.not_in(("posted", "done", "reversed")))
            .order_by(Receipt.id)
        )
        for receipt in list(rows):
            log.warning("ledger_differs", ref=receipt.ref, state=receipt.state)
            receipt.review_reason = LEDGER_DIFFERS
            itself = Taken(Actor.system("rebuild"), taken.at, values={"why": LEDGER_DIFFERS})
            await transition(session, RECEIPT, receipt, "question", itself)


async def _staff_actions(session: AsyncSession) -> Sequence[Event]:
    rows = await session.scalars(
        select(Event)
        .where(
            Event.kind == RECEIPT.kind,
            Event.via.is_(None),
            Event.action.in_(STAFF_ACTIONS),
            # By itself it is done when its goods are: later receipts found its order's lines closed.
            or_(Event.actor_kind == "user", and_(Event.actor_kind == "system", Event.action == "complete")),
        )
        .order_by(Event.id)
    )
    return rows.all()


async def _repeat(sessions: Sessions, event: Event) -> None:
    # The role was checked when it happened, and may be another one by now.
    role = str(event.changes.get("role") or Role.SUPERVISOR)
    actor = Actor.system(event.actor) if event.actor_kind == "system" else Actor.user(event.actor, role)
    try:
        async with sessions.write() as session:
            receipt = await receipt_by_ref(session, event.ref)
            if event.action == CODE:
                await settle_code(session, receipt, event.changes, Taken(actor, event.at))
                return
            values = _values(receipt, event)
            await transition(session, RECEIPT, receipt, event.action, Taken(actor, event.at, event.reason, None, values))
    except Refused as exc:
        log.warning("action_not_repeated", ref=event.ref, action=event.action, code=exc.code)


def _values(receipt: Receipt, event: Event) -> Mapping[str, str]:
    changes = event.changes
    if event.action in {"release", "reject"}:
        return {name: str(changes[name]) for name in ("line", "quantity", "key")} | {"bucket": str(changes["bucket"][0])}
    if event.action not in {"decide", "undecide"}:
        return {}
    place = (changes.get("check"), changes.get("line"))
    row = next((row for row in receipt.exceptions if (row.check, row.line_number) == place), None)
    return {"exception": str(row.id) if row else "", "decision": str(changes["decision"][1] or "")}
