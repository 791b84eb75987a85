"""What vouches for the wall clock, and how far it may be off."""

import ctypes
import sys

import pytest

from edge import clock_state
from edge.clock_state import EARLIEST_NS, KernelClock, judge, kernel_clock
from sync_protocol.besttime import Interval
from sync_protocol.entries import Clk
from tests.unit.edge_clock.conftest import S

NOW = 1_795_334_400 * S
IN_STEP = KernelClock(in_step=True, most_us=12_301, likely_us=40)
ADRIFT = KernelClock(in_step=False, most_us=16_000_000, likely_us=16_000_000)
CLOUD = Interval(NOW - 20_000_000, NOW + 10_000_000)


@pytest.mark.parametrize(
    ("kernel", "cloud", "wall_ns", "battery", "clk"),
    [
        (IN_STEP, CLOUD, NOW, True, Clk(s="ntp", err_ms=13)),
        (ADRIFT, CLOUD, NOW, True, Clk(s="cloud", err_ms=20)),
        (None, CLOUD, 0, False, Clk(s="cloud", err_ms=NOW // 1_000_000 + 10)),
        (ADRIFT, None, NOW, True, Clk(s="rtc")),
        (None, None, NOW, True, Clk(s="rtc")),
        (ADRIFT, None, EARLIEST_NS - 1, True, Clk(s="none")),
        (ADRIFT, None, NOW, False, Clk(s="none")),
        (ADRIFT, Interval(NOW, None), NOW, False, Clk(s="none")),
    ],
)
def test_the_strongest_that_holds_is_named(
    kernel: KernelClock | None, cloud: Interval | None, wall_ns: int, clk: Clk, *, battery: bool
) -> None:
    assert judge(kernel, cloud=cloud, wall_ns=wall_ns, battery=battery) == clk


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's structure is Linux's")
def test_the_kernel_is_asked_with_a_structure_of_its_size() -> None:
    assert ctypes.sizeof(clock_state._Timex) == 208
    found = kernel_clock()
    if found is None:
        pytest.skip("this machine forbids adjtimex")
    # The kernel never says more than 16 s (NTP_PHASE_LIMIT, linux/timex.h).
    assert 0 <= found.likely_us <= found.most_us <= 16_000_000
