"""When things truly happened: intervals that hold the cloud's time of an entry, from anchors and from the order of entries.

An anchor says what the cloud's clock showed while the box asked; between anchors the box's monotonic clock is trusted to
DRIFT_PPM, its wall clock not at all. Everything here is a bound, never a guess: where the clocks keep to DRIFT_PPM and the
cloud's clock is true, true time lies in the interval. Nanoseconds since 1970 (`*_ns` of times) or of the boot (`mono_ns`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sync_protocol.errors import TextFault

DRIFT_PPM = 100
"""What the oscillator of a small computer keeps over temperature and age; crystals are sold with 20 to 50 ppm."""

GRAIN_NS = 1_000
"""The cloud writes its time in whole microseconds, cut off: it was up to this much later than written."""

ANCHOR_EVERY_NS = 600_000_000_000
"""With one anchor in ten minutes DRIFT_PPM costs at most 60 ms."""

BETTER_BY_NS = 5_000_000
"""A round trip that is shorter by less is not worth an entry: people read milliseconds at best."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Basis = Literal["anchor", "order"]


@dataclass(frozen=True, slots=True)
class Interval:
    """True time lies between `lo_ns` and `hi_ns`, both included; None where nothing is known on that side."""

    lo_ns: int | None = None
    hi_ns: int | None = None

    @property
    def possible(self) -> bool:
        """False when it holds no time at all: its ends came from clocks that contradict each other."""
        return self.lo_ns is None or self.hi_ns is None or self.lo_ns <= self.hi_ns

    def meet(self, other: "Interval") -> "Interval":
        """What both allow."""
        return Interval(_highest(self.lo_ns, other.lo_ns), _lowest(self.hi_ns, other.hi_ns))

    def hull(self, other: "Interval") -> "Interval":
        """What either allows, and all between."""
        lo_ns = None if self.lo_ns is None or other.lo_ns is None else min(self.lo_ns, other.lo_ns)
        hi_ns = None if self.hi_ns is None or other.hi_ns is None else max(self.hi_ns, other.hi_ns)
        return Interval(lo_ns, hi_ns)


EVER = Interval()


@dataclass(frozen=True, slots=True)
class Pin:
    """When this boot's clock stood at `mono_ns`, true time lay in `at`."""

    mono_ns: int
    at: Interval

    def seen_from(self, mono_ns: int) -> Interval:
        """What the pin says about another moment of the same boot: moved by the distance, wider by its drift."""
        away_ns = mono_ns - self.mono_ns
        slack_ns = drift_ns(away_ns)
        lo_ns, hi_ns = self.at.lo_ns, self.at.hi_ns
        return Interval(
            None if lo_ns is None else lo_ns + away_ns - slack_ns,
            None if hi_ns is None else hi_ns + away_ns + slack_ns,
        )


@dataclass(frozen=True, slots=True)
class Anchor:
    """The cloud showed `srv_ns` within the `rtt_ns` before this boot's clock stood at `mono_ns`."""

    boot_id: str
    mono_ns: int
    srv_ns: int
    rtt_ns: int

    @property
    def pin(self) -> Pin:
        """The cloud read its clock after the box asked and before the box heard: at `mono_ns` it is srv to srv + rtt.

        The middle is srv + rtt/2, the error rtt/2 however unequal the two ways are; the round trip was measured by the box's
        clock, so its drift counts too.
        """
        later_ns = self.rtt_ns + drift_ns(self.rtt_ns) + GRAIN_NS
        return Pin(self.mono_ns, Interval(self.srv_ns, self.srv_ns + later_ns))


@dataclass(frozen=True, slots=True)
class TBest:
    """The best that is known of a time.

    `basis`: `anchor` when the cloud's time was heard in the same boot, `order` when only entries before and after tell.
    `sure` is False when the clocks contradict each other: the interval then spans what they say.
    """

    at: Interval
    basis: Basis
    sure: bool = True

    @property
    def t_ns(self) -> int | None:
        """The middle; None while one end is open."""
        lo_ns, hi_ns = self.at.lo_ns, self.at.hi_ns
        return None if lo_ns is None or hi_ns is None else (lo_ns + hi_ns) // 2

    @property
    def err_ns(self) -> int | None:
        """How far true time can be from `t_ns` at most; None while one end is open."""
        lo_ns, hi_ns = self.at.lo_ns, self.at.hi_ns
        return None if lo_ns is None or hi_ns is None else hi_ns - (lo_ns + hi_ns) // 2


