"""Jobs `move` and `put_away` of boxes: each act is posted at once or kept with what stood against it, and taken once."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.errors import Refused, StepFault
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.stock.models import Move
from cloud.transfers.jobs import JOB_TAKERS
from cloud.transfers.models import StockStep
from cloud.transfers.work import retry_waiting
from sync_protocol.errors import TextFault
from sync_protocol.movements import Done, Moved, MoveOpen
from sync_protocol.steps import FieldValue
from tests.integration.transfer_world import OTHER_BOX, RECEIPT, SSCC, Warehouse, make_warehouse

JOB = "01930000-0000-7000-8000-00000000000b"


@pytest.fixture
async def house(sessions: Sessions) -> Warehouse:
    return await make_warehouse(sessions)


def typed(value: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason="label_unreadable")


def moved(n: int = 1, **said: Any) -> Moved:
    """One of P from RCV to A1, but for what is said otherwise."""
    said = {"product": "P", "quantity": "1", "source": "RCV", "target": "A1", **said}
    for name in ("quantity", "source", "target", "unit"):
        if said.get(name) is not None and not isinstance(said[name], FieldValue):
            said[name] = typed(said[name])
    return Moved(n=n, **said)


async def opened(house: Warehouse, kind: str = "move", **said: Any) -> None:
    await house.say(JOB, kind, "open", 0, MoveOpen(number="B1-7", **said))


async def test_an_act_is_posted_at_once_under_the_boxs_number(house: Warehouse) -> None:
    await house.put("K", "RCV", "2", lot="L1")
    await opened(house)
    act = moved(product="K", lot="L1", quantity=typed("1500.0", "g"))
    done = house.now
    house.later(hours=3)
    await house.say(JOB, "move", "moved", 1, act, wall=done)
    assert await house.stock() == {"K L1 RCV - HOUSE": Decimal("0.5"), "K L1 A1 - HOUSE": Decimal("1.5")}
    made = await house.get("transfer", "B1-7")
    assert (made.state, made.uid, made.values["kind"], made.values["operator"]) == ("moving", JOB, "internal", "dana")
    [line] = await house.lines("B1-7")
    assert (line.state, str(line.given_quantity), line.given_unit, line.mode) == ("posted", "1500.0", "g", "manual")
    move = (await house.moves())[-1]
    assert (move.key, move.by, move.effective_at, move.at) == (f"{JOB}:1", "dana", done, house.now)
    assert (move.run, move.seq) == (line.run, line.seq)
    await house.say(JOB, "move", "finish", 2, Done())
    made = await house.get("transfer", "B1-7")
    assert (made.state, made.values["needs_review"]) == ("posted", False)


REVIEWED: list[tuple[dict[str, Any], str, str]] = [
    ({"product": "X-9"}, "product_unknown", "X-9"),
    ({"product": "K", "lot": "L9"}, "lot_unknown", "L9"),
    ({"owner": "NOBODY"}, "owner_unknown", "NOBODY"),
    ({"unit": "1" * 18}, "unit_unknown_here", "1" * 18),
    ({"source": "NOWHERE"}, "place_unknown", "NOWHERE"),
    ({"target": "B1"}, "place_of_other", "B1"),
    ({"target": "SUPPLIERS"}, "place_nowhere", "SUPPLIERS"),
    ({"quantity": "11"}, "not_enough", "11"),
    ({"quantity": "0"}, "quantity_positive", "0"),
    ({"quantity": "a lot"}, "quantity_form", "a lot"),
    ({"quantity": typed("1", "kg")}, "unit_dimension", "kg"),
    ({"quantity": typed("1", "[bushel]")}, "unit_unknown", "[bushel]"),
    ({"quantity": None}, "quantity_missing", ""),
    ({"product": None, "quantity": None}, "product_or_unit", ""),
    ({"product": None, "quantity": None, "unit": SSCC}, "unit_empty", "RCV"),
    ({"product": "K"}, "lot_missing", "K"),
    ({"source": "QRT"}, "goods_held", "QRT"),
    ({"receipt": "01930000-0000-7000-8000-00000000ffff"}, "receipt_not_posted", "01930000"),
]


async def test_what_cannot_be_posted_waits_with_its_reason_and_the_rest_goes_on(house: Warehouse) -> None:
    await house.put("P", "RCV", "10")
    await opened(house)
    for n, (said, _, _) in enumerate(REVIEWED, 1):
        await house.say(JOB, "move", "moved", n, moved(n, **said))
    last = len(REVIEWED) + 1
    await house.say(JOB, "move", "moved", last, moved(last, quantity="10"))
    await house.say(JOB, "move", "finish", last + 1, Done())
    lines = await house.lines("B1-7")
    for line, (said, code, detail) in zip(lines, REVIEWED, strict=False):
        assert (line.state, line.review_code) == ("needs_review", code), said
        assert detail in (line.review_detail or ""), (said, line.review_detail)
    assert lines[-1].state == "posted"
    assert await house.stock() == {"P - A1 - HOUSE": Decimal(10)}
    made = await house.get("transfer", "B1-7")
    assert (made.state, made.values["needs_review"], made.values["review_reason"]) == ("posted", True, "product_unknown")


async def test_a_person_mends_a_line_tries_again_or_discards_it(house: Warehouse) -> None:
    await house.put("P", "RCV", "3")
    await opened(house)
    for n, said in enumerate(({"product": "X-9"}, {"quantity": "4"}, {"target": "NOWHERE"}), 1):
        await house.say(JOB, "move", "moved", n, moved(n, **said))
    await house.say(JOB, "move", "finish", 4, Done())
    first, second, third = await house.lines("B1-7")
    with pytest.raises(Refused, match="product_unknown"):
        await house.do("transfer_line", first.uid, "retry")
    await house.change("transfer_line", first.uid, product="P")
    await house.do("transfer_line", first.uid, "retry")
    with pytest.raises(Refused, match="not_enough"):
        await house.do("transfer_line", second.uid, "retry")
    await house.put("P", "RCV", "2")
    await house.do("transfer_line", second.uid, "retry")
    assert (await house.get("transfer", "B1-7")).values["review_reason"] == "place_unknown"
    with pytest.raises(Refused, match="lines_to_review"):
        await house.do("transfer", "B1-7", "review")
    await house.do("transfer_line", third.uid, "discard")
    made = await house.get("transfer", "B1-7")
    assert (made.values["needs_review"], made.values["review_reason"]) == (False, None)
    assert await house.stock() == {"P - A1 - HOUSE": Decimal(5)}
    assert [line.state for line in await house.lines("B1-7")] == ["posted", "posted", "discarded"]


async def test_put_away_moves_the_receipts_bucket_and_waits_for_its_posting(house: Warehouse) -> None:
    await opened(house, "put_away", receipt=RECEIPT)
    act = moved(receipt=RECEIPT, receipt_line=1, quantity="4")
    await house.say(JOB, "put_away", "moved", 1, act)
    [line] = await house.lines("B1-7")
    assert line.review_code == "receipt_not_posted"
    await house.put("P", "RCV", "6", bucket="released")
    await house.do("transfer_line", line.uid, "retry")
    assert await house.buckets() == {"released": 2, "put_away": 4}
    await house.say(JOB, "put_away", "moved", 2, moved(2, receipt=RECEIPT, receipt_line=1, quantity="3"))
    assert (await house.lines("B1-7"))[1].review_code == "not_released"


async def test_a_whole_unit_is_put_away_over_the_lines_of_its_receipt(house: Warehouse) -> None:
    await house.put("P", "RCV", "2", bucket="released", line=1, unit=True)
    await house.put("P", "RCV", "3", bucket="released", line=2, unit=True)
    await house.put("K", "RCV", "1.5", bucket="released", line=3, unit=True, lot="L1")
    await opened(house, "put_away", receipt=RECEIPT)
    await house.say(JOB, "put_away", "moved", 1, moved(product=None, quantity=None, unit=SSCC))
    assert [await house.buckets(line) for line in (1, 2, 3)] == [
        {"put_away": 2}, {"put_away": 3}, {"put_away": Decimal("1.5")},
    ]  # fmt: skip
    assert await house.stock() == {"P - A1 U HOUSE": Decimal(5), "K L1 A1 U HOUSE": Decimal("1.5")}


async def test_the_same_step_again_is_nothing_new_and_another_one_is_a_fault(house: Warehouse) -> None:
    await house.put("P", "RCV", "10")
    await opened(house)
    for _ in range(2):
        await house.say(JOB, "move", "moved", 1, moved())
    assert await house.stock() == {"P - RCV - HOUSE": Decimal(9), "P - A1 - HOUSE": Decimal(1)}
    for n, name, said, other, code in (
        (1, "moved", moved(quantity="2"), {}, "step_again"),
        (1, "moved", moved(), {"by": "moshe"}, "step_again"),
        (2, "moved", moved(), {"box": OTHER_BOX}, "job_of_another_box"),
        (2, "open", MoveOpen(), {}, "opened_again"),
    ):
        with pytest.raises(StepFault) as raised:
            await house.say(JOB, "move", name, n, said, **other)
        assert raised.value.code == code
    with pytest.raises(StepFault) as raised:
        await house.say(JOB, "put_away", "moved", 2, moved())
    assert raised.value.code == "other_kind_of_job"
    await house.say(JOB, "move", "finish", 2, Done())
    with pytest.raises(StepFault) as raised:
        await house.say(JOB, "move", "moved", 3, moved(3))
    assert raised.value.code == "job_ended"
    assert len(await house.lines("B1-7")) == 1


async def test_a_job_awaits_its_next_number_and_no_other_boxs(house: Warehouse) -> None:
    taker = JOB_TAKERS["move"]
    received, step = await house.step(JOB, "move", "open", 0, MoveOpen())
    async with house.sessions.write() as session:
        assert await taker.awaited(session, received, step) == 0
        await taker.take(session, received, step)
        assert await taker.awaited(session, received, step) == 1
    received, step = await house.step(JOB, "move", "moved", 1, moved(), box=OTHER_BOX)
    async with house.sessions.read() as session:
        with pytest.raises(StepFault, match="job_of_another_box"):
            await taker.awaited(session, received, step)


async def test_a_step_that_never_came_is_said_and_holds_nothing_up(house: Warehouse) -> None:
    await house.put("P", "RCV", "10")
    await opened(house)
    await house.say(JOB, "move", "moved", 2, moved())
    await house.say(JOB, "move", "moved", 3, moved(3, product="X-9"))
    await house.say(JOB, "move", "finish", 4, Done())
    await house.do("transfer_line", (await house.lines("B1-7"))[1].uid, "discard")
    made = await house.get("transfer", "B1-7")
    assert (made.state, made.values["review_reason"]) == ("posted", "steps_missing")
    await house.do("transfer", "B1-7", "review")
    assert not (await house.get("transfer", "B1-7")).values["needs_review"]


async def test_steps_that_are_no_steps_are_faults(house: Warehouse) -> None:
    with pytest.raises(StepFault, match="no_such_job"):
        await house.say(JOB, "move", "moved", 1, moved())
    for said, fault in (({"n": 1}, TextFault), ({"n": 1, "product": "P\x00"}, StepFault), ({"n": 1 << 40}, StepFault)):
        with pytest.raises(fault):
            await house.say(JOB, "move", "moved", 1, said)
    with pytest.raises(TextFault):
        await house.say(JOB, "move", "counted", 1, {})


async def test_a_number_that_another_paper_has_is_told_apart(house: Warehouse) -> None:
    await opened(house)
    other = JOB[:-1] + "c"
    await house.say(other, "move", "open", 0, MoveOpen(number="B1-7"))
    assert (await house.get("transfer", f"B1-7-{other[-6:]}")).uid == other


async def test_a_lot_that_comes_with_its_receipt_is_found_when_the_line_is_tried_again(house: Warehouse) -> None:
    """The box put away what it had received; the core posted the receipt, and so made the lot, a day later."""
    await opened(house, "put_away", receipt=RECEIPT)
    act = moved(product="K", lot="L9", quantity="4", receipt=RECEIPT, receipt_line=1)
    await house.say(JOB, "put_away", "moved", 1, act)
    await house.say(JOB, "put_away", "moved", 2, moved(2, owner="NOBODY", receipt=RECEIPT))
    await house.say(JOB, "put_away", "finish", 3, Done())
    assert [line.review_code for line in await house.lines("B1-7")] == ["lot_unknown", "owner_unknown"]
    at = house.later(days=1)
    waiting = Taken(Actor.system("test"), at)
    assert await retry_waiting(house.sessions, waiting) == 0
    lot = await house.make("lot", product="K", code="L9")
    house.ids["lot:L9"] = lot.id
    await house.put("K", "RCV", "6", lot="L9", bucket="released")
    await house.put("P", "RCV", "6", bucket="released", line=2)
    assert await retry_waiting(house.sessions, waiting) == 1
    assert await house.buckets() == {"released": 2, "put_away": 4}
    made = await house.get("transfer", "B1-7")
    assert made.values["review_reason"] == "owner_unknown"
    with pytest.raises(Refused, match="owner_unknown"):
        await house.do("transfer_line", (await house.lines("B1-7"))[1].uid, "retry")
    assert await house.stock() == {"K L9 RCV - HOUSE": 2, "K L9 A1 - HOUSE": 4, "P - RCV - HOUSE": 6}


async def test_two_workers_take_the_same_step_once(house: Warehouse) -> None:
    await house.put("P", "RCV", "10")
    await opened(house)
    received, step = await house.step(JOB, "move", "moved", 1, moved())

    async def take() -> None:
        async with house.sessions.write() as session:
            await JOB_TAKERS["move"].take(session, received, step)

    await asyncio.gather(*(take() for _ in range(4)))
    assert await house.stock() == {"P - RCV - HOUSE": Decimal(9), "P - A1 - HOUSE": Decimal(1)}
    async with house.sessions.read() as session:
        assert len((await session.scalars(select(StockStep.n))).all()) == 2
        assert len((await session.scalars(select(Move).where(Move.document == JOB))).all()) == 1
        actions = (await session.scalars(select(Event.action).where(Event.kind.in_(["transfer", "transfer_line"])))).all()
    assert sorted(actions) == ["begin", "create", "post"]


async def test_a_boxs_transfer_is_taken_back_like_any_other(house: Warehouse) -> None:
    await house.put("P", "RCV", "10")
    await opened(house)
    for n in (1, 2):
        await house.say(JOB, "move", "moved", n, moved(n))
    await house.say(JOB, "move", "finish", 3, Done())
    await house.do("transfer", "B1-7", "reverse")
    assert await house.stock() == {"P - RCV - HOUSE": Decimal(10)}
