"""The physics and metrology of a balance: load, settling, noise, stability, zero, tare and range. No commands, no bytes.

All inner values are floats in display increments; what is shown is a whole number of increments, as an exact Decimal.
"""

import math
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from itertools import islice

from firmware_sim.errors import ActionRefused

GRAMS_PER: dict[str, Decimal] = {
    "mg": Decimal("0.001"),
    "g": Decimal(1),
    "kg": Decimal(1000),
    "t": Decimal(1_000_000),
    "lb": Decimal("453.59237"),
    "oz": Decimal("28.349523125"),
    "ozt": Decimal("31.1034768"),
    "ct": Decimal("0.2"),
}
"""Unit text on the display -> grams (international avoirdupois, troy and metric carat definitions)."""

SAMPLE_NS = 20_000_000
"""The converter gives 50 values a second, as load-cell converters with mains rejection do."""

ZERO_SAMPLES = 5
"""Zero is the mean of the last 100 ms, so that one noisy value does not become the reference (OIML R 76-1, 4.5.2: 0.25 e)."""


class Reach(Enum):
    """Whether there is a weight to show."""

    IN = "in"
    OVER = "over"
    UNDER = "under"
    NOT_ZEROED = "not_zeroed"
    """Switched on with a load outside the start-up zero range, or not yet at rest."""


@dataclass(frozen=True, slots=True)
class BalanceSpec:
    """One model of balance. Amounts are in `unit`, shares are of the capacity."""

    capacity: Decimal
    increment: Decimal
    unit: str = "g"
    settle_ns: int = 250_000_000
    """Time constant of the exponential with which the indication follows the load."""
    noise: float = 0.2
    """Peak of the converter's noise, in increments. Below 0.25 a load of whole increments shows exactly."""
    window: float = 1.0
    """Stable means: within this many increments..."""
    stable_ns: int = 500_000_000
    """...for this long."""
    zero_share: Decimal = Decimal("0.02")
    start_zero_share: Decimal = Decimal("0.1")
    over_increments: int = 9
    """OIML R 76-1, T.3.1.1: no indication above Max + 9 e."""
    under_increments: int = 20
    restart_zeroes: bool = True
    """Whether switching on takes a new zero; otherwise the stored one is kept."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One indication, in the balance's unit and whole increments. The amounts mean something only when `reach` is IN."""

    net: Decimal
    gross: Decimal
    tare: Decimal
    stable: bool
    reach: Reach


