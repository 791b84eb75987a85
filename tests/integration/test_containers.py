"""A container's state is what last happened to it, and what a guard stops is kept where a box said it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from cloud.boxes.models import Box
from cloud.boxes.received import Received
from cloud.db.engine import Sessions
from cloud.errors import CloudError, NotFound, StepFault
from cloud.kernel.access import ANY, Access, Grant
from cloud.kernel.actor import Actor, Taken
from cloud.masters.models import Location, Party, Product, Site
from cloud.objects import service
from cloud.objects.caller import caller
from cloud.objects.query import Query, find
from cloud.stock.models import HandlingUnit, Quant
from cloud.takers import JOB_TAKERS
from cloud.trade.container_machine import CONTAINER
from cloud.trade.contents import contents_kg
from cloud.trade.milestones import ACTIONS, CODES
from cloud.trade.models import Container, ContainerEvent
from sync_protocol.entries import Clk, StepEntry
from sync_protocol.ids import uuid7
from sync_protocol.movements import GATE, Passed
from sync_protocol.steps import FieldValue
from tests.integration.trading import NOW, Trading, refused

HERE, EXPECTED = "CSQU3054383", "MSKU6011672"


@pytest.fixture
async def house(sessions: Sessions) -> Trading:
    made = Trading(sessions)
    await made.fill()
    async with sessions.write() as session:
        session.add(Box(id="box-1", name="b", spki=b"1", key_id=b"1", station_code="receiving-1", registered_at=NOW))
        session.add(Box(id="box-2", name="b", spki=b"2", key_id=b"2", registered_at=NOW))
    return made


async def state(house: Trading, number: str) -> str | None:
    return (await house.get("container", number)).state


async def events(house: Trading, number: str) -> list[tuple[str, str, str]]:
    async with house.sessions.read() as session:
        rows = await session.execute(
            select(ContainerEvent.code, ContainerEvent.certainty, ContainerEvent.state)
            .where(ContainerEvent.number == number)
            .order_by(ContainerEvent.at, ContainerEvent.id)
        )
        return [tuple(row) for row in rows]


# --- its number --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"),
    [("CSQU30543", "container_form"), ("CSQA3054383", "container_category"), ("TGHU7599331", "container_check_digit")],
)
async def test_a_number_that_cannot_be_one_is_refused(house: Trading, number: str, code: str) -> None:
    await refused(house.make("container", number=number, site="galil"), code, "number")


async def test_a_wrong_check_digit_stands_with_a_reason(house: Trading) -> None:
    ref = await house.make("container", number="tghu 759933-1", site="galil", number_reason="painted so, line confirmed")
    assert ref == "TGHU7599331"


# --- what happens to it ------------------------------------------------------------------------------------------------------


async def test_every_event_that_changes_a_state_has_its_action() -> None:
    assert {row.target for row in CONTAINER.transitions} == set(ACTIONS) <= set(CODES)
    assert CONTAINER.states == set(ACTIONS)


async def test_the_demos_milestones_gave_the_states(house: Trading) -> None:
    assert (await state(house, HERE), await state(house, EXPECTED)) == ("stored", "announced")
    assert await events(house, EXPECTED) == [("discharged", "actual", "recorded"), ("gate_in", "planned", "recorded")]


async def test_the_way_from_announced_to_empty_returned_and_on_to_the_next_visit(house: Trading) -> None:
    ref = await house.make("container", number="TGHU7599330", site="galil", client="SUP-027", tare="2200")
    way = ["gate_in", "store", "strip", "make_ready", "gate_out", "return_empty", "announce", "gate_in"]
    for number, action in enumerate(way):
        house.now = NOW + timedelta(hours=number)
        await house.do("container", ref, action)
    assert await state(house, ref) == "gate_in"
    assert (await house.get("container", ref)).values["visit"] == 2
    assert [code for code, _, _ in await events(house, ref)] == [
        "gate_in", "stored", "stripped", "ready", "gate_out", "empty_returned", "announced", "gate_in",
    ]  # fmt: skip


async def test_nothing_goes_out_that_did_not_come_in(house: Trading) -> None:
    await refused(house.do("container", EXPECTED, "gate_out"), "wrong_state")
    deed = house.make("container_event", container=EXPECTED, code="gate_out", at=NOW.isoformat())
    await refused(deed, "wrong_state")
    assert len(await events(house, EXPECTED)) == 2, "nothing of it is kept"


async def test_an_event_as_a_record_moves_its_container(house: Trading) -> None:
    given: dict[str, Any] = {"container": EXPECTED, "code": "gate_in", "vehicle": "12-345-67", "location": "GAL-YRD"}
    uid = await house.make("container_event", **given, at=NOW.isoformat())
    found = await house.get("container", EXPECTED)
    assert (found.state, found.values["vehicle"], str(found.values["location"])) == ("gate_in", "12-345-67", "GAL-YRD")
    await refused(house.change("container_event", uid, note="else"), "event_is_kept", "code")


async def test_what_is_planned_changes_nothing_and_what_was_heard_late_neither(house: Trading) -> None:
    await house.make("container_event", container=HERE, code="stripped", certainty="planned", at=NOW.isoformat())
    early = (NOW - timedelta(hours=30)).isoformat()
    await house.make("container_event", container=HERE, code="gate_in", at=early)
    assert await state(house, HERE) == "stored"
    deed = house.make("container_event", container=HERE, code="stripped", at=(NOW + timedelta(days=2)).isoformat())
    await refused(deed, "day_in_future", "at")


async def test_a_hold_keeps_it_inside_until_a_supervisor_says_why(house: Trading) -> None:
    await house.do("container", EXPECTED, "gate_in")
    await refused(house.do("container", EXPECTED, "gate_out", role="operator"), "container_on_hold")
    await refused(house.do("container", EXPECTED, "gate_out", role="supervisor"), "hold_needs_reason")
    gone = await house.do("container", EXPECTED, "gate_out", role="supervisor", reason="released by telephone")
    assert gone.state == "gate_out"


async def test_another_seal_needs_a_photo(house: Trading) -> None:
    given: dict[str, Any] = {"container": HERE, "code": "seal_changed", "seal": "NEW-1", "at": NOW.isoformat()}
    await refused(house.make("container_event", **given), "seal_needs_photo")
    await house.make("container_event", **given, photos=[{"sha256": "a" * 64}])
    assert (await house.get("container", HERE)).values["seals"] == [{"number": "NEW-1"}]
    same = {**given, "seal": "NEW-1", "code": "inspected"}
    await house.make("container_event", **same)


async def fill_it(house: Trading, *goods: tuple[str, str]) -> None:
    """A pallet of 25 kg with goods on it inside the container that stands here."""
    async with house.sessions.write() as session:
        box, board = HandlingUnit(sscc="box"), HandlingUnit(sscc="pallet", tare=Decimal(25))
        session.add_all([box, board])
        await session.flush()
        board.parent_id = box.id
        container = (await session.scalars(select(Container).where(Container.number == HERE))).one()
        container.handling_unit_id = box.id
        place = (await session.scalars(select(Location).where(Location.code == "GAL-RCV"))).one()
        owner = (await session.scalars(select(Party).order_by(Party.id).limit(1))).one()
        for sku, quantity in goods:
            product = (await session.scalars(select(Product).where(Product.sku == sku))).one()
            key = f"{product.id}..{place.id}.{board.id}.{owner.id}"
            session.add(
                Quant(
                    key=key, product_id=product.id, location_id=place.id, unit_id=board.id, owner_id=owner.id, internal=True,
                    quantity=Decimal(quantity), since=NOW, moved_at=NOW,
                )
            )  # fmt: skip


@pytest.mark.parametrize(
    ("weight", "code"),
    [
        (None, "container_weight_missing"),
        ("2417.738399", "container_weight_differs"),  # 2 % below 2467.08
        ("2516.421601", "container_weight_differs"),  # 2 % above
        ("2417.7384", None),
        ("2516.4216", None),
    ],
)
async def test_going_out_laden_it_weighs_its_tare_and_what_is_in_it(
    house: Trading, weight: str | None, code: str | None
) -> None:
    await fill_it(house, ("ALM-WHL", "100"), ("TAH-RAW", "240"), ("OIL-OLV", "32"))
    async with house.sessions.read() as session:
        container = (await session.scalars(select(Container).where(Container.number == HERE))).one()
        assert await contents_kg(session, container) == 25 + 100 + 120 + Decimal("22.08")
    given: dict[str, Any] = {"container": HERE, "code": "gate_out", "at": NOW.isoformat(), "weight": weight}
    deed = house.make("container_event", **given)
    if code is None:
        await deed
        assert await state(house, HERE) == "gate_out"
    else:
        await refused(deed, code)
        assert await state(house, HERE) == "stored"


async def test_contents_of_which_nobody_knows_the_weight_are_not_compared(house: Trading) -> None:
    await fill_it(house, ("ALM-WHL", "100"), ("FLM-500", "3"))
    await house.do("container", HERE, "gate_out")
    assert await state(house, HERE) == "gate_out"


@pytest.mark.parametrize(
    "verb", ["UPDATE container_event SET code = 'x'", "UPDATE container_event SET seal = NULL", "DELETE FROM container_event"]
)
async def test_what_was_said_of_an_event_cannot_be_changed(house: Trading, verb: str) -> None:
    with pytest.raises(DBAPIError, match="never changed"):
        async with house.sessions.write() as session:
            await session.execute(text(verb))


async def test_the_coming_of_a_container_is_the_coming_of_its_notice(house: Trading) -> None:
    notice = await house.make("notice", supplier="SUP-033", order="PO-2026-0043", site="galil", container=EXPECTED)
    await house.make("notice_line", notice=notice, product="BOX-450", quantity="100")
    await house.do("notice", notice, "announce")
    await house.do("container", EXPECTED, "gate_in")
    assert (await house.get("notice", notice)).state == "arrived"


# --- at a box ----------------------------------------------------------------------------------------------------------------


def job(number: int = 1) -> str:
    return str(uuid7(1_700_000_000_000 + number, bytes([number] * 10)))


def passed(container: str, direction: str = "in", *, by: str = "dana", number: int = 1, n: int = 0, **more: Any) -> StepEntry:
    field = FieldValue(value=container, mode="manual", reason="typed")
    data = Passed(number=f"B1-{number}", direction=direction, container=field, **more)  # type: ignore[arg-type]
    return StepEntry(
        boot_id="b",
        mono_ns=0,
        clk=Clk(s="ntp", err_ms=20),
        wall_ns=int(NOW.timestamp() * 1_000_000_000),
        job=job(number),
        job_kind=GATE,
        n=n,
        step="passed",
        station="receiving-1",
        by=by,
        data=data.model_dump(mode="json", exclude_none=True),
    )  # fmt: skip


async def say(house: Trading, step: StepEntry, *, box: str = "box-1", seq: int = 1, run: str = "r") -> None:
    async with house.sessions.write() as session:
        await JOB_TAKERS[GATE].take(session, Received(box, run, seq, step, NOW + timedelta(minutes=1)), step)


async def event(house: Trading, number: int = 1) -> ContainerEvent:
    async with house.sessions.read() as session:
        return (await session.scalars(select(ContainerEvent).where(ContainerEvent.uid == job(number)))).one()


async def test_a_passage_at_a_box_moves_the_container(house: Trading) -> None:
    weight = FieldValue(value="6800", unit="kg", mode="device", reading="r/1")
    await say(house, passed("msku 601167-2", weight=weight, driver="Avi", condition="damaged", photos=["b" * 64]))
    found = await house.get("container", EXPECTED)
    assert (found.state, found.values["gross"], found.values["driver"]) == ("gate_in", 6800, "Avi")
    assert found.values["condition"] == "damaged"
    kept = await event(house)
    assert (kept.state, kept.said_by, kept.by, kept.box_id, kept.paper_no) == ("recorded", "box", "dana", "box-1", "B1-1")
    assert (kept.run, kept.seq, kept.at) == ("r", 1, NOW)


NEW_SEAL = FieldValue(value="OTHER", mode="manual", reason="typed")
NO_WEIGHT = FieldValue(value="heavy", unit="kg", mode="manual", reason="typed")


@pytest.mark.parametrize(
    ("container", "direction", "more", "reason"),
    [
        ("TGHU7599330", "in", {}, "container_unknown"),
        ("TGHU7599331", "in", {}, "container_check_digit"),
        ("GARBAGE", "in", {}, "container_form"),
        (EXPECTED, "out", {}, "wrong_state"),
        (EXPECTED, "in", {"seal": NEW_SEAL}, "seal_needs_photo"),
        (EXPECTED, "in", {"weight": NO_WEIGHT}, "weight_unreadable"),
        (HERE, "in", {}, "wrong_state"),
    ],
)
async def test_what_stands_against_a_passage_keeps_it_for_a_person(
    house: Trading, container: str, direction: str, more: dict[str, Any], reason: str
) -> None:
    before = {number: await state(house, number) for number in (HERE, EXPECTED)}
    await say(house, passed(container, direction, **more))
    kept = await event(house)
    assert (kept.state, kept.review_reason, kept.code) == ("needs_review", reason, f"gate_{direction}")
    assert {number: await state(house, number) for number in (HERE, EXPECTED)} == before


async def test_a_passage_is_accepted_once_it_can_be_or_dismissed_with_a_reason(house: Trading) -> None:
    await say(house, passed("TGHU7599330"))
    uid = job()
    await refused(house.do("container_event", uid, "accept", role="operator", reason="x"), "forbidden")
    await refused(house.do("container_event", uid, "accept", reason="x"), "container_unknown")
    await house.make("container", number="TGHU7599330", site="galil")
    assert (await house.do("container_event", uid, "accept", reason="papers came")).state == "recorded"
    assert await state(house, "TGHU7599330") == "gate_in"
    await say(house, passed(HERE, number=2), seq=2)
    assert (await house.do("container_event", job(2), "dismiss", reason="typed twice")).state == "dismissed"
    assert await state(house, HERE) == "stored"


async def test_the_same_passage_again_is_nothing_new_and_another_is_a_fault(house: Trading) -> None:
    step = passed(EXPECTED)
    await say(house, step)
    await say(house, step)
    await say(house, step, run="again", seq=9)
    assert len([one for one in await events(house, EXPECTED) if one[1] == "actual"]) == 2
    with pytest.raises(StepFault, match="step_again"):
        await say(house, replace_container(step, HERE), seq=2)
    with pytest.raises(StepFault, match="job_of_another_box"):
        await say(house, step, box="box-2", seq=3)
    with pytest.raises(StepFault, match="steps_contradict"):
        await say(house, passed(EXPECTED, number=3, n=1), seq=4)
    with pytest.raises(StepFault, match="step_unreadable"):
        await say(house, step.model_copy(update={"job": job(4), "data": {"direction": "up"}}), seq=5)


def replace_container(step: StepEntry, number: str) -> StepEntry:
    return step.model_copy(update={"data": {**step.data, "container": {**step.data["container"], "value": number}}})


async def test_a_job_knows_which_step_it_awaits(house: Trading) -> None:
    step = passed(EXPECTED)
    taker = JOB_TAKERS[GATE]
    received = Received("box-1", "r", 1, step, NOW)
    async with house.sessions.read() as session:
        assert await taker.awaited(session, received, step) == 0
    await say(house, step)
    async with house.sessions.read() as session:
        assert await taker.awaited(session, received, step) == 1
        with pytest.raises(StepFault):
            await taker.awaited(session, replace(received, box="box-2"), step)


async def test_people_of_another_site_neither_see_nor_say_what_happens_to_a_container(house: Trading) -> None:
    """Their word would let it through the gate."""
    grants = (Grant("supervisor", "container", ANY, site="negev"), Grant("supervisor", "container_event", ANY, site="negev"))
    given = {"container": HERE, "code": "inspected", "at": NOW.isoformat(), "vehicle": "12-345-67"}
    ref = await house.make("container_event", **given)
    async with house.sessions.write() as session:
        session.add(Site(code="negev", name="Negev"))
    for site, there in (("negev", False), ("galil", True)):
        own = tuple(replace(one, site=site) for one in grants)
        async with house.sessions.write() as session:
            taken = Taken(Actor.user("ron", "supervisor"), NOW, access=Access.of(own))
            desk = await caller(session, house.registry, taken)
            assert ref in {one.ref for one in (await find(desk, "container_event", Query())).items} or not there
            if there:
                assert (await service.create(desk, "container_event", given))[0].ref
                continue
            assert not (await find(desk, "container_event", Query())).items
            with pytest.raises(NotFound):
                await service.get(desk, "container_event", ref)
            with pytest.raises(CloudError):
                await service.create(desk, "container_event", given)
