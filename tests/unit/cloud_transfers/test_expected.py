"""What lay in a place at a moment, worked back from now, is what the moves until then add up to."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cloud.transfers.expected import NOTHING, Change, Lying, Sort

BEGAN = datetime(2026, 11, 22, tzinfo=UTC)
SORTS = (Sort(1, None, None, 1), Sort(1, 7, None, 1), Sort(1, None, 3, 1), Sort(1, None, None, 2))

moments = st.integers(0, 20).map(lambda minutes: BEGAN + timedelta(minutes=minutes))
changes = st.lists(st.tuples(st.sampled_from(SORTS), moments, st.integers(-50, 50).map(lambda one: Decimal(one) / 8)))


def lying(moves: list[tuple[Sort, datetime, Decimal]], since: datetime) -> Lying:
    now: dict[Sort, Decimal] = defaultdict(Decimal)
    later: dict[Sort, list[Change]] = defaultdict(list)
    for sort, at, amount in moves:
        now[sort] += amount
        if at > since:
            later[sort].append(Change(at, amount))
    return Lying(now, later)


@given(moves=changes, since=moments, asked=moments)
def test_working_back_from_now_is_adding_up_until_then(
    moves: list[tuple[Sort, datetime, Decimal]], since: datetime, asked: datetime
) -> None:
    there, moment = lying(moves, since), max(since, asked)
    for sort in SORTS:
        assert there.at(sort, moment) == sum((amount for one, at, amount in moves if one == sort and at <= moment), NOTHING)
    assert all(there.at(sort, moment) for sort in there.sorts(moment))


def test_what_moved_is_what_came_or_went_between_the_two_moments() -> None:
    first, last = BEGAN, BEGAN + timedelta(minutes=10)
    for minutes, moved in ((-1, False), (0, False), (1, True), (10, True), (11, False)):
        at = BEGAN + timedelta(minutes=minutes)
        assert Lying({}, {SORTS[0]: [Change(at, Decimal(1))]}).moved(SORTS[0], first, last) is moved
    assert not Lying({}, {SORTS[1]: [Change(last, Decimal(1))]}).moved(SORTS[0], first, last)
