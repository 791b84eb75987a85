"""What all simulated gauges share: a tip that moves, what the display makes of it, buttons, and silence while switched off."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from firmware_sim import actions
from firmware_sim.actions import Action
from firmware_sim.errors import ActionRefused

MM_PER_INCH = Decimal("25.4")

MAX_LINE = 64
"""Bytes of a command: longer than any of the manuals. One more is kept, so that a longer one is known and thrown away."""


def _digits(value: object) -> object:
    if isinstance(value, float):
        raise ValueError('a place is written as text, such as "12.340"')  # noqa: TRY004 - pydantic wants ValueError
    return value


Place = Annotated[Decimal, BeforeValidator(_digits)]
"""A float has lost its digits by the time it is read."""


class GaugeOptions(BaseModel):
    """How a gauge is made and set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Place = Decimal(0)
    """Where the tip stands at first, in the gauge's unit."""
    unit: Literal["mm", "in"] = "mm"
    decimals: int = Field(default=3, ge=0, le=5)
    travel: Place = Field(default=Decimal(100), gt=0)
    """How far the tip goes on either side of its middle; beyond there is no value."""
    settle_ms: int = Field(default=120, ge=0, le=60_000)
    """Time in which the tip comes to its new place."""
    boot_ms: int = Field(default=800, ge=0, le=60_000)
    lower: Place | None = None
    upper: Place | None = None
    """Tolerance limits, where judgement is on."""


class Tip:
    """A tip on its way from one place to another, with the extremes it passed since they were last forgotten."""

    def __init__(self, place: Decimal, settle_ns: int, now_ns: int) -> None:
        self._start = self._target = place
        self._moved_ns = now_ns
        self._settle_ns = settle_ns
        self.lowest = self.highest = place

    def move(self, place: Decimal, now_ns: int) -> None:
        self._start = self.at(now_ns)
        self._target, self._moved_ns = place, now_ns

    def at(self, now_ns: int) -> Decimal:
        """Where it is now; a straight way, so the extremes lie at its ends."""
        passed_ns = max(now_ns - self._moved_ns, 0)
        if passed_ns >= self._settle_ns:
            place = self._target
        else:
            place = self._start + (self._target - self._start) * passed_ns / self._settle_ns
        self.lowest, self.highest = min(self.lowest, place), max(self.highest, place)
        return place

    def forget(self, now_ns: int) -> None:
        """Begin the extremes anew."""
        place = self.at(now_ns)
        self.lowest = self.highest = place


Mode = Literal["normal", "max", "min", "delta"]


