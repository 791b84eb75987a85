"""Verifies receipts again and remembers what came of it: whoever moves their goods asks cloud.stock.verdicts.

A receipt that breaks is marked for a person with `not_verified`, and the log says when it was seen and what was wrong.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.jobs.running import RunningJob
from cloud.jobs.schedules import Plan
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.receiving.decisions import receipt_by_ref
from cloud.receiving.evidence.ledger import orders_that_differ
from cloud.receiving.models import Receipt
from cloud.receiving.verify import VerifyReport, verify
from cloud.stock import verdicts

log = structlog.get_logger()

REVERIFY = "receipts.reverify"
BROKE, HELD = "verification_failed", "verification_held"

DAYS = 30
"""Receipts of how many days the nightly check looks at: what is older was looked at as many nights."""

MAX_NIGHTLY = 20_000
"""Receipts of one night; a verification of a short receipt takes some ten milliseconds, so that this ends before morning."""

PART = 20
"""Receipts of one transaction: on SQLite everybody else who writes waits for it."""

STATES = ("check", "posted", "done", "reversed")


async def reverify(sessions: Sessions, ref: str, taken: Taken) -> VerifyReport:
    """Verify one receipt with everything and remember the verdict. Raises NotFound."""
    async with sessions.write() as session:
        return await _reverify(session, await receipt_by_ref(session, ref), taken)


class Verdict(Protocol):
    """What somebody was shown of a receipt: whether it verifies."""

    @property
    def uid(self) -> str: ...

    @property
    def ref(self) -> str: ...

    @property
    def ok(self) -> bool: ...


async def keep_verdict(sessions: Sessions, report: Verdict, taken: Taken) -> None:
    """Where somebody was just shown something else than is remembered: verify once more, and remember."""
    async with sessions.read() as session:
        remembered = await verdicts.blocked(session, report.uid)
    if (remembered is None) is not report.ok:
        await reverify(sessions, report.ref, taken)


async def _reverify(session: AsyncSession, receipt: Receipt, taken: Taken) -> VerifyReport:
    report = await verify(session, receipt, times=True)
    problems = all_problems(report)
    before = await verdicts.blocked(session, receipt.uid)
    broke = await verdicts.note(session, receipt.uid, problems, taken.at)
    if broke:
        receipt.needs_review, receipt.review_reason = True, verdicts.NOT_VERIFIED
        receipt.version += 1
        shown = problems[: verdicts.MAX_PROBLEMS]
        await append_event(session, taken, action=BROKE, kind="receipt", ref=receipt.ref, changes={"problems": shown})
        log.warning("receipt_does_not_verify", receipt=receipt.ref, problems=len(problems))
    elif before is not None and not problems:
        await append_event(session, taken, action=HELD, kind="receipt", ref=receipt.ref)
    await session.flush()
    return report


def all_problems(report: VerifyReport) -> list[str]:
    """Those of the whole and those of fields, as `code:line.field`."""
    of_fields = [f"{code}:{_place(one.line, one.field)}" for one in report.fields for code in one.problems]
    return [*report.problems, *of_fields]


def _place(line: int | None, name: str) -> str:
    return name if line is None else f"{line}.{name}"


async def _part(session: AsyncSession, since: datetime, before: int | None, count: int) -> Sequence[Receipt]:
    query = select(Receipt).where(Receipt.opened_received_at >= since, Receipt.state.in_(STATES))
    if before is not None:
        query = query.where(Receipt.id < before)
    return (await session.scalars(query.order_by(Receipt.id.desc()).limit(count))).all()


async def nightly(job: RunningJob) -> Mapping[str, Any]:
    """Verify the receipts of the last days, newest first, a part to a step."""
    looked_at, broken = 0, 0
    while looked_at < MAX_NIGHTLY:
        async with job.sessions.write() as session, job.step(session) as step:
            since = job.clock() - timedelta(days=DAYS)
            receipts = await _part(session, since, job.place, PART)
            reports = [await _reverify(session, receipt, job.taken()) for receipt in receipts]
            step.advance, step.place = len(reports), receipts[-1].id if receipts else None
        looked_at, broken = looked_at + len(reports), broken + sum(not report.ok for report in reports)
        if len(receipts) < PART:
            break
    async with job.sessions.read() as session:
        orders = await orders_that_differ(session)
    if orders:
        log.warning("orders_differ", lines=orders[:20], count=len(orders))
    return {"looked_at": looked_at, "broken": broken, "orders": orders[:20]}


def plans(zone: str) -> tuple[Plan, ...]:
    """When the check comes, in the house's zone: after midnight, before anybody works."""
    return (Plan("receipts-reverify", REVERIFY, "17 2 * * *", zone),)
