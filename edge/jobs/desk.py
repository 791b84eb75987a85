"""The job desk of one station: holds the open job, takes commands and scans one at a time, and writes steps before it acts.

A step is applied only after the journal says that it is durable. When the journal fails, memory is not believed either: the
job is read from the journal again before the next command.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final, Protocol

import structlog
from pydantic import ValidationError

from drivers.api import Kind
from edge.clock import Clock
from edge.devices.live import Captured, Hub, LiveValue
from edge.errors import JobRefused, JournalFault, TakeRefused
from edge.jobs import commands as c
from edge.jobs.checks import Check, failed_checks
from edge.jobs.engine import Awaits, Context, Decision, awaits, decide
from edge.jobs.news import News, Outcome, Sound
from edge.jobs.ports import DraftStore, JobJournal, NoDrafts
from edge.jobs.receive import DRAFT_TEXT, Draft, Moment, ReceiveJob, apply, fold
from edge.jobs.weighing import why_not
from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.ids import uuid7
from sync_protocol.quantity import plain
from sync_protocol.steps import RECEIVE, FieldValue, name_of, readings_of

log = structlog.get_logger(__name__)

MAX_COMMAND_ID: Final = 64
"""Characters of a client's command id: a UUID is 36."""

CLOSED_KEPT: Final = 16
"""Closed jobs whose command ids are remembered, so that a late retry of the last command is answered and not refused."""


class ScanRouter(Protocol):
    """What turns a captured scan into commands (`edge.jobs.routing`)."""

    async def route(self, captured: Captured) -> None: ...


@dataclass(frozen=True, slots=True)
class DeskSeams:
    """What a desk works with. `entropy(n)` gives n random bytes; `masters()` the newest master data."""

    journal: JobJournal
    hub: Hub
    masters: Callable[[], MasterView]
    clock: Clock
    entropy: Callable[[int], bytes]
    drafts: DraftStore = field(default_factory=NoDrafts)


