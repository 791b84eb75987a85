"""Which work is done in the background, by whom, and what of it comes by the clock."""

from cloud.hooks import sweep as webhooks_sweep
from cloud.hooks.endpoints import FOLLOW
from cloud.hooks.follow import Follower
from cloud.hooks.reach import Reach
from cloud.hooks.send import Sender
from cloud.hooks.sight import MasksOf, access_of_login, no_masks, sight
from cloud.imports import work as imports_work
from cloud.imports.work import ImportWork
from cloud.jobs import sweep as jobs_sweep
from cloud.jobs.running import Handlers, RunningJob
from cloud.jobs.schedules import Plan
from cloud.objects.changing import refresh_statistics
from cloud.receiving.evidence import standing
from cloud.stock import work as stock_work
from cloud.transfers import work as transfers_work

STATISTICS = "database.statistics"


async def statistics(job: RunningJob) -> None:
    """Let the database know how its tables have grown."""
    async with job.sessions.write() as session, job.step(session):
        await refresh_statistics(session)


def handlers(reach: Reach, masks_of: MasksOf = no_masks, imports: ImportWork | None = None) -> Handlers:
    """By kind. `reach`: where webhooks may go; `masks_of`: who may read which record where a grant alone does not say it;
    `imports`: with which definitions files become records, None where none are taken."""
    return {
        jobs_sweep.SWEEP: jobs_sweep.sweep,
        STATISTICS: statistics,
        standing.REVERIFY: standing.nightly,
        webhooks_sweep.SWEEP: webhooks_sweep.sweep,
        stock_work.CHECK: stock_work.check_ledger,
        transfers_work.RETRY: transfers_work.retry,
        FOLLOW: Follower(sight(access_of_login, masks_of), lambda: Sender(reach)),
        **(imports.handlers() if imports is not None else {}),
    }


def plans(zone: str) -> tuple[Plan, ...]:
    """Schedules that a new database begins with, in the house's zone."""
    nightly = Plan("database-statistics", STATISTICS, "41 3 * * *", zone)
    return (
        *jobs_sweep.plans(zone),
        *webhooks_sweep.plans(zone),
        *imports_work.plans(zone),
        *stock_work.plans(zone),
        *transfers_work.plans(zone),
        *standing.plans(zone),
        nightly,
    )
