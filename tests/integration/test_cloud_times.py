"""When entries truly happened, as the cloud finds it among anchors, boots, runs and copies; and how far that is proved."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from alembic import command
from sqlalchemy import delete, func, select, text, update
from starlette.datastructures import QueryParams

from cloud.clocks.best import times_of
from cloud.clocks.models import AnchorRow, RunClock
from cloud.db import migrate as migration
from cloud.db.engine import Sessions, is_sqlite
from cloud.ingest.models import JournalEntry
from cloud.kernel.actor import Taken
from cloud.masters.models import OrderLine
from cloud.receiving.facts import arrival_day
from cloud.receiving.models import Receipt
from cloud.receiving.projection import project_all
from cloud.receiving.rebuild import MADE_AGAIN, rebuild
from cloud.receiving.verify import VerifyReport, verify_receipt
from cloud.takers import TAKERS
from cloud.web.filters import Filters
from cloud.web.reads.listing import list_receipts
from sync_protocol.besttime import TBest
from sync_protocol.entries import AnchorEntry, Clk, NoteEntry
from sync_protocol.ids import EntryId
from tests.integration.conftest import ADMIN, START, Run, Story, TestBox, TurnedClock

MS = 1_000_000
HOUR = 3_600_000_000_000


def ns(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


class Seen(TestBox):
    """A box of which is known when it wrote what."""

    def __init__(self, number: int, clock: TurnedClock) -> None:
        super().__init__(number, clock)
        self.booted = START - timedelta(hours=1)
        self.true: dict[str, int] = {}

    def mono_ns(self) -> int:
        return (self.clock.now - self.booted) // timedelta(microseconds=1) * 1000

    def restart(self, boot: str, *, after: timedelta = timedelta(hours=1), parent: bool = True) -> Run:
        """The box was off, and begins a run of a new boot."""
        before = self.runs[-1] if self.runs else None
        self.clock.now += after
        self.booted = self.clock.now - timedelta(seconds=20)
        self.boot = boot
        return self.start((before, len(before.entries) - 1) if parent and before else None)

    def mark(self) -> str:
        at = self.note()
        self.true[at] = ns(self.clock.now)
        return at

    def mark_in(self, run: Run) -> str:
        """As `mark`, in a run that is not the newest."""
        self.runs.remove(run)
        self.runs.append(run)
        return self.mark()


@pytest.fixture
async def seen(sessions: Sessions, clock: TurnedClock) -> Seen:
    box = Seen(7, clock)
    await box.register(sessions)
    return box


async def told(sessions: Sessions, box: TestBox, *wanted: str) -> list[TBest]:
    await box.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    async with sessions.read() as session:
        times = await times_of(session, [EntryId.parse(one) for one in wanted])
    return [times[EntryId.parse(one)] for one in wanted]


def around(best: TBest) -> tuple[float | None, float | None]:
    """The interval's ends in seconds after START."""
    lo_ns, hi_ns = best.at.lo_ns, best.at.hi_ns
    return (
        None if lo_ns is None else (lo_ns - ns(START)) / 1e9,
        None if hi_ns is None else (hi_ns - ns(START)) / 1e9,
    )


async def test_an_entry_beside_an_anchor_is_known_to_half_a_round_trip(
    sessions: Sessions, seen: Seen, clock: TurnedClock
) -> None:
    seen.start()
    seen.anchor(40)
    at = seen.mark()
    [best] = await told(sessions, seen, at)
    assert (best.basis, best.sure) == ("anchor", True)
    assert best.t_ns == pytest.approx(seen.true[at], abs=MS)
    assert best.err_ns == pytest.approx(20 * MS, abs=MS)


async def test_every_run_of_a_boot_has_its_anchors(sessions: Sessions, seen: Seen, clock: TurnedClock) -> None:
    first = seen.start()
    early = seen.mark()
    clock.go(minutes=50)
    seen.start((first, 1))
    seen.anchor(10)
    best = (await told(sessions, seen, early))[0]
    assert best.basis == "anchor"
    assert abs((best.t_ns or 0) - seen.true[early]) <= (best.err_ns or 0)
    # 5 ms of the round trip, 300 ms of drift in 50 minutes.
    assert best.err_ns == pytest.approx(305 * MS, abs=2 * MS)


