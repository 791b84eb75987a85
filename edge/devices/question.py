"""A command that somebody waits for, and what counts as the device's answer to it."""

import asyncio

from drivers.api import Acknowledged, DeviceRefused, Flag, Identity, LinkLost, Malformed, Reading, Refused, Status

SETTLE_S = 0.3
"""Before a command that is waited for, the answer to what was asked before gets this long to arrive: its refusal would be
taken for the command's. Scales answer a request for the weight within 50 ms, slow ones at 2400 baud within 0.3 s."""

ASK_S = 60.0
"""For the answer to a command: drivers give a device that waits for rest up to 45 s."""


Answer = Acknowledged | Reading | Identity
"""What a device says to a command that it did: that it did it, a value, or who it is."""

STABLE = "stable"
ASKS_WEIGHT = frozenset({STABLE, "print", "gross", "net", "count", "present", "maximum", "minimum", "run_out", "delta"})
"""Commands that are answered by a value, whatever the driver; others by an acknowledgement, or by the tare that was taken."""

ASKS_WHO = frozenset({"identify", "reset"})
"""Commands that a device answers with its name."""


class Question:
    """A command that somebody waits for: first what was asked before is let arrive, then the device's word is the answer."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.sent = False
        self.settled = asyncio.Event()
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def hear(self, decoded: Reading | Acknowledged | Identity | Refused | Malformed | Status) -> None:
        if not self.sent:
            self.settled.set()
        elif self.answer.done():
            return
        elif isinstance(decoded, Refused):
            self.answer.set_exception(DeviceRefused(f"{self.command}: {decoded.reason}", code=decoded.code))
        elif isinstance(decoded, Acknowledged | Reading | Identity) and self._is_answered_by(decoded):
            self.answer.set_result(decoded)

    def _is_answered_by(self, decoded: Acknowledged | Reading | Identity) -> bool:
        match decoded:
            case Acknowledged():
                return decoded.command == self.command
            case Identity():
                return self.command in ASKS_WHO and not decoded.power_up
            case Reading():
                if self.command in ASKS_WEIGHT:
                    return not is_tare(decoded) and (self.command != STABLE or decoded.stable is not False)
                return "tare" in self.command and is_tare(decoded)

    def lost(self, name: str) -> None:
        self.settled.set()
        if not self.answer.done():
            self.answer.set_exception(LinkLost(f"{name} was lost before it answered"))
            self.answer.exception()  # marks it as seen: who asked may be gone


def is_tare(reading: Reading) -> bool:
    """Whether this is the tare that was taken, as a device says it when asked to tare; it is not what lies on the platform."""
    return Flag.TARE in reading.flags and Flag.NET not in reading.flags and Flag.GROSS not in reading.flags
