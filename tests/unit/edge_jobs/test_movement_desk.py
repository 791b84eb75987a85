"""Moves, put-aways, counts and the gate at the desk: by scans alone, laid aside and found again, the same after a restart."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import JobRefused, JournalFault
from edge.jobs import commands as c
from edge.jobs.desk import MAX_OPEN, Held
from edge.jobs.movement import commands as m
from edge.jobs.movement.count_job import CountJob
from edge.jobs.movement.gate_job import GateJob
from edge.jobs.movement.move_job import MoveJob
from edge.jobs.news import Outcome, Sound
from edge.jobs.receive import ReceiveJob
from edge.jobs.routing import Routing
from edge.kiosk.store import KioskStore
from sync_protocol.entries import StepEntry
from sync_protocol.movements import COUNT, GATE, MOVE, PUT_AWAY, Counted, CountOpen, Moved, Passed, movement_step
from sync_protocol.steps import FieldValue
from tests.unit.edge_jobs.station import BOLT_GTIN, OIL, ORDER, Station, oil_label
from tests.unit.edge_jobs.yard import COLD, DOCK, FREE, HELD, OTHERS, RECEIPT, SHELF, SSCC, SUPPLIERS, yard, yard_masters


@pytest.fixture
async def site() -> Station:
    made = yard()
    await made.desk.start()
    made.desk.sign_in("dana")
    return made


class Scanner:
    """Scans at a station; every scan is more than two seconds after the one before."""

    def __init__(self, station: Station) -> None:
        self.station, self.routing = station, Routing(station.desk)

    async def __call__(self, text: str, **details: str) -> Outcome:
        self.station.clock.turn(3)
        self.station.hub.repeat()
        await self.routing.route(self.station.hub.scan(text, **details))
        last = self.station.desk.news.last
        assert last is not None
        return last


@pytest.fixture
def scan(site: Station) -> Scanner:
    return Scanner(site)


def typed(value: str, reason: str = "no_barcode", unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason)


def steps(station: Station) -> list[StepEntry]:
    return [entry for entry in station.journal.entries if isinstance(entry, StepEntry)]


def last_step(station: Station) -> object:
    return movement_step(steps(station)[-1])


async def begin(station: Station, kind: str, command: object | None = None, by: str = "dana") -> None:
    await station.desk.begin(kind, command or m.BeginMove(), by=by, cmd=f"begin-{len(station.journal.entries)}-{kind}")


async def do(station: Station, command: object, by: str = "dana") -> None:
    await station.desk.do(command, by=by, cmd=station.entropy(8).hex())


async def test_put_away_by_scans_alone(site: Station, scan: Scanner) -> None:
    await begin(site, PUT_AWAY)
    assert (await scan(**oil_label())).code == "next.move_much"
    site.hub.weigh("6.5")
    assert (await scan("TB-CMD:TAKE")).code == "next.move_target"
    assert (await scan(SHELF)).code == "next.move_goods"
    moved = last_step(site)
    assert isinstance(moved, Moved)
    assert (moved.source.value, moved.source.reason, moved.target.value) == (DOCK, "from_stock", SHELF)
    assert (moved.product, moved.lot, moved.receipt, moved.receipt_line) == (OIL, "L-118/A", RECEIPT, 1)
    assert (moved.quantity.value, moved.quantity.mode) == ("6.5", "device")  # type: ignore[union-attr]
    assert len(steps(site)[-1].readings) == 3
    # What was put away waits no more, and lies where it was put.
    assert [str(row.quantity) for row in site.desk.stock().of(DOCK, OIL)] == ["17.5"]
    assert [str(row.quantity) for row in site.desk.stock().of(SHELF, OIL) if row.lot == "L-118/A"] == ["11.5"]
    assert (await scan("TB-CMD:FINISH")).code == "next.home"
    assert site.journal.step_names() == ["open", "moved", "finish"]
    assert [entry.job_kind for entry in steps(site)] == [PUT_AWAY] * 3


async def test_a_place_scanned_at_home_begins_a_move_from_there(site: Station, scan: Scanner) -> None:
    assert (await scan(SHELF)).code == "next.move_goods"
    await scan("CR-7")
    assert (await scan("TB-QTY:12")).code == "next.move_target"
    assert (await scan("H-A-02")).code == "next.move_source"
    moved = last_step(site)
    assert isinstance(moved, Moved)
    assert (moved.source.mode, moved.source.value, moved.quantity.reason) == ("device", SHELF, "counted")  # type: ignore[union-attr]
    assert site.desk.stock().of(SHELF, "CRATE") == []


async def test_a_whole_pallet_moves_with_all_that_is_on_it(site: Station, scan: Scanner) -> None:
    assert (await scan("00" + SSCC, sscc=SSCC)).code == "next.move_target"
    assert (await scan("H-A-02")).code == "next.move_source"
    moved = last_step(site)
    assert isinstance(moved, Moved)
    assert (moved.product, moved.quantity, moved.unit.value, moved.source.value) == (None, None, SSCC, DOCK)  # type: ignore[union-attr]
    assert [(row.location, str(row.quantity)) for row in site.desk.stock().unit(SSCC)] == [("H-A-02", "400")]


async def test_several_lots_at_a_place_are_asked_for(site: Station, scan: Scanner) -> None:
    await scan(SHELF)
    label = oil_label()
    outcome = await scan("01" + label["gtin"], gtin=label["gtin"])
    assert (outcome.code, outcome.sound) == ("next.move_which", Sound.LOOK_HERE)
    assert (await scan("L-100")).code == "next.move_much"
    await do(site, m.TakeAll())
    await scan("H-A-02")
    moved = last_step(site)
    assert isinstance(moved, Moved)
    assert (moved.lot, moved.quantity.value, moved.quantity.reason) == ("L-100", "10", "all_there")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("place", "code"), [(SUPPLIERS, "place_not_internal"), (OTHERS, "place_of_other"), (SHELF, "same_place")]
)
async def test_a_place_that_must_not_hold_the_goods_is_refused_at_once(
    site: Station, scan: Scanner, place: str, code: str
) -> None:
    await scan(SHELF)
    await scan("CR-7")
    await scan("TB-QTY:1")
    outcome = await scan(place)
    assert (outcome.code, outcome.sound) == (f"refused.{code}", Sound.REJECTED)
    assert (await scan("H-A-02")).code == "next.move_source"


async def test_goods_that_need_cold_are_not_put_into_the_warm(site: Station, scan: Scanner) -> None:
    cold, warm = yard_masters().product("CRATE"), yard_masters().location("H-A-02")
    assert cold is not None
    assert warm is not None
    rows = dict(site.masters.rows)
    rows["product", "CRATE"] = (8, cold.model_copy(update={"temp_min": "0", "temp_max": "8"}))
    rows["location", "H-A-02"] = (8, warm.model_copy(update={"temperature_class": "ambient"}))
    site.masters = type(site.masters)(rows)
    await scan(SHELF)
    await scan("CR-7")
    await scan("TB-QTY:1")
    assert (await scan("H-A-02")).code == "refused.place_temperature"
    assert (await scan(COLD)).code == "next.move_source"


async def test_what_is_not_known_to_lie_there_is_kept_with_a_reason(site: Station, scan: Scanner) -> None:
    await scan(SHELF)
    await scan("CR-7")
    await scan("TB-QTY:13")
    outcome = await scan("H-A-02")
    assert (outcome.code, outcome.sound) == ("next.move_why", Sound.LOOK_HERE)
    assert site.journal.step_names() == ["open"]
    assert (await scan("TB-REASON:nonsense")).code == "refused.unknown_reason"
    assert (await scan("TB-REASON:seen_here")).code == "next.move_source"
    moved = last_step(site)
    assert isinstance(moved, Moved)
    assert moved.reason == "seen_here"
    assert steps(site)[-1].data["doubts"] == ["not_there"]


async def test_an_open_receipt_survives_a_put_away_and_is_found_again(site: Station, scan: Scanner) -> None:
    await scan(ORDER)
    await scan("DN-2291/7")
    receipt = site.desk.job
    assert receipt is not None
    await begin(site, PUT_AWAY)
    assert site.desk.job is None
    assert [type(held.job) for held in site.desk.open_jobs] == [ReceiveJob, MoveJob]
    await scan("TB-CMD:FINISH")
    assert site.desk.in_hand is None
    assert [held.job.id for held in site.desk.open_jobs] == [receipt.id]
    await site.desk.take_up(receipt.id)
    assert (await scan("0" + BOLT_GTIN, gtin=BOLT_GTIN)).code == "next.count"
    with pytest.raises(JobRefused, match="other_job"):
        await site.desk.take_up("another")


async def test_commands_of_another_kind_do_nothing_to_the_job_in_hand(site: Station) -> None:
    await begin(site, MOVE)
    with pytest.raises(JobRefused, match="not_now"):
        await do(site, c.ChooseOrder(ORDER))
    with pytest.raises(JobRefused, match="not_now"):
        await do(site, m.CountAgain(1))
    assert site.journal.step_names() == ["open"]


async def test_a_refused_beginning_leaves_the_job_in_hand(site: Station) -> None:
    await begin(site, MOVE)
    held = site.desk.in_hand
    assert held is not None
    with pytest.raises(JobRefused, match="unknown_sheet"):
        await begin(site, COUNT, m.BeginCount(sheet="CS-99"))
    assert site.desk.in_hand is held


async def test_open_jobs_have_a_cap(site: Station) -> None:
    for _ in range(MAX_OPEN):
        await begin(site, MOVE)
    with pytest.raises(JobRefused, match="too_many_jobs"):
        await begin(site, MOVE)


async def test_a_count_of_a_planned_sheet(site: Station, scan: Scanner) -> None:
    assert (await scan("TB-SHEET:CS-1")).code == "next.count_goods"
    await scan("CR-7")
    assert (await scan("TB-QTY:11")).code == "next.count_goods"
    await scan(**oil_label())
    site.hub.weigh("4.9")
    assert (await scan("TB-CMD:TAKE")).code == "next.count_goods"
    # The first line is counted anew, to nothing.
    await do(site, m.CountAgain(1))
    await scan("TB-QTY:0")
    assert (await scan("TB-CMD:FINISH")).code == "next.home"
    opened, first, _, again, done = (movement_step(entry) for entry in steps(site))
    assert isinstance(opened, CountOpen)
    assert (opened.sheet, opened.location.value, opened.location.reason, opened.second) == ("CS-1", SHELF, "from_sheet", False)
    assert isinstance(first, Counted)
    assert isinstance(again, Counted)
    assert (first.n, first.quantity.value, again.n, again.quantity.value) == (1, "11", 1, "0")
    assert done.lines == [1, 2]  # type: ignore[union-attr]


async def test_a_second_count_is_another_persons(site: Station) -> None:
    with pytest.raises(JobRefused, match="same_person"):
        await begin(site, COUNT, m.BeginCount(sheet="CS-2"))
    with pytest.raises(JobRefused, match="same_person"):
        await begin(site, COUNT, m.BeginCount(place=typed(COLD)))
    await begin(site, COUNT, m.BeginCount(sheet="CS-2"), by="omar")
    assert isinstance(opened := last_step(site), CountOpen)
    assert opened.second


async def test_a_count_that_is_given_up_before_its_place_leaves_nothing(site: Station) -> None:
    await begin(site, COUNT, m.BeginCount())
    assert site.desk.asked() == "count_place"
    await do(site, m.GiveUp())
    assert site.desk.open_jobs == []
    assert site.journal.step_names() == []


async def test_a_container_comes_in_by_scans(site: Station, scan: Scanner) -> None:
    outcome = await scan("MSKU 907032 3")
    assert (outcome.code, outcome.sound) == ("next.gate_details", Sound.LOOK_HERE)
    await scan("SEAL-4711")
    site.hub.weigh("24310")
    await scan("TB-CMD:TAKE")
    await do(site, m.GiveDetails(vehicle="12-345-67", driver="M. Cohen", laden=True))
    assert (await scan("TB-CMD:CONFIRM")).code == "next.home"
    passed = last_step(site)
    assert isinstance(passed, Passed)
    assert (passed.direction, passed.container.value, passed.seal.value) == ("in", FREE, "SEAL-4711")  # type: ignore[union-attr]
    assert (passed.weight.value, passed.weight.unit, passed.laden) == ("24310", "kg", True)  # type: ignore[union-attr]
    assert passed.number == "B7-0001"
    assert site.journal.step_names() == ["passed"]


@pytest.mark.parametrize(
    ("number", "code"),
    [("MSKU9070324", "container_check_digit"), ("MSKX9070323", "container_category"), ("HELLO", "container_form")],
)
async def test_a_container_number_that_cannot_be_is_refused(site: Station, number: str, code: str) -> None:
    await begin(site, GATE, m.BeginGate("in"))
    with pytest.raises(JobRefused, match=code):
        await do(site, m.GivePlace(typed(number)))


async def test_a_number_painted_without_check_digit_is_kept_with_that_reason(site: Station) -> None:
    await begin(site, GATE, m.BeginGate("in"))
    await do(site, m.GivePlace(typed("MSKU9070324", "no_check_digit")))
    await do(site, m.Pass())
    passed = last_step(site)
    assert isinstance(passed, Passed)
    assert passed.container.reason == "no_check_digit"


async def test_a_hold_keeps_a_container_in_until_a_supervisor_answers_for_it(site: Station, scan: Scanner) -> None:
    await scan(HELD)
    outcome = await scan("TB-CMD:CONFIRM")
    assert (outcome.code, outcome.sound) == ("next.gate_holds", Sound.LOOK_HERE)
    assert site.journal.step_names() == []
    with pytest.raises(JobRefused, match="unknown_reason"):
        await do(site, m.Pass("ruth"))
    await do(site, m.Pass("ruth", "hold_lifted"))
    (entry,) = steps(site)
    assert (entry.by, entry.data["asked_by"], entry.data["holds"]) == ("ruth", "dana", ["customs"])
    assert entry.data["note"] == "hold_lifted"


async def test_numbers_go_on_after_a_restart_and_after_the_journal_let_go_of_its_entries(tmp_path: Path) -> None:
    store = await KioskStore.open(tmp_path / "kiosk.db")
    try:
        site = Station(drafts=store, numbers=store)
        site.masters = yard_masters()
        await site.desk.start()
        for _ in range(2):
            await begin(site, MOVE)
        assert [entry.data["number"] for entry in steps(site)] == ["B7-0001", "B7-0002"]
        again = site.new_desk()
        await again.start()
        assert again.next_number() == "B7-0003"
        site.journal.entries.clear()
        later = site.new_desk()
        await later.start()
        assert later.next_number() == "B7-0003"
    finally:
        await store.close()


async def test_a_box_without_a_range_gives_no_numbers() -> None:
    site = Station()
    await site.desk.start()
    assert site.desk.next_number() is None
    await site.desk.begin(MOVE, m.BeginMove(), by="dana", cmd="1")
    assert "number" not in steps(site)[0].data


@pytest.mark.parametrize("kept", [False, True])
async def test_a_number_whose_step_may_be_lost_is_not_given_twice(site: Station, kept: bool) -> None:
    site.journal.fail = "after" if kept else "before"
    with pytest.raises(JournalFault):
        await begin(site, MOVE)
    await site.desk.begin(MOVE, m.BeginMove(), by="dana", cmd="again")
    numbers = [entry.data["number"] for entry in steps(site)]
    assert numbers == (["B7-0001", "B7-0002"] if kept else ["B7-0001"])


async def _every_job(site: Station, scan: Scanner) -> None:
    await scan(SHELF)
    await scan("CR-7")
    await scan("TB-QTY:2")
    await scan("H-A-02")
    await scan("H-A-02")
    await begin(site, COUNT, m.BeginCount(sheet="CS-1"))
    await scan("CR-7")
    await begin(site, GATE, m.BeginGate("in"))
    await scan(FREE)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Station]:
    store = await KioskStore.open(tmp_path / "kiosk.db")
    made = Station(drafts=store, numbers=store)
    made.masters = yard_masters()
    await made.desk.start()
    made.desk.sign_in("dana")
    yield made
    await store.close()


async def test_every_open_job_is_the_same_after_a_restart(kept: Station) -> None:
    await _every_job(kept, Scanner(kept))
    again = kept.new_desk()
    await again.start()
    assert {type(held.job) for held in again.open_jobs} == {MoveJob, CountJob, GateJob}
    before = {held.job.id: _bare(held) for held in kept.desk.open_jobs}
    assert {held.job.id: _bare(held) for held in again.open_jobs} == before
    assert again.stock().rows == kept.desk.stock().rows


def _bare(held: Held) -> object:
    # Ids of commands that wrote no step are forgotten but for the newest draft's; a draft alone says not whose it is.
    assert isinstance(held.job, MoveJob | CountJob | GateJob)
    return replace(held.job, commands=frozenset(), by=None)


async def test_a_draft_that_is_older_than_a_step_is_let_go_of(kept: Station) -> None:
    scan = Scanner(kept)
    for text in (SHELF, "CR-7", "TB-QTY:2"):
        await scan(text)
    (job, text), *_ = (await kept.drafts.load_drafts()).items()
    await scan("H-A-02")
    # The power went after the step and before the draft was taken away.
    await kept.drafts.save_draft(job, text)
    again = kept.new_desk()
    await again.start()
    (held,) = again.open_jobs
    assert held.job.draft is None
    assert again.asked() == "move_source"
    assert await kept.drafts.load_drafts() == {}
