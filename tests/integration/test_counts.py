"""Counts: blind, by whom, again by somebody else above the tolerance, and against what lay there when each line was counted."""

from decimal import Decimal
from typing import Any

import pytest

from cloud.db.engine import Sessions
from cloud.errors import GuardFailed, Refused, StepFault, WrongState
from cloud.stock.faults import NotEnough
from sync_protocol.movements import CountDone, Counted, CountOpen
from sync_protocol.steps import Abandon, FieldValue
from tests.integration.transfer_world import OTHER_BOX, SSCC, Warehouse, make_warehouse

JOB, SECOND = "01930000-0000-7000-8000-00000000000c", "01930000-0000-7000-8000-00000000000d"


@pytest.fixture
async def house(sessions: Sessions) -> Warehouse:
    made = await make_warehouse(sessions)
    await made.put("P", "A1", "10")
    await made.put("K", "A1", "2.5", lot="L1", unit=True, owner="OWN")
    made.later(hours=1)
    return made


async def counted(house: Warehouse, *lines: dict[str, object], by: str = "dana", **head: object) -> str:
    """A sheet of A1 that was counted once; its number."""
    sheet = await house.make("count_sheet", location="A1", **head)
    await house.do("count_sheet", sheet.ref, "begin", by)
    for line in lines:
        await house.make("count_line", by, sheet=sheet.ref, **line)
    await house.do("count_sheet", sheet.ref, "finish", by)
    return sheet.ref


P10 = {"product": "P", "counted": "10"}
K25 = {"product": "K", "lot": "LOT-L1", "unit": SSCC, "owned_by": "OWN", "counted": "2.5"}


async def results(house: Warehouse, ref: str) -> list[tuple[Any, ...]]:
    return [(line.expected, line.difference, line.above) for line in await house.lines(ref)]


async def test_a_count_that_agrees_is_posted_without_a_move(house: Warehouse) -> None:
    ref = await counted(house, P10, K25)
    assert ref == "CS-2026-0001"
    assert await results(house, ref) == [(10, 0, False), (Decimal("2.5"), 0, False)]
    before = await house.stock()
    assert (await house.do("count_sheet", ref, "post")).state == "posted"
    assert await house.stock() == before


async def test_whoever_counts_blindly_is_told_nothing_before_the_end(house: Warehouse) -> None:
    sheet = await house.make("count_sheet", location="A1")
    await house.do("count_sheet", sheet.ref, "begin", "dana")
    assert await house.lines(sheet.ref) == []
    line = await house.make("count_line", "dana", sheet=sheet.ref, product="P", counted="9")
    assert (line.values["expected"], line.values["difference"]) == (None, None)
    await house.do("count_sheet", sheet.ref, "finish", "dana")
    await house.do("count_sheet", sheet.ref, "recount", "oded")
    assert {(line.expected, line.difference) for line in await house.lines(sheet.ref)} == {(None, None)}


async def test_an_open_count_lists_what_is_expected_and_wants_every_answer(house: Warehouse) -> None:
    sheet = await house.make("count_sheet", location="A1", blind=False)
    await house.do("count_sheet", sheet.ref, "begin", "dana")
    lines = await house.lines(sheet.ref)
    assert [(line.product.sku, line.expected, line.counted) for line in lines] == [("P", 10, None), ("K", Decimal("2.5"), None)]
    with pytest.raises(Refused, match="counted_in_line"):
        await house.make("count_line", "dana", sheet=sheet.ref, **P10)
    await house.change("count_line", lines[0].uid, "dana", counted="10")
    with pytest.raises(GuardFailed, match="count_missing"):
        await house.do("count_sheet", sheet.ref, "finish", "dana")
    await house.change("count_line", lines[1].uid, "dana", counted="2.5")
    await house.do("count_sheet", sheet.ref, "finish", "dana")


async def test_what_was_not_named_is_not_there(house: Warehouse) -> None:
    ref = await counted(house, P10)
    assert await results(house, ref) == [(10, 0, False), (Decimal("2.5"), Decimal("-2.5"), True)]
    sheet = await house.get("count_sheet", ref)
    assert (sheet.values["needs_review"], sheet.values["review_reason"]) == (True, "second_count_needed")


