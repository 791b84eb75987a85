"""The ledger's work by the clock: every night all sums are worked out anew."""

from collections.abc import Mapping
from typing import Any

import structlog

from cloud.jobs.running import RunningJob
from cloud.jobs.schedules import Plan
from cloud.stock.checking import check, note

log = structlog.get_logger()

CHECK = "stock.check"


def plans(zone: str) -> tuple[Plan, ...]:
    """In the house's zone, at night."""
    return (Plan("stock-check", CHECK, "17 3 * * *", zone),)


async def check_ledger(job: RunningJob) -> Mapping[str, Any]:
    """Read in one transaction and noted in another: nobody who posts waits for the sums."""
    async with job.sessions.read() as session:
        found = await check(session)
    async with job.sessions.write() as session, job.step(session) as step:
        step.advance = step.total = 1
        await note(session, found, job.taken())
    if not found.ok:
        log.error("stock_sums_differ", count=found.count, first=[one.place for one in found.differences[:3]])
    return {"moves": found.moves, "quants": found.quants, "differences": found.count}
