"""Transfers by staff: each way through the machine, what holds it back, and what becomes of stock and of receipts' buckets."""

import asyncio
from decimal import Decimal

import pytest

from cloud.db.engine import Sessions
from cloud.errors import GuardFailed, ReasonMissing, Refused, WrongState
from cloud.objects import service
from cloud.objects.faults import Invalid
from cloud.stock import verdicts
from cloud.stock.faults import NotEnough
from cloud.transfers.machine import TRANSFER
from tests.integration.transfer_world import RECEIPT, SSCC, Warehouse, make_warehouse


@pytest.fixture
async def house(sessions: Sessions) -> Warehouse:
    return await make_warehouse(sessions)


def stock(**said: str) -> dict[str, Decimal]:
    """`P_A1="4"` for house goods without lot; what is missing is not there."""
    found = {}
    for key, amount in said.items():
        product, place, *lot = key.split("_")
        found[f"{product} {lot[0] if lot else '-'} {place} - HOUSE"] = Decimal(amount)
    return found


async def test_a_move_inside_the_house_takes_stock_along(house: Warehouse) -> None:
    await house.put("P", "RCV", "10")
    made = await house.transfer("internal", {"product": "P", "given_quantity": "4"}, from_place="RCV", to_place="A1")
    assert made.ref == "TR-2026-0001"
    assert (await house.do("transfer", made.ref, "post")).state == "posted"
    assert await house.stock() == stock(P_RCV="6", P_A1="4")
    assert [line.state for line in await house.lines(made.ref)] == ["posted"]
    move = (await house.moves())[-1]
    assert (move.document_kind, move.document_ref, move.line, move.by) == ("transfer", made.ref, 1, "sima")


async def test_one_line_that_cannot_go_holds_all_back_and_names_itself(house: Warehouse) -> None:
    await house.put("P", "RCV", "10")
    lines = [{"product": "P", "given_quantity": amount} for amount in ("4", "6.000001")]
    made = await house.transfer("internal", *lines, from_place="RCV", to_place="A1")
    with pytest.raises(NotEnough):
        await house.do("transfer", made.ref, "post")
    assert await house.stock() == stock(P_RCV="10")
    await house.change("transfer_line", (await house.lines(made.ref))[1].uid, given_quantity="6")
    await house.do("transfer", made.ref, "post")
    assert await house.stock() == stock(P_A1="10")


async def test_amounts_are_exact_in_the_products_unit(house: Warehouse) -> None:
    await house.put("K", "RCV", "1", lot="L1")
    line = {"product": "K", "lot": "LOT-L1", "given_quantity": "250.5", "given_unit": "g"}
    made = await house.transfer("internal", line, from_place="RCV", to_place="A1")
    [row] = await house.lines(made.ref)
    assert (str(row.given_quantity), row.given_unit, row.quantity) == ("250.5", "g", Decimal("0.2505"))
    await house.do("transfer", made.ref, "post")
    assert await house.stock() == stock(K_RCV_L1="0.7495", K_A1_L1="0.2505")


UNFIT: list[tuple[dict[str, object], dict[str, object], str]] = [
    ({"to_place": "SUPPLIERS"}, {}, "place_nowhere"),
    ({"to_place": "T1"}, {}, "other_site"),
    ({"kind": "supplier_return", "party": "CUS", "reason": "r", "to_place": None}, {}, "party_role"),
    ({"receipt_ref": "GR-9"}, {}, "receipt_not_posted"),
    ({}, {"given_quantity": "0"}, "quantity_positive"),
    ({}, {"given_quantity": "1", "given_unit": "kg"}, "unit_dimension"),
    ({}, {"given_quantity": "1", "product": "K"}, "lot_missing"),
    ({}, {"given_quantity": "1", "product": "K", "lot": "LOT-S1"}, "lot_of_another"),
    ({}, {"given_quantity": "2", "product": "S", "lot": "LOT-S1"}, "serial_is_one"),
    ({}, {"given_quantity": "1", "product": None, "unit": SSCC}, "unit_goes_whole"),
    ({}, {"product": None}, "product_or_unit"),
]


