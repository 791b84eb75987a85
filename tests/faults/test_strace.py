"""The real journal in a real process that is killed, or gets an error, in a call on its files.

Nothing confirmed is lost, nothing is there twice, the chain holds, the next start is a normal one, and the cloud gets exactly
what the journal has.
"""

import itertools
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.histories import entries_of, numbers, reading
from tests.faults.keeping import Box, Keeper
from tests.faults.opening import CLOCK, open_journal
from tests.faults.tracing import Point, Producers, Told, calls, cannot_trace, was_hit

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

COUNT = 32
"""Readings of a process: some eight commits, and the checkpoint when it closes."""

REACH = 0.6
"""Of the calls counted without a fault: how they fall into commits differs from run to run."""

# How many points of each kind, spread evenly over the calls of its thread: in a journal that is made, and in one that is there.
KILLS = {
    "fresh": {"pwrite64": 14, "fdatasync": 8, "openat": 4, "unlink": 2, "ftruncate": 1},
    "old": {"pwrite64": 14, "fdatasync": 8, "openat": 3, "ftruncate": 1},
}
ERRORS = {
    ("fresh", "EIO"): {"pwrite64": 4, "fdatasync": 4, "openat": 1},
    ("old", "EIO"): {"pwrite64": 6, "fdatasync": 6, "openat": 1, "pread64": 8, "ftruncate": 1},
    ("fresh", "ENOSPC"): {"pwrite64": 4, "openat": 1},
    ("old", "ENOSPC"): {"pwrite64": 6},
}
POINTS = [
    (state, fault, syscall, index, many)
    for (state, fault), wanted in ({(state, "KILL"): points for state, points in KILLS.items()} | ERRORS).items()
    for syscall, many in wanted.items()
    for index in range(many)
]


@dataclass
class History:
    """One journal, what of it was ever confirmed, and its box."""

    journal: Path
    box: Box
    confirmed: dict[int, tuple[str, int]] = field(default_factory=dict)
    tried: set[int] = field(default_factory=set)


@dataclass
class Rig:
    """What all points share: the cloud, a journal that grows from point to point, and how many calls a process makes."""

    folder: Path
    keeper: Keeper
    producers: Producers
    old: History
    counted: dict[str, dict[str, int]]
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1_000_000, 1000))

    def point(self, state: str, fault: str, syscall: str, index: int, many: int) -> Point:
        reach = max(int(self.counted[state].get(syscall, 1) * REACH), 1)
        return Point(syscall, 1 + (reach - 1) * index // max(many - 1, 1), fault)

    async def fresh(self) -> History:
        folder = self.folder / f"fresh-{next(self.numbers)}"
        folder.mkdir()
        return History(folder / "journal.db", await self.keeper.new_box())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    reason = cannot_trace()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("strace")
    async with Keeper.within(folder) as keeper, Producers.ready() as producers:
        (folder / "old").mkdir()
        old = History(folder / "old" / "journal.db", await keeper.new_box())
        counted = {}
        for state, first in (("fresh", 0), ("old", 1000)):
            log = folder / f"{state}.log"
            told = await producers.produce(old.journal, first, COUNT, log)
            assert (told.code, len(told.confirmed)) == (0, COUNT), told.said
            old.confirmed |= told.confirmed
            old.tried |= told.confirmed.keys()
            counted[state] = calls(log)
        yield Rig(folder, keeper, producers, old, counted)


@pytest.mark.parametrize(("state", "fault", "syscall", "index", "many"), POINTS)
async def test_what_was_confirmed_is_kept_once(
    rig: Rig, tmp_path: Path, state: str, fault: str, syscall: str, index: int, many: int
) -> None:
    history = rig.old if state == "old" else await rig.fresh()
    point = rig.point(state, fault, syscall, index, many)
    told = await struck(rig, history, point, tmp_path / "log")
    assert told.code == -9 if fault == "KILL" else told.code in {0, 4}, told.said
    history.confirmed |= told.confirmed
    await assert_kept(history, next(rig.numbers))


async def struck(rig: Rig, history: History, point: Point, log: Path) -> Told:
    """A process that the fault hits; where commits were fewer than usual, an earlier call is taken."""
    while True:
        first = next(rig.numbers)
        told = await rig.producers.produce(history.journal, first, COUNT, log, point)
        history.tried |= set(range(first, first + COUNT))
        if was_hit(log, point):
            return told
        history.confirmed |= told.confirmed
        assert point.n > 1, f"{point} was never reached"
        point = Point(point.syscall, point.n // 2, point.fault)


async def assert_kept(history: History, after: int) -> None:
    """A normal start, one more reading, everything sent: journal and cloud hold what they must and the same."""
    async with open_journal(history.journal) as journal:
        place = await journal.append(reading(after, CLOCK.now_ns()))
        history.confirmed[after] = (place.run, place.seq)
        history.tried.add(after)
        await history.box.drain(journal)
    assert not list(history.journal.parent.glob("journal-corrupt-*")), "one call that failed is no damage"
    kept, held = entries_of(history.journal), await history.box.holds()
    found = numbers(kept)
    assert len(found) == len(set(found)), "a reading is there twice"
    assert history.confirmed.keys() <= set(found) <= history.tried
    for n, key in history.confirmed.items():
        assert f'"value":"{n}"'.encode() in kept[key]
    assert held == {key: kept[key] for key in held}
    # What the sender itself writes when the last answer has come (an anchor) goes up another time.
    assert numbers(held) == found


async def test_points_are_a_hundred_and_the_counting_sees_every_kind(rig: Rig) -> None:
    assert len(POINTS) >= 90
    assert {syscall for _, _, syscall, _, _ in POINTS} <= rig.counted["old"].keys() | rig.counted["fresh"].keys()
    assert shutil.which("strace")
