"""One worker's way in for frames, whichever binding brings them: not too many at once, keys at hand, figures counted."""

import asyncio
from dataclasses import dataclass, field

from cloud.deps import SyncDeps
from cloud.ingest.opening import Keys
from cloud.ingest.receive import Arriving, receive
from sync_protocol.answers import Ack, Answer, Need, Refused

MAX_WAITING = 64
"""Frames that one worker has taken in and not yet answered, 17 MiB at most. A database that is behind is not helped by more."""

RETRY_BUSY_S = 2.0
"""Long enough to store several times MAX_WAITING frames."""


@dataclass(slots=True)
class Intake:
    """What a worker keeps between frames."""

    deps: SyncDeps
    _keys: Keys = field(default_factory=Keys)
    _waiting: int = 0

    async def take(self, arriving: Arriving, *, binding: str) -> Answer:
        """Store the frame and answer, or say `slow_down` when too many wait already. Raises what `receive` raises."""
        if self._waiting >= MAX_WAITING:
            busy = Refused(err="slow_down", retry_s=RETRY_BUSY_S, detail="busy")
            self.deps.metrics.frame(binding=binding, answer=busy.err, entries=0, seconds=0.0)
            return busy
        clock = asyncio.get_running_loop().time
        started = clock()
        self._waiting += 1
        try:
            outcome = await receive(self.deps.sessions, arriving, now=self.deps.clock(), keys=self._keys)
        finally:
            self._waiting -= 1
        if isinstance(outcome.answer, Ack) and outcome.more:
            # Readings alone are passed when the projection looks by itself: a backlog of them must not wake it at each frame.
            self.deps.wake.set()
        self.deps.metrics.frame(
            binding=binding, answer=_word(outcome.answer), entries=outcome.entries, seconds=clock() - started
        )
        return outcome.answer


def _word(answer: Answer) -> str:
    if isinstance(answer, Refused):
        return answer.err
    return "need" if isinstance(answer, Need) else "ack"
