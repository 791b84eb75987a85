"""A terminal that sends its weight all the time: when the next frame is due, and how a display's number becomes digits."""

from abc import abstractmethod
from collections.abc import Mapping
from decimal import Decimal

from firmware_sim.balance import Balance, Weight
from firmware_sim.specs import TerminalSpec
from firmware_sim.weighing import WeighingDevice


class StreamingTerminal(WeighingDevice):
    """Sends a frame each `repeat_ns`. After a pause in which nobody listened it goes on from now: frames are never saved up."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._frame_ns: int | None = None

    @abstractmethod
    def frame(self, now_ns: int) -> bytes:
        """What it sends now; empty where it has nothing to send."""

    def speak(self, now_ns: int) -> bytes:
        if not self.streams() or self._frame_ns is None or now_ns < self._frame_ns:
            return b""
        self._frame_ns = max(self._frame_ns + self.spec.repeat_ns, now_ns)
        return self.frame(now_ns)

    def next_ns(self, now_ns: int) -> int | None:
        if not self.streams():
            return None
        if self._frame_ns is None:
            self._frame_ns = now_ns
        return self._frame_ns

    def streams(self) -> bool:
        """Whether it is set to send by itself."""
        return True

    def forget(self) -> None:
        self._frame_ns = None

    def shown(self, weight: Weight) -> tuple[Decimal, bool]:
        """The number on the display, and whether it is a net weight."""
        net = self.balance.tare_preset or weight.tare != 0
        return (weight.net if net else weight.gross), net


def decimals(increment: Decimal) -> int:
    """Places behind the point on the display."""
    exponent = increment.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def digits(amount: Decimal, places: int, width: int) -> str:
    """The magnitude without sign and point, filled with zeros."""
    return f"{int(abs(amount).scaleb(places)):0{width}d}"
