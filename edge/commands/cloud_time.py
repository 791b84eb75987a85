"""The cloud's time as this box can prove it, to tell whether a command comes too late."""

from collections import deque

from edge.clock import Clock
from sync_protocol.besttime import Anchor, best_time, parse_time
from sync_protocol.errors import TextFault

KEPT = 4
"""Times heard in this boot; the newest bounds the drift, an earlier one may have come a shorter way."""


class CloudTime:
    """Fed with what the cloud says of its time; knows nothing before that, and nothing after a reboot."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: deque[Anchor] = deque(maxlen=KEPT)

    def heard(self, srv_time: str, *, rtt_ns: int) -> None:
        """The cloud said just now that its clock shows `srv_time`; asking took `rtt_ns`. What is no time is passed over."""
        stamp = self._clock.stamp()
        try:
            at_ns = parse_time(srv_time)
        except TextFault:
            return
        self._heard.append(Anchor(stamp["boot_id"], stamp["mono_ns"], at_ns, rtt_ns))

    def passed(self, moment: str) -> bool:
        """Whether a time (ISO 8601) is over for certain. False while the cloud's time is not known, or for what is no time."""
        try:
            at_ns = parse_time(moment)
        except TextFault:
            return False
        earliest_ns = best_time([anchor.pin for anchor in self._heard], self._clock.now_ns()).at.lo_ns
        return earliest_ns is not None and earliest_ns > at_ns
