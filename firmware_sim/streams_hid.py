"""A USB HID postal scale as it is on the bus: one report of six bytes, repeated, until it switches itself off."""

from decimal import Decimal

from firmware_sim.balance import Balance, Reach
from firmware_sim.streams import decimals

REPORT_ID = 3

STATUS_ZERO, STATUS_MOTION, STATUS_STABLE, STATUS_UNDER, STATUS_OVER, STATUS_REZERO = 2, 3, 4, 5, 6, 8

UNIT_CODES = {"mg": 1, "g": 2, "kg": 3, "ct": 4, "t": 8, "ozt": 10, "oz": 11, "lb": 12}

SLEEP_NS = 180_000_000_000
"""Three minutes without a change and it is off: it vanishes from the bus until its button is pressed."""


class HidScale:
    """Gives its report at any time; `awake` says whether it is on the bus."""

    def __init__(self, balance: Balance, *, sleep_ns: int = SLEEP_NS) -> None:
        self.balance = balance
        self._sleep_ns = sleep_ns
        self._shown: bytes | None = None
        self._changed_ns = 0

    def report(self, now_ns: int) -> bytes:
        """Status, unit, exponent and magnitude; below zero the sign is lost."""
        weight = self.balance.weigh(now_ns)
        places = decimals(self.balance.spec.increment)
        status = {
            Reach.OVER: STATUS_OVER,
            Reach.UNDER: STATUS_UNDER,
            Reach.NOT_ZEROED: STATUS_REZERO,
        }.get(weight.reach, self._status(weight.gross, stable=weight.stable))
        magnitude = min(int(abs(weight.gross).scaleb(places)), 0xFFFF)
        unit = UNIT_CODES[self.balance.spec.unit]
        said = bytes([REPORT_ID, status, unit, -places & 0xFF]) + magnitude.to_bytes(2, "little")
        if said != self._shown:
            self._shown, self._changed_ns = said, now_ns
        return said

    def awake(self, now_ns: int) -> bool:
        return now_ns - self._changed_ns < self._sleep_ns

    def wake(self, now_ns: int) -> None:
        """The button was pressed: on again, with a new zero."""
        self.balance.restart(now_ns)
        self._changed_ns = now_ns

    @staticmethod
    def _status(gross: Decimal, *, stable: bool) -> int:
        if gross < 0:
            return STATUS_UNDER
        if not stable:
            return STATUS_MOTION
        return STATUS_ZERO if gross == 0 else STATUS_STABLE