class JobDesk:
    """All goods receipts of one station. `operator` is who is signed in there; scans count as theirs."""

    def __init__(self, seams: DeskSeams, *, station: str, scale: str | None = None, zone: tzinfo = UTC) -> None:
        self.station = station
        self.masters = seams.masters
        self.clock = seams.clock
        self.scale = scale
        self.operator: str | None = None
        self.news = News()
        self._journal = seams.journal
        self._hub = seams.hub
        self._entropy = seams.entropy
        self._drafts = seams.drafts
        self._zone = zone
        self._boot = seams.clock.stamp()["boot_id"]
        self._lock = asyncio.Lock()
        self._stale = True
        self._job: ReceiveJob | None = None
        self._closed: dict[str, ReceiveJob] = {}

    async def start(self) -> None:
        """Read the jobs from the journal. Raises JournalFault."""
        async with self._lock:
            await self._replay()

    @property
    def job(self) -> ReceiveJob | None:
        """The open job."""
        return self._job

    def closed(self, job: str) -> ReceiveJob | None:
        """One of the last closed jobs."""
        return self._closed.get(job)

    def awaited(self) -> Awaits:
        return awaits(self._job, self.masters()) if self._job is not None else Awaits.ORDER

    def failed_checks(self) -> tuple[Check, ...]:
        """What is wrong with the line in hand."""
        job, context = self._job, self.context()
        if job is None or job.current is None:
            return ()
        return failed_checks(job, job.current, context.masters, context.today)

    def context(self) -> Context:
        today: date = datetime.fromtimestamp(self.clock.wall_ns() / 1e9, self._zone).date()
        return Context(self.masters(), today, Moment(self._boot, self.clock.now_ns()))

    def live(self) -> LiveValue | None:
        """The station's scale; None where there is none."""
        with suppress(KeyError):
            return self._hub.live(self.scale) if self.scale is not None else None
        return None

    def sign_in(self, login: str) -> None:
        """From now on scans are this operator's."""
        self.operator = login
        self.news.changed()

    def sign_out(self) -> None:
        """Nobody is there; the job stays."""
        self.operator = None
        self.news.changed()

    async def do(self, command: c.Command, *, by: str, cmd: str, job: str | None = None) -> ReceiveJob:
        """Carry out one command; returns the job after it. The same `cmd` twice is one command.

        `job` is the id the caller means; a mismatch is refused as `other_job`. Raises JobRefused, or JournalFault when the
        step may not have become durable: then the same command with the same `cmd` may be sent again.
        """
        async with self._lock:
            if (done := await self._already(cmd, job)) is not None:
                return done
            return await self._carry_out(command, by=by, cmd=cmd)

    async def take(self, *, by: str, cmd: str, job: str | None = None) -> ReceiveJob:
        """Take the scale's weight into the current line. Raises JobRefused (`take_*`: the scale forbids it) or JournalFault."""
        async with self._lock:
            if (done := await self._already(cmd, job)) is not None:
                return done
            if (awaited := self.awaited()) is not Awaits.WEIGHT:
                raise JobRefused("not_now", awaited=awaited)
            if self.scale is None or (why := why_not(self.live(), self.clock.now_ns())) is not None:
                raise JobRefused(f"take_{why if self.scale else 'no_scale'}")
            try:
                captured = await self._hub.take(self.scale)
            except TakeRefused as exc:
                raise JobRefused(f"take_{exc.code}") from exc
            return await self._carry_out(c.GiveWeight(_weight_of(captured)), by=by, cmd=cmd)

    async def listen_to_scans(self, router: ScanRouter) -> None:
        """Route every captured scan until cancelled."""
        async with self._hub.events() as events:
            async for event in events:
                if isinstance(event, Captured) and event.reading.kind is Kind.CODE:
                    await router.route(event)

    def tell(self, sound: Sound, code: str, **values: str) -> Outcome:
        """Let every page know how the last scan or press ended."""
        return self.news.tell(sound, code, values, self.clock.now_ns())

    async def _already(self, cmd: str, job: str | None) -> ReceiveJob | None:
        if not 0 < len(cmd) <= MAX_COMMAND_ID:
            raise JobRefused("bad_command_id")
        if self._stale:
            await self._replay()
        jobs = (self._job, *self._closed.values())
        found = next((known for known in jobs if known is not None and cmd in known.commands), None)
        if found is not None:
            return found
        if job is not None and (self._job is None or self._job.id != job):
            raise JobRefused("other_job")
        return None

    async def _carry_out(self, command: c.Command, *, by: str, cmd: str) -> ReceiveJob:
        context = self.context()
        job = self._job if self._job is not None else ReceiveJob(self._new_id())
        decision = decide(job, command, context)
        if decision.step is None:
            # Kept with the draft, so that the command is known again after a restart, as a step's is from the journal.
            draft = replace(decision.draft, cmd=cmd) if decision.draft is not None else None
            after = replace(job, draft=draft, commands=job.commands | {cmd}, by=job.by or by)
            await self._drafts.save_draft(job.id, _draft_text(after))
        else:
            after = await self._write(job, decision, by=by, cmd=cmd)
        self._keep(after)
        return after

    async def _write(self, job: ReceiveJob, decision: Decision, *, by: str, cmd: str) -> ReceiveJob:
        step = decision.step
        if step is None:  # pragma: no cover - the caller looked
            raise JobRefused("no_step")
        stamp = self.clock.stamp()
        after = apply(job, step, Moment(stamp["boot_id"], stamp["mono_ns"]), command=cmd, kept=decision.kept)
        entry = StepEntry(
            **stamp,
            job=job.id,
            job_kind=RECEIVE,
            n=job.steps,
            step=name_of(step),
            station=self.station,
            by=by,
            data=step.model_dump(mode="json", exclude_none=True) | _remarks(decision, cmd),
            readings=readings_of(step),
        )
        try:
            await self._journal.append(entry)
        except (JournalFault, asyncio.CancelledError):
            # Whether the entry became durable is not known here; only the journal can say.
            self._stale = True
            raise
        if job.draft is not None:
            await self._drafts.save_draft(job.id, None)
        return replace(after, by=after.by or by)

    def _keep(self, job: ReceiveJob) -> None:
        if job.closed or (job.steps == 0 and job.draft is None):
            self._job = None
            self._closed[job.id] = job
            while len(self._closed) > CLOSED_KEPT:
                del self._closed[next(iter(self._closed))]
        else:
            self._job = job
        self.news.changed()

    async def _replay(self) -> None:
        found: dict[str, ReceiveJob] = {}
        unreadable: set[str] = set()
        async for _, entry in self._journal.steps():
            if entry.job_kind != RECEIVE or entry.station != self.station or entry.job in unreadable:
                continue
            if entry.n and entry.job not in found:
                # Its first steps were let go of: the cloud has had them for long, and a job that is open keeps all of its own.
                unreadable.add(entry.job)
                continue
            try:
                found[entry.job] = fold(found.get(entry.job) or ReceiveJob(entry.job), [entry])
            except (TextFault, JobRefused) as exc:
                # Written by another version of this program: the cloud still gets it, this box cannot go on with it.
                log.warning("job_unreadable", job=entry.job, step=entry.step, reason=str(exc))
                unreadable.add(entry.job)
                found.pop(entry.job, None)
        drafts = await self._drafts.load_drafts()
        self._closed = {job.id: job for job in list(found.values())[-CLOSED_KEPT:] if job.closed}
        still_open = [job for job in found.values() if not job.closed]
        self._job = still_open[-1] if still_open else None
        await self._restore_draft(drafts)
        self._stale = False
        self.news.changed()
        log.info("jobs_replayed", jobs=len(found), open=len(still_open), unreadable=len(unreadable))

    async def _restore_draft(self, drafts: Mapping[str, str]) -> None:
        """A draft that does not fit is let go of: it would fit again at a later stage of the job, and ask for what is done."""
        for job_id, text in drafts.items():
            draft = _read_draft(job_id, text)
            job = self._job or ReceiveJob(job_id)
            # A draft is older than a step that was written after it: it fits only the stage it was made in.
            fits = job.id == job_id and job_id not in self._closed and job.current is None
            if draft is None or not fits or (draft.kind == "order") != (job.steps == 0):
                await self._drafts.save_draft(job_id, None)
                continue
            self._job = replace(job, draft=draft, commands=job.commands | ({draft.cmd} if draft.cmd else set()))

    def _new_id(self) -> str:
        return str(uuid7(self.clock.wall_ns() // 1_000_000, self._entropy(10)))


def _weight_of(captured: Captured) -> FieldValue:
    value = captured.reading.value
    if not value or isinstance(value, str):
        raise JobRefused("take_no_data")
    return FieldValue(value=plain(value), unit=captured.reading.unit, mode="device", reading=str(captured.entry))


def _read_draft(job: str, text: str) -> Draft | None:
    try:
        return DRAFT_TEXT.validate_json(text)
    except ValidationError:
        log.warning("draft_unreadable", job=job)
        return None


def _draft_text(job: ReceiveJob) -> str | None:
    return DRAFT_TEXT.dump_json(job.draft).decode() if job.draft is not None else None


def _remarks(decision: Decision, cmd: str) -> dict[str, Any]:
    """What a step's data carries besides its payload: the command's id, and which checks a line was kept against and why."""
    remarks: dict[str, Any] = {"cmd": cmd}
    if decision.kept is not None:
        remarks["kept_because"] = decision.kept
        remarks["checks"] = [
            {
                name: value
                for name in ("code", "limit", "found", "difference", "unit")
                if (value := getattr(check, name)) is not None
            }
            for check in decision.checks
        ]
    return remarks