async def test_what_cannot_be_meant_is_refused_before_it_is_saved(house: Warehouse) -> None:
    for head, line, code in UNFIT:
        said = {"kind": "internal", "from_place": "RCV", "to_place": "A1", **head}
        with pytest.raises(Refused) as raised:
            await house.transfer(str(said.pop("kind")), {"product": "P", **line}, **said)
        assert raised.value.code == code


async def test_a_place_takes_only_what_may_lie_there(house: Warehouse) -> None:
    for product, target, owner, code in (
        ("P", "B1", "HOUSE", "place_of_other"),
        ("P", "B1", "OWN", None),
        ("C", "A1", "HOUSE", "place_temperature"),
        ("C", "COLD", "HOUSE", None),
    ):
        await house.put(product, "RCV", "1", owner=owner)
        line = {"product": product, "given_quantity": "1", "owned_by": owner}
        made = await house.transfer("internal", line, from_place="RCV", to_place=target)
        if code is None:
            await house.do("transfer", made.ref, "post")
            continue
        with pytest.raises(Refused) as raised:
            await house.do("transfer", made.ref, "post")
        assert (raised.value.code, raised.value.values["line"]) == (code, "1")


async def test_a_whole_unit_takes_all_its_goods_along(house: Warehouse) -> None:
    await house.put("P", "RCV", "3", unit=True)
    await house.put("K", "RCV", "2.5", unit=True, lot="L1", owner="OWN")
    await house.put("P", "RCV", "7")
    made = await house.transfer("internal", {"unit": SSCC}, from_place="RCV", to_place="A1")
    await house.do("transfer", made.ref, "post")
    assert await house.stock() == {
        "P - A1 U HOUSE": Decimal(3),
        "K L1 A1 U OWN": Decimal("2.5"),
        "P - RCV - HOUSE": Decimal(7),
    }
    assert (await house.get("handling_unit", SSCC)).row.location_id == house.ids["place:A1"]
    again = await house.transfer("internal", {"unit": SSCC}, from_place="RCV", to_place="A2")
    with pytest.raises(Refused, match="unit_empty"):
        await house.do("transfer", again.ref, "post")


async def test_a_draft_without_lines_is_not_posted_and_a_posted_one_is_not_changed(house: Warehouse) -> None:
    made = await house.transfer("internal", from_place="RCV", to_place="A1")
    with pytest.raises(GuardFailed, match="transfer_without_lines"):
        await house.do("transfer", made.ref, "post")
    await house.put("P", "RCV", "1")
    await house.make("transfer_line", transfer=made.ref, product="P", given_quantity="1")
    await house.do("transfer", made.ref, "post")
    with pytest.raises(Refused, match="transfer_not_draft"):
        await house.make("transfer_line", transfer=made.ref, product="P", given_quantity="1")
    [line] = await house.lines(made.ref)
    with pytest.raises((Refused, Invalid)):
        await house.change("transfer_line", line.uid, given_quantity="2")
    with pytest.raises(WrongState):
        await house.do("transfer", made.ref, "post")


async def test_put_away_empties_the_released_bucket_and_no_other(house: Warehouse) -> None:
    await house.put("P", "RCV", "8", bucket="released")
    await house.put("P", "QRT", "2", bucket="pending_qc")
    made = await house.transfer(
        "put_away", {"product": "P", "given_quantity": "5"}, from_place="RCV", to_place="A1", receipt_ref="GR-1"
    )
    assert made.ref == "PA-2026-0001"
    await house.do("transfer", made.ref, "post")
    assert await house.buckets() == {"pending_qc": 2, "released": 3, "put_away": 5}
    more = await house.transfer(
        "put_away", {"product": "P", "given_quantity": "4"}, from_place="RCV", to_place="A1", receipt_ref="GR-1"
    )
    with pytest.raises(Refused) as raised:
        await house.do("transfer", more.ref, "post")
    assert raised.value.code == "not_released"
    assert raised.value.values["there"] == "3"


