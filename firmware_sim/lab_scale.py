"""What the simulated laboratory and bench balances share: a command that waits for rest, and sending by themselves.

Grammar is each one's own.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware_sim.balance import SAMPLE_NS, Balance, Reach, Weight
from firmware_sim.specs import TerminalSpec
from firmware_sim.weighing import WeighingDevice

MAX_INPUT = 64
"""Bytes of a command that are kept. No manual of these families has a command of more than 20."""


@dataclass(slots=True)
class _Waiting:
    done: Callable[[Weight, int], bytes]
    gave_up: bytes
    give_up_ns: int
    due_ns: int


class LabScale(WeighingDevice):
    """A balance whose commands end in CR, LF or both. One of them at a time may wait for rest."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._input = bytearray()
        self._waiting: _Waiting | None = None
        self._stream_ns: int | None = None

    # -- what a grammar gives --------------------------------------------------------------------------------------------

    @abstractmethod
    def command(self, text: str, now_ns: int) -> bytes:
        """What is answered at once to a command without its end."""

    @abstractmethod
    def weight_line(self, now_ns: int) -> bytes:
        """What is sent for the weight of this moment."""

    def busy(self, text: str) -> bytes:  # noqa: ARG002 - for those that answer
        """What is answered to a command while another waits for rest."""
        return b""

    def streamed(self, now_ns: int) -> bytes:
        """What is sent by itself each time."""
        return self.weight_line(now_ns)

    # -- what grammars use -----------------------------------------------------------------------------------------------

    def when_stable(self, done: Callable[[Weight, int], bytes], gave_up: bytes, now_ns: int) -> bytes:
        """Do something at rest; `gave_up` is sent when there was none in the balance's time."""
        self._waiting = _Waiting(done, gave_up, now_ns + self.spec.stable_wait_ns, now_ns)
        return self._try_waiting(now_ns)

    def start_stream(self, now_ns: int) -> None:
        self._stream_ns = now_ns

    def stop_stream(self) -> None:
        self._stream_ns = None

    def cancel_waiting(self) -> None:
        self._waiting = None

    @property
    def waits(self) -> bool:
        return self._waiting is not None

    @property
    def streams(self) -> bool:
        return self._stream_ns is not None

    # -- the wire --------------------------------------------------------------------------------------------------------

    def hear(self, data: bytes, now_ns: int) -> bytes:
        """Commands end in CR or LF; what is longer than any command is forgotten."""
        said = b""
        for byte in data:
            if byte in b"\r\n":
                text, self._input = self._input.decode("latin-1"), bytearray()
                if text:
                    said += self.busy(text) if self._waiting is not None else self.command(text, now_ns)
            elif len(self._input) < MAX_INPUT:
                self._input.append(byte)
        return said

    def speak(self, now_ns: int) -> bytes:
        said = self._try_waiting(now_ns)
        if self._stream_ns is not None and now_ns >= self._stream_ns:
            # After a pause the missed values are not made up for.
            self._stream_ns = max(self._stream_ns + self.spec.repeat_ns, now_ns + 1)
            said += self.streamed(now_ns)
        return said

    def next_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - everything in hand has its own time
        due = [self._waiting.due_ns] if self._waiting is not None else []
        return min(due + ([self._stream_ns] if self._stream_ns is not None else []), default=None)

    def forget(self) -> None:
        self._input.clear()
        self._waiting = None
        self._stream_ns = None

    def _try_waiting(self, now_ns: int) -> bytes:
        waiting = self._waiting
        if waiting is None:
            return b""
        weight = self.balance.weigh(now_ns)
        if weight.stable or weight.reach in {Reach.OVER, Reach.UNDER}:
            self._waiting = None
            return waiting.done(weight, now_ns)
        if now_ns >= waiting.give_up_ns:
            self._waiting = None
            return waiting.gave_up
        waiting.due_ns = now_ns + SAMPLE_NS
        return b""


def line(text: str) -> bytes:
    return text.encode("ascii") + b"\r\n"
