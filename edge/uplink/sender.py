"""The loop that empties the journal into the cloud; `sync_protocol.outbox` decides what to send and what answers mean."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from edge.anchoring import Anchoring
from edge.clock import Clock
from edge.journal.service import Journal
from edge.uplink.backoff import Backoff
from edge.uplink.binding import CloudAway
from edge.uplink.cloud import Cloud
from edge.uplink.status import LinkFacts
from sync_protocol import chain
from sync_protocol.answers import Ack, Need
from sync_protocol.entries import NoteEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.frame import Sign, seal
from sync_protocol.ids import BoxId, RunId
from sync_protocol.outbox import Alarm, Effect, Moved, Outbox, Send, Wait, grown, next_send, on_answer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the box is to the cloud."""

    box: BoxId
    key_id: bytes
    sign: Sign


BARS = frozenset({"sig", "quarantine", "revoked"})
"""Alarms that end by themselves: the cloud takes from the box again."""


class Sender:
    """Runs until cancelled; `facts` always tells how the link is."""

    def __init__(
        self,
        journal: Journal,
        cloud: Cloud,
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
        self._anchoring = anchoring or Anchoring(journal.append)
        self.facts = LinkFacts()

    def waiting(self) -> int:
        """Entries that the cloud is not known to hold."""
        # A run whose acked entries were let go has no tip to speak of.
        return sum(max(state.tip - state.acked, 0) for state in grown(self._outbox, self._journal.run, self._journal.tip).runs)

    async def run(self) -> None:
        """Send whatever is there, then sleep until the journal grows."""
        self._outbox = await self._journal.reader.outbox()
        while True:
            self._journal.grown.clear()
            self._outbox = grown(self._outbox, self._journal.run, self._journal.tip)
            send = next_send(self._outbox)
            if send is None:
                self.facts.oldest_waiting_ns = None
                await self._journal.grown.wait()
                continue
            pause_s = await self._turn(send)
            if pause_s is not None:
                await self._sleep(pause_s)

    async def _turn(self, send: Send) -> float | None:
        frame = await self._frame(send)
        if frame is None:
            await self._stop_pruned(send)
            return None
        try:
            return await self._exchange(send, frame)
        except CloudAway as exc:
            if self.facts.missed(self._clock.now_ns()):
                log.warning("cloud_lost", reason=str(exc))
            return self._backoff.pause(exc.retry_s)

    async def _exchange(self, send: Send, frame: bytes) -> float | None:
        asked_ns = self._clock.now_ns()
        answer = await self._cloud.post(frame)
        heard = self._clock.stamp()
        if self.facts.heard(heard["mono_ns"]):
            log.info("cloud_answered", waiting=self.waiting())
        hashes = {} if not isinstance(answer, Ack | Need) else await self._our_hash(answer, send.run)
        self._outbox, effects = on_answer(self._outbox, send, answer, lambda run, seq: hashes.get((run, seq)))
        if self._outbox.barred is None and self.facts.alarm in BARS:
            self.facts.alarm = None
        if isinstance(answer, Ack):
            # `heard` is the moment of the answer: what was done since must not count as its way.
            await self._anchoring.heard(answer.srv_time, heard, heard["mono_ns"] - asked_ns)
        return await self._carry_out(effects, forward=isinstance(answer, Ack))

    async def _frame(self, send: Send) -> bytes | None:
        """The next frame of a run; None when the journal has let go of what it would begin with."""
        entries = await self._journal.reader.page(send.run, send.first)
        before = chain.seed(send.run) if send.first == 0 else await self._journal.reader.hash_at(send.run, send.first - 1)
        if not entries or before is None:
            return None
        self.facts.oldest_waiting_ns = self._written_ns(entries[0])
        who = self._who
        return seal(
            box=who.box,
            run=send.run,
            first=send.first,
            prev=before,
            entries=entries,
            gen=self._outbox.gen,
            key_id=who.key_id,
            sign=who.sign,
        )

    def _written_ns(self, data: bytes) -> int | None:
        try:
            entry = parse(data)
        except TextFault:
            return None
        return entry.mono_ns if entry.boot_id == self._clock.stamp()["boot_id"] else None

    async def _stop_pruned(self, send: Send) -> None:
        """Nobody can fill this gap: the other runs go on, a person must know."""
        runs = (replace(state, stopped="pruned") if state.run == send.run else state for state in self._outbox.runs)
        self._outbox = replace(self._outbox, runs=tuple(runs))
        await self._alarm("pruned", send.run)

    async def _our_hash(self, answer: Ack | Need, run: RunId) -> dict[tuple[RunId, int], bytes]:
        seq = (answer.acked if isinstance(answer, Ack) else answer.need) - 1
        digest = await self._journal.reader.hash_at(run, seq) if seq >= 0 else None
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
                case Alarm():
                    await self._alarm(effect.reason, effect.run)
        return pause_s

    async def _alarm(self, reason: str, run: RunId | None) -> None:
        self.facts.alarm = reason
        log.error("cloud_refused", reason=reason, run=run)
        note = NoteEntry(**self._clock.stamp(), name="cloud_refused", data={"reason": reason, "run": run})
        await self._journal.append(note)