async def test_a_far_anchor_serves_where_there_is_no_near_one(sessions: Sessions, seen: Seen, clock: TurnedClock) -> None:
    seen.start()
    seen.anchor(10)
    clock.go(days=3)
    late = seen.mark()
    clock.go(days=4)
    seen.anchor(10)
    best = (await told(sessions, seen, late))[0]
    assert around(best) == (pytest.approx(3 * 86_400, abs=26.1), pytest.approx(3 * 86_400, abs=26.1))


async def test_a_boot_without_network_lies_between_its_neighbours(sessions: Sessions, seen: Seen, clock: TurnedClock) -> None:
    seen.start()
    seen.anchor()
    seen.restart("offline")
    clock.go(minutes=30)
    at = seen.mark()
    clock.go(minutes=20)
    seen.note()
    seen.restart("online")
    clock.go(hours=5)
    seen.anchor()
    best = (await told(sessions, seen, at))[0]
    assert (best.basis, best.sure) == ("order", True)
    # After the anchored boot's end and half an hour of its own; before the next start less the twenty minutes that followed.
    assert around(best) == (pytest.approx(1800, abs=1), pytest.approx(3600 + 3000 + 3600 - 1200, abs=5))


async def test_nights_without_network_are_told_by_the_nearest_known_ones(
    sessions: Sessions, seen: Seen, clock: TurnedClock
) -> None:
    seen.start()
    seen.anchor()
    marks = []
    for night in range(5):
        seen.restart(f"offline-{night}", after=timedelta(hours=12))
        marks.append(seen.mark())
    seen.restart("online", after=timedelta(hours=12))
    seen.anchor()
    for at, best in zip(marks, await told(sessions, seen, *marks), strict=True):
        assert around(best) == (pytest.approx(0, abs=1), pytest.approx(6 * 12 * 3600, abs=1))
        assert best.at.lo_ns is not None
        assert best.at.lo_ns <= seen.true[at]


async def test_nothing_known_before_leaves_the_lower_end_open(sessions: Sessions, seen: Seen, clock: TurnedClock) -> None:
    seen.start()
    at = seen.mark()
    clock.go(minutes=90)
    [alone] = await told(sessions, seen, at)
    assert around(alone) == (None, 5400)
    seen.restart("online")
    seen.anchor()
    [after] = await told(sessions, seen, at)
    assert (around(after)[0], after.t_ns, after.err_ns) == (None, None, None)


async def test_after_a_sleep_the_anchors_before_it_bound_from_below(sessions: Sessions, seen: Seen, clock: TurnedClock) -> None:
    seen.start()
    seen.anchor()
    clock.go(hours=8)
    seen.boot = "b+288000"
    at = seen.mark()
    clock.go(minutes=1)
    seen.boot = "b+999000"
    seen.anchor()
    best = (await told(sessions, seen, at))[0]
    assert (best.basis, around(best)) == ("order", (pytest.approx(0, abs=1), pytest.approx(8 * 3600 + 60, abs=1)))


async def test_an_entry_said_again_is_not_as_young_as_its_place(sessions: Sessions, seen: Seen, clock: TurnedClock) -> None:
    """A reissued entry of a boot without anchor, behind an anchor of another boot."""
    seen.start()
    seen.boot = "long-ago"
    stamp = seen.stamp()
    seen.restart("now", parent=False)
    seen.anchor()
    at = seen.write(NoteEntry(**stamp, was=f"{'0' * 32}:3", name="again"))
    best = (await told(sessions, seen, at))[0]
    assert around(best)[0] is None


async def test_a_restored_copy_is_bounded_by_its_own_line(sessions: Sessions, seen: Seen, clock: TurnedClock) -> None:
    """Two runs continue one: what the sibling did later says nothing about this one's beginning."""
    root = seen.start()
    seen.anchor()
    clock.go(hours=1)
    seen.boot = "sibling"
    seen.booted = clock.now
    seen.start((root, 1))
    clock.go(hours=10)
    seen.anchor()
    clock.go(hours=1)
    seen.boot = "copy"
    seen.booted = clock.now
    seen.start((root, 1))
    at = seen.mark()
    [best] = await told(sessions, seen, at)
    assert around(best) == (pytest.approx(0, abs=1), pytest.approx(12 * 3600, abs=1))


async def test_a_copy_that_branched_off_before_says_nothing_about_what_came_after(
    sessions: Sessions, seen: Seen, clock: TurnedClock
) -> None:
    """The copy was made of the first two entries and lived on; the original wrote this one later, and has no anchor."""
    root = seen.start()
    seen.note()
    seen.boot, seen.booted = "copy", clock.now
    seen.start((root, 1))
    clock.go(minutes=1)
    seen.anchor()
    clock.go(hours=1)
    seen.boot, seen.booted = "b", START - timedelta(hours=1)
    at = seen.mark_in(root)
    clock.go(hours=1)
    [best] = await told(sessions, seen, at)
    assert around(best) == (None, pytest.approx(7260, abs=1))


