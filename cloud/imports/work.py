"""The background work of imports: checked, applied and undone in steps that each are whole.

A step's transaction holds the records, the marks on the rows and the job's progress: killed at any point, the next try goes on
behind the last step, and nothing is made twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import CloudError, NotFound, Refused
from cloud.imports.checking import KEY, Finding, Seen, check_rows, unique_fields
from cloud.imports.converting import convert
from cloud.imports.heads import SOURCE_KEY
from cloud.imports.mapping import Plan
from cloud.imports.models import Done, ImportJob, ImportRow, ImportStatus, Outcome
from cloud.imports.writing import Written, faults_of, take_back, uid_of, write_row
from cloud.jobs.faults import GiveUp
from cloud.jobs.running import Handlers, RunningJob
from cloud.jobs.schedules import Plan as SchedulePlan
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event
from cloud.objects.caller import Caller, Hooks, caller
from cloud.objects.registry import Registry
from cloud.objects.values import said
from cloud.people.access import access_of
from cloud.people.accounts import user_by_login

CHECK, APPLY, UNDO, SWEEP = "imports.check", "imports.apply", "imports.undo", "imports.sweep"

CHECK_CHUNK = 200
"""Rows of one step; they are read outside any writing transaction."""
WRITE_CHUNK = 50
"""Rows of one step while records are written: on SQLite nobody else writes for so long, about half a second."""
KEPT = timedelta(days=90)
"""An import can be undone so long; then its rows go, and the event log keeps what they did."""

_TALLY = {ImportStatus.APPLYING: "done", ImportStatus.UNDOING: "done", ImportStatus.CHECKING: "outcome"}


@dataclass(frozen=True)
class ImportWork:
    """With which definitions imports work. One for the process."""

    registry: Registry
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    hooks: Hooks = field(default_factory=Hooks)
    check_chunk: int = CHECK_CHUNK
    write_chunk: int = WRITE_CHUNK

    def handlers(self) -> Handlers:
        """For the worker, by kind of job."""
        return {CHECK: self.check, APPLY: self.apply, UNDO: self.undo, SWEEP: sweep}

    async def caller(self, session: AsyncSession, taken: Taken) -> Caller:
        """Somebody at work on records, with this installation's definitions."""
        return await caller(session, self.registry, taken, zone=self.zone, hooks=self.hooks)

    def named(self, taken: Taken, uid: str) -> Taken:
        """The same taking as part of an import: every event that it makes carries the import's uid."""
        return Taken(taken.actor, taken.at, taken.reason, taken.request_id, taken.values, taken.access, uid)

    async def check(self, job: RunningJob) -> Mapping[str, Any]:
        """Find out what each row would do. What was found is written step by step; a later try goes on there."""
        row = await _import_of(job, ImportStatus.CHECKING)
        plan = Plan.of_json(row.plan)
        last, seen = await self._seen(job, row, plan)
        while True:
            async with job.sessions.read() as session:
                at = await self._acting(session, job, row)
                lines = await _lines(session, row.id, last, self.check_chunk)
                rows = at.rows(row.kind)
                csv = row.format == "csv"
                found = await check_rows(at, rows, plan, lines, len(row.head), seen, csv=csv)
            async with job.sessions.write() as session, job.step(session) as step:
                await _still(session, row, ImportStatus.CHECKING)
                if found:
                    await session.execute(update(ImportRow), [_found(*one) for one in await _ids(session, row.id, found)])
                    last = found[-1].number
                    step.advance, step.place, step.total = len(found), last, row.counts.get("rows")
                if len(lines) < self.check_chunk:
                    return await _finish(session, job, row, ImportStatus.CHECKED)

    async def _seen(self, job: RunningJob, row: ImportJob, plan: Plan) -> tuple[int, Seen]:
        """Where the last try was, with what the rows before hold."""
        last, seen = int(job.place or 0), Seen()
        if not last:
            return 0, seen
        async with job.sessions.read() as session:
            at = await self._acting(session, job, row)
            rows = at.rows(row.kind)
            unique = unique_fields(rows, plan)
            columns = (ImportRow.number, ImportRow.key, ImportRow.ref, ImportRow.outcome, ImportRow.changes)
            query = select(*columns).where(ImportRow.import_id == row.id, ImportRow.number <= last).order_by(ImportRow.number)
            for number, key, ref, outcome, changes in await session.execute(query):
                if key is not None:
                    seen.note(KEY, key, number)
                for name in unique:
                    if name in changes and changes[name][1] is not None:
                        seen.note(name, str(said(changes[name][1])), number)
                if outcome == Outcome.NEW:
                    seen.new_refs |= {one for one in (ref, key if plan.key == rows.definition.ref else None) if one}
                    seen.new_keys |= {one for one in (key if plan.key == SOURCE_KEY else None,) if one}
        return last, seen

    async def apply(self, job: RunningJob) -> Mapping[str, Any]:
        """Write the rows that were found good. Stops at the first that cannot be written, where the plan says so."""
        row = await _import_of(job, ImportStatus.APPLYING)
        plan = Plan.of_json(row.plan)
        while True:
            try:
                async with job.sessions.write() as session, job.step(session) as step:
                    await _still(session, row, ImportStatus.APPLYING)
                    number = await self._write(session, job, row, plan)
                    step.advance, step.total = number, row.counts.get("rows")
                    if number < self.write_chunk:
                        return await _finish(session, job, row, ImportStatus.APPLIED)
            except _Stopped as stopped:
                async with job.sessions.write() as session, job.step(session):
                    await _still(session, row, ImportStatus.APPLYING)
                    values = {"outcome": Outcome.FAULTY, "faults": stopped.faults}
                    await session.execute(update(ImportRow).where(ImportRow.id == stopped.row).values(values))
                    return await _finish(session, job, row, ImportStatus.STOPPED, trouble="row_failed")

    async def _write(self, session: AsyncSession, job: RunningJob, row: ImportJob, plan: Plan) -> int:
        open_ = (ImportRow.import_id == row.id, ImportRow.done.is_(None), ImportRow.outcome != Outcome.FAULTY)
        columns = (ImportRow.id, ImportRow.number, ImportRow.raw)
        lines = (await session.execute(select(*columns).where(*open_).order_by(ImportRow.number).limit(self.write_chunk))).all()
        acting = await self._acting(session, job, row)
        marks: list[dict[str, Any]] = []
        for line in lines:
            # Each row with eyes of its own: one before it may be what it leads to.
            mark = await _mark(replace(acting), row, plan, line)
            marks.append({"id": line[0], **mark})
            if mark["done"] == Done.FAULTY and plan.policy == "all":
                raise _Stopped(line[0], mark["faults"])
        for same in _alike(marks):
            await session.execute(update(ImportRow), same)
        return len(lines)

    async def undo(self, job: RunningJob) -> Mapping[str, Any]:
        """Take back what the import did, the last row first; what has moved on since is kept and listed."""
        row = await _import_of(job, ImportStatus.UNDOING)
        plan = Plan.of_json(row.plan)
        while True:
            async with job.sessions.write() as session, job.step(session) as step:
                await _still(session, row, ImportStatus.UNDOING)
                open_ = (ImportRow.import_id == row.id, ImportRow.done.in_([Done.MADE, Done.CHANGED]))
                query = select(ImportRow).where(*open_).order_by(ImportRow.number.desc()).limit(self.write_chunk)
                lines = list(await session.scalars(query))
                acting = await self._acting(session, job, row)
                marks: list[dict[str, Any]] = []
                for one in lines:
                    at = replace(acting)
                    try:
                        await take_back(at, at.rows(row.kind), one)
                        marks.append({"id": one.id, "done": Done.UNDONE, "faults": []})
                    except (Refused, NotFound) as exc:
                        marks.append({"id": one.id, "done": Done.KEPT, "faults": faults_of(exc, plan)})
                if marks:
                    await session.execute(update(ImportRow), marks)
                step.advance = len(lines)
                if len(lines) < self.write_chunk:
                    return await _finish(session, job, row, ImportStatus.UNDONE)

    async def _acting(self, session: AsyncSession, job: RunningJob, row: ImportJob) -> Caller:
        """Whoever asked for the work, with what they may do now. Raises GiveUp where they are not let in any more."""
        kind, name, role = job.args["actor"]
        access: Access | None = None
        if kind == "user":
            user = await user_by_login(session, name)
            if user is None or not user.active:
                raise GiveUp(f"{name} is not let in any more")
            access = await access_of(session, user)
        return await self.caller(session, Taken(Actor(kind, name, role), job.clock(), access=access, chain=row.uid))


