"""True time always lies in what besttime says (I9): simulated boxes, drifting clocks, unequal ways, lost answers."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_protocol.besttime import (
    ANCHOR_EVERY_NS,
    DRIFT_PPM,
    EVER,
    Anchor,
    Interval,
    Pin,
    TBest,
    best_time,
    deciding,
    drift_ns,
    parse_time,
    since,
    until,
    worth_anchoring,
)
from sync_protocol.errors import TextFault

MS = 1_000_000
S = 1_000 * MS
HOUR = 3_600 * S


def anchor(mono_ns: int, srv_ns: int, rtt_ns: int) -> Anchor:
    return Anchor("b", mono_ns, srv_ns, rtt_ns)


def ends(best: TBest) -> tuple[int | None, int | None]:
    return best.at.lo_ns, best.at.hi_ns


# --- what one anchor says -----------------------------------------------------------------------------------------------------


def test_the_middle_is_half_a_round_trip_after_the_clouds_time() -> None:
    best = best_time([anchor(1000 * S, 5000 * S, 40 * MS).pin], 1000 * S)
    assert best.t_ns == pytest.approx(5000 * S + 20 * MS, abs=10_000)
    assert best.err_ns == pytest.approx(20 * MS, abs=10_000)
    assert (best.basis, best.sure) == ("anchor", True)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_error_grows_by_the_drift_of_the_distance(sign: int) -> None:
    best = best_time([anchor(10 * HOUR, 20 * HOUR, 0).pin], 10 * HOUR + sign * HOUR)
    assert best.t_ns == pytest.approx(20 * HOUR + sign * HOUR, abs=1000)
    assert best.err_ns == pytest.approx(HOUR * DRIFT_PPM // 1_000_000, rel=0.001)


def test_the_better_of_two_anchors_decides() -> None:
    slow, quick = anchor(0, 100 * S, 4 * S), anchor(60 * S, 161 * S, 10 * MS)
    both = best_time([slow.pin, quick.pin], 30 * S)
    alone = best_time([quick.pin], 30 * S)
    assert both == alone
    assert both.err_ns is not None
    assert both.err_ns < 10 * MS


def test_two_anchors_may_say_more_than_either() -> None:
    early, late = anchor(0, 100 * S, 100 * MS), anchor(S, 101 * S + 60 * MS, 100 * MS)
    alone = best_time([early.pin], 0)
    both = best_time([early.pin, late.pin], 0)
    assert alone.err_ns is not None
    assert both.err_ns is not None
    assert both.err_ns < alone.err_ns // 2


def test_no_anchor_says_nothing() -> None:
    assert best_time([], 5) == TBest(EVER, "anchor")
    assert (TBest(EVER, "order").t_ns, TBest(EVER, "order").err_ns) == (None, None)


# --- clocks that contradict each other ----------------------------------------------------------------------------------------


def test_a_halted_machine_is_told_by_its_neighbours_and_marked() -> None:
    """A virtual machine stood still for an hour between its second and third anchor."""
    pins = [anchor(m * S, (1000 + m + gap) * S, MS).pin for m, gap in ((0, 0), (100, 0), (200, 3600), (300, 3600))]
    for mono, low, high in ((50, 1050, 1050), (150, 1150, 4750), (250, 4850, 4850)):
        best = best_time(pins, mono * S)
        assert not best.sure
        assert ends(best) == (pytest.approx(low * S, abs=20 * MS), pytest.approx(high * S, abs=20 * MS))


def test_before_the_first_of_contradicting_anchors_the_first_tells() -> None:
    pins = [anchor(100 * S, 1000 * S, MS).pin, anchor(200 * S, 9000 * S, MS).pin]
    best = best_time(pins, 90 * S)
    assert not best.sure
    assert best.t_ns == pytest.approx(990 * S, abs=2 * MS)
    assert best_time(pins, 210 * S).t_ns == pytest.approx(9010 * S, abs=2 * MS)


# --- order --------------------------------------------------------------------------------------------------------------------


def test_order_bounds_one_side_each() -> None:
    pins = [since(10 * S, Interval(1000 * S, 1001 * S)), until(60 * S, Interval(2000 * S, 2001 * S))]
    low, high = ends(best_time(pins, 20 * S, basis="order"))
    assert low == pytest.approx(1010 * S, abs=10 * MS)
    assert high == pytest.approx(1961 * S, abs=10 * MS)


@pytest.mark.parametrize(("pin", "open_end"), [(since(0, Interval(5, 6)), 1), (until(0, Interval(5, 6)), 0)])
def test_open_ends_stay_open(pin: Pin, open_end: int) -> None:
    best = best_time([pin], 0, basis="order")
    assert ends(best)[open_end] is None
    assert (best.t_ns, best.err_ns) == (None, None)


def test_intervals_meet_and_span() -> None:
    assert Interval(1, 5).meet(Interval(3, None)) == Interval(3, 5)
    assert not Interval(1, 2).meet(Interval(3, 4)).possible
    assert Interval(1, 2).hull(Interval(3, 4)) == Interval(1, 4)
    assert Interval(1, 2).hull(EVER) == EVER


# --- I9: true time is always inside -------------------------------------------------------------------------------------------


@dataclass
class Machine:
    """A box in a true world: `now` is true time; a boot's clock runs at any rate within the drift, changing as it likes."""

    dice: random.Random
    now: int = 1_700_000_000 * S
    counted: Fraction = Fraction(0)
    boot: int = 0
    anchors: list[Anchor] = field(default_factory=list)
    entries: list[tuple[str, int, int]] = field(default_factory=list)
    """Boot, what its clock said, and the truth."""

    @property
    def boot_id(self) -> str:
        return f"boot-{self.boot}"

    @property
    def mono_ns(self) -> int:
        return int(self.counted)

    def pass_time(self, ns: int) -> None:
        while ns > 0:
            part = min(ns, self.dice.randrange(1, 2 * HOUR))
            rate = Fraction(self.dice.choice((-DRIFT_PPM, 0, DRIFT_PPM, self.dice.uniform(-DRIFT_PPM, DRIFT_PPM)))) / 1_000_000
            self.counted += part * (1 + rate)
            self.now += part
            ns -= part

    def write(self) -> None:
        self.entries.append((self.boot_id, self.mono_ns, self.now))

    def ask(self, up_ns: int, held_ns: int, back_ns: int, *, lost: bool) -> None:
        asked = self.mono_ns
        self.pass_time(up_ns)
        cloud_ns = self.now // 1000 * 1000
        self.pass_time(held_ns + back_ns)
        if not lost:
            self.anchors.append(Anchor(self.boot_id, self.mono_ns, cloud_ns, self.mono_ns - asked))

    def restart(self, dark_ns: int) -> None:
        self.now += dark_ns
        self.boot += 1
        self.counted = Fraction(self.dice.randrange(0, 60 * S))


