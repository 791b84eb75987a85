"""Levels: up at once, down only well below the mark, and the ballast counts as taken whether it lies there or not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.disk.gate import NEW_WORK, admits, captures
from edge.disk.levels import (
    LEAVE_BELOW,
    MIB,
    ORDER,
    PLENTY,
    Level,
    Marks,
    Usage,
    level_of,
    reserved,
    wanted_bytes,
    wants_ballast,
)

MARKS = Marks()
CARD = 4096 * MIB


def used(share: float, total: int = CARD) -> Usage:
    return Usage(total, round(total * (1 - share)))


TABLE = [
    (0.10, Level.OK, Level.OK),
    (0.71, Level.OK, Level.PRUNE),
    (0.86, Level.OK, Level.SHED),
    (0.96, Level.OK, Level.FULL),
    (0.69, Level.PRUNE, Level.PRUNE),
    (0.67, Level.PRUNE, Level.OK),
    (0.84, Level.SHED, Level.SHED),
    (0.82, Level.SHED, Level.PRUNE),
    (0.94, Level.FULL, Level.FULL),
    (0.92, Level.FULL, Level.SHED),
    (0.10, Level.FULL, Level.OK),
    (1.00, Level.PRUNE, Level.FULL),
]


@pytest.mark.parametrize(("share", "before", "after"), TABLE)
def test_the_level_by_share_and_the_level_before(share: float, before: Level, after: Level) -> None:
    assert level_of(used(share), MARKS, before) is after


def test_nobody_is_stopped_on_a_large_medium_that_has_plenty_left() -> None:
    large = Usage(64 * 1024 * MIB, PLENTY + MIB)
    assert large.share > MARKS.refuse_at
    assert level_of(large, MARKS, Level.OK) is Level.SHED
    assert level_of(Usage(large.total, PLENTY), MARKS, Level.OK) is Level.FULL


def test_a_medium_without_size_is_full() -> None:
    assert level_of(Usage(0, 0), MARKS, Level.OK) is Level.FULL


shares = st.floats(0, 1)
levels = st.sampled_from(ORDER)


@given(shares, shares, levels)
def test_more_in_use_is_never_a_lower_level(one: float, other: float, before: Level) -> None:
    low, high = sorted((one, other))
    assert ORDER.index(level_of(used(low), MARKS, before)) <= ORDER.index(level_of(used(high), MARKS, before))


@given(shares, levels, st.floats(-LEAVE_BELOW * 0.45, LEAVE_BELOW * 0.45))
def test_a_wobble_around_a_mark_changes_the_level_at_most_once(share: float, before: Level, wobble: float) -> None:
    first = level_of(used(share), MARKS, before)
    again = level_of(used(min(1, max(0, share + wobble))), MARKS, first)
    back = level_of(used(share), MARKS, again)
    assert level_of(used(min(1, max(0, share + wobble))), MARKS, back) is back


@given(shares, levels)
def test_giving_the_ballast_away_changes_no_level(share: float, before: Level) -> None:
    size = 16 * MIB
    there = used(share * 0.99)
    given_away = Usage(there.total, there.free + size)
    assert level_of(reserved(there, 0), MARKS, before) is level_of(reserved(given_away, size), MARKS, before)


@given(shares)
def test_the_ballast_is_made_only_where_it_does_not_bring_the_refusal(share: float) -> None:
    usage, size = used(share), 16 * MIB
    if wants_ballast(usage, MARKS, size):
        assert level_of(Usage(usage.total, usage.free - size), MARKS, Level.OK) is not Level.FULL


def test_what_has_to_go_brings_the_medium_below_the_first_mark() -> None:
    assert wanted_bytes(used(0.5), MARKS) == 0
    usage = used(0.9)
    after = Usage(usage.total, usage.free + wanted_bytes(usage, MARKS) + 1)
    assert level_of(after, MARKS, Level.SHED) is Level.OK


def test_what_is_refused_at_which_level() -> None:
    kinds = {"run", "anchor", "device", "reading", "step", "note", "command", "blob", "health"}
    assert {kind for kind in kinds if not admits(Level.FULL, kind)} == NEW_WORK
    for level in (Level.OK, Level.PRUNE, Level.SHED):
        assert all(admits(level, kind) for kind in kinds)


@pytest.mark.parametrize("policy", ["on_demand", "on_stable", "on_change", "periodic", "every"])
def test_shedding_keeps_scans_and_weighings(policy: str) -> None:
    assert captures(Level.OK, policy)
    assert captures(Level.PRUNE, policy)
    assert captures(Level.SHED, policy) is (policy not in {"on_change", "periodic"})
