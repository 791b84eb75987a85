"""The desk: durable before applied, idempotent by command id, the same step after any kill, scans told by what they are."""

import asyncio
from dataclasses import replace

import pytest

from drivers.api import Flag, Kind, Reading
from edge.devices.live import FRESH_NS, LinkState, LiveValue
from edge.errors import JobRefused, JournalFault
from edge.jobs import commands as c
from edge.jobs.awaiting import Awaits
from edge.jobs.news import QUEUE_CAP, Changed, News, Outcome, Sound
from edge.jobs.receive import Stage
from edge.jobs.routing import Routing
from edge.jobs.scans import EFFECTS, Effect, ScanKind, classify
from edge.jobs.weighing import WeightState, weight_state, why_not
from edge.kiosk.store import KioskStore
from sync_protocol.entries import StepEntry
from sync_protocol.steps import receive_step
from tests.unit.edge_jobs.station import (
    BOLT_GTIN,
    CONTAINER,
    NOTICE,
    OIL_GTIN,
    ORDER,
    PALLET,
    SCALE,
    Station,
    TurnedClock,
    masters,
    oil_label,
)


async def scan(station: Station, text: str, **details: str) -> Outcome | None:
    """One scan, more than two seconds after the one before; the outcome it had."""
    station.clock.turn(3)
    station.hub.repeat()
    routing = getattr(station, "routing", None)
    if routing is None:
        routing = station.routing = Routing(station.desk)  # type: ignore[attr-defined]
    before = station.desk.news.last
    await routing.route(station.hub.scan(text, **details))
    return station.desk.news.last if station.desk.news.last is not before else None


def told(station: Station) -> tuple[str, Sound]:
    last = station.desk.news.last
    assert last is not None
    return last.code, last.sound


async def test_a_whole_receipt_by_scanning_alone(station: Station) -> None:
    station.desk.sign_in("dana")
    assert await scan(station, ORDER)
    assert station.desk.awaited() is Awaits.DOCUMENT
    await scan(station, "DN-2291/7")
    await scan(station, **oil_label())
    station.hub.weigh("12.340")
    for command, expected in (("TAKE", Awaits.CONFIRM), ("CONFIRM", Awaits.ITEM)):
        await scan(station, f"TB-CMD:{command}")
        assert station.desk.awaited() is expected
    await scan(station, "0" + BOLT_GTIN, gtin=BOLT_GTIN)
    await scan(station, "TB-QTY:120")
    await scan(station, "TB-CMD:CONFIRM")
    await scan(station, "TB-CMD:FINISH")
    assert station.journal.step_names() == ["open", "item", "amount", "confirm", "item", "amount", "confirm", "finish"]
    assert station.desk.job is None
    assert told(station) == ("next.order", Sound.ACCEPTED)
    steps = [entry for entry in station.journal.entries if isinstance(entry, StepEntry)]
    assert [entry.n for entry in steps] == list(range(8))
    assert {entry.by for entry in steps} == {"dana"}
    assert all(receive_step(entry) for entry in steps)
    assert len(steps[2].readings) == 1


async def test_a_kill_between_any_two_steps_leaves_the_same_state(station: Station) -> None:
    acts: list[c.Command] = [c.ChooseOrder(ORDER), c.NoDocument("not_supplied")]
    desk = station.desk
    for number, command in enumerate(acts):
        await desk.do(command, by="dana", cmd=f"a{number}")
    station.desk.sign_in("dana")
    await scan(station, **oil_label())
    station.hub.weigh("12.340")
    await desk.take(by="dana", cmd="take")
    await desk.do(c.ConfirmLine(), by="dana", cmd="confirm")
    whole = station.journal.entries
    for length in range(1, len(whole) + 1):
        station.journal.entries = whole[:length]
        again = station.new_desk()
        await again.start()
        assert again.job is not None
        assert again.job.steps == length
    assert again.job is not None
    assert desk.job is not None
    # The id of the command that only chose the order is forgotten: it wrote no step.
    assert replace(again.job, commands=desk.job.commands) == desk.job
    assert desk.job.commands - again.job.commands == {"a0"}


@pytest.mark.parametrize("kept", [False, True])
async def test_a_kill_during_append_is_settled_by_the_journal(station: Station, kept: bool) -> None:
    await station.desk.do(c.ChooseOrder(ORDER), by="dana", cmd="1")
    station.journal.fail = "after" if kept else "before"
    job = station.desk.job
    assert job is not None
    with pytest.raises(JournalFault):
        await station.desk.do(c.NoDocument("not_supplied"), by="dana", cmd="2", job=job.id)
    # The box restarts and the page sends the same command once more.
    desk = station.new_desk()
    await desk.start()
    if kept:
        assert (await desk.do(c.NoDocument("not_supplied"), by="dana", cmd="2", job=job.id)).stage is Stage.OPEN
    else:
        with pytest.raises(JobRefused, match="other_job"):
            await desk.do(c.NoDocument("not_supplied"), by="dana", cmd="2", job=job.id)
    assert station.journal.step_names() == (["open"] if kept else [])


