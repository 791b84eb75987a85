"""What supervisors decided at a box becomes decisions here, where their role is what the core says it is."""

from collections.abc import Iterable

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.transition import transition
from cloud.people.accounts import user_by_login
from cloud.people.models import Role
from cloud.receiving.fold import Approval
from cloud.receiving.machine import RECEIPT
from cloud.receiving.models import Receipt, ReceiptException
from cloud.receiving.rows import Arrived
from sync_protocol.receiving.settings import Severity

log = structlog.get_logger()


async def actor_at(session: AsyncSession, login: str, box: str) -> Actor:
    """A person at a box. Somebody unknown here was known to the box's mirror: an operator to the machine, an exception to the
    checks."""
    user = await user_by_login(session, login)
    role = user.role if user is not None and user.active and user.role != Role.VIEWER else Role.OPERATOR
    return Actor.user(login, role, via=box)


async def approve(session: AsyncSession, receipt: Receipt, approvals: Iterable[Approval], arrived: Arrived) -> Taken | None:
    """Take the decisions about checks that failed here too; the later one about the same check counts. Gives the taking of who
    decided last, None where nothing was decided. One that this core does not take stays open for its own staff."""
    last: Taken | None = None
    for approval in approvals:
        said = approval.approve
        row = _undecided(receipt, said.check, said.line)
        if row is None:
            continue
        values = {"exception": str(row.id), "decision": said.decision, "method": said.method}
        taken = Taken(await actor_at(session, approval.by, arrived.box), arrived.received_at, said.reason, None, values)
        try:
            async with session.begin_nested():
                await transition(session, RECEIPT, receipt, "decide", taken)
        except Refused as exc:
            log.info("approval_not_taken", ref=receipt.ref, check=said.check, by=approval.by, code=exc.code)
            await session.refresh(receipt)
            continue
        last = Taken(taken.actor, taken.at, taken.reason)
    return last


def _undecided(receipt: Receipt, check: str, line: int | None) -> ReceiptException | None:
    place = (check, line, Severity.DECISION.value)
    return next((row for row in receipt.exceptions if (row.check, row.line_number, str(row.severity)) == place), None)
