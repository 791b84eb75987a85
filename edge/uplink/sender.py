"""The loop that empties the journal into the cloud; `sync_protocol.outbox` decides what to send and what answers mean."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from edge.anchoring import Anchoring
from edge.clock import Clock
from edge.errors import JournalFault
from edge.journal.service import Journal
from edge.uplink import pace
from edge.uplink.backoff import Backoff
from edge.uplink.binding import Binding, CloudAway
from edge.uplink.frames import Credentials, Prepared, Terms, prepare
from edge.uplink.status import LinkFacts
from sync_protocol import packing
from sync_protocol.answers import Ack, Answer, Need
from sync_protocol.entries import NoteEntry, StampFields, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import RunId
from sync_protocol.outbox import (
    Alarm,
    Effect,
    Moved,
    Outbox,
    Reissue,
    Send,
    Wait,
    grown,
    next_send,
    on_answer,
    stop,
    wants_fresh_run,
)

log = structlog.get_logger()

BARS = frozenset({"sig", "quarantine", "revoked", "unanswered"})
"""Alarms that end by themselves: the cloud takes from the box again."""


class Sender:
    """Runs until cancelled; `facts` always tells how the link is. One frame is under way at a time."""

    def __init__(
        self,
        journal: Journal,
        cloud: Binding,
        who: Credentials,
        *,
        clock: Clock,
        backoff: Backoff,
        anchoring: Anchoring | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._journal = journal
        self._cloud = cloud
        self._who = who
        self._clock = clock
        self._backoff = backoff
        self._sleep = sleep
        self._outbox = Outbox(())
        self._older: tuple[Outbox, int] | None = None
        self._anchoring = anchoring or Anchoring(journal.append)
        self._size = pace.FIRST
        self._packs = False
        self._ahead: Prepared | None = None
        self.facts = LinkFacts()

    def waiting(self) -> int:
        """Entries that the cloud is not known to hold."""
        tips = self._journal.tips
        if self._older is None or self._older[0] is not self._outbox:
            # Runs of this process grow without an answer; all others are counted once an answer.
            older = (_behind(state.tip, state.acked) for state in self._outbox.runs if state.run not in tips)
            self._older = self._outbox, sum(older)
        acked = {state.run: state.acked for state in self._outbox.runs if state.run in tips}
        return self._older[1] + sum(_behind(tip, acked.get(run, 0)) for run, tip in tips.items())

    async def run(self) -> None:
        """Send whatever is there, then sleep until the journal grows."""
        self._outbox = await self._journal.reader.outbox()
        while True:
            self._journal.grown.clear()
            self._look_at_journal()
            send = next_send(self._outbox)
            if send is None:
                self.facts.oldest_waiting_ns = None
                await self._journal.grown.wait()
                continue
            pause_s = await self._turn(send)
            if pause_s is not None:
                await self._sleep(pause_s)

    def _look_at_journal(self) -> None:
        known = {state.run: state.tip for state in self._outbox.runs}
        for run, tip in self._journal.tips.items():
            if known.get(run, -1) < tip:
                self._outbox = grown(self._outbox, run, tip)

    async def _turn(self, send: Send) -> float | None:
        prepared = await self._frame(send)
        if prepared is None:
            # Nobody can fill this gap: the other runs go on, a person must know.
            await self._stop(send.run, "pruned")
            return None
        asked_ns = self._clock.now_ns()
        answer = await self._exchange(prepared)
        if isinstance(answer, CloudAway):
            return await self._missed(answer)
        heard = self._clock.stamp()
        took_ns = heard["mono_ns"] - asked_ns
        await self._note_exchange(prepared, took_ns, heard)
        if isinstance(answer, Ack):
            # `heard` is the moment of the answer: what was done since must not count as its way.
            await self._kept("anchor", self._anchoring.heard(answer.srv_time, heard, took_ns))
        return await self._take(prepared, answer)

    async def _frame(self, send: Send) -> Prepared | None:
        """The frame that was made ready while the last one was under way, or a new one."""
        terms, ahead = self._terms(), self._ahead
        if ahead is not None and (ahead.send, ahead.terms) == (send, terms) and ahead.count <= self._size:
            self._ahead = None
            prepared: Prepared | None = ahead
        else:
            prepared = await prepare(self._journal, self._who, send, terms, self._size)
        if prepared is not None and self._is_oldest(send.run):
            self.facts.oldest_waiting_ns = self._written_ns(prepared.stretch.entries[0])
        return prepared

    def _terms(self) -> Terms:
        return Terms(self._outbox.gen, self._packs)

    def _is_oldest(self, run: RunId) -> bool:
        waiting = (state.run for state in self._outbox.runs if state.acked < state.tip and not state.stopped)
        return next(waiting, None) == run

    async def _exchange(self, prepared: Prepared) -> Answer | CloudAway:
        """Send the frame, and make the next one ready meanwhile."""
        self.facts.sent_bytes += len(prepared.data)
        if not self._long_way_to_go(prepared):
            return await self._post(prepared)
        async with asyncio.TaskGroup() as both:
            ahead = both.create_task(prepare(self._journal, self._who, prepared.following, prepared.terms, self._size))
            answer = await self._post(prepared)
        self._ahead = ahead.result()
        return answer

    def _long_way_to_go(self, prepared: Prepared) -> bool:
        """Whether a whole frame waits behind this one, on a way that works: a smaller one might still grow."""
        following = prepared.following
        tip = next(state.tip for state in self._outbox.runs if state.run == following.run)
        return self.facts.up and tip - following.first >= self._size and (self._ahead is None or self._ahead.send != following)

    async def _post(self, prepared: Prepared) -> Answer | CloudAway:
        try:
            return await self._cloud.post(prepared.data, packed=prepared.terms.packed)
        except CloudAway as exc:
            return exc

    async def _missed(self, away: CloudAway) -> float:
        if self.facts.missed(self._clock.now_ns()):
            log.warning("cloud_lost", reason=str(away), binding=self._cloud.name)
        if away.unanswered:
            self._size = pace.after_silence(self._size)
            self._ahead = None
            if self.facts.swallowed():
                await self._alarm("unanswered", None)
        return self._backoff.pause(away.retry_s)

    async def _note_exchange(self, prepared: Prepared, took_ns: int, heard: StampFields) -> None:
        facts = self.facts
        facts.exchanges_ms.append(took_ns // 1_000_000)
        facts.binding = self._cloud.name
        self._size = pace.after_exchange(self._size, prepared.count, took_ns / 1e9)
        was_down = facts.heard(heard["mono_ns"])
        if facts.alarm == "unanswered":
            facts.alarm = None
        if was_down:
            log.info("cloud_answered", waiting=self.waiting(), binding=facts.binding)
            await self._make_way()

    async def _make_way(self) -> None:
        """Nothing that is written from now on shall stand in line behind an outage."""
        self._look_at_journal()
        if wants_fresh_run(self._outbox) and await self._kept("fresh_run", self._journal.fresh_run()):
            log.info("live_lane_opened", run=self._journal.run, waiting=self.waiting())

    async def _take(self, prepared: Prepared, answer: Answer) -> float | None:
        hashes = await self._our_hash(prepared, answer) if isinstance(answer, Ack | Need) else {}
        before = self._outbox
        self._outbox, effects = on_answer(before, prepared.send, answer, lambda run, seq: hashes.get((run, seq)))
        if isinstance(answer, Ack | Need):
            self._packs = packing.ZSTD in answer.enc
            self._note_hold(answer.hold)
        if self._outbox.gen != before.gen:
            await self._go_back(before)
        if self._outbox.barred is None and self.facts.alarm in BARS:
            self.facts.alarm = None
            if before.barred is not None:
                await self._make_way()
        return await self._carry_out(effects, forward=isinstance(answer, Ack))

    def _note_hold(self, hold: str | None) -> None:
        if hold != self.facts.hold:
            self.facts.hold = hold
            log.warning("cloud_holds_back", reason=hold) if hold else log.info("cloud_released")

    async def _go_back(self, before: Outbox) -> None:
        """The cloud was restored from a backup. Its generation may only be known together with what is asked again for it: else
        a box that stops now would never ask."""
        acked = {state.run: state.acked for state in self._outbox.runs}
        log.warning("cloud_restored", gen=self._outbox.gen, before=before.gen)
        await self._journal.rewind(self._outbox.gen, acked)

    def _written_ns(self, data: bytes) -> int | None:
        try:
            entry = parse(data)
        except TextFault:
            return None
        return entry.mono_ns if entry.boot_id == self._clock.stamp()["boot_id"] else None

    async def _our_hash(self, prepared: Prepared, answer: Ack | Need) -> dict[tuple[RunId, int], bytes]:
        seq = (answer.acked if isinstance(answer, Ack) else answer.need) - 1
        run = prepared.send.run
        if seq < 0:
            return {}
        digest = prepared.hash_at(seq) or await self._journal.reader.hash_at(run, seq)
        return {} if digest is None else {(run, seq): digest}

    async def _carry_out(self, effects: list[Effect], *, forward: bool) -> float | None:
        pause_s: float | None = None
        for effect in effects:
            match effect:
                case Moved():
                    self._journal.mark_acked(effect.run, effect.acked)
                    if effect.back:
                        log.warning("cloud_went_back", run=effect.run, acked=effect.acked)
                    if forward and not effect.back:
                        self._backoff.reset()
                    else:
                        # Only an ack that goes forward is progress: a cloud that goes to and fro is not asked at full speed.
                        pause_s = self._backoff.pause()
                case Wait():
                    pause_s = self._backoff.pause(effect.seconds)
                case Alarm(reason=reason, run=run):
                    await (self._alarm(reason, run) if run is None else self._stopped(run, reason))
                case Reissue():
                    count = await self._journal.reissue(effect.run, effect.first)
                    log.warning("run_said_again", run=effect.run, first=effect.first, entries=count)
        return pause_s

    async def _stop(self, run: RunId, reason: str) -> None:
        self._outbox = stop(self._outbox, run, reason)
        await self._stopped(run, reason)

    async def _stopped(self, run: RunId, reason: str) -> None:
        """Nothing more of this run is sent, also after a restart. A forked one is stopped when all of it was said again."""
        if reason != "fork":
            await self._kept("stop", self._journal.stop_run(run, reason))
            if run == self._journal.run:
                await self._make_way()
        await self._alarm(reason, run)

    async def _alarm(self, reason: str, run: RunId | None) -> None:
        self.facts.alarm = reason
        log.error("cloud_refused", reason=reason, run=run)
        note = NoteEntry(**self._clock.stamp(), name="cloud_refused", data={"reason": reason, "run": run})
        await self._kept("note", self._journal.append(note))

    async def _kept(self, what: str, keeping: Awaitable[object]) -> bool:
        """Whether the journal took what is good to have. On a full disk it does not, and then the line must drain all the same:
        only what the cloud has can be let go of."""
        try:
            await keeping
        except JournalFault as exc:
            log.warning("not_kept", what=what, reason=str(exc))
            return False
        return True


def _behind(tip: int, acked: int) -> int:
    # A run whose acked entries were let go has no tip to speak of.
    return max(tip - acked, 0)