async def test_after_a_journal_fault_memory_is_not_believed(station: Station) -> None:
    await station.desk.do(c.ChooseOrder(ORDER), by="dana", cmd="1")
    await station.desk.do(c.NoDocument("not_supplied"), by="dana", cmd="2")
    station.desk.sign_in("dana")
    station.journal.fail = "after"
    outcome = await scan(station, **oil_label())
    assert outcome is not None
    assert outcome.code == "refused.journal"
    assert station.desk.awaited() is Awaits.ITEM
    # The entry had become durable: the next command finds the line begun.
    station.hub.weigh("12.340")
    with pytest.raises(JobRefused, match="not_now"):
        await station.desk.do(c.FinishJob(), by="dana", cmd="3")
    assert station.desk.awaited() is Awaits.WEIGHT


async def test_a_command_id_counts_once_even_after_the_job_is_closed(station: Station) -> None:
    desk = station.desk
    await desk.do(c.ChooseOrder(ORDER), by="dana", cmd="1")
    first = await desk.do(c.NoDocument("not_supplied"), by="dana", cmd="2")
    assert await desk.do(c.NoDocument("not_supplied"), by="dana", cmd="2") == first
    closed = await desk.do(c.AbandonJob("wrong_order"), by="dana", cmd="3")
    assert closed.stage is Stage.ABANDONED
    assert (await desk.do(c.AbandonJob("wrong_order"), by="dana", cmd="3", job=closed.id)).id == closed.id
    assert station.journal.step_names() == ["open", "abandon"]


async def test_commands_of_two_pages_are_taken_one_at_a_time(station: Station) -> None:
    await station.desk.do(c.ChooseOrder(ORDER), by="dana", cmd="1")
    twice = [station.desk.do(c.NoDocument("not_supplied"), by="dana", cmd=f"x{number}") for number in range(2)]
    results = await asyncio.gather(*twice, return_exceptions=True)
    assert sum(isinstance(result, JobRefused) for result in results) == 1
    assert station.journal.step_names() == ["open"]


async def test_a_page_with_another_job_on_it_is_refused(station: Station) -> None:
    await station.desk.do(c.ChooseOrder(ORDER), by="dana", cmd="1")
    with pytest.raises(JobRefused, match="other_job"):
        await station.desk.do(c.NoDocument("not_supplied"), by="dana", cmd="2", job="another")


async def test_drafts_survive_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("drafts") / "kiosk.db"
    store = await KioskStore.open(path)
    station = Station(drafts=store)
    await station.desk.start()
    station.desk.sign_in("dana")
    await scan(station, ORDER)
    await store.close()
    store = await KioskStore.open(path)
    try:
        station.drafts = store
        desk = station.new_desk()
        await desk.start()
        assert desk.awaited() is Awaits.DOCUMENT
        await desk.do(c.NoDocument("not_supplied"), by="dana", cmd="2")
        assert await store.load_drafts() == {}
        assert station.journal.step_names() == ["open"]
    finally:
        await store.close()


async def test_a_job_of_another_program_version_does_not_stop_the_station(station: Station) -> None:
    await station.desk.do(c.ChooseOrder(ORDER), by="dana", cmd="1")
    await station.desk.do(c.NoDocument("not_supplied"), by="dana", cmd="2")
    entry = station.journal.entries[0]
    assert isinstance(entry, StepEntry)
    station.journal.entries.append(entry.model_copy(update={"n": 1, "step": "teleport"}))
    desk = station.new_desk()
    await desk.start()
    assert desk.awaited() is Awaits.ORDER


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (None, "no_data"),
        (("5", {Flag.STABLE}), None),
        (("5", {Flag.STABLE, Flag.NET}), None),
        (("5", {Flag.MOTION}), "motion"),
        (("5", set()), "motion"),
        (("0", {Flag.STABLE}), "not_positive"),
        (("-0.005", {Flag.STABLE}), "not_positive"),
        ((None, {Flag.OVERLOAD}), "overload"),
        ((None, {Flag.UNDERLOAD}), "underload"),
        (("5", {Flag.STABLE, Flag.OUT_OF_CALIBRATION}), "out_of_calibration"),
        ((None, set()), "no_data"),
    ],
)
async def test_a_weight_is_taken_only_when_it_may_be(
    station: Station, reading: tuple[str | None, set[Flag]] | None, why: str | None
) -> None:
    station.desk.sign_in("dana")
    await scan(station, ORDER)
    await scan(station, "DN-1")
    await scan(station, **oil_label())
    if reading is not None:
        station.hub.weigh(reading[0], "kg", *reading[1]) if reading[1] else _weigh_silent(station, reading[0])
    if why is None:
        await station.desk.take(by="dana", cmd="t")
        assert station.desk.awaited() is Awaits.CONFIRM
    else:
        with pytest.raises(JobRefused) as refused:
            await station.desk.take(by="dana", cmd="t")
        assert refused.value.code == f"take_{why}"
        assert station.hub.taken == 0


