"""The job desk of one station: holds the open jobs, takes commands and scans one at a time, and writes steps before it acts.

A step is applied only after the journal says that it is durable. When the journal fails, memory is not believed either: the
jobs are read from the journal again before the next command. One job is in hand; others that are open wait to be taken up.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Final, Protocol

import structlog

from drivers.api import Kind
from edge.clock import Clock
from edge.devices.live import Captured, Hub, LiveValue
from edge.errors import JobRefused, JournalFault, TakeRefused
from edge.jobs.awaiting import Awaits, awaits
from edge.jobs.checks import Check, failed_checks
from edge.jobs.kinds import Act, Job, JobKind, Scene
from edge.jobs.learned import Learned
from edge.jobs.moment import Context
from edge.jobs.movement.kinds import MOVEMENT_KINDS
from edge.jobs.news import News, Outcome, Sound
from edge.jobs.numbers import Numbers
from edge.jobs.overlay import Lying, Overlay, Stock, mirrored
from edge.jobs.ports import DraftStore, JobJournal, NoDrafts, NoNumbers, NumberStore
from edge.jobs.receive import Moment, ReceiveJob
from edge.jobs.receive_kind import ReceiveKind
from edge.jobs.weighing import why_not
from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.ids import uuid7
from sync_protocol.quantity import plain
from sync_protocol.steps import FieldValue, readings_of

log = structlog.get_logger(__name__)

MAX_COMMAND_ID: Final = 64
"""Characters of a client's command id: a UUID is 36."""

CLOSED_KEPT: Final = 16
"""Closed jobs whose command ids are remembered, so that a late retry of the last command is answered and not refused."""


MAX_OPEN: Final = 12
"""Jobs of one station that may be open at once: every open one keeps its entries from being let go of."""


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
    kinds: Sequence[JobKind] = (ReceiveKind(), *MOVEMENT_KINDS)
    numbers: NumberStore = field(default_factory=NoNumbers)
    box: str | None = None
    """The box's own id, by which it finds its range of numbers."""


@dataclass(frozen=True, slots=True)
class Held:
    """A job and the rules that it goes by."""

    kind: JobKind
    job: Job