def drift_ns(away_ns: int) -> int:
    """How far true time may have moved apart from a box's clock while that counted `away_ns`."""
    # Of true time the clock may lose DRIFT_PPM, so of its own count a little more; 2 ns for clocks cut to whole nanoseconds.
    return abs(away_ns) * DRIFT_PPM // (1_000_000 - DRIFT_PPM) + 2 if away_ns else 0


def best_time(pins: Sequence[Pin], mono_ns: int, *, basis: Basis = "anchor") -> TBest:
    """What pins of one boot say together about a moment of it; no pins say nothing.

    Pins that exclude each other (a clock beyond DRIFT_PPM, a machine that was halted, a cloud's clock that was set) are not
    mended: the nearest one on each side is taken, and what lies between them.
    """
    found = EVER
    for pin in pins:
        found = found.meet(pin.seen_from(mono_ns))
    if found.possible:
        return TBest(found, basis)
    below = max((pin for pin in pins if pin.mono_ns <= mono_ns), key=lambda pin: pin.mono_ns, default=None)
    above = min((pin for pin in pins if pin.mono_ns > mono_ns), key=lambda pin: pin.mono_ns, default=None)
    sides = [pin.seen_from(mono_ns) for pin in (below, above) if pin is not None]
    both = sides[0].meet(sides[-1])
    return TBest(both if both.possible else sides[0].hull(sides[-1]), basis, sure=False)


def deciding(pins: Iterable[Pin], mono_ns: int) -> tuple[Pin, ...]:
    """Of pins of one boot those that set the ends of the interval at `mono_ns`, and the nearest on each side: at most four."""
    pinned = list(pins)
    seen = [(pin, pin.seen_from(mono_ns)) for pin in pinned]
    lows = [(at.lo_ns, pin) for pin, at in seen if at.lo_ns is not None]
    highs = [(at.hi_ns, pin) for pin, at in seen if at.hi_ns is not None]
    chosen = [
        *([max(lows, key=lambda one: one[0])[1]] if lows else []),
        *([min(highs, key=lambda one: one[0])[1]] if highs else []),
        *sorted((pin for pin in pinned if pin.mono_ns <= mono_ns), key=lambda pin: -pin.mono_ns)[:1],
        *sorted((pin for pin in pinned if pin.mono_ns > mono_ns), key=lambda pin: pin.mono_ns)[:1],
    ]
    return tuple(dict.fromkeys(chosen))


def since(mono_ns: int, earlier: Interval) -> Pin:
    """A moment that came after something known: only the lower end carries over."""
    return Pin(mono_ns, Interval(lo_ns=earlier.lo_ns))


def until(mono_ns: int, later: Interval) -> Pin:
    """A moment that came before something known: only the upper end carries over."""
    return Pin(mono_ns, Interval(hi_ns=later.hi_ns))


def worth_anchoring(last: Anchor | None, rtt_ns: int, mono_ns: int) -> bool:
    """Whether what was heard just now in this boot should become an anchor, after the last one that did.

    One in ANCHOR_EVERY_NS, and sooner when the way was at most half as long: the first answer of a busy link is a slow one,
    the answers to the anchors themselves are quick, so that a burst ends at the best after a few entries.
    """
    if last is None or mono_ns - last.mono_ns >= ANCHOR_EVERY_NS:
        return True
    return 2 * rtt_ns <= last.rtt_ns and last.rtt_ns - rtt_ns >= BETTER_BY_NS


def parse_time(text: str) -> int:
    """ISO 8601 with a zone as nanoseconds since 1970. Raises TextFault."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise TextFault(f"not a time: {text[:40]!r}") from exc
    if at.tzinfo is None:
        raise TextFault(f"a time without zone: {text[:40]!r}")
    return (at - EPOCH) // timedelta(microseconds=1) * 1_000


def _highest(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


def _lowest(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)
