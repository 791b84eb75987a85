"""A weighed amount shared by serial numbers: never more in all than there is."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cloud.receiving.posting import STEP, _shares


@given(st.integers(1, 10_000), st.integers(1, 500))
def test_shares_of_a_weight_add_up_and_none_is_below_nothing(millionths: int, pieces: int) -> None:
    whole = millionths * STEP
    shares = _shares(whole, pieces, weighed=True)
    assert (len(shares), sum(shares, Decimal(0))) == (pieces, whole)
    assert min(shares) >= 0