async def test_two_lines_do_not_claim_the_same_goods_of_a_receipt(house: Warehouse) -> None:
    await house.put("P", "RCV", "3", bucket="released", line=1)
    await house.put("P", "RCV", "4", bucket="released", line=2)
    lines = [{"product": "P", "given_quantity": amount} for amount in ("5", "2")]
    made = await house.transfer("put_away", *lines, from_place="RCV", to_place="A1", receipt_ref="GR-1")
    await house.do("transfer", made.ref, "post")
    assert [await house.buckets(line) for line in (1, 2)] == [{"put_away": 3}, {"put_away": 4}]


async def test_held_goods_leave_quarantine_by_a_decision_only(house: Warehouse) -> None:
    await house.put("P", "QRT", "2")
    line = {"product": "P", "given_quantity": "1"}
    other = await house.transfer("internal", line, from_place="QRT", to_place="REJ")
    made = await house.transfer("internal", line, from_place="QRT", to_place="A1")
    async with house.sessions.write() as session:
        desk = await house.desk(session, "oded")
        desk.taken = house.taken("oded", "operator")
        await service.do(desk, "transfer", other.ref, "post")
        with pytest.raises(Refused, match="goods_held"):
            async with session.begin_nested():
                await service.do(desk, "transfer", made.ref, "post")
    await house.do("transfer", made.ref, "post")
    assert await house.stock() == stock(P_REJ="1", P_A1="1")


@pytest.mark.parametrize(("place", "bucket"), [("QRT", "pending_qc"), ("REJ", "rejected")])
async def test_who_names_the_receipt_takes_nothing_out_of_quarantine_either(house: Warehouse, place: str, bucket: str) -> None:
    await house.put("P", place, "2", bucket=bucket)
    line = {"product": "P", "given_quantity": "1"}
    made = await house.transfer("internal", line, from_place=place, to_place="A1", receipt_ref="GR-1")
    with pytest.raises(Refused) as raised:
        await house.do("transfer", made.ref, "post")
    assert raised.value.code == "goods_held"
    other = await house.transfer("internal", line, from_place=place, to_place="REJ" if place == "QRT" else "QRT")
    await house.do("transfer", other.ref, "post")
    assert await house.buckets() == {bucket: 2}


@pytest.mark.parametrize("kind", ["put_away", "internal", "supplier_return", "scrap"])
async def test_goods_of_a_receipt_that_does_not_verify_stay(house: Warehouse, kind: str) -> None:
    await house.put("P", "RCV", "2", bucket="released")
    way = {"from_place": "RCV"} | ({"to_place": "A1"} if kind in {"put_away", "internal"} else {})
    party = {"party": "SUP"} if kind == "supplier_return" else {}
    line = {"product": "P", "given_quantity": "1"}
    made = await house.transfer(kind, line, receipt_ref="GR-1", reason="r", **way, **party)
    action = {"supplier_return": "approve", "scrap": "scrap"}.get(kind, "post")
    async with house.sessions.write() as session:
        await verdicts.note(session, RECEIPT, ["line_differs:1"], house.now)
    with pytest.raises(Refused) as raised:
        await house.do("transfer", made.ref, action)
    assert raised.value.code == "not_verified"
    assert await house.buckets() == {"released": 2}
    async with house.sessions.write() as session:
        await verdicts.note(session, RECEIPT, [], house.now)
    await house.do("transfer", made.ref, action)


async def test_a_return_to_the_supplier_goes_when_it_is_shipped(house: Warehouse) -> None:
    await house.put("K", "REJ", "4", lot="L1", bucket="rejected")
    line = {"product": "K", "lot": "LOT-L1", "given_quantity": "3", "receipt_line": 1}
    made = await house.transfer("supplier_return", line, party="SUP", from_place="REJ", receipt_ref="GR-1", reason="broken")
    assert made.ref == "RT-2026-0001"
    with pytest.raises(WrongState):
        await house.do("transfer", made.ref, "ship")
    for action, state in (("approve", "approved"), ("pack", "packed")):
        assert (await house.do("transfer", made.ref, action)).state == state
        assert await house.buckets() == {"rejected": 4}
    await house.do("transfer", made.ref, "ship")
    assert await house.stock() == stock(K_REJ_L1="1")
    assert await house.buckets() == {"rejected": 1, "returned": 3}
    assert (await house.do("transfer", made.ref, "close")).state == "closed"
    assert (await house.do("transfer", made.ref, "reverse")).state == "reversed"
    assert await house.buckets() == {"rejected": 4}
    assert await house.stock() == stock(K_REJ_L1="4")


