"""What the box knows of its link to the cloud, for screens and health."""

import math
from collections import deque
from dataclasses import dataclass, field

from edge.uplink.binding import BindingName

EXCHANGES_TIMED = 512
"""Exchanges whose duration is kept: enough for a 99th percentile of the last minutes."""

UNANSWERED = 3
"""Frames in a row that were handed over and not answered: a rule that swallows them looks like this and like nothing else."""


@dataclass(slots=True)
class LinkFacts:
    """Facts, not judgements; `changed_ns` and `answered_ns` are `Clock.now_ns`."""

    up: bool = False
    changed_ns: int = 0
    answered_ns: int | None = None
    oldest_waiting_ns: int | None = None
    """When the oldest entry that the cloud lacks was written; None when none waits or it was written before this boot."""
    alarm: str | None = None
    """What needs a person: a refusal (`fork`, `revoked`, `sig`...), `pruned` when the cloud asks for what is gone, `unanswered`
    when frames vanish on their way."""
    hold: str | None = None
    """Why the cloud makes nothing of what it takes from this box (`sync_protocol.answers.Ack.hold`)."""
    told: bool = False
    """Whether an outcome was reported at all; before that, a miss is news too."""
    binding: BindingName | None = None
    """The way on which the last answer came; None before the first."""
    sent_bytes: int = 0
    """Frames as they went out, packed where they were; those sent again count again."""
    unanswered: int = 0
    """Frames in a row that were handed over and not answered."""
    exchanges_ms: deque[int] = field(default_factory=lambda: deque(maxlen=EXCHANGES_TIMED))

    def heard(self, now_ns: int) -> bool:
        """The cloud answered; whether the link was down before."""
        was_down = not self.up
        if was_down:
            self.up, self.changed_ns = True, now_ns
        self.answered_ns, self.told = now_ns, True
        self.unanswered = 0
        return was_down

    def missed(self, now_ns: int) -> bool:
        """The cloud was not reached; whether that is news: the link was up before, or nothing was known of it."""
        news = self.up or not self.told
        if news:
            self.up, self.changed_ns, self.told = False, now_ns, True
        return news

    def swallowed(self) -> bool:
        """A frame was handed over and not answered; whether it is now time to tell a person."""
        self.unanswered += 1
        return self.unanswered == UNANSWERED

    def batch_ms(self, percent: int) -> int | None:
        """Milliseconds from sending a frame to its answer, a percentile by nearest rank over the last exchanges."""
        ordered = sorted(self.exchanges_ms)
        return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else None
