"""The watch writes an anchor for what happened to the clocks, and nothing when nothing happened."""

import asyncio

import pytest

from edge.anchoring import Anchoring
from edge.clock import BoxClock
from edge.clock_state import EARLIEST_NS, KernelClock
from edge.clock_watch import EVERY_S, ClockWatch
from edge.errors import JournalFault
from sync_protocol.besttime import ANCHOR_EVERY_NS
from sync_protocol.entries import AnchorEntry, Clk, encode, parse
from tests.unit.edge_clock.conftest import Machine, Remembered, S

IN_STEP = KernelClock(in_step=True, most_us=5_000, likely_us=10)
ADRIFT = KernelClock(in_step=False, most_us=16_000_000, likely_us=16_000_000)
SRV = "2026-11-22T08:00:00.500000+00:00"
SRV_NS = 1_795_334_400_500_000_000
MS = 1_000_000


def told(journal: Remembered) -> list[tuple[str, str, int | None]]:
    return [(entry.why, entry.clk.s, entry.step_ms) for entry in journal.entries]


async def test_nothing_is_written_while_nothing_happens(machine: Machine, watch: ClockWatch, journal: Remembered) -> None:
    for _ in range(100):
        await watch.look()
        machine.go(10 * S, ppm=300)
    assert journal.entries == []


async def test_a_time_service_that_comes_and_goes_is_written(machine: Machine, watch: ClockWatch, journal: Remembered) -> None:
    await watch.look()
    machine.kernel = IN_STEP
    await watch.look()
    await watch.look()
    machine.kernel = ADRIFT
    await watch.look()
    assert told(journal) == [("state", "ntp", None), ("state", "none", None)]


@pytest.mark.parametrize(
    ("by_ns", "said"), [(1_500 * MS, 1_500), (-3_600 * S, -3_600_000), (-1_795_334_400 * S, -1_795_334_400_000)]
)
async def test_a_step_of_the_wall_clock_is_written_once(
    machine: Machine, watch: ClockWatch, journal: Remembered, by_ns: int, said: int
) -> None:
    await watch.look()
    machine.go(10 * S)
    machine.set_wall(machine.wall + by_ns)
    await watch.look()
    machine.go(10 * S)
    await watch.look()
    assert told(journal) == [("step", "none", said)]


async def test_a_first_setting_is_one_entry_for_step_and_state(
    machine: Machine, watch: ClockWatch, journal: Remembered
) -> None:
    machine.set_wall(0)
    await watch.look()
    machine.set_wall(EARLIEST_NS + 1)
    machine.kernel = IN_STEP
    await watch.look()
    assert [(why, s) for why, s, _ in told(journal)] == [("step", "ntp")]


async def test_sleep_is_no_step(machine: Machine, watch: ClockWatch, journal: Remembered) -> None:
    await watch.look()
    machine.sleep(9 * 3600 * S)
    await watch.look()
    assert journal.entries == []


async def test_what_the_journal_refused_is_written_the_next_time(
    machine: Machine, watch: ClockWatch, journal: Remembered
) -> None:
    await watch.look()
    machine.set_wall(machine.wall + 5 * S)
    journal.full = True
    with pytest.raises(JournalFault):
        await watch.look()
    journal.full = False
    await watch.look()
    assert told(journal) == [("step", "none", 5_000)]


async def test_a_change_that_the_journal_refused_is_written_the_next_time(
    machine: Machine, watch: ClockWatch, journal: Remembered
) -> None:
    await watch.look()
    machine.kernel = IN_STEP
    journal.full = True
    with pytest.raises(JournalFault):
        await watch.look()
    journal.full = False
    await watch.look()
    assert told(journal) == [("state", "ntp", None)]