async def test_a_difference_beyond_the_tolerance_is_counted_again_by_somebody_else(house: Warehouse) -> None:
    ref = await counted(house, {"product": "P", "counted": "9"}, K25)
    with pytest.raises(GuardFailed, match="second_count_needed"):
        await house.do("count_sheet", ref, "post")
    with pytest.raises(GuardFailed, match="second_person_needed"):
        await house.do("count_sheet", ref, "recount", "dana")
    await house.do("count_sheet", ref, "recount", "oded")
    line = (await house.lines(ref))[0]
    with pytest.raises(Refused, match="second_person_needed"):
        await house.change("count_line", line.uid, "dana", recounted="9")
    with pytest.raises(Refused, match="counted_already"):
        await house.change("count_line", line.uid, "oded", counted="8")
    await house.change("count_line", line.uid, "oded", recounted="9")
    await house.do("count_sheet", ref, "finish", "oded")
    await house.do("count_sheet", ref, "post")
    assert (await house.stock())["P - A1 - HOUSE"] == 9
    move = (await house.moves())[-1]
    assert (move.document_kind, move.document_ref, move.quantity) == ("count_sheet", ref, 1)
    with pytest.raises(WrongState):
        await house.do("count_sheet", ref, "post")


async def test_the_tolerance_is_exact_on_both_sides(house: Warehouse) -> None:
    for share, amount, found, above in (
        ("0.1", "0", "11", False),
        ("0.1", "0", "11.000001", True),
        ("0", "0.5", "9.5", False),
        ("0", "0.5", "9.499999", True),
        ("0.01", "0.5", "9.5", False),
        ("0", "0", "10", False),
    ):
        ref = await counted(house, {"product": "P", "counted": found}, K25, tolerance_share=share, tolerance=amount)
        assert (await house.lines(ref))[0].above is above, (share, amount, found)
        await house.do("count_sheet", ref, "cancel")


async def test_a_small_difference_is_posted_without_a_second_count(house: Warehouse) -> None:
    ref = await counted(house, {"product": "P", "counted": "10.25"}, K25, tolerance="0.5")
    await house.do("count_sheet", ref, "post")
    assert (await house.stock())["P - A1 - HOUSE"] == Decimal("10.25")


async def test_what_moves_meanwhile_is_compared_with_its_own_moment(house: Warehouse) -> None:
    """5 go away after P was counted, 3 of K come after it was counted: both counts were right."""
    sheet = await house.make("count_sheet", location="A1")
    await house.do("count_sheet", sheet.ref, "begin", "dana")
    await house.make("count_line", "dana", sheet=sheet.ref, **P10)
    house.later(minutes=1)
    gone = await house.transfer("internal", {"product": "P", "given_quantity": "5"}, from_place="A1", to_place="A2")
    await house.do("transfer", gone.ref, "post")
    await house.put("K", "A1", "3", lot="L1", unit=True, owner="OWN")
    await house.put("P", "A1", "7", owner="OWN")
    house.later(minutes=1)
    await house.make("count_line", "dana", sheet=sheet.ref, **{**K25, "counted": "5.5"})
    house.later(minutes=1)
    await house.do("count_sheet", sheet.ref, "finish", "dana")
    assert await results(house, sheet.ref) == [(10, 0, False), (Decimal("5.5"), 0, False)]
    assert [line.moved for line in await house.lines(sheet.ref)] == [True, True]
    await house.do("count_sheet", sheet.ref, "post")
    stock = await house.stock()
    assert (stock["P - A1 - HOUSE"], stock["K L1 A1 U OWN"], stock["P - A1 - OWN"]) == (5, Decimal("5.5"), 7)


async def test_a_difference_is_posted_even_where_stock_moved_on_since(house: Warehouse) -> None:
    ref = await counted(house, {"product": "P", "counted": "8"}, K25, tolerance="5")
    gone = await house.transfer("internal", {"product": "P", "given_quantity": "8"}, from_place="A1", to_place="A2")
    await house.do("transfer", gone.ref, "post")
    await house.do("count_sheet", ref, "post")
    assert "P - A1 - HOUSE" not in await house.stock()
    ref = await counted(house, {"product": "P", "counted": "0"}, {**K25, "counted": "2"}, tolerance="5")
    gone = await house.transfer("internal", {"unit": SSCC}, from_place="A1", to_place="B1")
    await house.do("transfer", gone.ref, "post")
    with pytest.raises(NotEnough):
        await house.do("count_sheet", ref, "post")


async def test_lines_are_written_while_the_sheet_is_counted_and_not_else(house: Warehouse) -> None:
    sheet = await house.make("count_sheet", location="A1")
    with pytest.raises(Refused, match="not_counting"):
        await house.make("count_line", "dana", sheet=sheet.ref, **P10)
    await house.do("count_sheet", sheet.ref, "begin", "dana")
    with pytest.raises(Refused, match="invalid"):
        await house.change("count_sheet", sheet.ref, location="A2")
    await house.make("count_line", "dana", sheet=sheet.ref, **P10)
    for line, code in (
        (P10, "counted_in_line"),
        ({"product": "K", "counted": "1"}, "lot_missing"),
        ({"product": "P", "owned_by": "OWN"}, "quantity_missing"),
        ({"product": "P", "owned_by": "OWN", "recounted": "1"}, "not_counting_again"),
    ):
        with pytest.raises(Refused) as raised:
            await house.make("count_line", "dana", sheet=sheet.ref, **line)
        assert raised.value.code == code
    with pytest.raises(Refused, match="place_nowhere"):
        await house.make("count_sheet", location="SUPPLIERS")


