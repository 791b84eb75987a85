"""States of a goods receipt, and what has to hold for each step between them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.events import REPLAYING
from cloud.kernel.transition import Machine, Transition
from cloud.people.models import Role
from cloud.receiving import deciding, judging, posting
from cloud.receiving.checks import changing_findings
from cloud.receiving.evidence.deciding import MOVES, found_list
from cloud.receiving.evidence.ledger import posted_digest
from cloud.receiving.evidence.policy import policy_problems
from cloud.receiving.held import is_held
from cloud.receiving.models import Receipt, ReceiptException
from cloud.receiving.verify import verify
from cloud.stock.verdicts import demand_sound
from sync_protocol.receiving.finding import Finding
from sync_protocol.receiving.settings import Severity

_STAFF = frozenset({Role.ADMIN, Role.SUPERVISOR})
_JUDGES = _STAFF | {Role.QUALITY}
_ANYONE = _STAFF | {Role.OPERATOR, SYSTEM}

MOVED_BEFORE = "line_moved_unposted:"

_QUESTIONED = ("open", "counting", "check", "posted", "done", "cancelled", "reversed")
_CLOSED = ("posted", "done", "cancelled", "reversed")


def open_questions(receipt: Receipt) -> list[ReceiptException]:
    """What stands between the receipt and its posting: undecided, refused, or never to be accepted."""
    return [
        row
        for row in receipt.exceptions
        if row.severity == Severity.STOP or (row.severity == Severity.DECISION and row.decision != deciding.ACCEPT)
    ]


async def new_findings(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    """Findings that came up since the finish, because other records changed, and that nobody was asked about yet: also one that
    says something else now than what was decided, such as a larger excess, or the same over a smaller order."""
    asked = {(row.check, row.line_number): (row.expected, row.found) for row in receipt.exceptions}
    found = await changing_findings(session, receipt)
    return [each for each in found if _unasked(each, asked)]


def _unasked(finding: Finding, asked: Mapping[tuple[str, int | None], tuple[str | None, str | None]]) -> bool:
    place = (finding.check, finding.line)
    said = (finding.expected, finding.found)
    return place not in asked or (finding.severity is not Severity.INFO and asked[place] != said)


def exception_row(finding: Finding) -> ReceiptException:
    """The row for a finding."""
    return ReceiptException(
        line_number=finding.line,
        check=finding.check,
        severity=finding.severity,
        expected=finding.expected,
        found=finding.found,
    )


async def holds(session: AsyncSession, receipt: Receipt, *, times: bool = False) -> bool:
    """Whether the receipt verifies. One that is made again finds the moves of its posting there before it is posted."""
    report = await verify(session, receipt, times=times)
    if report.ok or not session.info.get(REPLAYING):
        return report.ok
    return all(each.startswith(MOVED_BEFORE) for each in report.problems) and all(field.ok for field in report.fields)


async def _finish(_session: AsyncSession, receipt: Receipt, _taken: Taken) -> Mapping[str, Any]:
    return {"found": found_list(receipt.exceptions)}


async def _may_post(session: AsyncSession, receipt: Receipt, taken: Taken) -> None:
    await posting.lock_order_lines(session, receipt)
    if await is_held(session, receipt):
        raise GuardFailed("journal_held", ref=receipt.ref)
    waiting = open_questions(receipt)
    if waiting:
        raise GuardFailed("exceptions_open", checks=", ".join(sorted({row.check for row in waiting})))
    if taken.actor.role == Role.OPERATOR and any(row.severity != Severity.INFO for row in receipt.exceptions):
        raise GuardFailed("supervisor_needed")
    if await new_findings(session, receipt):
        raise GuardFailed("new_findings")
    unmet = policy_problems(receipt)
    if unmet:
        raise GuardFailed("policy_unmet", fields=", ".join(each.partition(":")[2] for each in unmet))
    # A person sees the times, too, and is not to post what their page says does not verify.
    if not await holds(session, receipt, times=taken.actor.via is None):
        raise GuardFailed("not_verified", ref=receipt.ref)


async def _post(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    changes: dict[str, Any] = {"needs_review": [receipt.needs_review, False]}
    changes |= await posting.post_receipt(session, receipt, taken)
    changes[MOVES] = [None, await posted_digest(session, receipt)]
    receipt.posted_at, receipt.posted_by = taken.at, taken.actor.name
    receipt.needs_review, receipt.review_reason = False, None
    return changes


async def _release(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    return await judging.judge(session, receipt, taken, "release")


async def _reject(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    return await judging.judge(session, receipt, taken, "reject")


async def _may_reverse(session: AsyncSession, receipt: Receipt, _taken: Taken) -> None:
    await demand_sound(session, receipt.uid, receipt.ref)


async def _reverse(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    changes = await posting.reverse_receipt(session, receipt, taken)
    receipt.reversed_at, receipt.reversed_by = taken.at, taken.actor.name
    return changes


async def _seen(_session: AsyncSession, receipt: Receipt, _taken: Taken) -> Mapping[str, Any]:
    before, receipt.needs_review, receipt.review_reason = receipt.needs_review, False, None
    return {"needs_review": [before, False]}


async def _ask(_session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    before, receipt.needs_review = receipt.needs_review, True
    receipt.review_reason = receipt.review_reason or taken.values.get("why") or "journal_held"
    return {"needs_review": [before, True]}


async def _recheck(session: AsyncSession, receipt: Receipt, _taken: Taken) -> Mapping[str, Any]:
    found = [_ask_about(receipt, each) for each in await new_findings(session, receipt)]
    await session.flush()
    return {"found": found_list(found)}


def _ask_about(receipt: Receipt, finding: Finding) -> ReceiptException:
    """The finding's row, undecided: what was decided of it before was about something else."""
    place = (finding.check, finding.line)
    row = next((each for each in receipt.exceptions if (each.check, each.line_number) == place), None)
    if row is None:
        row = exception_row(finding)
        receipt.exceptions.append(row)
        return row
    row.severity, row.expected, row.found = finding.severity, finding.expected, finding.found
    row.decision = row.by = row.reason = row.decided_at = row.role = row.via = row.method = None
    return row


