"""Which live readings reach the journal without anyone asking: one small policy object per device, no I/O."""

from decimal import Decimal
from typing import Protocol

from drivers.api import Flag, Reading
from edge.settings import CaptureSettings
from sync_protocol.quantity import decimal

NOT_MEASURED = frozenset(
    {Flag.OVERLOAD, Flag.UNDERLOAD, Flag.NOT_ZEROED, Flag.TOTAL, Flag.REMOVED, Flag.STATUS, Flag.UNAVAILABLE, Flag.NO_READ}
)
"""What a device says of digits that are no measurement of what lies there now: a sum, the last weighing again, a state."""


def measured(reading: Reading) -> bool:
    """Whether a reading may be kept at all, whatever the policy."""
    return reading.value is not None and not reading.flags & NOT_MEASURED


class Policy(Protocol):
    def wants(self, reading: Reading, now_ns: int) -> bool:
        """Whether this reading is to be kept. Called once for each reading, in order."""
        ...


class OnDemand:
    """Only what an operator or a job takes."""

    def wants(self, reading: Reading, now_ns: int) -> bool:  # noqa: ARG002 - the policies share one signature
        return False


class Every:
    """All that were measured or read."""

    def wants(self, reading: Reading, now_ns: int) -> bool:  # noqa: ARG002
        return measured(reading)


class OnStable:
    """The first stable value after motion, and a stable value or unit that differs from the last one kept.

    A device that cannot say whether it is stable gives nothing: nobody vouches for its values.
    """

    def __init__(self) -> None:
        self._moved = True
        self._kept: object = None

    def wants(self, reading: Reading, now_ns: int) -> bool:  # noqa: ARG002
        if not reading.stable or not measured(reading):
            self._moved = True
            return False
        found = reading.value, reading.unit
        if not self._moved and found == self._kept:
            return False
        self._moved, self._kept = False, found
        return True


class OnChange:
    """A number further than `deadband` from the last one kept; another unit, and what is no number, when it differs."""

    def __init__(self, deadband: Decimal) -> None:
        self._deadband = deadband
        self._kept: Reading | None = None

    def wants(self, reading: Reading, now_ns: int) -> bool:  # noqa: ARG002
        kept = self._kept
        if not measured(reading) or (kept is not None and not self._differs(kept, reading)):
            return False
        self._kept = reading
        return True

    def _differs(self, kept: Reading, reading: Reading) -> bool:
        if reading.unit == kept.unit and isinstance(reading.value, Decimal) and isinstance(kept.value, Decimal):
            return abs(reading.value - kept.value) > self._deadband
        return (reading.value, reading.unit) != (kept.value, kept.unit)


class Periodic:
    """The first reading of each period."""

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._next_ns: int | None = None

    def wants(self, reading: Reading, now_ns: int) -> bool:
        if not measured(reading) or (self._next_ns is not None and now_ns < self._next_ns):
            return False
        self._next_ns = now_ns + self._period_ns
        return True


def policy_of(settings: CaptureSettings) -> Policy:
    """The policy that the settings name."""
    match settings.policy:
        case "every":
            return Every()
        case "on_stable":
            return OnStable()
        case "on_change":
            return OnChange(decimal(settings.deadband))
        case "periodic":
            return Periodic(int(settings.period_s * 1e9))
        case _:
            return OnDemand()