async def test_a_count_that_is_stopped_leaves_nothing_behind(house: Warehouse) -> None:
    sheet = await house.make("count_sheet", location="A1")
    await house.do("count_sheet", sheet.ref, "begin", "dana")
    await house.make("count_line", "dana", sheet=sheet.ref, product="P", counted="1")
    assert (await house.do("count_sheet", sheet.ref, "stop", "dana")).state == "planned"
    assert await house.lines(sheet.ref) == []
    await house.do("count_sheet", sheet.ref, "begin", "oded")
    for line in (P10, K25):
        await house.make("count_line", "oded", sheet=sheet.ref, **line)
    await house.do("count_sheet", sheet.ref, "finish", "oded")
    await house.do("count_sheet", sheet.ref, "recount", "dana")
    assert (await house.do("count_sheet", sheet.ref, "stop_again", "dana")).state == "review"
    await house.do("count_sheet", sheet.ref, "post")


def said(value: str, unit: str | None = None) -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason="label_unreadable")


def found(n: int, product: str = "P", amount: str = "10", **more: Any) -> Counted:
    return Counted(n=n, product=product, identity=said(product), quantity=said(amount, more.pop("unit_code", None)), **more)


K_BOX = {"lot": "L1", "unit": SSCC, "owner": "OWN"}


async def box_count(house: Warehouse, *lines: Counted, job: str = JOB, holds: list[int] | None = None, **head: Any) -> None:
    """A whole count at a box."""
    other = {name: head.pop(name) for name in ("by", "box") if name in head}
    await house.say(job, "count", "open", 0, CountOpen(location=said(head.pop("place", "A1")), **head), **other)
    for n, one in enumerate(lines, 1):
        await house.say(job, "count", "counted", n, one, **other)
    numbers = [one.n for one in lines] if holds is None else holds
    await house.say(job, "count", "finish", len(lines) + 1, CountDone(lines=numbers), **other)


async def test_a_box_counts_on_its_own_motion(house: Warehouse) -> None:
    await box_count(
        house,
        found(1, amount="4"),
        found(2, "K", "1", **K_BOX),
        found(2, "K", "2500", unit_code="g", **K_BOX),
        found(3, amount="5"),
        found(4, amount="99"),
        number="B1-9",
        holds=[1, 2, 3],
    )
    sheet = await house.get("count_sheet", "B1-9")
    assert (sheet.state, sheet.uid, sheet.values["first_by"]) == ("review", JOB, "dana")
    lines = await house.lines("B1-9")
    assert [(line.product.sku, line.counted, line.difference) for line in lines] == [
        ("P", 9, -1),
        ("K", Decimal("2.5"), 0),
    ]


async def test_a_planned_sheet_is_counted_and_counted_again_at_boxes(house: Warehouse) -> None:
    sheet = await house.make("count_sheet", location="A1")
    await box_count(house, found(1, amount="9"), sheet=sheet.ref)
    assert [(line.counted, line.recounted) for line in await house.lines(sheet.ref)] == [(9, None), (None, None)]
    await box_count(
        house,
        found(1, amount="9"),
        found(2, "K", "2.5", **K_BOX),
        job=SECOND,
        sheet=sheet.ref,
        second=True,
        by="oded",
        box=OTHER_BOX,
    )
    assert [(line.recounted, line.difference) for line in await house.lines(sheet.ref)] == [(9, -1), (Decimal("2.5"), 0)]
    await house.do("count_sheet", sheet.ref, "post")
    assert (await house.stock())["P - A1 - HOUSE"] == 9


async def test_the_same_person_again_at_the_box_is_kept_and_does_not_count_as_a_second_one(house: Warehouse) -> None:
    sheet = await house.make("count_sheet", location="A1")
    lines = (found(1, amount="9"), found(2, "K", "2.5", **K_BOX))
    await box_count(house, *lines, sheet=sheet.ref)
    await box_count(house, *lines, job=SECOND, sheet=sheet.ref, second=True)
    assert (await house.lines(sheet.ref))[0].recounted == 9
    with pytest.raises(GuardFailed, match="second_count_needed"):
        await house.do("count_sheet", sheet.ref, "post")
    other = {"sheet": sheet.ref, "second": True, "by": "oded"}
    await box_count(house, lines[0], job=SECOND[:-1] + "e", **other)
    assert (await house.lines(sheet.ref))[1].recounted == 0
    await box_count(house, *lines, job=SECOND[:-1] + "f", **other)
    await house.do("count_sheet", sheet.ref, "post")