RECEIPT: Machine[Receipt] = Machine(
    kind="receipt",
    initial="open",
    transitions=(
        Transition("count", frozenset({"open"}), "counting", _ANYONE),
        Transition("finish", frozenset({"open", "counting"}), "check", _ANYONE, effect=_finish),
        Transition(
            "decide",
            frozenset({"check"}),
            "check",
            _JUDGES,
            guard=deciding.may_decide,
            effect=deciding.decide,
            needs_reason=True,
            takes=frozenset({"exception", "decision"}),
        ),
        Transition(
            "undecide",
            frozenset({"check"}),
            "check",
            _STAFF,
            guard=deciding.may_undecide,
            effect=deciding.undecide,
            takes=frozenset({"exception"}),
        ),
        Transition("recheck", frozenset({"check"}), "check", _STAFF, effect=_recheck),
        Transition("post", frozenset({"check"}), "posted", _STAFF | {Role.OPERATOR}, guard=_may_post, effect=_post),
        Transition("release", frozenset({"posted"}), "posted", _JUDGES, effect=_release, takes=judging.VALUES),
        Transition("reject", frozenset({"posted"}), "posted", _JUDGES, effect=_reject, needs_reason=True, takes=judging.VALUES),
        Transition(
            "complete",
            frozenset({"posted"}),
            "done",
            _STAFF | {SYSTEM},
            guard=judging.may_complete,
            effect=judging.complete,
        ),
        Transition("abandon", frozenset({"open", "counting"}), "cancelled", _ANYONE, effect=_seen, needs_reason=True),
        Transition("abandon", frozenset({"check"}), "cancelled", _STAFF, effect=_seen, needs_reason=True),
        Transition(
            "reverse",
            frozenset({"posted", "done"}),
            "reversed",
            _STAFF,
            guard=_may_reverse,
            effect=_reverse,
            needs_reason=True,
        ),
        *(Transition("question", frozenset({state}), state, frozenset({SYSTEM}), effect=_ask) for state in _QUESTIONED),
        *(Transition("review", frozenset({state}), state, _STAFF, effect=_seen, needs_reason=True) for state in _CLOSED),
    ),
)
"""`question` is asked when the journal below a receipt comes into doubt.
`review` takes a closed receipt, of which late entries came in, off the list of those that wait for a person."""