async def test_the_clouds_time_becomes_an_anchor_and_vouches(
    machine: Machine, clock: BoxClock, watch: ClockWatch, journal: Remembered, anchoring: Anchoring
) -> None:
    await anchoring.heard(SRV, clock.stamp(), 40 * MS)
    entry = journal.entries[0]
    assert (entry.why, entry.srv_time, entry.rtt_ns, entry.mono_ns) == ("cloud", SRV, 40 * MS, 100 * S)
    await watch.look()
    # True time is 0.5 s to 0.54 s ahead of the wall clock.
    assert clock.clk == Clk(s="cloud", err_ms=541)
    assert told(journal) == [("cloud", "none", None), ("state", "cloud", None)]


async def test_a_time_service_is_named_before_the_cloud(
    machine: Machine, clock: BoxClock, watch: ClockWatch, anchoring: Anchoring
) -> None:
    machine.kernel = IN_STEP
    await anchoring.heard(SRV, clock.stamp(), 40 * MS)
    await watch.look()
    assert clock.clk == Clk(s="ntp", err_ms=5)


async def test_after_a_sleep_the_cloud_must_be_heard_again(
    machine: Machine, clock: BoxClock, watch: ClockWatch, journal: Remembered, anchoring: Anchoring
) -> None:
    await anchoring.heard(SRV, clock.stamp(), 40 * MS)
    machine.sleep(60 * S)
    await watch.look()
    assert clock.clk.s == "none"
    await anchoring.heard(SRV, clock.stamp(), 400 * MS)
    assert [entry.boot_id for entry in journal.entries] == ["boot", "boot+600"]


async def test_a_burst_of_answers_ends_at_the_quickest(
    machine: Machine, clock: BoxClock, anchoring: Anchoring, journal: Remembered
) -> None:
    for rtt_ms in (900, 500, 300, 120, 110, 90, 20, 19, 30, 12):
        machine.go(S)
        await anchoring.heard(SRV, clock.stamp(), rtt_ms * MS)
    assert [(entry.rtt_ns or 0) // MS for entry in journal.entries] == [900, 300, 120, 20]
    machine.go(ANCHOR_EVERY_NS)
    await anchoring.heard(SRV, clock.stamp(), 2 * S)
    assert journal.entries[-1].rtt_ns == 2 * S


async def test_an_anchor_that_the_journal_refused_is_written_with_the_next_answer(
    clock: BoxClock, anchoring: Anchoring, journal: Remembered
) -> None:
    journal.full = True
    with pytest.raises(JournalFault):
        await anchoring.heard(SRV, clock.stamp(), 40 * MS)
    journal.full = False
    await anchoring.heard(SRV, clock.stamp(), 45 * MS)
    assert [entry.rtt_ns for entry in journal.entries] == [45 * MS]


@pytest.mark.parametrize("said", ["", "noon", "2026-11-22T08:00:00"])
async def test_a_time_that_cannot_be_read_is_no_anchor(
    clock: BoxClock, anchoring: Anchoring, journal: Remembered, said: str
) -> None:
    await anchoring.heard(said, clock.stamp(), 1)
    assert journal.entries == []


async def test_it_looks_every_ten_seconds(machine: Machine, clock: BoxClock, journal: Remembered) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        machine.go(int(seconds) * S)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    watch = ClockWatch(
        journal.append, clock, Anchoring(journal.append), kernel=lambda: None, battery=lambda: False, sleep=sleep
    )
    with pytest.raises(asyncio.CancelledError):
        await watch.run()
    assert pauses == [EVERY_S] * 3
    assert EVERY_S >= 10


def test_an_anchor_of_before_is_read_as_one_of_the_clouds() -> None:
    old = (
        b'{"boot_id":"b","mono_ns":1,"wall_ns":2,"clk":{"s":"none"},"t":"anchor","srv_time":"2026-01-01T00:00:00Z","rtt_ns":5}'
    )
    entry = parse(old)
    assert isinstance(entry, AnchorEntry)
    assert (entry.why, entry.rtt_ns) == ("cloud", 5)
    assert parse(encode(entry)) == entry
