"""What people ask of an import, one step after the other: mapped and checked, applied, undone, stopped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import NotFound, WrongState
from cloud.imports.mapping import Plan, Policy, check_plan, remember
from cloud.imports.models import WORKING, ImportJob, ImportRow, ImportStatus, Outcome
from cloud.imports.work import APPLY, CHECK, UNDO, ImportWork
from cloud.jobs.models import ENDED, Job
from cloud.jobs.queue import How, cancel, enqueue
from cloud.kernel.access import CREATE, READ, WRITE
from cloud.kernel.actor import Taken
from cloud.objects.caller import Caller

KIND = "import"

MAX_ATTEMPTS = 20
"""Each goes on where the one before was; a large import may outlive several restarts."""

PLANNED = frozenset({ImportStatus.STAGED, ImportStatus.CHECKED, ImportStatus.CHECKING})
"""From here a plan may be said, anew too: nothing was written yet."""
APPLIABLE = frozenset({ImportStatus.CHECKED, ImportStatus.STOPPED, ImportStatus.APPLYING})
UNDOABLE = frozenset({ImportStatus.APPLIED, ImportStatus.STOPPED, ImportStatus.APPLYING, ImportStatus.UNDOING})


@dataclass(frozen=True, slots=True)
class Standing:
    """An import with the background job that works on it. `rests`: nothing goes on, though it may not be at its end."""

    row: ImportJob
    job: Job | None

    @property
    def rests(self) -> bool:
        return self.row.status not in WORKING or self.job is None or self.job.status in ENDED

    @property
    def broken(self) -> bool:
        """Whether the work ended before its end: it can be asked for again, and goes on where it was."""
        return self.row.status in WORKING and self.row.status != ImportStatus.STAGING and self.rests


async def standing(caller: Caller, uid: str, *, lock: bool = False) -> Standing:
    """An import that the caller may see: their own, or one of a kind of which they may read and change every record. Raises
    NotFound."""
    query = select(ImportJob).where(ImportJob.uid == uid).execution_options(populate_existing=True)
    row = await caller.session.scalar(query.with_for_update() if lock else query)
    if row is None or not may_see(caller, row):
        raise NotFound(KIND, uid)
    job = None if row.work is None else await caller.session.scalar(select(Job).where(Job.uid == row.work))
    return Standing(row, job)


def may_see(caller: Caller, row: ImportJob) -> bool:
    """Rows of a file may hold what a mask hides: only who sees everything of the kind sees what others sent."""
    if caller.taken.access is None or row.created_by == caller.login:
        return True
    return all(
        any(not way.scopes and way.site is None and way.mask.only is None and not way.mask.hidden for way in ways)
        for ways in (caller.access.ways(row.kind, action) for action in (READ, CREATE, WRITE))
    )


async def newest(caller: Caller, limit: int) -> Sequence[ImportJob]:
    """The newest imports that the caller may see."""
    rows = await caller.session.scalars(select(ImportJob).order_by(ImportJob.id.desc()).limit(limit * 5))
    return [row for row in rows if may_see(caller, row)][:limit]


async def ask_check(work: ImportWork, caller: Caller, uid: str, plan: Plan) -> ImportJob:
    """Take a plan for the import, remember it for files with the same head, and have every row checked by it.

    Raises NotFound, WrongState, MappingRefused, Forbidden.
    """
    found = await _at_rest(caller, uid, PLANNED)
    row = found.row
    check_plan(caller, caller.rows(row.kind).definition, row.head, plan)
    await remember(caller.session, row.kind, row.signature, row.head, plan, caller.taken)
    if found.broken and plan.to_json() == row.plan:
        return await _ask(work, caller, row, CHECK, ImportStatus.CHECKING)
    empty: dict[str, Any] = {
        "outcome": None,
        "key": None,
        "faults": [],
        "notes": [],
        "changes": {},
        "ref": None,
        "record_id": None,
    }
    await caller.session.execute(update(ImportRow).where(ImportRow.import_id == row.id).values(empty))
    row.plan, row.counts = plan.to_json(), {"rows": row.counts.get("rows", 0)}
    return await _ask(work, caller, row, CHECK, ImportStatus.CHECKING)


async def ask_apply(work: ImportWork, caller: Caller, uid: str, *, policy: Policy | None = None) -> ImportJob:
    """Have the import written, or go on with it. With faulty rows only where the policy is to take the good ones.

    Raises NotFound, WrongState, Forbidden.
    """
    row = (await _at_rest(caller, uid, APPLIABLE)).row
    plan = Plan.of_json(row.plan)
    plan = plan if policy is None else replace(plan, policy=policy)
    check_plan(caller, caller.rows(row.kind).definition, row.head, plan)
    faulty = select(ImportRow.id).where(ImportRow.import_id == row.id, ImportRow.outcome == Outcome.FAULTY).limit(1)
    if plan.policy == "all" and await caller.session.scalar(faulty) is not None:
        raise WrongState("import_faulty", kind=KIND)
    row.plan, row.applied_by = plan.to_json(), caller.login
    return await _ask(work, caller, row, APPLY, ImportStatus.APPLYING)


async def ask_undo(work: ImportWork, caller: Caller, uid: str) -> ImportJob:
    """Have taken back what the import did. Raises NotFound, WrongState."""
    row = (await _at_rest(caller, uid, UNDOABLE)).row
    row.undone_by = caller.login
    return await _ask(work, caller, row, UNDO, ImportStatus.UNDOING)


async def stop(caller: Caller, uid: str) -> ImportJob:
    """Stop what works on the import, at its next step; what was written stays. Raises NotFound, WrongState."""
    found = await standing(caller, uid, lock=True)
    if found.rests or found.job is None:
        raise WrongState("import_rests", kind=KIND)
    await cancel(caller.session, found.job.uid, caller.taken)
    return found.row


async def _at_rest(caller: Caller, uid: str, allowed: frozenset[ImportStatus]) -> Standing:
    found = await standing(caller, uid, lock=True)
    if not found.rests or found.row.status not in allowed:
        raise WrongState("import_busy" if not found.rests else "wrong_state", kind=KIND, state=found.row.status)
    return found


async def _ask(work: ImportWork, caller: Caller, row: ImportJob, job_kind: str, status: ImportStatus) -> ImportJob:
    """Put the work into the table of jobs; one that broke off is opened anew where it was."""
    actor = caller.taken.actor
    args = {"import": row.uid, "actor": [actor.kind, actor.name, actor.role]}
    taken: Taken = work.named(caller.taken, row.uid)
    before = None if row.work is None else await caller.session.scalar(select(Job).where(Job.uid == row.work))
    job = await enqueue(caller.session, job_kind, args, taken=taken, key=row.uid, how=How(max_attempts=MAX_ATTEMPTS))
    if before is not None and row.status == status and before.kind == job_kind:
        job.place, job.done = before.place, before.done
    row.status, row.work, row.trouble = status, job.uid, None
    await caller.session.flush()
    return row


async def rows_of(
    session: AsyncSession,
    import_id: int,
    *,
    outcome: Outcome | None = None,
    done: str | None = None,
    after: int = 0,
    limit: int,
) -> Sequence[ImportRow]:
    """Rows of an import in the file's order, of one outcome or with one end, behind a number."""
    query = select(ImportRow).where(ImportRow.import_id == import_id, ImportRow.number > after)
    if outcome is not None:
        query = query.where(ImportRow.outcome == outcome)
    if done is not None:
        query = query.where(ImportRow.done == done)
    return (await session.scalars(query.order_by(ImportRow.number).limit(limit))).all()