def spans(top_ns: int) -> st.SearchStrategy[int]:
    """Spans of any size: nanoseconds are as likely as weeks."""
    return st.integers(0, 60).map(lambda power: 1 << power).flatmap(lambda most: st.integers(0, min(most, top_ns)))


ACTS: st.SearchStrategy[Callable[[Machine], None]] = st.one_of(
    spans(30 * 24 * HOUR).map(lambda ns: lambda machine: machine.pass_time(ns)),
    st.just(Machine.write),
    st.builds(
        lambda up, held, back, lost: lambda machine: machine.ask(up, held, back, lost=lost),
        spans(60 * S),
        spans(60 * S),
        spans(60 * S),
        st.booleans(),
    ),
    spans(30 * 24 * HOUR).map(lambda ns: lambda machine: machine.restart(ns)),
)


def lived(seed: int, acts: list[Callable[[Machine], None]]) -> Machine:
    machine = Machine(random.Random(seed))
    for act in acts:
        act(machine)
    machine.write()
    return machine


@given(st.integers(0, 1 << 32), st.lists(ACTS, min_size=2, max_size=25))
@settings(max_examples=300)
def test_true_time_lies_in_the_interval_of_every_entry(seed: int, acts: list[Callable[[Machine], None]]) -> None:
    machine = lived(seed, acts)
    for boot, mono_ns, true_ns in machine.entries:
        pins = [one.pin for one in machine.anchors if one.boot_id == boot]
        best = best_time(pins, mono_ns)
        assert best.sure
        low, high = ends(best)
        assert low is None or low <= true_ns
        assert high is None or true_ns <= high
        assert (low is None) == (not pins)
        if best.t_ns is not None and best.err_ns is not None:
            assert abs(true_ns - best.t_ns) <= best.err_ns


