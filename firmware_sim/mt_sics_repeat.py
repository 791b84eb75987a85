"""What an MT-SICS balance sends by itself after SIR, SR and SNR (11780711, commands SIR and SR; 30324923, SNR)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Protocol

from firmware_sim.balance import SAMPLE_NS, Reach, Weight
from firmware_sim.mt_sics_lines import weight_line

CHANGE_SHARE = Decimal("0.125")
CHANGE_INCREMENTS = 30
"""SR without a preset value reports a change of 12.5 % of the last stable value, but at least 30 increments."""


class Repeat(Protocol):
    """A request that goes on until it is cancelled."""

    due_ns: int

    def lines(self, weight: Weight, now_ns: int) -> list[str]:
        """The lines to send, called when `due_ns` has come; moves `due_ns` on."""
        ...


@dataclass(slots=True)
class Continuous:
    """SIR: the weight of the moment, at the model's rate. After a pause the missed values are not made up for."""

    unit: str
    interval_ns: int
    due_ns: int

    def lines(self, weight: Weight, now_ns: int) -> list[str]:
        self.due_ns = max(self.due_ns + self.interval_ns, now_ns + 1)
        return [weight_line(weight, self.unit)]


class _Phase(Enum):
    FIRST = "first"
    HELD = "held"
    MOVING = "moving"


@dataclass(slots=True)
class OnChange:
    """SR and SNR: a stable weight, then one after each change that is large enough; SR also says when the change begins."""

    unit: str
    increment: Decimal
    due_ns: int
    give_up_ns: int
    says_dynamic: bool
    preset: Decimal | None = None
    _phase: _Phase = _Phase.FIRST
    _held: Decimal = Decimal(0)
    _reach: Reach = Reach.IN
    _gave_up: bool = False

    def lines(self, weight: Weight, now_ns: int) -> list[str]:
        self.due_ns = now_ns + SAMPLE_NS
        if weight.reach is not self._reach:
            return self._left_range(weight)
        if weight.reach is not Reach.IN:
            return []
        if self._phase is _Phase.HELD:
            return self._watch(weight)
        if weight.stable:
            self._phase, self._held = _Phase.HELD, weight.net
            return [weight_line(weight, self.unit)]
        if self._phase is _Phase.FIRST and not self._gave_up and now_ns >= self.give_up_ns:
            self._gave_up = True
            return ["S I"]
        return []

    def _left_range(self, weight: Weight) -> list[str]:
        self._reach, self._phase = weight.reach, _Phase.MOVING
        return [] if weight.reach is Reach.IN else [weight_line(weight, self.unit)]

    def _watch(self, weight: Weight) -> list[str]:
        default = max(abs(self._held) * CHANGE_SHARE, CHANGE_INCREMENTS * self.increment)
        if abs(weight.net - self._held) < (default if self.preset is None else self.preset):
            return []
        if weight.stable:
            self._held = weight.net
            return [weight_line(weight, self.unit)]
        self._phase = _Phase.MOVING
        return [weight_line(weight, self.unit)] if self.says_dynamic else []
