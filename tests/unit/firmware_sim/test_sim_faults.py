"""The fault layer: repeatable for a seed, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.faults import MAX_HELD, FaultLayer, FaultPlan, Piece, PlugPulled, even_parity, seen_as_7e1

MS = 1_000_000
LINES = [f"S S {number:10d} g\r\n".encode() for number in range(200)]
Arrivals = list[tuple[int, bytes | int]]


def carry(plan: FaultPlan, seed: int, writes: list[bytes], every_ns: int = 10 * MS) -> tuple[Arrivals, int]:
    """Everything that arrives, with its time: bytes, or how long the plug is out. And how many bytes were lost."""
    layer, now_ns, arrivals = FaultLayer(plan, seed), 0, []

    def pull() -> None:
        arrived = layer.pull(now_ns)
        arrivals.extend((now_ns, what.data if isinstance(what, Piece) else what.away_ns) for what in arrived)

    for number, data in enumerate(writes):
        write_ns = number * every_ns
        while (due := layer.due_ns()) is not None and due <= write_ns:
            now_ns = max(now_ns, due)
            pull()
        now_ns = write_ns
        layer.push(data, now_ns)
        pull()
    while (due := layer.due_ns()) is not None:
        now_ns = max(now_ns, due)
        pull()
    return arrivals, layer.lost


def received(arrivals: Arrivals) -> bytes:
    return b"".join(data for _, data in arrivals if isinstance(data, bytes))


PLANS = {
    "split": FaultPlan(split=0.5),
    "glue": FaultPlan(glue_ns=35 * MS),
    "delay": FaultPlan(delay_ns=(0, 80 * MS)),
    "drop": FaultPlan(drop=0.02),
    "noise": FaultPlan(noise=0.02),
    "unplug": FaultPlan(unplug=0.05),
    "parity": FaultPlan(parity_7e1=True),
    "all": FaultPlan(split=0.3, glue_ns=5 * MS, delay_ns=(0, 30 * MS), drop=0.01, noise=0.01, unplug=0.02, parity_7e1=True),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_seed_gives_the_same_faults_each_time(name: str) -> None:
    plan = PLANS[name]
    assert carry(plan, 7, LINES) == carry(plan, 7, LINES)
    if name not in {"glue", "parity"}:
        assert carry(plan, 7, LINES) != carry(plan, 8, LINES)


def test_a_perfect_line_gives_each_write_at_once() -> None:
    arrivals, lost = carry(FaultPlan(), 1, LINES)
    assert arrivals == [(number * 10 * MS, line) for number, line in enumerate(LINES)]
    assert lost == 0


def test_splitting_cuts_writes_and_loses_nothing() -> None:
    arrivals, lost = carry(FaultPlan(split=1.0, split_bytes=3), 1, LINES, every_ns=1_000 * MS)
    assert received(arrivals) == b"".join(LINES)
    assert lost == 0
    assert all(len(data) <= 3 for _, data in arrivals if isinstance(data, bytes))
    times = [at for at, _ in arrivals[:4]]
    assert times == [0, 2 * MS, 4 * MS, 6 * MS]


def test_glue_makes_one_piece_of_neighbours() -> None:
    arrivals, _ = carry(FaultPlan(glue_ns=35 * MS), 1, LINES[:8])
    assert arrivals == [(35 * MS, b"".join(LINES[:4])), (75 * MS, b"".join(LINES[4:8]))]


@given(seed=st.integers(0, 1_000), low=st.integers(0, 50), more=st.integers(0, 50))
def test_delay_stays_within_its_bounds_and_keeps_the_order(seed: int, low: int, more: int) -> None:
    arrivals, _ = carry(FaultPlan(delay_ns=(low * MS, (low + more) * MS)), seed, LINES[:30], every_ns=200 * MS)
    assert received(arrivals) == b"".join(LINES[:30])
    for number, (at_ns, _) in enumerate(arrivals):
        assert low * MS <= at_ns - number * 200 * MS <= (low + more) * MS


def test_dropped_bytes_are_counted() -> None:
    arrivals, lost = carry(FaultPlan(drop=0.1), 1, LINES)
    assert lost > 0
    assert len(received(arrivals)) + lost == sum(map(len, LINES))


def test_noise_adds_bytes_and_takes_none() -> None:
    arrivals, lost = carry(FaultPlan(noise=0.1), 1, LINES)
    remaining = iter(received(arrivals))
    assert all(byte in remaining for byte in b"".join(LINES)), "the written bytes are there, in order"
    assert len(received(arrivals)) > sum(map(len, LINES))
    assert lost == 0


def test_the_plug_is_pulled_for_a_time_within_bounds() -> None:
    arrivals, _ = carry(FaultPlan(unplug=0.2, away_ns=(5 * MS, 9 * MS)), 1, LINES)
    away = [away_ns for _, away_ns in arrivals if isinstance(away_ns, int)]
    assert 10 < len(away) < 80
    assert all(5 * MS <= away_ns <= 9 * MS for away_ns in away)


def test_what_is_on_a_line_when_it_is_cut_is_lost() -> None:
    layer = FaultLayer(FaultPlan(delay_ns=(MS, MS), glue_ns=MS), 1)
    layer.push(b"abc", 0)
    layer.pull(MS)
    layer.push(b"de", MS)
    layer.cut()
    assert layer.due_ns() is None
    assert layer.pull(10 * MS) == []
    assert layer.lost == 5


def test_a_line_holds_no_more_than_its_cap() -> None:
    layer = FaultLayer(FaultPlan(delay_ns=(MS, MS)), 1)
    for _ in range(3):
        layer.push(b"x" * (MAX_HELD // 2), 0)
    assert layer.lost == MAX_HELD // 2
    [first, second] = layer.pull(MS)
    assert isinstance(first, Piece)
    assert isinstance(second, Piece)
    assert len(first.data) + len(second.data) == MAX_HELD


def test_one_faults_setting_does_not_move_anothers() -> None:
    alone, _ = carry(FaultPlan(drop=0.05), 3, LINES)
    others = FaultPlan(drop=0.05, parity_7e1=True, split=0.5, delay_ns=(0, 5 * MS), unplug=0.1)
    beside, _ = carry(others, 3, LINES)
    assert bytes(byte & 0x7F for byte in received(beside)) == received(alone)
    noisy, lost = carry(FaultPlan(drop=0.05, noise=0.3), 3, LINES)
    assert lost == carry(FaultPlan(drop=0.05), 3, LINES)[1]
    assert len(received(noisy)) > len(received(alone))


@pytest.mark.parametrize(("byte", "sent"), [(0x53, 0x53), (0x0D, 0x8D), (0x20, 0xA0), (0x30, 0x30), (0x31, 0xB1)])
def test_even_parity_sits_in_bit_7(byte: int, sent: int) -> None:
    assert even_parity(byte) == sent


def test_a_7e1_instrument_marks_the_bytes_of_an_8n1_host_that_have_odd_parity() -> None:
    assert seen_as_7e1(b"S\r") == b"S\x8d"
    assert seen_as_7e1(bytes(map(even_parity, b"SI\r\n"))) == b"SI\r\n"


def test_pulling_the_plug_comes_after_the_write_that_ends_with_it() -> None:
    layer = FaultLayer(FaultPlan(unplug=1.0, away_ns=(MS, MS)), 1)
    layer.push(b"abc", 0)
    assert layer.pull(0) == [Piece(b"abc"), PlugPulled(MS)]
