"""The physics of the simulated balance, in virtual time."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.balance import SAMPLE_NS, Balance, BalanceSpec, Reach, noise
from firmware_sim.errors import ActionRefused

SECOND = 1_000_000_000
START = 50 * SECOND
PLATFORM = BalanceSpec(capacity=Decimal(60), increment=Decimal("0.005"), unit="kg")
LAB = BalanceSpec(capacity=Decimal(220), increment=Decimal("0.0001"), unit="g", settle_ns=400_000_000)


def settled(balance: Balance, grams: str, at_ns: int = START) -> int:
    """Put a load on; the time when it is at rest."""
    balance.weigh(at_ns)
    balance.put(Decimal(grams), at_ns)
    return at_ns + 10 * SECOND


@pytest.mark.parametrize(
    ("spec", "grams", "shown"),
    [
        (PLATFORM, "12340", "12.340"),
        (PLATFORM, "5", "0.005"),
        (PLATFORM, "1.4", "0.000"),
        (PLATFORM, "60000", "60.000"),
        (LAB, "52.1873", "52.1873"),
        (BalanceSpec(capacity=Decimal(30), increment=Decimal("0.01"), unit="lb"), "453.59237", "1.00"),
    ],
)
def test_a_load_at_rest_shows_its_whole_increments(spec: BalanceSpec, grams: str, shown: str) -> None:
    for seed in range(20):
        balance = Balance(spec, seed)
        weight = balance.weigh(settled(balance, grams))
        assert (f"{weight.net:f}", weight.stable, weight.reach) == (shown, True, Reach.IN)


def test_the_indication_follows_the_load_and_comes_to_rest() -> None:
    balance = Balance(PLATFORM, 3)
    balance.weigh(START)
    balance.put(Decimal(10_000), START)
    shown = [balance.weigh(START + step * 100_000_000) for step in range(60)]
    assert not shown[0].stable
    assert shown[0].net < 1
    assert Decimal("6.1") < shown[3].net < Decimal(8), "after 0.3 s with a time constant of 0.25 s about 70 % are shown"
    first_stable = next(step for step, weight in enumerate(shown) if weight.stable)
    assert 10 <= first_stable <= 30
    assert all(weight.stable and weight.net == 10 for weight in shown[first_stable:])


def test_moving_a_load_ends_rest_at_once() -> None:
    balance = Balance(PLATFORM, 3)
    at_rest = settled(balance, "1000")
    assert balance.weigh(at_rest).stable
    balance.put(Decimal(5), at_rest)
    assert not balance.weigh(at_rest).stable


def test_noise_above_the_window_never_comes_to_rest() -> None:
    balance = Balance(BalanceSpec(capacity=Decimal(60), increment=Decimal("0.005"), unit="kg", noise=5.0), 3)
    at_ns = settled(balance, "1000")
    assert not any(balance.weigh(at_ns + step * SAMPLE_NS).stable for step in range(200))


@given(seed=st.integers(0, 2**40), steps=st.lists(st.integers(1, 400_000_000), max_size=30))
def test_the_weight_at_a_time_does_not_depend_on_how_often_it_was_asked(seed: int, steps: list[int]) -> None:
    asked, left_alone = Balance(PLATFORM, seed), Balance(PLATFORM, seed)
    for balance in (asked, left_alone):
        balance.weigh(START)
        balance.put(Decimal(7_000), START)
    now_ns = START
    for step in steps:
        now_ns += step
        asked.weigh(now_ns)
    now_ns += SECOND
    assert asked.weigh(now_ns) == left_alone.weigh(now_ns)


def test_the_seed_decides_the_noise() -> None:
    def curve(seed: int) -> list[Decimal]:
        balance = Balance(BalanceSpec(capacity=Decimal(60), increment=Decimal("0.005"), unit="kg", noise=3.0), seed)
        return [balance.weigh(START + step * SAMPLE_NS).net for step in range(50)]

    assert curve(1) == curve(1)
    assert curve(1) != curve(2)


def test_noise_is_bounded_and_centred() -> None:
    values = [noise(9, index) for index in range(5_000)]
    assert all(-1 <= value <= 1 for value in values)
    assert abs(sum(values) / len(values)) < 0.02


@pytest.mark.parametrize(("grams", "reach"), [("60045", Reach.IN), ("60050", Reach.OVER), ("90000", Reach.OVER)])
def test_above_capacity_and_nine_increments_there_is_no_weight(grams: str, reach: Reach) -> None:
    balance = Balance(PLATFORM, 1)
    assert balance.weigh(settled(balance, grams)).reach is reach


def test_far_below_zero_there_is_no_weight() -> None:
    balance = Balance(PLATFORM, 1)
    at_ns = settled(balance, "1000")
    assert balance.zero(at_ns) is Reach.IN
    balance.remove(at_ns)
    assert balance.weigh(at_ns + 10 * SECOND).reach is Reach.UNDER


@pytest.mark.parametrize(("grams", "outcome"), [("1000", Reach.IN), ("1190", Reach.IN), ("1215", Reach.OVER)])
def test_zero_is_taken_within_two_percent_of_the_capacity(grams: str, outcome: Reach) -> None:
    balance = Balance(PLATFORM, 1)
    at_ns = settled(balance, grams)
    before = balance.weigh(at_ns).gross
    assert balance.zero(at_ns) is outcome
    assert balance.weigh(at_ns).gross == (0 if outcome is Reach.IN else before)


def test_the_zero_range_is_not_walked_away_by_zeroing_in_steps() -> None:
    balance = Balance(PLATFORM, 1)
    at_ns = settled(balance, "1000")
    assert balance.zero(at_ns) is Reach.IN
    balance.put(Decimal(1000), at_ns)
    assert balance.zero(at_ns + 10 * SECOND) is Reach.OVER


def test_tare_arithmetic_is_exact_in_increments() -> None:
    balance = Balance(PLATFORM, 1)
    at_ns = settled(balance, "1235")
    assert balance.tare(at_ns) is Reach.IN
    balance.put(Decimal(10_000), at_ns)
    weight = balance.weigh(at_ns + 10 * SECOND)
    assert (weight.net, weight.gross, weight.tare) == (Decimal("10.000"), Decimal("11.235"), Decimal("1.235"))
    balance.remove(at_ns + 10 * SECOND)
    assert balance.weigh(at_ns + 20 * SECOND).net == Decimal("-1.235")
    balance.clear_tare()
    assert balance.weigh(at_ns + 20 * SECOND).net == 0


def test_zeroing_clears_the_tare() -> None:
    balance = Balance(PLATFORM, 1)
    at_ns = settled(balance, "1000")
    balance.tare(at_ns)
    assert balance.zero(at_ns) is Reach.IN
    assert balance.weigh(at_ns).tare == 0


def test_below_zero_no_tare_is_taken() -> None:
    balance = Balance(PLATFORM, 1)
    at_ns = settled(balance, "50")
    balance.zero(at_ns)
    balance.remove(at_ns)
    assert balance.tare(at_ns + 10 * SECOND) is Reach.UNDER


@pytest.mark.parametrize(("amount", "taken"), [("1.2349", "1.235"), ("0", "0.000"), ("60", "60.000"), ("60.005", None)])
def test_a_preset_tare_is_rounded_to_increments_and_bounded(amount: str, taken: str | None) -> None:
    balance = Balance(PLATFORM, 1)
    assert balance.preset_tare(Decimal(amount)) is (taken is not None)
    assert f"{balance.weigh(START).tare:f}" == (taken or "0.000")


@pytest.mark.parametrize(("grams", "shown"), [("3000", "0.000"), ("12000", None)])
def test_switching_on_takes_a_new_zero_only_within_the_start_range(grams: str, shown: str | None) -> None:
    balance = Balance(PLATFORM, 1)
    at_ns = settled(balance, grams)
    balance.restart(at_ns)
    assert balance.weigh(at_ns).reach is Reach.NOT_ZEROED
    weight = balance.weigh(at_ns + 2 * SECOND)
    assert (f"{weight.net:f}" if weight.reach is Reach.IN else None) == shown
    balance.remove(at_ns + 3 * SECOND)
    after = balance.weigh(at_ns + 20 * SECOND)
    assert after.reach is (Reach.UNDER if shown else Reach.IN), "zeroed with 3 kg on, or only now that it is empty"


def test_a_model_that_keeps_its_zero_shows_the_load_after_a_restart() -> None:
    balance = Balance(BalanceSpec(capacity=Decimal(60), increment=Decimal("0.005"), unit="kg", restart_zeroes=False), 1)
    at_ns = settled(balance, "12340")
    balance.restart(at_ns)
    assert balance.weigh(at_ns + 2 * SECOND).net == Decimal("12.340")


@pytest.mark.parametrize("grams", ["0", "-1"])
def test_a_load_has_mass(grams: str) -> None:
    with pytest.raises(ActionRefused):
        Balance(PLATFORM, 1).put(Decimal(grams), START)


def test_no_more_can_be_taken_off_than_is_on() -> None:
    balance = Balance(PLATFORM, 1)
    balance.put(Decimal(100), START)
    with pytest.raises(ActionRefused, match="100 g are on the platform"):
        balance.remove(START, Decimal(101))
    balance.remove(START, Decimal(40))
    assert balance.load_grams == 60