async def test_only_rejected_or_released_goods_go_back(house: Warehouse) -> None:
    for place, lot, code in (
        ("QRT", "L1", "not_returnable"),
        ("RCV", "L3", "not_returnable"),
        ("REJ", "L3", None),
        ("A1", "L1", None),
    ):
        await house.put("K", place, "4", lot=lot)
        line = {"product": "K", "lot": f"LOT-{lot}", "given_quantity": "3"}
        made = await house.transfer("supplier_return", line, party="SUP", from_place=place, reason="r")
        if code is None:
            await house.do("transfer", made.ref, "approve")
            continue
        with pytest.raises(Refused) as raised:
            await house.do("transfer", made.ref, "approve")
        assert raised.value.code == code


async def test_goods_of_another_lot_or_owner_are_not_the_receipts(house: Warehouse) -> None:
    await house.put("K", "REJ", "4", lot="L1", bucket="rejected")
    await house.put("K", "REJ", "4", lot="L2")
    await house.put("K", "REJ", "4", lot="L1", owner="OWN")
    for lot, owner, code in (("L2", "HOUSE", "not_of_receipt"), ("L1", "OWN", "not_of_receipt"), ("L1", "HOUSE", None)):
        line = {"product": "K", "lot": f"LOT-{lot}", "given_quantity": "4", "owned_by": owner}
        made = await house.transfer("supplier_return", line, party="SUP", from_place="REJ", receipt_ref="GR-1", reason="r")
        if code is None:
            await house.do("transfer", made.ref, "approve")
            continue
        with pytest.raises(Refused) as raised:
            await house.do("transfer", made.ref, "approve")
        assert raised.value.code == code


async def test_a_return_that_is_cancelled_leaves_stock_alone(house: Warehouse) -> None:
    await house.put("P", "REJ", "4")
    made = await house.transfer(
        "supplier_return", {"product": "P", "given_quantity": "3"}, party="SUP", from_place="REJ", reason="r"
    )
    await house.do("transfer", made.ref, "approve")
    with pytest.raises(ReasonMissing):
        await house.do("transfer", made.ref, "cancel", reason=None)
    await house.do("transfer", made.ref, "cancel")
    assert [line.state for line in await house.lines(made.ref)] == ["discarded"]
    assert await house.stock() == stock(P_REJ="4")


async def test_goods_come_back_from_a_customer_into_quarantine(house: Warehouse) -> None:
    line = {"product": "K", "lot": "LOT-L1", "given_quantity": "2"}
    made = await house.transfer("customer_return", line, party="CUS", to_place="QRT", reason="wrong goods")
    assert made.ref == "CR-2026-0001"
    await house.do("transfer", made.ref, "receive")
    assert await house.stock() == stock(K_QRT_L1="2")


async def test_an_owner_changes_by_a_second_person_with_a_reason(house: Warehouse) -> None:
    await house.put("P", "A1", "5", unit=True)
    line = {"product": "P", "given_quantity": "2", "unit": SSCC}
    made = await house.transfer("ownership", line, party="OWN", from_place="A1", reason="sold", login="sima")
    assert made.ref == "OW-2026-0001"
    with pytest.raises(GuardFailed, match="second_person_needed"):
        await house.do("transfer", made.ref, "hand_over", login="sima")
    with pytest.raises(ReasonMissing):
        await house.do("transfer", made.ref, "hand_over", login="noa", reason=None)
    with pytest.raises(GuardFailed, match="not_for_this_kind"):
        await house.do("transfer", made.ref, "post", login="noa")
    await house.do("transfer", made.ref, "hand_over", login="noa")
    assert await house.stock() == {"P - A1 U HOUSE": Decimal(3), "P - A1 U OWN": Decimal(2)}
    out, back = (await house.moves())[-2:]
    assert (out.target_id, out.quantity) == (back.source_id, back.quantity)
    await house.do("transfer", made.ref, "reverse")
    assert await house.stock() == {"P - A1 U HOUSE": Decimal(5)}