class JobDesk:
    """All jobs of one station. `operator` is who is signed in there; scans count as theirs."""

    def __init__(self, seams: DeskSeams, *, station: str, scale: str | None = None, zone: tzinfo = UTC) -> None:
        self.station = station
        self._mirror = seams.masters
        self._learned = Learned()
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
        self._kinds = {kind.code: kind for kind in seams.kinds}
        self._numbers = Numbers(seams.numbers)
        self._box = seams.box
        self._open: dict[str, Held] = {}
        self._in_hand: str | None = None
        self._closed: dict[str, Held] = {}
        self._overlay = Overlay()
        self._mirrored: tuple[MasterView, Mapping[str, Lying]] | None = None
        self._stock: tuple[Overlay, Stock] | None = None

    async def start(self) -> None:
        """Read the jobs from the journal. Raises JournalFault."""
        async with self._lock:
            await self._replay()

    @property
    def in_hand(self) -> Held | None:
        """The job that commands and scans are for, of whatever kind."""
        return self._open.get(self._in_hand) if self._in_hand is not None else None

    @property
    def job(self) -> ReceiveJob | None:
        """The receipt in hand; None while none or a job of another kind is."""
        held = self.in_hand
        return held.job if held is not None and isinstance(held.job, ReceiveJob) else None

    @property
    def open_jobs(self) -> list[Held]:
        """Every open job, the one in hand as well, oldest first."""
        return list(self._open.values())

    def closed(self, job: str) -> Job | None:
        """One of the last closed jobs."""
        held = self._closed.get(job)
        return held.job if held is not None else None

    def awaited(self) -> Awaits:
        """What a receipt asks for: the one in hand, or a new one."""
        return awaits(self.job, self.masters()) if self.job is not None else Awaits.ORDER

    def asked(self) -> str:
        """What the job in hand asks for, of whatever kind; without one, an order."""
        held = self.in_hand
        return held.kind.awaits(held.job, self.masters()) if held is not None else Awaits.ORDER

    def failed_checks(self) -> tuple[Check, ...]:
        """What is wrong with the line in hand."""
        job, context = self.job, self.context()
        if job is None or job.current is None:
            return ()
        return failed_checks(job, job.current, context)

    def stock(self) -> Stock:
        """What lies where: the mirror's stock with what this box did since."""
        masters, overlay = self.masters(), self._overlay
        if self._mirrored is None or self._mirrored[0] is not masters:
            self._mirrored, self._stock = (masters, mirrored(masters)), None
        if self._stock is None or self._stock[0] is not overlay:
            self._stock = (overlay, overlay.stock(masters, self._mirrored[1]))
        return self._stock[1]

    def next_number(self) -> str | None:
        """The number that the next paper of this box gets; None before the core has given it a range."""
        return self._numbers.next(self.masters().prefix(self._box))

    def masters(self) -> MasterView:
        """The newest master data, with the codes that this box learned since."""
        return self._learned.over(self._mirror())

    def context(self) -> Context:
        at, clk = datetime.fromtimestamp(self.clock.wall_ns() / 1e9, self._zone), self.clock.stamp()["clk"]
        now = Moment(self._boot, self.clock.now_ns())
        return Context(self.masters(), at.date(), now, at if clk.s != "none" else None)

    def scene(self, by: str) -> Scene:
        """What this person's commands are decided by now."""
        context = self.context()
        return Scene(context.masters, context.today, context.now, by, self.stock(), context.at)

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

    async def do(self, command: object, *, by: str, cmd: str, job: str | None = None) -> Job:
        """Carry out one command; returns the job after it. The same `cmd` twice is one command.

        `job` is the id the caller means; a mismatch is refused as `other_job`. Raises JobRefused, or JournalFault when the
        step may not have become durable: then the same command with the same `cmd` may be sent again.
        """
        async with self._lock:
            if (done := await self._already(cmd, job)) is not None:
                return done
            return await self._carry_out(command, by=by, cmd=cmd)

    async def begin(self, kind: str, command: object, *, by: str, cmd: str) -> Job:
        """Begin a job of another kind; the one in hand is laid aside. Raises JobRefused or JournalFault."""
        async with self._lock:
            if (done := await self._already(cmd, None)) is not None:
                return done
            if kind not in self._kinds:
                raise JobRefused("no_such_action", action=kind[:40])
            before, self._in_hand = self._in_hand, None
            try:
                return await self._carry_out(command, by=by, cmd=cmd, kind=self._kinds[kind])
            finally:
                self._in_hand = self._in_hand or before

    async def take(self, *, by: str, cmd: str, job: str | None = None) -> Job:
        """Take the scale's weight into the job. Raises JobRefused (`take_*`: the scale forbids it) or JournalFault."""
        async with self._lock:
            if (done := await self._already(cmd, job)) is not None:
                return done
            held = self.in_hand
            if held is None:
                raise JobRefused("not_now", awaited=Awaits.ORDER)
            command_of = held.kind.weighs(held.job, self.masters())
            if self.scale is None or (why := why_not(self.live(), self.clock.now_ns())) is not None:
                raise JobRefused(f"take_{why if self.scale else 'no_scale'}")
            try:
                captured = await self._hub.take(self.scale)
            except TakeRefused as exc:
                raise JobRefused(f"take_{exc.code}") from exc
            return await self._carry_out(command_of(_weight_of(captured)), by=by, cmd=cmd)

    async def lay_aside(self) -> None:
        """Nothing is in hand: the open jobs stay as they are."""
        async with self._lock:
            self._in_hand = None
            self.news.changed()

    async def take_up(self, job: str) -> Job:
        """Go on with an open job. Raises JobRefused(`other_job`) when it is not open, or JournalFault."""
        async with self._lock:
            if self._stale:
                await self._replay()
            if job not in self._open:
                raise JobRefused("other_job")
            self._in_hand = job
            self.news.changed()
            return self._open[job].job

    async def listen_to_scans(self, router: ScanRouter) -> None:
        """Route every captured scan until cancelled."""
        async with self._hub.events() as events:
            async for event in events:
                if isinstance(event, Captured) and event.reading.kind is Kind.CODE:
                    await router.route(event)

    def tell(self, sound: Sound, code: str, **values: str) -> Outcome:
        """Let every page know how the last scan or press ended."""
        return self.news.tell(sound, code, values, self.clock.now_ns())

    async def _already(self, cmd: str, job: str | None) -> Job | None:
        if not 0 < len(cmd) <= MAX_COMMAND_ID:
            raise JobRefused("bad_command_id")
        if self._stale:
            await self._replay()
        for held in (*self._open.values(), *self._closed.values()):
            if cmd in held.job.commands:
                return held.job
        if job is not None and job != self._in_hand:
            raise JobRefused("other_job")
        return None

    async def _carry_out(self, command: object, *, by: str, cmd: str, kind: JobKind | None = None) -> Job:
        held = self.in_hand or self._new(kind or self._kind_for(command))
        if not held.kind.takes(command):
            raise JobRefused("not_now", awaited=self.asked())
        act = held.kind.decide(held.job, command, self.scene(by))
        after, steps = held.job, [step for step in (act.step, *act.more) if step is not None]
        for number, step in enumerate(steps, 1):
            # The command is done with its last step: after a power cut between them it is not taken for done.
            last = number == len(steps)
            part = replace(act, step=step, remarks=act.remarks if last else {})
            after = await self._write(Held(held.kind, after), part, by=by, cmd=cmd if last else None)
        if not steps or act.draft is not None:
            after = held.kind.with_draft(after, act.draft, command=cmd, by=by)
        text = held.kind.draft_text(after.draft) if after.draft is not None else None
        if text is not None or held.job.draft is not None or not steps:
            await self._drafts.save_draft(after.id, text)
        self._keep(Held(held.kind, after))
        return after

    def _kind_for(self, command: object) -> JobKind:
        kind = next((kind for kind in self._kinds.values() if kind.takes(command)), None)
        if kind is None:
            raise JobRefused("not_now", awaited=self.asked())
        return kind

    def _new(self, kind: JobKind) -> Held:
        if len(self._open) >= MAX_OPEN:
            raise JobRefused("too_many_jobs", limit=str(MAX_OPEN))
        return Held(kind, kind.new(self._new_id()))

    async def _write(self, held: Held, act: Act, *, by: str, cmd: str | None) -> Job:
        if act.step is None:  # pragma: no cover - the caller looked
            raise JobRefused("no_step")
        step = self._numbers.given(act.step, self.masters().prefix(self._box))
        stamp, by = self.clock.stamp(), act.by or by
        after = held.kind.apply(held.job, replace(act, step=step), Moment(stamp["boot_id"], stamp["mono_ns"]), cmd)
        entry = StepEntry(
            **stamp,
            job=held.job.id,
            job_kind=held.kind.code,
            n=held.job.steps,
            step=held.kind.name_of(step),
            station=self.station,
            by=by,
            data=step.model_dump(mode="json", exclude_none=True) | ({"cmd": cmd} if cmd else {}) | act.remarks,
            readings=readings_of(step),
        )
        try:
            at = await self._journal.append(entry)
        except (JournalFault, asyncio.CancelledError):
            # Whether the entry became durable is not known here; only the journal can say.
            self._stale = True
            raise
        self._overlay = self._overlay.after(at, entry)
        self._learned.seen(entry)
        await self._numbers.used(entry)
        return held.kind.with_draft(after, None, command=None, by=by)

    def _keep(self, held: Held) -> None:
        job = held.job
        if job.closed or (job.steps == 0 and job.draft is None):
            self._open.pop(job.id, None)
            self._in_hand = None
            self._closed[job.id] = held
            while len(self._closed) > CLOSED_KEPT:
                del self._closed[next(iter(self._closed))]
        else:
            self._open[job.id] = held
            self._in_hand = job.id
        self.news.changed()

    async def _replay(self) -> None:
        found: dict[str, Held] = {}
        unreadable: set[str] = set()
        self._overlay = Overlay()
        await self._numbers.load()
        async for at, entry in self._journal.steps():
            self._numbers.seen(entry)
            self._learned.seen(entry)
            self._overlay = self._overlay.after(at, entry)
            kind = self._kinds.get(entry.job_kind)
            if kind is None or entry.station != self.station or entry.job in unreadable:
                continue
            if entry.n and entry.job not in found:
                # Its first steps were let go of: the cloud has had them for long, and a job that is open keeps all of its own.
                unreadable.add(entry.job)
                continue
            try:
                before = found[entry.job].job if entry.job in found else kind.new(entry.job)
                found[entry.job] = Held(kind, kind.fold(before, [entry]))
            except (TextFault, JobRefused) as exc:
                # Written by another version of this program: the cloud still gets it, this box cannot go on with it.
                log.warning("job_unreadable", job=entry.job, step=entry.step, reason=str(exc))
                unreadable.add(entry.job)
                found.pop(entry.job, None)
        self._closed = {held.job.id: held for held in list(found.values())[-CLOSED_KEPT:] if held.job.closed}
        still_open = {job: held for job, held in found.items() if not held.job.closed}
        known = self._in_hand
        self._open = still_open
        await self._restore_drafts()
        self._in_hand = known if known in self._open else next(reversed(self._open), None)
        self._stale = False
        self.news.changed()
        log.info("jobs_replayed", jobs=len(found), open=len(still_open), unreadable=len(unreadable))

    async def _restore_drafts(self) -> None:
        """A draft that does not fit is let go of: it would fit again at a later stage of the job, and ask for what is done."""
        for job_id, text in (await self._drafts.load_drafts()).items():
            held = self._with_draft(job_id, text) if job_id not in self._closed else None
            if held is None:
                await self._drafts.save_draft(job_id, None)
            else:
                self._open[job_id] = held

    def _with_draft(self, job_id: str, text: str) -> Held | None:
        known = self._open.get(job_id)
        for kind in [known.kind] if known is not None else self._kinds.values():
            if (draft := kind.read_draft(text)) is None:
                continue
            after = kind.restored(known.job if known is not None else kind.new(job_id), draft)
            return Held(kind, after) if after is not None else None
        log.warning("draft_unreadable", job=job_id)
        return None

    def _new_id(self) -> str:
        return str(uuid7(self.clock.wall_ns() // 1_000_000, self._entropy(10)))


def _weight_of(captured: Captured) -> FieldValue:
    value = captured.reading.value
    if not value or isinstance(value, str):
        raise JobRefused("take_no_data")
    return FieldValue(value=plain(value), unit=captured.reading.unit, mode="device", reading=str(captured.entry))
