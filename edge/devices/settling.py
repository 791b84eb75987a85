"""Rest of a scale that cannot say so itself: as many equal readings as wanted, over as long as wanted, and it is recorded.

A device's own flag always counts more: readings that carry one pass unchanged.
"""

from dataclasses import replace

from drivers.api import Flag, Kind, Reading
from edge.settings import SettleSettings

DETAIL = "stability"
"""The detail that says who judged: `equal readings: 8 in 1000 ms`. Without it the device itself did."""


class SentOnce:
    """A device that sends each finished weighing once: what it sends was at rest, or it would not have been sent."""

    def judge(self, reading: Reading, now_ns: int) -> Reading:  # noqa: ARG002 - as Settling
        if reading.kind is not Kind.MASS or reading.stable is not None or reading.value is None:
            return reading
        return replace(reading, flags=reading.flags | {Flag.STABLE}, details={**reading.details, DETAIL: "finished weighing"})


class Settling:
    """Judges one device's readings, in order."""

    def __init__(self, settings: SettleSettings) -> None:
        self._readings = settings.readings
        self._span_ns = round(settings.ms * 1_000_000)
        self._value: object = None
        self._since_ns = 0
        self._equal = 0

    def judge(self, reading: Reading, now_ns: int) -> Reading:
        """The reading, with STABLE or MOTION where the device does not say. No number, no judgement."""
        if reading.kind is not Kind.MASS or reading.stable is not None:
            return reading
        if reading.value is None or Flag.STATUS in reading.flags:
            self._equal = 0
            return reading
        found = reading.value, reading.unit, reading.flags
        if found != self._value or not self._equal:
            self._value, self._since_ns, self._equal = found, now_ns, 0
        self._equal += 1
        for_ns = now_ns - self._since_ns
        if self._equal < self._readings or for_ns < self._span_ns:
            return replace(reading, flags=reading.flags | {Flag.MOTION}, details={**reading.details, DETAIL: "not yet"})
        said = f"equal readings: {self._equal} in {for_ns // 1_000_000} ms"
        return replace(reading, flags=reading.flags | {Flag.STABLE}, details={**reading.details, DETAIL: said})