async def test_who_changed_what_is_handed_over_is_no_second_person(house: Warehouse) -> None:
    await house.put("P", "A1", "5")
    line = {"product": "P", "given_quantity": "1"}
    made = await house.transfer("ownership", line, party="OWN", from_place="A1", reason="sold", login="sima")
    [row] = await house.lines(made.ref)
    await house.change("transfer_line", row.uid, "noa", given_quantity="5")
    for again in (None, "sima"):
        if again is not None:
            await house.change("transfer_line", row.uid, again, given_quantity="4")
        with pytest.raises(GuardFailed, match="second_person_needed"):
            await house.do("transfer", made.ref, "hand_over", login="noa")
    async with house.sessions.write() as session:
        desk = await house.desk(session, "rut")
        with pytest.raises(GuardFailed, match="second_person_needed"):
            await service.do(desk, "transfer", made.ref, "hand_over", given={"reason": "given away"})
    await house.do("transfer", made.ref, "hand_over", login="rut")


async def test_goods_of_one_owner_do_not_change_into_a_place_of_another(house: Warehouse) -> None:
    await house.put("P", "B1", "5", owner="OWN")
    line = {"product": "P", "given_quantity": "2", "owned_by": "OWN"}
    made = await house.transfer("ownership", line, party="HOUSE", from_place="B1", reason="r")
    with pytest.raises(Refused, match="place_of_other"):
        await house.do("transfer", made.ref, "hand_over", login="noa")


async def test_scrap_leaves_stock_and_its_receipts_bucket(house: Warehouse) -> None:
    await house.put("P", "REJ", "5", bucket="rejected")
    made = await house.transfer(
        "scrap", {"product": "P", "given_quantity": "5"}, from_place="REJ", receipt_ref="GR-1", reason="r"
    )
    await house.do("transfer", made.ref, "scrap")
    assert await house.stock() == {}
    assert await house.buckets() == {"scrapped": 5}


async def test_a_reversal_is_refused_where_the_goods_have_gone_on(house: Warehouse) -> None:
    await house.put("P", "RCV", "5")
    first, second = [
        await house.transfer("internal", {"product": "P", "given_quantity": "5"}, from_place=a, to_place=b)
        for a, b in (("RCV", "A1"), ("A1", "A2"))
    ]
    await house.do("transfer", first.ref, "post")
    await house.do("transfer", second.ref, "post")
    with pytest.raises(NotEnough):
        await house.do("transfer", first.ref, "reverse")
    await house.do("transfer", second.ref, "reverse")
    await house.do("transfer", first.ref, "reverse")
    assert await house.stock() == stock(P_RCV="5")
    assert [line.state for line in await house.lines(first.ref)] == ["reversed"]


def test_operators_do_what_moves_and_nothing_that_decides() -> None:
    rights = {(row.action, role) for row in TRANSFER.transitions for role in row.roles}
    for action in ("approve", "scrap", "hand_over", "cancel", "reverse", "review"):
        assert (action, "operator") not in rights
    assert {("post", "operator"), ("pack", "operator"), ("ship", "operator"), ("receive", "operator")} <= rights
    assert ("begin", "admin") not in rights


async def test_two_who_post_the_same_transfer_post_it_once(house: Warehouse) -> None:
    await house.put("P", "RCV", "10")
    made = await house.transfer("internal", {"product": "P", "given_quantity": "4"}, from_place="RCV", to_place="A1")
    done = await asyncio.gather(*(house.do("transfer", made.ref, "post") for _ in range(2)), return_exceptions=True)
    assert sorted(isinstance(one, WrongState) for one in done) == [False, True]
    assert await house.stock() == stock(P_RCV="6", P_A1="4")
