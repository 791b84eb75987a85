"""The loop that empties the journal into the cloud; `sync_protocol.outbox` decides what to send and what answers mean."""

import asyncio
from dataclasses import dataclass

import structlog

from edge.clock import Clock
from edge.errors import JournalFault
from edge.journal.service import Journal
from edge.uplink.backoff import Backoff
from edge.uplink.cloud import Cloud, CloudAway
from edge.uplink.status import LinkFacts
from sync_protocol import chain
from sync_protocol.answers import Ack, Need
from sync_protocol.entries import AnchorEntry, NoteEntry
from sync_protocol.frame import Sign, seal
from sync_protocol.ids import BoxId, RunId
from sync_protocol.outbox import Alarm, Effect, Moved, Outbox, Send, Wait, grown, next_send, on_answer

log = structlog.get_logger()

ANCHOR_EVERY_NS = 600_000_000_000
"""One anchor of true time in ten minutes bounds the error of a 100 ppm oscillator to 60 ms."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the box is to the cloud."""

    box: BoxId
    key_id: bytes
    sign: Sign


class Sender:
    """Runs until cancelled; `facts` always tells how the link is."""

    def __init__(self, journal: Journal, cloud: Cloud, who: Credentials, *, clock: Clock, backoff: Backoff) -> None:
        self._journal = journal
        self._cloud = cloud
        self._who = who
        self._clock = clock
        self._backoff = backoff
        self._outbox = Outbox(())
        self._anchored_ns: int | None = None
        self.facts = LinkFacts()

    def waiting(self) -> int:
        """Entries that the cloud is not known to hold."""
        return sum(state.tip - state.acked for state in grown(self._outbox, self._journal.run, self._journal.tip).runs)

    async def run(self) -> None:
        """Send whatever is there, then sleep until the journal grows."""
        self._outbox = await self._journal.reader.outbox()
        while True:
            self._journal.grown.clear()
            self._outbox = grown(self._outbox, self._journal.run, self._journal.tip)
            send = next_send(self._outbox)
            if send is None:
                await self._journal.grown.wait()
                continue
            try:
                pause_s = await self._exchange(send)
            except CloudAway as exc:
                pause_s = self._backoff.pause(exc.retry_s)
                if self.facts.missed(self._clock.now_ns()):
                    log.warning("cloud_lost", reason=str(exc))
            if pause_s is not None:
                await asyncio.sleep(pause_s)

    async def _exchange(self, send: Send) -> float | None:
        asked_ns = self._clock.now_ns()
        answer = await self._cloud.post(await self._frame(send))
        now_ns = self._clock.now_ns()
        if self.facts.heard(now_ns):
            log.info("cloud_answered", waiting=self.waiting())
        hashes = {} if not isinstance(answer, Ack | Need) else await self._our_hash(answer, send.run)
        self._outbox, effects = on_answer(self._outbox, send, answer, lambda run, seq: hashes.get((run, seq)))
        if isinstance(answer, Ack):
            await self._anchor(answer, rtt_ns=now_ns - asked_ns)
        return await self._carry_out(effects)

    async def _frame(self, send: Send) -> bytes:
        entries = await self._journal.reader.page(send.run, send.first)
        before = chain.seed(send.run) if send.first == 0 else await self._journal.reader.hash_at(send.run, send.first - 1)
        if not entries or before is None:
            raise JournalFault(f"entries of run {send.run} from {send.first} on are gone from the journal")
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

    async def _our_hash(self, answer: Ack | Need, run: RunId) -> dict[tuple[RunId, int], bytes]:
        seq = (answer.acked if isinstance(answer, Ack) else answer.need) - 1
        digest = await self._journal.reader.hash_at(run, seq) if seq >= 0 else None
        return {} if digest is None else {(run, seq): digest}

    async def _carry_out(self, effects: list[Effect]) -> float | None:
        pause_s: float | None = None
        for effect in effects:
            match effect:
                case Moved():
                    self._backoff.reset()
                    self._journal.mark_acked(effect.run, effect.acked)
                    if effect.back:
                        log.warning("cloud_went_back", run=effect.run, acked=effect.acked)
                case Wait():
                    pause_s = self._backoff.pause(effect.seconds)
                case Alarm():
                    self.facts.alarm = effect.reason
                    log.error("cloud_refused", reason=effect.reason, run=effect.run)
                    data = {"reason": effect.reason, "run": effect.run}
                    await self._journal.append(NoteEntry(**self._clock.stamp(), name="cloud_refused", data=data))
        return pause_s

    async def _anchor(self, answer: Ack, *, rtt_ns: int) -> None:
        now_ns = self._clock.now_ns()
        if self._anchored_ns is not None and now_ns - self._anchored_ns < ANCHOR_EVERY_NS:
            return
        self._anchored_ns = now_ns
        await self._journal.append(AnchorEntry(**self._clock.stamp(), srv_time=answer.srv_time, rtt_ns=rtt_ns))