def _weigh_silent(station: Station, value: str | None) -> None:
    """A value without any flag: a scale that cannot say whether it is stable."""
    station.hub.weigh(value, "kg", Flag.GROSS)


@pytest.mark.parametrize("link", [LinkState.LOST, LinkState.NO_ANSWER, LinkState.CONNECTING])
def test_a_link_that_is_not_up_has_no_weight(link: LinkState) -> None:
    reading = Reading(Kind.MASS, None, None, frozenset(), b"")
    assert weight_state(LiveValue(SCALE, link, reading, 0), 0) is WeightState(link.value)


def test_a_weight_grows_stale_after_two_seconds() -> None:
    clock = TurnedClock()
    station = Station()
    station.clock = clock
    station.hub.weigh("5")
    live = station.hub.live(SCALE)
    assert live.at_ns is not None
    assert why_not(live, live.at_ns + FRESH_NS) is None
    assert why_not(live, live.at_ns + FRESH_NS + 1) == "no_data"
    assert why_not(None, 0) == "no_scale"


async def test_the_same_code_within_two_seconds_is_one_scan(station: Station) -> None:
    station.desk.sign_in("dana")
    await scan(station, ORDER)
    await scan(station, "DN-1")
    routing = Routing(station.desk)
    await routing.route(station.hub.scan(**oil_label()))
    number = station.desk.news.last.number  # type: ignore[union-attr]
    station.clock.turn(1.9)
    await routing.route(station.hub.scan(**oil_label()))
    assert station.desk.news.last.number == number  # type: ignore[union-attr]
    # The reader keeps seeing it: each repeat prolongs the two seconds.
    station.clock.turn(1.9)
    await routing.route(station.hub.scan(**oil_label()))
    assert station.journal.step_names() == ["open", "item"]
    station.clock.turn(2)
    await routing.route(station.hub.scan(**oil_label()))
    assert told(station) == ("scan.wrong", Sound.REJECTED)


async def test_scans_of_nobody_are_refused(station: Station) -> None:
    await scan(station, ORDER)
    assert told(station) == ("scan.signed_out", Sound.REJECTED)
    assert station.desk.job is None


async def test_a_wrong_scan_says_what_it_was_and_what_is_awaited(station: Station) -> None:
    station.desk.sign_in("dana")
    outcome = await scan(station, **oil_label())
    assert outcome is not None
    assert (outcome.code, dict(outcome.values)) == ("scan.wrong", {"scanned": "product", "awaited": "order"})
    assert outcome.sound is Sound.REJECTED


async def test_giving_up_by_a_code_takes_two_scans(station: Station) -> None:
    station.desk.sign_in("dana")
    await scan(station, ORDER)
    await scan(station, "DN-1")
    await scan(station, "TB-CMD:ABANDON")
    assert told(station) == ("scan.abandon_again", Sound.LOOK_HERE)
    assert station.desk.job is not None
    await scan(station, "TB-CMD:ABANDON")
    assert station.journal.step_names() == ["open", "abandon"]


async def test_unknown_command_codes_are_named(station: Station) -> None:
    station.desk.sign_in("dana")
    await scan(station, "TB-CMD:DANCE")
    assert told(station) == ("scan.unknown_command", Sound.REJECTED)