@given(st.integers(0, 1 << 32), st.lists(ACTS, min_size=2, max_size=25))
@settings(max_examples=150)
def test_order_alone_bounds_what_no_anchor_tells(seed: int, acts: list[Callable[[Machine], None]]) -> None:
    machine = lived(seed, acts)
    known = {
        at: best_time([one.pin for one in machine.anchors if one.boot_id == boot], mono_ns).at
        for at, (boot, mono_ns, _) in enumerate(machine.entries)
    }
    for at, (boot, mono_ns, true_ns) in enumerate(machine.entries):
        first = next(mono for other, mono, _ in machine.entries if other == boot)
        last = [mono for other, mono, _ in machine.entries if other == boot][-1]
        before = [known[other] for other in range(at) if machine.entries[other][0] != boot]
        behind = [known[other] for other in range(at, len(machine.entries)) if machine.entries[other][0] != boot]
        pins = [since(first, one) for one in before] + [until(last, one) for one in behind]
        best = best_time(pins, mono_ns, basis="order")
        assert best.sure
        assert best.at.meet(Interval(true_ns, true_ns)).possible


@given(st.integers(0, 1 << 32), st.lists(ACTS, min_size=2, max_size=25))
@settings(max_examples=150)
def test_the_deciding_anchors_say_what_all_say(seed: int, acts: list[Callable[[Machine], None]]) -> None:
    machine = lived(seed, acts)
    for boot, mono_ns, _ in machine.entries:
        pins = [one.pin for one in machine.anchors if one.boot_id == boot]
        chosen = deciding(pins, mono_ns)
        assert len(chosen) <= 4
        assert best_time(chosen, mono_ns) == best_time(pins, mono_ns)


@given(st.integers(-(1 << 62), 1 << 62))
def test_drift_covers_the_slowest_and_the_fastest_clock(away_ns: int) -> None:
    for rate in (Fraction(DRIFT_PPM, 1_000_000), Fraction(-DRIFT_PPM, 1_000_000)):
        true_ns = Fraction(abs(away_ns)) / (1 + rate)
        assert abs(true_ns - abs(away_ns)) <= drift_ns(away_ns)


# --- which answers become anchors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "rtt_ns", "mono_ns", "worth"),
    [
        (None, 9 * S, 0, True),
        (anchor(0, 0, 40 * MS), 40 * MS, ANCHOR_EVERY_NS - 1, False),
        (anchor(0, 0, 40 * MS), 9 * S, ANCHOR_EVERY_NS, True),
        (anchor(0, 0, 40 * MS), 20 * MS, S, True),
        (anchor(0, 0, 40 * MS), 21 * MS, S, False),
        (anchor(0, 0, 6 * MS), 2 * MS, S, False),
    ],
)
def test_an_answer_becomes_an_anchor_when_it_is_due_or_clearly_better(
    last: Anchor | None, rtt_ns: int, mono_ns: int, *, worth: bool
) -> None:
    assert worth_anchoring(last, rtt_ns, mono_ns) is worth


@given(st.lists(st.integers(0, 60 * S), max_size=200))
def test_ever_better_answers_end_after_a_few_entries(rtts: list[int]) -> None:
    last, written = None, 0
    for number, rtt_ns in enumerate(rtts):
        if worth_anchoring(last, rtt_ns, number):
            last, written = anchor(number, 0, rtt_ns), written + 1
    assert written <= 16


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00+00:00", 0),
        ("2026-11-22T08:00:01.234567Z", 1_795_334_401_234_567_000),
        ("2026-11-22T10:00:01.234567+02:00", 1_795_334_401_234_567_000),
        ("1969-12-31T23:59:59Z", -S),
    ],
)
def test_times_of_answers_are_read(text: str, ns: int) -> None:
    assert parse_time(text) == ns


@pytest.mark.parametrize("text", ["", "soon", "2026-11-22T08:00:01", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_with_a_zone_is_refused(text: str) -> None:
    with pytest.raises(TextFault):
        parse_time(text)
