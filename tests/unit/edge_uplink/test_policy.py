"""Which way is used, and how large frames are: whatever happens, a way that works is found, kept, and left for the better."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.uplink import pace
from edge.uplink.policy import MISSES, PROBE_EVERY_NS, Policy, answered, missed, probe_due_ns, probed
from sync_protocol.frame import MAX_ENTRIES

BOTH = Policy.of("https", "mqtt")
SECOND = 1_000_000_000


def test_a_few_misses_in_a_row_change_the_way_and_fewer_do_not() -> None:
    policy = BOTH
    for _ in range(MISSES - 1):
        policy = missed(policy, "https", 0)
    assert policy.using == "https"
    assert answered(policy, "https").misses == 0
    policy = missed(policy, "https", 7)
    assert (policy.using, policy.misses, probe_due_ns(policy)) == ("mqtt", 0, 7 + PROBE_EVERY_NS)


def test_the_only_way_is_never_left() -> None:
    policy = Policy.of("https")
    for _ in range(10):
        policy = missed(policy, "https", 0)
    assert (policy.using, probe_due_ns(policy)) == ("https", None)


def fallen_back() -> Policy:
    policy = BOTH
    for _ in range(MISSES):
        policy = missed(policy, "https", 0)
    return policy


def test_a_look_that_finds_nothing_is_repeated_later() -> None:
    policy = probed(fallen_back(), 9, works=False)
    assert (policy.using, probe_due_ns(policy)) == ("mqtt", 9 + PROBE_EVERY_NS)


def test_the_preferred_way_is_used_again_on_trial() -> None:
    policy = probed(fallen_back(), 9, works=True)
    assert (policy.using, policy.on_trial) == ("https", True)
    assert missed(policy, "https", 11).using == "mqtt"
    kept = answered(policy, "https")
    assert missed(kept, "https", 11).using == "https"


def test_what_is_heard_of_a_way_no_longer_used_changes_nothing() -> None:
    policy = missed(fallen_back(), "mqtt", 3)
    assert answered(policy, "https") == missed(policy, "https", 4) == policy
    assert probed(BOTH, 5, works=False) == BOTH


@dataclass
class World:
    """Which ways work, as it changes; frames and looks as the uplink makes them."""

    policy: Policy = BOTH
    now_ns: int = 0
    works: dict[str, bool] = field(default_factory=lambda: {"https": True, "mqtt": True})
    looks: list[int] = field(default_factory=list)

    def frame(self) -> bool:
        self.now_ns += SECOND
        way = self.policy.using
        if self.works[way]:
            self.policy = answered(self.policy, way)
        else:
            self.policy = missed(self.policy, way, self.now_ns)
        due_ns = probe_due_ns(self.policy)
        if due_ns is not None and self.now_ns >= due_ns:
            self.looks.append(self.now_ns)
            self.policy = probed(self.policy, self.now_ns, works=self.works["https"])
        return self.works[way]


CHANGES = st.lists(st.tuples(st.sampled_from(["https", "mqtt"]), st.booleans(), st.integers(0, 700)), max_size=12)


@given(CHANGES)
def test_any_history_finds_a_way_that_works_and_comes_back_to_the_preferred(changes: list[tuple[str, bool, int]]) -> None:
    world = World()
    for way, works, frames in changes:
        world.works[way] = works
        for _ in range(frames):
            world.frame()
        if any(world.works.values()):
            # Both may have been missed almost often enough before: one round over each, and it is found.
            assert any(world.frame() for _ in range(2 * MISSES + 1))
    assert all(later - earlier >= PROBE_EVERY_NS for earlier, later in zip(world.looks, world.looks[1:], strict=False))
    world.works = {"https": True, "mqtt": True}
    for _ in range(PROBE_EVERY_NS // SECOND + 2 * MISSES):
        world.frame()
    assert (world.policy.using, world.policy.on_trial) == ("https", False)


@pytest.mark.parametrize(
    ("size", "sent", "took_s", "after"),
    [
        (100, 100, 0.1, 200),
        (300, 300, 0.1, MAX_ENTRIES),
        (MAX_ENTRIES, MAX_ENTRIES, 0.0, MAX_ENTRIES),
        (100, 40, 0.1, 100),
        (100, 100, 2.0, 100),
        (100, 100, 6.0, 50),
        (1, 1, 60.0, 1),
        (1, 1, 0.1, 2),
    ],
)
def test_frames_grow_on_a_quick_line_when_they_are_full_and_shrink_on_a_slow_one(
    size: int, sent: int, took_s: float, after: int
) -> None:
    assert pace.after_exchange(size, sent, took_s) == after


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=40))
def test_a_frames_size_stays_in_bounds_whatever_the_line_does(exchanges: list[float | None]) -> None:
    size = pace.FIRST
    for took_s in exchanges:
        size = pace.after_silence(size) if took_s is None else pace.after_exchange(size, size, took_s)
        assert 1 <= size <= MAX_ENTRIES