async def test_contradicting_anchors_are_spanned_and_marked(sessions: Sessions, seen: Seen, clock: TurnedClock) -> None:
    seen.start()
    seen.anchor()
    clock.go(minutes=5)
    at = seen.mark()
    clock.go(minutes=5)
    seen.booted += timedelta(hours=1)  # the machine stood still
    clock.go(hours=1)
    seen.anchor()
    best = (await told(sessions, seen, at))[0]
    assert (best.sure, around(best)) == (False, (pytest.approx(300, abs=1), pytest.approx(3900, abs=1)))


@pytest.mark.parametrize(
    "fields",
    [
        {"srv_time": "9999-12-31T23:59:59Z", "rtt_ns": 1},
        {"srv_time": "0001-01-01T00:00:00Z", "rtt_ns": 1},
        {"srv_time": "now", "rtt_ns": 1},
        {"srv_time": "2026-11-22T08:00:00Z", "rtt_ns": -1},
        {"srv_time": "2026-11-22T08:00:00Z", "rtt_ns": 1 << 70},
        {"srv_time": "2026-11-22T08:00:00Z", "rtt_ns": 1, "boot_id": "b\x00"},
        {"srv_time": "2026-11-22T08:00:00Z", "rtt_ns": 1, "boot_id": "b" * 1000},
        {"srv_time": "2026-11-22T08:00:00Z", "rtt_ns": 1, "mono_ns": 1 << 70},
        {"why": "step", "step_ms": 5},
    ],
)
async def test_what_no_honest_box_writes_is_no_anchor(sessions: Sessions, seen: Seen, fields: dict[str, Any]) -> None:
    seen.start()
    seen.write(AnchorEntry(**(seen.stamp() | fields)))
    at = seen.mark()
    assert (await told(sessions, seen, at))[0].basis == "order"
    async with sessions.read() as session:
        assert await session.scalar(select(func.count()).select_from(AnchorRow)) == 0
        assert await session.scalar(select(func.count()).select_from(RunClock)) == 1


async def test_another_boxs_anchors_say_nothing(sessions: Sessions, seen: Seen, box: TestBox) -> None:
    """Two boxes on one machine have one boot id."""
    box.start()
    box.anchor()
    await told(sessions, box)
    seen.start()
    at = seen.mark()
    assert (await told(sessions, seen, at))[0].basis == "order"


async def test_entries_that_are_not_here_are_left_out(sessions: Sessions, seen: Seen) -> None:
    seen.start()
    await seen.deliver(sessions)
    async with sessions.read() as session:
        assert await times_of(session, [EntryId(seen.run.run, 99), EntryId(seen.run.run, 0)]) != {}
        assert await times_of(session, [EntryId(seen.run.run, 99)]) == {}
        assert await times_of(session, []) == {}


# --- I9 over whole lives ------------------------------------------------------------------------------------------------------


@dataclass
class Life:
    """A box with a drifting clock that is switched off, loses answers and forgets the date; true time is the test's clock."""

    box: Seen
    dice: random.Random
    counted: float = 0.0
    boots: int = 0
    marks: list[str] = field(default_factory=list)

    def go(self, seconds: float) -> None:
        # The clock counts whole microseconds here: a nanosecond more or less is the pure tests' matter.
        span = timedelta(seconds=round(seconds, 3))
        self.box.clock.now += span
        self.counted += span.total_seconds() * (1 + self.dice.uniform(-100, 100) / 1e6)

    def stamp(self) -> dict[str, Any]:
        wall_ns = self.dice.choice((0, ns(self.box.clock.now), self.dice.getrandbits(62)))
        return {
            "boot_id": f"boot-{self.boots}",
            "mono_ns": round(self.counted * 1e6) * 1000,
            "wall_ns": wall_ns,
            "clk": Clk(s=self.dice.choice(("none", "rtc", "ntp", "cloud"))),
        }

    def live(self) -> None:
        match self.dice.choice(("wait", "write", "write", "ask", "boot", "run")):
            case "wait":
                self.go(10 ** self.dice.uniform(-2, 5.5))
            case "write":
                at = self.box.mark()
                self.marks.append(at)
            case "ask":
                asked = self.stamp()["mono_ns"]
                self.go(self.dice.uniform(0, 3))
                srv = self.box.clock.now
                self.go(10 ** self.dice.uniform(-3, 1))
                if self.dice.random() < 0.7:
                    heard = self.stamp()
                    self.box.write(AnchorEntry(**heard, srv_time=srv.isoformat(), rtt_ns=heard["mono_ns"] - asked))
            case "boot":
                self.box.clock.now += timedelta(seconds=round(10 ** self.dice.uniform(0, 6), 3))
                self.boots += 1
                self.counted = self.dice.uniform(0, 100)
                self.start()
            case "run":
                self.start()

    def start(self) -> None:
        before = self.box.runs[-1] if self.box.runs else None
        self.box.start((before, len(before.entries) - 1) if before else None)


