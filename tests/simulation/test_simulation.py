"""Boxes and a cloud in virtual time, troubled by seeds: nothing is lost, doubled or mixed, and all comes to rest."""

from collections import Counter
from functools import lru_cache

import pytest

from tests.simulation.check import problems
from tests.simulation.history import KINDS, play
from tests.simulation.replay import kept, wrong

SEEDS = 200
BLOCK = 20

MUST_HAPPEN = {
    "lost", "answer_lost", "doubled", "arrived_late", "half_open", "partition", "cut_by_cloud", "slow_down", "barred",
    "power_lost", "start_failed", "process_ended", "image_restored", "disk_cloned", "machine_copied", "clock_stepped",
    "cloud_killed", "restored", "stopped_on_hearing", "disk_full", "disk_failed", "night", "pruned", "refused_reading",
    "Take", "Have", "Gap", "Fork", "live_lane_opened", "run_said_again", "journal_reopened", "cloud_went_back",
}  # fmt: skip


@lru_cache(maxsize=SEEDS)
def played(seed: int) -> tuple[tuple[str, ...], Counter[str]]:
    history = play(seed)
    return tuple(problems(history)), history.seen


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_no_history_goes_wrong(first: int) -> None:
    found = [
        f"python -m tests.simulation.replay {seed}    # {played(seed)[0]}"
        for seed in range(first, first + BLOCK)
        if played(seed)[0]
    ]
    assert not found, "\n" + "\n".join(found)


def test_a_seed_is_the_same_history_every_time() -> None:
    assert play(3).seen == play(3).seen


@pytest.mark.timeout(400)
def test_everything_that_can_happen_happens() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        seen.update(played(seed)[1])
    assert not {kind for kind in MUST_HAPPEN if not seen[kind]}
    assert len(KINDS) == 15, "a new kind of trouble belongs in MUST_HAPPEN"


@pytest.mark.parametrize("seed", kept())
def test_what_once_went_wrong_stays_right(seed: int) -> None:
    assert not wrong([seed])


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(1000, 6000, 500))
def test_no_history_of_thousands_goes_wrong(first: int) -> None:
    found = wrong(range(first, first + 500))
    assert not found, "\n" + "\n".join(found)