class _Stopped(CloudError):
    """A row could not be written, and the plan says that no other is then."""

    def __init__(self, row: int, faults: list[dict[str, Any]]) -> None:
        super().__init__("row could not be written")
        self.row = row
        self.faults = faults


async def _import_of(job: RunningJob, status: ImportStatus) -> ImportJob:
    async with job.sessions.read() as session:
        row = await session.scalar(select(ImportJob).where(ImportJob.uid == job.args["import"]))
    if row is None or row.status != status:
        raise GiveUp(f"the import is not {status}")
    return row


async def _still(session: AsyncSession, row: ImportJob, status: ImportStatus) -> None:
    """Lock the import for the step. Raises GiveUp where it is not where it was."""
    query = select(ImportJob.status).where(ImportJob.id == row.id).with_for_update()
    if await session.scalar(query) != status:
        raise GiveUp(f"the import is not {status} any more")


async def _lines(session: AsyncSession, import_id: int, last: int, limit: int) -> Sequence[tuple[int, list[Any]]]:
    query = select(ImportRow.number, ImportRow.raw).where(ImportRow.import_id == import_id, ImportRow.number > last)
    return [(number, raw) for number, raw in await session.execute(query.order_by(ImportRow.number).limit(limit))]


async def _ids(session: AsyncSession, import_id: int, found: Sequence[Finding]) -> list[tuple[int, Finding]]:
    numbers = [one.number for one in found]
    query = select(ImportRow.number, ImportRow.id).where(ImportRow.import_id == import_id, ImportRow.number.in_(numbers))
    rows = (await session.execute(query)).all()
    ids = {row.number: row.id for row in rows}
    return [(ids[one.number], one) for one in found]