class Gauge(ABC):
    """One gauge. A protocol gives `hear`, `said` for the button, and where it speaks on start `booted`."""

    KEYS: tuple[str, ...] = ("data", "zero", "unit")

    def __init__(self, options: GaugeOptions, now_ns: int) -> None:
        self.options = options
        self.unit: Literal["mm", "in"] = options.unit
        self.mode: Mode = "normal"
        self.probe = True
        self._tip = Tip(options.value, options.settle_ms * 1_000_000, now_ns)
        self._zero = Decimal(0)
        self._line = bytearray()
        self._booted_ns: int | None = None

    @abstractmethod
    def hear(self, line: bytes, now_ns: int) -> bytes:
        """One command without its end, and what is answered at once."""

    @abstractmethod
    def said(self, now_ns: int) -> bytes:
        """What the data button sends."""

    def booted(self, now_ns: int) -> bytes:  # noqa: ARG002 - for those that speak
        """What it says when it is up."""
        return b""

    def ends(self) -> bytes:
        """The byte that ends a command."""
        return b"\r"

    # -- the display ----------------------------------------------------------------------------------------------------

    def place(self, now_ns: int) -> Decimal | None:
        """What would be shown without rounding, in the unit of the options; None without a probe or beyond the travel."""
        place = self._tip.at(now_ns)
        if not self.probe or abs(place) > self.options.travel:
            return None
        match self.mode:
            case "max":
                return self._tip.highest - self._zero
            case "min":
                return self._tip.lowest - self._zero
            case "delta":
                return self._tip.highest - self._tip.lowest
            case _:
                return place - self._zero

    def shown(self, now_ns: int) -> Decimal | None:
        """What the display shows, in the unit it is set to."""
        place = self.place(now_ns)
        if place is None:
            return None
        decimals = self.options.decimals
        if self.unit != self.options.unit:
            place = place / MM_PER_INCH if self.unit == "in" else place * MM_PER_INCH
            decimals += 1 if self.unit == "in" else -1
        return place.quantize(Decimal(1).scaleb(-max(decimals, 0)), ROUND_HALF_EVEN)

    def judged(self, now_ns: int) -> str:
        """`<`, `=` or `>` where tolerance limits are set, else nothing."""
        place, lower, upper = self.place(now_ns), self.options.lower, self.options.upper
        if place is None or lower is None or upper is None:
            return ""
        return "<" if place < lower else ">" if place > upper else "="

    def zero(self, now_ns: int) -> None:
        """The place of the tip becomes zero, and the extremes begin anew."""
        self._zero = self._tip.at(now_ns)
        self._tip.forget(now_ns)

    def set_mode(self, mode: Mode, now_ns: int) -> None:
        self.mode = mode
        self._tip.forget(now_ns)

    def forget_extremes(self, now_ns: int) -> None:
        self._tip.forget(now_ns)

    # -- the wire and the operator --------------------------------------------------------------------------------------

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Bytes from the host; deaf while it boots."""
        said = self.tick(now_ns)
        if self._booted_ns is not None:
            return said
        self._line += data
        *lines, rest = bytes(self._line).split(self.ends())
        self._line = bytearray(rest[-(MAX_LINE + 1) :])
        return said + b"".join(self.hear(line, now_ns) for line in lines if len(line) <= MAX_LINE)

    def tick(self, now_ns: int) -> bytes:
        if self._booted_ns is not None and now_ns >= self._booted_ns:
            self._booted_ns = None
            return self.booted(now_ns)
        return b""

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - the time is known already
        return self._booted_ns

    def act(self, action: Action, now_ns: int) -> bytes:
        """What an operator does. Raises ActionRefused."""
        match action:
            case actions.Measure():
                self.measure(action.value, action.what, now_ns)
                return b""
            case actions.Press():
                return self._press(action.key, now_ns)
            case actions.PowerCycle():
                self._power_cycle(now_ns)
                return b""
        raise ActionRefused(f"a gauge cannot {action.action}")

    def measure(self, value: Decimal | None, what: str | None, now_ns: int) -> None:
        """Move the tip; None takes the probe off."""
        if what is not None:
            raise ActionRefused(f"the gauge has one value, and no {what!r}")
        self.probe = value is not None
        if value is not None:
            self._tip.move(value, now_ns)

    def state(self, now_ns: int) -> Mapping[str, object]:
        shown = self.shown(now_ns)
        return {"shown": None if shown is None else f"{shown:f}", "unit": self.unit, "mode": self.mode, "probe": self.probe}

    def _press(self, key: str, now_ns: int) -> bytes:
        if key not in self.KEYS:
            raise ActionRefused(f"the gauge has no key {key!r}, only {', '.join(self.KEYS)}")
        if self._booted_ns is not None:
            return b""
        match key:
            case "data":
                return self.said(now_ns)
            case "zero":
                self.zero(now_ns)
            case "unit":
                self.unit = "in" if self.unit == "mm" else "mm"
        return b""

    def _power_cycle(self, now_ns: int) -> None:
        """Zero, mode and unit are forgotten, as with the battery out."""
        self._zero = Decimal(0)
        self.mode, self.unit = "normal", self.options.unit
        self._tip.forget(now_ns)
        self._line.clear()
        self._booted_ns = now_ns + self.options.boot_ms * 1_000_000
