"""A command that somebody waits for, and what counts as the device's answer to it."""

import asyncio

from drivers.api import Acknowledged, DeviceRefused, Flag, Identity, LinkLost, Malformed, Reading, Refused, Status

SETTLE_S = 0.3
"""Before a command that is waited for, the answer to what was asked before gets this long to arrive: its refusal would be
taken for the command's. Scales answer a request for the weight within 50 ms, slow ones at 2400 baud within 0.3 s."""

ASK_S = 60.0
"""For the answer to a command: drivers give a device that waits for rest up to 45 s."""


class Question:
    """A command that somebody waits for: first what was asked before is let arrive, then the device's word is the answer."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.sent = False
        self.settled = asyncio.Event()
        self.answer: asyncio.Future[Acknowledged | Reading] = asyncio.get_running_loop().create_future()

    def hear(self, decoded: Reading | Acknowledged | Identity | Refused | Malformed | Status) -> None:
        if not self.sent:
            self.settled.set()
        elif self.answer.done():
            return
        elif isinstance(decoded, Refused):
            self.answer.set_exception(DeviceRefused(f"{self.command}: {decoded.reason}", code=decoded.code))
        elif isinstance(decoded, Acknowledged | Reading) and self._is_answered_by(decoded):
            self.answer.set_result(decoded)

    def _is_answered_by(self, decoded: Acknowledged | Reading) -> bool:
        if isinstance(decoded, Acknowledged):
            return decoded.command == self.command
        return self.command.startswith("tare") and is_tare(decoded)

    def lost(self, name: str) -> None:
        self.settled.set()
        if not self.answer.done():
            self.answer.set_exception(LinkLost(f"{name} was lost before it answered"))
            self.answer.exception()  # marks it as seen: who asked may be gone


def is_tare(reading: Reading) -> bool:
    """Whether this is the tare that was taken, as a device says it when asked to tare; it is not what lies on the platform."""
    return Flag.TARE in reading.flags and Flag.NET not in reading.flags and Flag.GROSS not in reading.flags
