"""The counter that entries are stamped with: never back, never slewed, sleep counted, each sleep told apart."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import BoxClock
from sync_protocol.entries import Clk
from tests.unit.edge_clock.conftest import Machine, S


def test_the_counter_is_the_kernels_and_counts_from_the_boot(machine: Machine, clock: BoxClock) -> None:
    assert clock.now_ns() == 100 * S
    machine.go(7)
    assert clock.stamp() == {"boot_id": "boot", "mono_ns": 100 * S + 7, "wall_ns": machine.wall, "clk": Clk(s="none")}


@pytest.mark.parametrize("to", [0, 2**62, 1_795_334_300 * S])
def test_setting_the_wall_clock_moves_nothing_else(machine: Machine, clock: BoxClock, to: int) -> None:
    machine.set_wall(to)
    assert clock.stamp()["mono_ns"] == 100 * S
    assert (clock.wall_ns(), clock.boot_id) == (to, "boot")


def test_slewing_does_not_reach_the_counter(machine: Machine, clock: BoxClock) -> None:
    """A time service that pulls its clocks by five per cent for a minute."""
    for _ in range(60):
        machine.go(S, ppm=50_000)
        clock.stamp()
    assert clock.now_ns() == 160 * S
    assert clock.boot_id == "boot"


def test_sleep_counts_and_begins_another_boot_id(machine: Machine, clock: BoxClock) -> None:
    machine.sleep(3600 * S)
    machine.go(S)
    stamp = clock.stamp()
    assert (stamp["mono_ns"], stamp["boot_id"]) == (3701 * S, "boot+36000")
    machine.sleep(2 * S)
    assert clock.stamp()["boot_id"] == "boot+36020"


def test_the_counter_alone_notices_sleep_too(machine: Machine, clock: BoxClock) -> None:
    machine.sleep(5 * S)
    assert clock.now_ns() == 105 * S


def test_a_process_that_starts_after_a_sleep_calls_the_boot_the_same(machine: Machine, clock: BoxClock) -> None:
    machine.sleep(61 * S + 50_000_000)
    again = BoxClock("boot", Clk(s="none"), machine.sources())
    assert again.stamp() == clock.stamp()
    assert again.boot_id == "boot+610"


@given(st.lists(st.tuples(st.sampled_from(["go", "sleep", "set", "slew"]), st.integers(0, 1 << 50)), max_size=30))
def test_the_counter_never_goes_back(acts: list[tuple[str, int]]) -> None:
    machine = Machine(read_takes=40_000)
    clock = BoxClock("boot", Clk(s="none"), machine.sources())
    last = clock.now_ns()
    for act, ns in acts:
        match act:
            case "go":
                machine.go(ns)
            case "sleep":
                machine.sleep(ns)
            case "set":
                machine.set_wall(ns)
            case "slew":
                machine.go(ns, ppm=-50_000)
        now = clock.now_ns()
        # The machine that is interrupted between any two reads sees a sleep up to that much too long or too short.
        assert now >= last - 40_000
        last = now


def test_the_real_machine_gives_the_time_since_its_boot() -> None:
    clock = BoxClock.of_this_machine()
    stamps = [clock.stamp() for _ in range(3)]
    assert [stamp["mono_ns"] for stamp in stamps] == sorted(stamp["mono_ns"] for stamp in stamps)
    since_boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    # Slewed by what time services did since: 500 ppm of the uptime is far more than any of them leaves.
    assert abs(since_boot - clock.now_ns()) < since_boot * 500 // 1_000_000 + S
    assert clock.wall_ns() - time.time_ns() < 60 * S