@pytest.mark.parametrize(
    ("text", "details", "kind", "key"),
    [
        (ORDER, {}, ScanKind.ORDER, ORDER),
        (f"TB-ORDER:{ORDER}", {}, ScanKind.ORDER, ORDER),
        ("PO:PO-9", {}, ScanKind.ORDER, "PO-9"),
        ("400" + ORDER, {"ai.400": ORDER}, ScanKind.ORDER, ORDER),
        ("01" + OIL_GTIN, {"gtin": OIL_GTIN}, ScanKind.PRODUCT, "OIL-5L"),
        ("4006381333931", {"gtin": "04006381333931"}, ScanKind.UNKNOWN_PRODUCT, "04006381333931"),
        ("CR-7", {}, ScanKind.PRODUCT, "CRATE"),
        (NOTICE, {}, ScanKind.NOTICE, NOTICE),
        ("ASN:N-9", {}, ScanKind.NOTICE, "N-9"),
        ("00" + PALLET, {"sscc": PALLET}, ScanKind.UNIT, PALLET),
        ("00" + PALLET + "400" + ORDER, {"sscc": PALLET, "ai.400": "PO-X"}, ScanKind.UNIT, PALLET),
        ("MSKU 123456-5", {}, ScanKind.CONTAINER, CONTAINER),
        ("MSKU 123456-6", {}, ScanKind.TEXT, ""),
        ("TB-CMD:TAKE", {}, ScanKind.COMMAND, "TAKE"),
        ("TB-REASON:unreadable", {}, ScanKind.REASON, "unreadable"),
        ("TB-QTY:12", {}, ScanKind.COUNT, "12"),
        ("DN-2291/7", {}, ScanKind.TEXT, ""),
        ("", {}, ScanKind.NO_READ, ""),
    ],
)
def test_a_scan_is_what_its_content_says(text: str, details: dict[str, str], kind: ScanKind, key: str) -> None:
    flags = frozenset() if text else frozenset({Flag.NO_READ})
    found = classify(Reading(Kind.CODE, text or None, None, flags, b"", details=details), masters())
    assert (found.kind, found.key) == (kind, key)


# What each kind of scan does while each input is awaited: all that is not named here is WRONG.
ANYTHING = {Awaits.SERIAL: Effect.SERIAL, Awaits.ARRIVAL: Effect.ARRIVAL, Awaits.SUPERVISOR: Effect.BADGE}
TABLE: dict[ScanKind, dict[Awaits, Effect]] = {
    ScanKind.COMMAND: dict.fromkeys(Awaits, Effect.COMMAND),
    ScanKind.NO_READ: dict.fromkeys(Awaits, Effect.READ_FAILED),
    ScanKind.UNKNOWN_PRODUCT: dict.fromkeys(Awaits, Effect.UNKNOWN) | ANYTHING | {Awaits.ITEM: Effect.LEARN},
    ScanKind.ORDER: {Awaits.ORDER: Effect.BEGIN},
    ScanKind.NOTICE: {Awaits.ORDER: Effect.BEGIN_NOTICE},
    ScanKind.UNIT: {Awaits.ITEM: Effect.UNIT, Awaits.PALLET: Effect.UNIT},
    ScanKind.CONTAINER: {Awaits.ITEM: Effect.CONTAINER} | ANYTHING,
    ScanKind.PRODUCT: {Awaits.ITEM: Effect.ITEM, Awaits.AGAIN: Effect.AGAIN} | ANYTHING,
    ScanKind.TEXT: {
        Awaits.ORDER: Effect.UNKNOWN,
        Awaits.ITEM: Effect.LEARN,
        Awaits.DOCUMENT: Effect.DOCUMENT,
        Awaits.LOT: Effect.LOT,
    }
    | ANYTHING,
    ScanKind.REASON: {Awaits.DOCUMENT: Effect.REASON, Awaits.CONFIRM: Effect.REASON},
    ScanKind.COUNT: {Awaits.COUNT: Effect.COUNT},
}


@pytest.mark.parametrize("kind", ScanKind)
def test_every_scan_in_every_state(kind: ScanKind) -> None:
    assert {awaited: EFFECTS[kind, awaited] for awaited in Awaits} == {
        awaited: TABLE[kind].get(awaited, Effect.WRONG) for awaited in Awaits
    }


def test_a_slow_page_loses_the_oldest_notices_only() -> None:
    news = News()
    with news.listen() as listener:
        for _ in range(QUEUE_CAP + 1):
            news.changed()
        assert len(listener.notices) == QUEUE_CAP
        assert listener.notices[-1] == Changed(news.version)
        assert listener.wake.is_set()


async def test_the_desk_listens_to_the_hub(station: Station) -> None:
    station.desk.sign_in("dana")
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(station.desk.listen_to_scans(Routing(station.desk)))
        with station.desk.news.listen() as listener:
            await asyncio.sleep(0)
            station.hub.scan(ORDER)
            while station.desk.awaited() is not Awaits.DOCUMENT:
                await listener.wake.wait()
                listener.wake.clear()
        listening.cancel()
