"""What the simulated tills' scales share: commands that end in CR, and which weights they are willing to say."""

from abc import abstractmethod
from collections.abc import Mapping

from firmware_sim.balance import Balance, Reach, Weight
from firmware_sim.specs import TerminalSpec
from firmware_sim.weighing import WeighingDevice

MAX_INPUT = 32
"""Bytes of a command that are kept: the longest of these families has 16."""


class LineScale(WeighingDevice):
    """A scale whose commands end in CR; line feeds in front of them belong to nothing unless a grammar says so."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._input = bytearray()

    @abstractmethod
    def command(self, text: str, now_ns: int) -> bytes:
        """What is answered to a command without its CR."""

    def hear(self, data: bytes, now_ns: int) -> bytes:
        said = b""
        for byte in data:
            if byte != 0x0D:
                if len(self._input) < MAX_INPUT:
                    self._input.append(byte)
                continue
            text, self._input = self._input.decode("latin-1"), bytearray()
            said += self.command(text, now_ns)
        return said

    def forget(self) -> None:
        self._input.clear()


def below_zero(weight: Weight) -> bool:
    """Whether the display shows a negative weight: with a tare, also when the container was taken off."""
    return weight.net < 0 or weight.reach is Reach.UNDER


def sayable(weight: Weight) -> bool:
    """Whether a till may charge for it: at rest, within the range, not negative."""
    return weight.stable and weight.reach is Reach.IN and weight.net >= 0