async def test_a_count_of_a_sheet_that_does_not_wait_for_it_is_kept_on_its_own(house: Warehouse) -> None:
    sheet = await house.make("count_sheet", location="A1")
    for number, (job, head, reason) in enumerate(
        (
            (JOB, {"sheet": "CS-1999-1"}, "sheet_unknown"),
            (JOB[:-1] + "1", {"sheet": sheet.ref, "place": "A2"}, "other_place"),
            (JOB[:-1] + "2", {"sheet": sheet.ref, "second": True}, "sheet_not_open"),
        )
    ):
        await box_count(house, found(1), job=job, number=f"B1-{number}", **head)
        own = await house.get("count_sheet", f"B1-{number}")
        assert (own.values["review_reason"], own.state) == (reason, "review")
        with pytest.raises(GuardFailed):
            await house.do("count_sheet", own.ref, "post")
    assert (await house.get("count_sheet", sheet.ref)).state == "planned"


async def test_what_nobody_knows_waits_and_is_mended_by_a_person(house: Warehouse) -> None:
    await box_count(house, found(1, "X-9", "3"), found(2, "K", "2.5", **{**K_BOX, "lot": "L9"}), found(3), number="B1-9")
    codes = {line.review_code for line in await house.lines("B1-9")}
    assert codes == {"product_unknown", "lot_unknown", None}
    with pytest.raises(GuardFailed, match="lines_to_review"):
        await house.do("count_sheet", "B1-9", "post")
    unknown = {line.review_code: line.uid for line in await house.lines("B1-9")}
    await house.change("count_line", unknown["lot_unknown"], lot="LOT-L1")
    await house.change("count_line", unknown["product_unknown"], product="P", owned_by="OWN")
    lines = {(line.product.sku, line.owner.ref): line.difference for line in await house.lines("B1-9")}
    assert lines == {("P", "HOUSE"): 0, ("K", "OWN"): 0, ("P", "OWN"): 3}


async def test_a_step_that_never_came_blocks_the_posting(house: Warehouse) -> None:
    await house.say(JOB, "count", "open", 0, CountOpen(number="B1-9", location=said("A1")))
    await house.say(JOB, "count", "counted", 2, found(2))
    await house.say(JOB, "count", "counted", 3, found(3, "K", "2.5", **K_BOX))
    await house.say(JOB, "count", "finish", 4, CountDone(lines=[1, 2, 3]))
    assert (await house.get("count_sheet", "B1-9")).values["review_reason"] == "steps_missing"
    with pytest.raises(GuardFailed, match="count_not_whole"):
        await house.do("count_sheet", "B1-9", "post")
    await house.do("count_sheet", "B1-9", "review")
    await house.do("count_sheet", "B1-9", "post")


async def test_a_count_that_is_given_up_at_the_box_waits_or_ends(house: Warehouse) -> None:
    sheet = await house.make("count_sheet", location="A1")
    for job, head, state in ((JOB, {"number": "B1-9"}, "cancelled"), (SECOND, {"sheet": sheet.ref}, "planned")):
        await house.say(job, "count", "open", 0, CountOpen(location=said("A1"), **head))
        await house.say(job, "count", "abandon", 1, Abandon(reason="dark"))
        assert (await house.get("count_sheet", head.get("number") or sheet.ref)).state == state
    with pytest.raises(StepFault, match="place_unknown"):
        await house.say(JOB[:-1] + "3", "count", "open", 0, CountOpen(location=said("NOWHERE")))


async def test_the_time_of_a_boxs_count_is_the_boxs(house: Warehouse) -> None:
    """The count comes up a day later; in between all of it was moved away."""
    then = house.now
    gone = await house.transfer("internal", {"product": "P", "given_quantity": "10"}, from_place="A1", to_place="A2")
    house.later(hours=1)
    await house.do("transfer", gone.ref, "post")
    house.later(days=1)
    await house.say(JOB, "count", "open", 0, CountOpen(number="B1-9", location=said("A1")), wall=then)
    await house.say(JOB, "count", "counted", 1, found(1), wall=then)
    await house.say(JOB, "count", "counted", 2, found(2, "K", "2.5", **K_BOX), wall=then)
    await house.say(JOB, "count", "finish", 3, CountDone(lines=[1, 2]), wall=then)
    assert await results(house, "B1-9") == [(10, 0, False), (Decimal("2.5"), 0, False)]