def _found(row_id: int, one: Finding) -> dict[str, Any]:
    return {
        "id": row_id,
        "key": one.incoming.key,
        "outcome": one.outcome,
        "faults": one.incoming.faults,
        "notes": one.incoming.notes,
        "changes": dict(one.changes),
        "ref": one.ref,
        "record_id": one.record_id,
        "done": None,
    }


async def _mark(at: Caller, row: ImportJob, plan: Plan, line: Any) -> dict[str, Any]:
    """Write one row; what is to be noted of it."""
    _, number, raw = line
    rows = at.rows(row.kind)
    (one,) = await convert(at, rows.definition, plan, [raw], len(row.head), csv=row.format == "csv")
    if one.faults:
        return _failed(one.faults)
    try:
        return _written(await write_row(at, rows, plan, one, uid_of(row.kind, plan, one, row.uid, number)))
    except (Refused, NotFound) as exc:
        return _failed(faults_of(exc, plan))


def _failed(faults: list[dict[str, Any]]) -> dict[str, Any]:
    return {"done": Done.FAULTY, "outcome": Outcome.FAULTY, "faults": faults}


def _written(one: Written) -> dict[str, Any]:
    marks = {"done": one.done, "ref": one.ref, "record_id": one.record_id, "version": one.version}
    return {**marks, "changes": dict(one.changes), "restored": one.restored}


def _alike(marks: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Marks with the same columns together: one statement takes no others."""
    by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for one in marks:
        by_columns.setdefault(tuple(one), []).append(one)
    return list(by_columns.values())


async def _finish(
    session: AsyncSession, job: RunningJob, row: ImportJob, status: ImportStatus, *, trouble: str | None = None
) -> Mapping[str, Any]:
    """Write down how it ended, with how many rows of each outcome, in the last step's transaction."""
    counts: dict[str, Any] = {"rows": row.counts.get("rows", 0)}
    for name, column in (("outcome", ImportRow.outcome), ("done", ImportRow.done)):
        query = select(column, func.count()).where(ImportRow.import_id == row.id, column.is_not(None)).group_by(column)
        found = {str(value): number for value, number in await session.execute(query)}
        if found:
            counts[name] = found
    values: dict[str, Any] = {"status": status, "counts": counts, "trouble": trouble}
    at = {ImportStatus.CHECKED: "checked_at", ImportStatus.APPLIED: "applied_at", ImportStatus.STOPPED: "applied_at"}
    values[at.get(status, "undone_at")] = job.clock()
    await session.execute(update(ImportJob).where(ImportJob.id == row.id).values(values))
    if status != ImportStatus.CHECKED:
        kind, name, role = job.args["actor"]
        taken = Taken(Actor(kind, name, role), job.clock(), chain=row.uid)
        changes = {"kind": [None, row.kind], **{name: [None, number] for name, number in counts.get("done", {}).items()}}
        await append_event(session, taken, action=status, kind="import", ref=row.uid, changes=changes)
    return counts


async def sweep(job: RunningJob) -> Mapping[str, Any]:
    """Throw away imports that nobody can want to undo any more, and uploads that broke off, with their rows."""
    before = job.clock() - KEPT
    swept = 0
    while True:
        async with job.sessions.write() as session, job.step(session) as step:
            old = select(ImportRow.id).join(ImportJob, ImportJob.id == ImportRow.import_id).where(ImportJob.created_at < before)
            gone = (
                await session.execute(delete(ImportRow).where(ImportRow.id.in_(old.limit(1000))).returning(ImportRow.id))
            ).all()
            step.advance = len(gone)
            if not gone:
                await session.execute(delete(ImportJob).where(ImportJob.created_at < before))
        swept += len(gone)
        if not gone:
            return {"swept": swept}


def plans(zone: str) -> tuple[SchedulePlan, ...]:
    """In the house's zone, at night."""
    return (SchedulePlan("imports-sweep", SWEEP, "37 3 * * *", zone),)