@pytest.mark.parametrize("seed", range(4))
async def test_true_time_lies_in_the_interval_over_whole_lives(sessions: Sessions, seen: Seen, seed: int) -> None:
    dice = random.Random(seed)
    life = Life(seen, dice)
    seen.stamp = life.stamp  # type: ignore[method-assign]
    life.start()
    for _ in range(120):
        life.live()
    found = await told(sessions, seen, *life.marks)
    for at, best in zip(life.marks, found, strict=True):
        true_ns = seen.true[at]
        assert best.sure
        assert best.at.lo_ns is None or best.at.lo_ns <= true_ns + 2000, at
        assert best.at.hi_ns is not None
        assert true_ns <= best.at.hi_ns + 2000, at
    assert {best.basis for best in found} == {"anchor", "order"}


# --- proof --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def received(sessions: Sessions, box: TestBox, demo: None, story: Story, clock: TurnedClock) -> TestBox:
    """A receipt in a batch of its own between two anchors in batches of theirs."""
    box.start()
    box.anchor()
    await box.deliver(sessions)
    clock.go(minutes=2)
    story.whole()
    await box.deliver(sessions)
    clock.go(minutes=2)
    box.anchor()
    await box.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    return box


async def report(sessions: Sessions) -> VerifyReport:
    async with sessions.read() as session:
        return await verify_receipt(session, "GR-2026-000001")


async def change(sessions: Sessions, statement: str) -> None:
    async with sessions.write() as session:
        for table in ("entry", "batch"):
            if is_sqlite(session):
                await session.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_update"))
            else:
                await session.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_change ON {table}"))
        await session.execute(text(statement))


async def test_a_receipts_times_come_with_their_errors(sessions: Sessions, received: TestBox) -> None:
    found = await report(sessions)
    assert found.ok
    assert found.opened is not None
    assert found.finished is not None
    for time in (found.opened, found.finished, *(one.time for one in found.fields)):
        assert time is not None
        assert (time.basis, time.sure, time.missing) == ("anchor", True, [])
        assert time.best is not None
        assert abs(datetime.fromisoformat(time.best) - (START + timedelta(minutes=2))) < timedelta(milliseconds=30)
        assert 20 <= (time.err_ms or 0) <= 40
        assert time.earliest is not None
        assert time.latest is not None
        assert time.earliest < time.best < time.latest
        assert str(time) == f"{time.best} ± {time.err_ms} ms"


async def test_a_changed_anchor_is_found_and_not_used(sessions: Sessions, received: TestBox) -> None:
    before = await report(sessions)
    await change(sessions, "SELECT 1")
    async with sessions.write() as session:
        for row in await session.scalars(select(JournalEntry).where(JournalEntry.kind == "anchor")):
            row.content = row.content.replace(b'"rtt_ns":40000000', b'"rtt_ns":10000000')
    found = await report(sessions)
    assert not found.ok
    assert {"time_not_proved:opened", "time_not_proved:finished"} <= set(found.problems)
    for one, old in zip(found.fields, before.fields, strict=True):
        assert one.problems == ["time_not_proved"]
        assert one.time is not None
        assert old.time is not None
        assert one.time.basis == "order"
        assert len(one.time.missing) == 2


async def test_one_anchor_that_is_not_proved_leaves_the_other(sessions: Sessions, received: TestBox) -> None:
    await change(sessions, "UPDATE batch SET signature = header_line WHERE first = 0")
    found = await report(sessions)
    assert not found.ok
    for one in found.fields:
        assert one.time is not None
        assert (one.time.basis, len(one.time.missing)) == ("anchor", 1)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE anchor SET srv_ns = srv_ns + 3600000000000", "UPDATE anchor SET rtt_ns = 0", "UPDATE run_clock SET mono_ns = 0"],
)
async def test_the_tables_are_not_believed(sessions: Sessions, received: TestBox, statement: str) -> None:
    before = await report(sessions)
    await change(sessions, statement)
    assert await report(sessions) == before


