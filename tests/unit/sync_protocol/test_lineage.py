"""Runs of one box as a tree: where two of them part, which side a place is on, what is missing of a side."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.ids import EntryId, RunId
from sync_protocol.lineage import Missing, Parting, Side, first_held, first_of, holds, missing, part, trail

A, B, C, D, E = (RunId(letter * 32) for letter in "abcde")


def at(run: RunId, seq: int) -> EntryId:
    return EntryId(run, seq)


CHAIN = {B: at(A, 9), C: at(B, 4)}
FORKED = {B: at(A, 9), C: at(A, 4), D: at(C, 2)}


@pytest.mark.parametrize(
    ("links", "ours", "theirs", "expected"),
    [
        (CHAIN, at(C, 0), at(A, 3), None),
        (CHAIN, at(C, 0), at(A, 9), None),
        (CHAIN, at(A, 3), at(C, 0), None),
        (CHAIN, at(C, 0), at(C, 5), None),
        (CHAIN, at(C, 0), at(E, 5), None),
        (CHAIN, at(A, 10), at(C, 0), Parting(at(A, 9), A, B)),
        (CHAIN, at(C, 0), at(A, 10), Parting(at(A, 9), B, A)),
        (CHAIN, at(B, 5), at(C, 0), Parting(at(B, 4), B, C)),
        (FORKED, at(C, 0), at(B, 3), Parting(at(A, 4), C, A)),
        (FORKED, at(D, 7), at(B, 3), Parting(at(A, 4), C, A)),
        (FORKED, at(D, 7), at(A, 4), None),
        (FORKED, at(D, 7), at(A, 5), Parting(at(A, 4), C, A)),
        ({B: at(A, 9), C: at(A, 9)}, at(C, 0), at(B, 0), Parting(at(A, 9), C, B)),
        ({C: at(A, -1)}, at(C, 0), at(A, 0), Parting(at(A, -1), C, A)),
    ],
)
def test_places_part_where_their_ways_do(links, ours: EntryId, theirs: EntryId, expected: Parting | None) -> None:
    assert part(links, ours, theirs) == expected


@pytest.mark.parametrize(
    ("side", "place", "expected"),
    [
        (Side(at(A, 4), A), at(A, 4), False),
        (Side(at(A, 4), A), at(A, 5), True),
        (Side(at(A, 4), A), at(B, 0), True),
        (Side(at(A, 4), A), at(C, 0), False),
        (Side(at(A, 4), C), at(C, 0), True),
        (Side(at(A, 4), C), at(D, 0), True),
        (Side(at(A, 4), C), at(A, 9), False),
    ],
)
def test_side_begins_behind_the_point_and_ends_nowhere(side: Side, place: EntryId, expected: bool) -> None:
    assert holds(FORKED, side, place) is expected
    first = first_of(FORKED, side, place.run)
    assert expected is (first is not None and place.seq >= first)


def test_runs_that_name_each_other_as_parents_end_the_way() -> None:
    links = {A: at(B, 1), B: at(A, 1)}
    assert trail(links, at(A, 5)) == [at(A, 5), at(B, 1)]
    assert part(links, at(A, 5), at(B, 5)) is not None


def test_what_is_missing_of_a_side_is_what_its_runs_name_and_what_nobody_knows() -> None:
    links = {B: at(A, 9), C: at(A, 4)}
    # The image ended at 4; the cloud had A up to 6 (7 entries), and of B, which went on behind A:9, three entries.
    assert missing(links, {A: 7, B: 3, C: 1}, Side(at(A, 4), A)) == [Missing(A, 7, 10), Missing(B, 3, None)]
    assert missing(links, {A: 10, B: 3, C: 1}, Side(at(A, 4), C)) == [Missing(C, 1, None)]
    assert missing({C: at(A, 4)}, {A: 7, C: 1}, Side(at(A, 4), A)) == [Missing(A, 7, None)]


def test_what_is_held_is_the_part_that_is_not_shared() -> None:
    sides = [Side(at(A, 4), A), Side(at(A, 4), C)]
    assert first_held(FORKED, sides, [A, B, C, D, E]) == {A: 5, B: 0, C: 0, D: 0}


@st.composite
def trees(draw: st.DrawFn):
    """Runs that each continue an earlier one, or none, and two places in them."""
    count = draw(st.integers(2, 7))
    runs = [RunId(f"{number:032x}") for number in range(count)]
    links = {}
    for number in range(1, count):
        parent = draw(st.integers(-1, number - 1))
        if parent >= 0:
            links[runs[number]] = at(runs[parent], draw(st.integers(0, 4)))
    place = st.builds(EntryId, st.sampled_from(runs), st.integers(0, 5))
    return links, draw(place), draw(place)


def before(links, place: EntryId) -> set[EntryId]:
    """Every entry on the way to a place, itself included: the meaning of the tree, spelled out."""
    return {at(each.run, seq) for each in trail(links, place) for seq in range(each.seq + 1)}


@given(trees())
def test_places_part_when_neither_has_the_other_behind_it(case) -> None:
    links, ours, theirs = case
    mine, other = before(links, ours), before(links, theirs)
    parting = part(links, ours, theirs)
    assert (parting is None) == (not mine & other or ours in other or theirs in mine)
    if parting is None:
        return
    assert part(links, theirs, ours) == Parting(parting.at, parting.theirs, parting.ours)
    assert mine & other == before(links, parting.at)
    for root, own, shared in ((parting.ours, mine, other), (parting.theirs, other, mine)):
        side = Side(parting.at, root)
        assert {place for place in own if holds(links, side, place)} == own - shared


@given(
    st.dictionaries(st.integers(0, 6), st.tuples(st.integers(0, 6), st.integers(-1, 3)), max_size=7),
    st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 3), st.integers(0, 6)), max_size=3),
)
def test_what_is_held_of_all_runs_is_what_is_held_of_each(parents, sides) -> None:
    # Parents that run in a circle, too: no box writes them, and anybody can.
    runs = [RunId(f"{number:032x}") for number in range(7)]
    links = {runs[run]: at(runs[parent], seq) for run, (parent, seq) in parents.items() if run != parent}
    named = [Side(at(runs[run], seq), runs[root]) for run, seq, root in sides]
    each = {run: [first for side in named if (first := first_of(links, side, run)) is not None] for run in runs}
    assert first_held(links, named, runs) == {run: min(firsts) for run, firsts in each.items() if firsts}


def test_many_runs_are_one_pass() -> None:
    runs = [RunId(f"{number:032x}") for number in range(20_000)]
    links = {run: at(before, 5) for before, run in pairwise(runs)}
    # Walking up from each of them would be a hundred million steps.
    held = first_held(links, [Side(at(runs[4], 5), runs[5])], reversed(runs))
    assert len(held) == len(runs) - 5