class Balance:
    """A load cell with its indication. Time is passed in; a time before the latest seen is taken as the latest seen."""

    def __init__(self, spec: BalanceSpec, seed: int) -> None:
        self.spec = spec
        self.load_grams = Decimal(0)
        self.tare_preset = False
        self._seed = seed
        self._grams_per_count = spec.increment * GRAMS_PER[spec.unit]
        self._samples: deque[float] = deque(maxlen=max(spec.stable_ns // SAMPLE_NS, ZERO_SAMPLES))
        self._last_sample: int | None = None
        self._latest = 0.0
        self._target = 0.0
        self._start = 0.0
        self._changed_ns = 0
        self._zero = 0.0
        self._zero_centre = 0.0
        self._tare = 0
        self._wants_zero = False

    def put(self, grams: Decimal, now_ns: int) -> None:
        """Add a load to what is on the platform."""
        if grams <= 0:
            raise ActionRefused("a load has a positive mass")
        self._change(self.load_grams + grams, now_ns)

    def remove(self, now_ns: int, grams: Decimal | None = None) -> None:
        """Take off this much, or everything."""
        taken = self.load_grams if grams is None else grams
        if taken < 0 or taken > self.load_grams:
            raise ActionRefused(f"{taken} g cannot be taken off: {self.load_grams} g are on the platform")
        self._change(self.load_grams - taken, now_ns)

    def weigh(self, now_ns: int) -> Weight:
        """What the balance shows at this time."""
        self._advance(now_ns)
        gross = self._gross()
        return Weight(
            net=(gross - self._tare) * self.spec.increment,
            gross=gross * self.spec.increment,
            tare=self._tare * self.spec.increment,
            stable=self._at_rest(),
            reach=self._reach(gross),
        )

    def zero(self, now_ns: int) -> Reach:
        """Take the present load as zero and clear the tare; outside the zero range nothing changes (OVER, UNDER)."""
        self._advance(now_ns)
        if self._wants_zero:
            return Reach.NOT_ZEROED
        candidate = self._mean()
        outside = self._outside(candidate - self._zero_centre, self.spec.zero_share)
        if outside is Reach.IN:
            self._zero = candidate
            self.clear_tare()
        return outside

    def tare(self, now_ns: int) -> Reach:
        """Take the present gross weight as tare; refused outside the weighing range and below zero."""
        weight = self.weigh(now_ns)
        if weight.reach is not Reach.IN:
            return weight.reach
        if weight.gross < 0:
            return Reach.UNDER
        self._tare = self._gross()
        self.tare_preset = False
        return Reach.IN

    def preset_tare(self, amount: Decimal) -> bool:
        """Set the tare to an amount, rounded to whole increments; False when it is outside zero to capacity."""
        if not 0 <= amount <= self.spec.capacity:
            return False
        self._tare = round(amount / self.spec.increment)
        self.tare_preset = True
        return True

    def clear_tare(self) -> None:
        self._tare = 0
        self.tare_preset = False

    def restart(self, now_ns: int) -> None:
        """What switching off and on does: the tare is forgotten, and a new zero is wanted where the model takes one."""
        self._advance(now_ns)
        self.clear_tare()
        self._samples.clear()
        self._last_sample = now_ns // SAMPLE_NS
        self._wants_zero = self.spec.restart_zeroes

    def _change(self, grams: Decimal, now_ns: int) -> None:
        self._advance(now_ns)
        self._start = self._position(now_ns)
        self._changed_ns = now_ns
        self._target = float(grams / self._grams_per_count)
        self.load_grams = grams
        # Whoever moves a load touches the platform: it is not at rest from this very moment on.
        self._samples.clear()

    def _position(self, at_ns: int) -> float:
        elapsed = max(at_ns - self._changed_ns, 0)
        if self.spec.settle_ns == 0:
            return self._target
        return self._target + (self._start - self._target) * math.exp(-elapsed / self.spec.settle_ns)

    def _advance(self, now_ns: int) -> None:
        """Sample up to now. After a long silence only the last window matters, so the cost has a bound."""
        newest = now_ns // SAMPLE_NS
        window = self._samples.maxlen or 1
        oldest = newest - window + 1
        if self._last_sample is not None:
            oldest = max(oldest, self._last_sample + 1)
        for index in range(oldest, newest + 1):
            self._samples.append(self._position(index * SAMPLE_NS) + self.spec.noise * noise(self._seed, index))
        self._latest = self._samples[-1] if self._samples else self._latest
        self._last_sample = newest if self._last_sample is None else max(newest, self._last_sample)
        if self._wants_zero and self._at_rest():
            self._take_first_zero()

    def _take_first_zero(self) -> None:
        candidate = self._mean()
        if self._outside(candidate, self.spec.start_zero_share) is Reach.IN:
            self._zero = self._zero_centre = candidate
            self._wants_zero = False

    def _at_rest(self) -> bool:
        full = len(self._samples) == self._samples.maxlen
        return full and max(self._samples) - min(self._samples) <= self.spec.window

    def _gross(self) -> int:
        return round(self._latest - self._zero)

    def _mean(self) -> float:
        last = list(islice(reversed(self._samples), ZERO_SAMPLES))
        return sum(last) / len(last) if last else self._latest

    def _outside(self, counts: float, share: Decimal) -> Reach:
        limit = float(share * self.spec.capacity / self.spec.increment)
        if counts > limit:
            return Reach.OVER
        return Reach.UNDER if counts < -limit else Reach.IN

    def _reach(self, gross: int) -> Reach:
        if self._wants_zero:
            return Reach.NOT_ZEROED
        if gross > self.spec.capacity / self.spec.increment + self.spec.over_increments:
            return Reach.OVER
        return Reach.UNDER if gross < -self.spec.under_increments else Reach.IN


def noise(seed: int, index: int) -> float:
    """A value in -1..1, more often near 0. It depends on its arguments alone, so time may be skipped or asked in any steps."""
    first = _mixed(seed * 0x9E3779B97F4A7C15 + 2 * index)
    second = _mixed(seed * 0x9E3779B97F4A7C15 + 2 * index + 1)
    return (first + second) / 2**64 - 1.0


def _mixed(number: int) -> int:
    """Finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014)."""
    mask = (1 << 64) - 1
    number = (number * 0x9E3779B97F4A7C15) & mask
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & mask
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & mask
    return number ^ (number >> 31)
