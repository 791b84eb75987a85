"""States of a goods receipt, and what has to hold for each step between them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.transition import Machine, Transition
from cloud.masters.models import OrderLine
from cloud.people.models import Role
from cloud.receiving.checks import Finding, changing_findings, counted, quantity
from cloud.receiving.held import is_held
from cloud.receiving.models import Receipt, ReceiptException
from cloud.receiving.verify import verify
from sync_protocol.receiving.settings import Severity

_STAFF = frozenset({Role.ADMIN, Role.SUPERVISOR})
_ANYONE = _STAFF | {Role.OPERATOR, SYSTEM}

ACCEPT, REFUSE = "accept", "refuse"

_QUESTIONED = ("open", "counting", "check", "posted", "cancelled")


def open_questions(receipt: Receipt) -> list[ReceiptException]:
    """What stands between the receipt and its posting: undecided, refused, or never to be accepted."""
    return [
        row
        for row in receipt.exceptions
        if row.severity == Severity.STOP or (row.severity == Severity.DECISION and row.decision != ACCEPT)
    ]


async def new_findings(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    """Findings that came up since the finish, because other records changed, and that nobody was asked about yet."""
    asked = {(row.check, row.line_number) for row in receipt.exceptions}
    return [each for each in await changing_findings(session, receipt) if (each.check, each.line) not in asked]


def exception_row(finding: Finding) -> ReceiptException:
    """The row for a finding."""
    return ReceiptException(
        line_number=finding.line,
        check=finding.check,
        severity=finding.severity,
        expected=finding.expected,
        found=finding.found,
    )


def _named(taken: Taken, receipt: Receipt) -> ReceiptException:
    wanted = taken.values.get("exception", "")
    found = next((row for row in receipt.exceptions if str(row.id) == wanted), None)
    if found is None:
        raise GuardFailed("no_such_exception", ref=receipt.ref)
    return found


async def _may_decide(_session: AsyncSession, receipt: Receipt, taken: Taken) -> None:
    row = _named(taken, receipt)
    if row.severity != Severity.DECISION:
        raise GuardFailed("not_to_be_decided", check=row.check)
    if taken.values.get("decision") not in {ACCEPT, REFUSE}:
        raise GuardFailed("no_such_decision")


async def _decide(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    row = _named(taken, receipt)
    before = row.decision
    row.decision, row.by, row.reason, row.decided_at = taken.values["decision"], taken.actor.name, taken.reason, taken.at
    await session.flush()
    # The place and not the row's id: records can be made again from the journal, and their rows then have other ids.
    return {"check": row.check, "line": row.line_number, "decision": [before, row.decision]}


async def _may_undecide(_session: AsyncSession, receipt: Receipt, taken: Taken) -> None:
    if _named(taken, receipt).decision is None:
        raise GuardFailed("not_decided")


async def _undecide(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    row = _named(taken, receipt)
    before = row.decision
    row.decision = row.by = row.reason = row.decided_at = None
    await session.flush()
    return {"check": row.check, "line": row.line_number, "decision": [before, None]}


async def _may_post(session: AsyncSession, receipt: Receipt, taken: Taken) -> None:
    await _lock_order_lines(session, receipt)
    if await is_held(session, receipt):
        raise GuardFailed("journal_held", ref=receipt.ref)
    waiting = open_questions(receipt)
    if waiting:
        raise GuardFailed("exceptions_open", checks=", ".join(sorted({row.check for row in waiting})))
    if taken.actor.role == Role.OPERATOR and any(row.severity != Severity.INFO for row in receipt.exceptions):
        raise GuardFailed("supervisor_needed")
    if await new_findings(session, receipt):
        raise GuardFailed("new_findings")
    # A person sees the times, too, and is not to post what their page says does not verify.
    report = await verify(session, receipt, times=taken.actor.via is None)
    if not report.ok:
        raise GuardFailed("not_verified", ref=receipt.ref)


async def _lock_order_lines(session: AsyncSession, receipt: Receipt) -> list[OrderLine]:
    """The order lines that the receipt adds to, locked in the order of their ids and read anew."""
    wanted = {line.order_line_id for line in counted(receipt) if line.order_line_id is not None}
    rows = await session.scalars(
        select(OrderLine)
        .where(OrderLine.id.in_(wanted))
        .order_by(OrderLine.id)
        .with_for_update(of=OrderLine)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def _post(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    changes: dict[str, Any] = {"needs_review": [receipt.needs_review, False]}
    for order_line in await _lock_order_lines(session, receipt):
        before = order_line.received
        for line in counted(receipt):
            amount = quantity(line)
            if line.order_line_id == order_line.id and amount is not None:
                order_line.received += amount.to(order_line.unit).value
        changes[f"received of order line {order_line.line}"] = [format(before, "f"), format(order_line.received, "f")]
    receipt.posted_at, receipt.posted_by, receipt.needs_review = taken.at, taken.actor.name, False
    return changes


async def _seen(_session: AsyncSession, receipt: Receipt, _taken: Taken) -> Mapping[str, Any]:
    before, receipt.needs_review = receipt.needs_review, False
    return {"needs_review": [before, False]}


async def _ask(_session: AsyncSession, receipt: Receipt, _taken: Taken) -> Mapping[str, Any]:
    before, receipt.needs_review = receipt.needs_review, True
    return {"needs_review": [before, True]}


async def _recheck(session: AsyncSession, receipt: Receipt, _taken: Taken) -> Mapping[str, Any]:
    found = await new_findings(session, receipt)
    receipt.exceptions.extend(exception_row(finding) for finding in found)
    await session.flush()
    return {"found": [finding.check for finding in found]}


RECEIPT: Machine[Receipt] = Machine(
    kind="receipt",
    initial="open",
    transitions=(
        Transition("count", frozenset({"open"}), "counting", _ANYONE),
        Transition("finish", frozenset({"open", "counting"}), "check", _ANYONE),
        Transition("decide", frozenset({"check"}), "check", _STAFF, guard=_may_decide, effect=_decide, needs_reason=True),
        Transition("undecide", frozenset({"check"}), "check", _STAFF, guard=_may_undecide, effect=_undecide),
        Transition("recheck", frozenset({"check"}), "check", _STAFF, effect=_recheck),
        Transition("post", frozenset({"check"}), "posted", _STAFF | {Role.OPERATOR}, guard=_may_post, effect=_post),
        Transition("abandon", frozenset({"open", "counting"}), "cancelled", _ANYONE, effect=_seen, needs_reason=True),
        Transition("abandon", frozenset({"check"}), "cancelled", _STAFF, effect=_seen, needs_reason=True),
        *(Transition("question", frozenset({state}), state, frozenset({SYSTEM}), effect=_ask) for state in _QUESTIONED),
        Transition("review", frozenset({"posted"}), "posted", _STAFF, effect=_seen, needs_reason=True),
        Transition("review", frozenset({"cancelled"}), "cancelled", _STAFF, effect=_seen, needs_reason=True),
    ),
)
"""`question` is asked when the journal below a receipt comes into doubt.
`review` takes a closed receipt, of which late entries came in, off the list of those that wait for a person."""