async def test_an_anchor_of_another_boot_is_not_used_whatever_the_table_says(
    sessions: Sessions, received: TestBox, clock: TurnedClock
) -> None:
    before = await report(sessions)
    clock.go(hours=1)
    stamp = received.stamp() | {"boot_id": "another", "mono_ns": 10**10}
    received.write(AnchorEntry(**stamp, srv_time=clock.now.isoformat(), rtt_ns=1))
    await received.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    await change(sessions, "UPDATE anchor SET boot_id = 'b', mono_ns = 3720001000000 WHERE boot_id = 'another'")
    assert await report(sessions) == before


async def test_without_the_tables_times_are_less_certain_and_not_wrong(sessions: Sessions, received: TestBox) -> None:
    await change(sessions, "DELETE FROM anchor")
    found = await report(sessions)
    assert found.ok
    for one in found.fields:
        assert one.time is not None
        assert (one.time.basis, one.time.best, one.time.earliest) == ("order", None, None)
        assert str(one.time) == f"before {one.time.latest}"


@pytest.mark.parametrize(
    ("clk", "shown"),
    [
        (Clk(s="none"), False),
        (Clk(s="rtc"), True),
        (Clk(s="ntp", err_ms=3), True),
        (Clk(s="cloud", err_ms=900), True),
        (Clk(s="cloud", err_ms=1_795_334_400_000), False),
        (Clk(s="cloud"), False),
    ],
)
async def test_a_wall_clock_counts_only_where_something_vouches_for_it(
    sessions: Sessions, box: TestBox, demo: None, story: Story, clk: Clk, *, shown: bool
) -> None:
    """Which day the goods came, and what the list of receipts shows."""
    stamp = box.stamp
    box.stamp = lambda: stamp() | {"clk": clk, "wall_ns": 86_400 * 10**9}  # type: ignore[method-assign]
    story.whole()
    await told(sessions, box)
    async with sessions.read() as session:
        receipt = (await session.scalars(select(Receipt))).one()
        assert arrival_day(receipt) == (date(1970, 1, 2) if shown else START.date())
        listed = await list_receipts(session, Filters.of(QueryParams("")), ZoneInfo("UTC"))
    assert [row.opened_at is not None for row in listed.rows] == [shown]


async def test_a_rebuild_leaves_the_times_as_they_are(sessions: Sessions, received: TestBox, clock: TurnedClock) -> None:
    before = await report(sessions)
    await rebuild(sessions, Taken(ADMIN, clock.now))
    assert await report(sessions) == before


async def test_noting_again_changes_nothing(sessions: Sessions, received: TestBox) -> None:
    before = await report(sessions)
    async with sessions.write() as session:
        for table in MADE_AGAIN:
            await session.execute(delete(table))
        await session.execute(update(OrderLine).values(received=0))
    await project_all(sessions, takers=TAKERS)
    assert await report(sessions) == before


def times(found: VerifyReport) -> list[object]:
    """When it happened, of a receipt and each of its values."""
    return [found.opened, found.finished, *((one.line, one.field, one.time) for one in found.fields)]


async def test_data_of_before_gets_its_anchors_from_the_migration(sessions: Sessions, received: TestBox) -> None:
    before = times(await report(sessions))

    async def alembic(step: Callable[..., None], revision: str) -> None:
        async with sessions.write() as session:
            connection = await session.connection()
            await connection.run_sync(lambda bound: step(migration._config(bound), revision))

    async with sessions.read() as session:
        columns = (AnchorRow.run, AnchorRow.seq, AnchorRow.boot_id, AnchorRow.mono_ns, AnchorRow.srv_ns, AnchorRow.rtt_ns)
        rows = (await session.execute(select(*columns).order_by(AnchorRow.seq))).all()
    await alembic(command.downgrade, "r0002")
    await alembic(command.upgrade, "head")
    async with sessions.read() as session:
        assert (await session.execute(select(*columns).order_by(AnchorRow.seq))).all() == rows
        assert len(rows) == 2
    # The way down took the ledger along, which the report misses; when all of it happened is what it was.
    assert times(await report(sessions)) == before
