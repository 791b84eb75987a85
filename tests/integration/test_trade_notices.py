"""Notices speak of their supplier's own order, and know how much of them came."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.imports.upserting import Sent, upsert_many
from cloud.kernel.access import Access
from cloud.kernel.events import history
from cloud.objects.source import read_yaml
from cloud.trade import kinds
from cloud.trade.demo import load_trade, pallet
from cloud.trade.models import Notice, NoticeLine
from cloud.trade.notices import (
    Came,
    complete_again,
    forget_received,
    note_arrived,
    note_received,
    note_receiving,
    notice_by_ref,
)
from sync_protocol.identifiers import sscc_ok
from sync_protocol.receiving.settings import ALWAYS, CHECKS
from tests.integration.trading import SYSTEM, Trading, refused


@pytest.fixture
async def house(sessions: Sessions) -> Trading:
    made = Trading(sessions)
    await made.fill()
    return made


NOTICE = {"supplier": "SUP-033", "order": "PO-2026-0043", "site": "galil"}


async def test_a_notice_is_made_announced_and_takes_its_orders_currency(house: Trading) -> None:
    ref = await house.make("notice", **NOTICE, container="csqu 305438-3", seals=[{"number": "S1"}])
    made = await house.get("notice", ref)
    assert ref.startswith("NT-2026-")
    assert (made.values["currency"], made.values["container"]) == ("ILS", "CSQU3054383")
    await refused(house.do("notice", ref, "announce"), "notice_without_lines")
    await house.make("notice_line", notice=ref, product="BOX-450", quantity="100")
    assert (await house.do("notice", ref, "announce")).state == "announced"
    await refused(house.change("notice", ref, supplier="SUP-014"), "readonly", "supplier")


@pytest.mark.parametrize(
    ("values", "code", "name"),
    [
        ({"supplier": "SUP-014"}, "notice_other_supplier", "order"),
        ({"supplier": "CUS-101", "order": None}, "party_role", "supplier"),
        ({"carrier": "SUP-014"}, "party_role", "carrier"),
        ({"container": "CSQU30543"}, "container_form", "container"),
        ({"seals": [{"number": "S1"}, {"number": "S1"}]}, "number_twice", "seals"),
        ({"shipped_at": "2026-11-23T08:00:00Z", "expected_at": "2026-11-22T08:00:00Z"}, "range_order", "expected_at"),
    ],
)
async def test_what_a_notice_may_not_say(house: Trading, values: dict[str, Any], code: str, name: str) -> None:
    await refused(house.make("notice", **{**NOTICE, **values}), code, name)


async def test_a_line_finds_its_orders_line_and_its_products_unit(house: Trading) -> None:
    ref = await house.make("notice", **NOTICE)
    uid = await house.make("notice_line", notice=ref, product="FLM-500", quantity="24", sscc=pallet(7))
    found = await house.get("notice_line", uid)
    assert (found.values["unit"], found.values["line"]) == ("{pcs}", "1")
    assert found.values["order_line"] is not None
    assert sscc_ok(found.values["sscc"])


@pytest.mark.parametrize(
    ("values", "code", "name"),
    [
        ({"quantity": "0"}, "rule", "quantity"),
        ({"unit": "kg"}, "unit_dimension", "unit"),
        ({"sscc": "376104250021234568"}, "gtin_check_digit", "sscc"),
        ({"serials": [{"number": "A"}]}, "serial_count", "serials"),
        ({"serials": [{"number": "A"}, {"number": "A"}], "quantity": "2"}, "number_twice", "serials"),
    ],
)
async def test_what_a_line_may_not_say(house: Trading, values: dict[str, Any], code: str, name: str) -> None:
    ref = await house.make("notice", **NOTICE)
    given = {"notice": ref, "product": "FLM-500", "quantity": "24", **values}
    await refused(house.make("notice_line", **given), code, name)


async def uid_of(house: Trading, ref: str) -> str:
    async with house.sessions.read() as session:
        found = await notice_by_ref(session, ref)
        assert found is not None
        return found.uid


async def tell(house: Trading, ref: str, *came: tuple[str, str, str]) -> tuple[str, list[Decimal]]:
    async with house.sessions.write() as session:
        await note_received(
            session, await uid_of(house, ref), [Came(one, Decimal(amount), unit) for one, amount, unit in came], SYSTEM
        )
    async with house.sessions.read() as session:
        notice = (await session.scalars(select(Notice).where(Notice.ref == ref))).one()
        return notice.state, [one.received for one in notice.lines]


async def test_what_was_posted_adds_up_until_all_of_it_came(house: Trading) -> None:
    ref = "NT-2026-0011"
    assert await tell(house, ref, ("1", "80000", "g"), ("2", "15", "kg")) == ("receiving", [80, 15, 0])
    assert await tell(house, ref, ("2", "25", "kg"), ("9", "5", "kg")) == ("receiving", [80, 40, 0])
    assert await tell(house, ref, ("3", "40", "kg")) == ("received", [80, 40, 40])
    assert await tell(house, ref, ("3", "-40", "kg")) == ("receiving", [80, 40, 0]), "a posting that was taken back"
    async with house.sessions.read() as session:
        events = [one.action for one in await history(session, "notice", ref)]
    assert events == ["announce", "receive", "complete", "reopen"]


async def test_a_notice_that_nobody_knows_holds_nothing_up(house: Trading) -> None:
    async with house.sessions.write() as session:
        await note_arrived(session, "nothing", SYSTEM)
        await note_receiving(session, "nothing", SYSTEM)
        await note_received(session, "nothing", [Came("1", Decimal(1), "kg")], SYSTEM)


async def test_amounts_are_told_anew_after_they_were_forgotten(house: Trading) -> None:
    await tell(house, "NT-2026-0011", ("1", "80", "kg"))
    async with house.sessions.write() as session:
        await forget_received(session, SYSTEM)
        assert set(await session.scalars(select(NoticeLine.received))) == {Decimal(0)}
    assert await tell(house, "NT-2026-0011", ("1", "80", "kg")) == ("receiving", [80, 0, 0])


async def test_what_somebody_called_complete_stays_so_when_receipts_are_made_again(house: Trading) -> None:
    await tell(house, "NT-2026-0011", ("1", "80", "kg"))
    await house.do("notice", "NT-2026-0011", "complete")
    async with house.sessions.write() as session:
        complete = await forget_received(session, SYSTEM)
    assert (await house.get("notice", "NT-2026-0011")).state == "receiving"
    async with house.sessions.write() as session:
        await complete_again(session, complete, SYSTEM)
    assert (await house.get("notice", "NT-2026-0011")).state == "received"


async def test_an_operator_without_a_word_about_notices_moves_them_on_by_posting(house: Trading) -> None:
    async with house.sessions.write() as session:
        nobody = replace(SYSTEM, access=Access.of([]))
        await note_arrived(session, await uid_of(house, "NT-2026-0011"), nobody)
    assert (await house.get("notice", "NT-2026-0011")).state == "arrived"


async def test_a_short_notice_is_closed_with_a_reason_and_one_that_arrived_is_not_cancelled(house: Trading) -> None:
    await house.do("notice", "NT-2026-0011", "arrive", role="operator")
    await refused(house.do("notice", "NT-2026-0011", "cancel", reason="x"), "wrong_state")
    await refused(house.do("notice", "NT-2026-0011", "close"), "reason_missing")
    assert (await house.do("notice", "NT-2026-0011", "close", reason="the rest was never sent")).state == "closed"
    draft = await house.make("notice", **NOTICE)
    assert (await house.do("notice", draft, "cancel", reason="other ship")).state == "cancelled"


async def test_lines_stay_once_goods_are_being_received(house: Trading) -> None:
    await house.do("notice", "NT-2026-0011", "receive", role="operator")
    deed = house.make("notice_line", notice="NT-2026-0011", product="CHK-CUB", quantity="1")
    await refused(deed, "notice_not_open", "notice")


@pytest.mark.parametrize(
    ("values", "code", "name"),
    [
        ({"check": "unit_differs", "severity": "info"}, "option", "check"),
        ({"check": "nonsense", "severity": "info"}, "option", "check"),
        ({"check": "weight_off_notice", "severity": "info"}, "taken_meanwhile", ""),
    ],
)
async def test_settings_soften_only_what_can_be_softened_and_once(
    house: Trading, values: dict[str, Any], code: str, name: str
) -> None:
    await refused(house.make("check_setting", **values), code, name)


def test_every_check_that_can_be_set_is_offered_in_both_languages() -> None:
    said = read_yaml((Path(kinds.__file__).parent / "definitions" / "check_setting.yaml").read_text("utf-8")).data
    options = said["fields"]["check"]["options"]
    assert set(options) == set(CHECKS) - ALWAYS
    assert all(one["he"] != one["en"] for one in options.values())


async def test_the_demo_is_loaded_once(house: Trading) -> None:
    async with house.sessions.write() as session:
        assert not await load_trade(session, SYSTEM)


async def test_a_suppliers_two_files_make_notices_with_their_lines_once(house: Trading) -> None:
    heads = [Sent("D-1", dict(NOTICE, document_no="KR-77"))]
    lines = [
        Sent("D-1/1", {"notice": {"key": "D-1"}, "product": "BOX-450", "quantity": "100", "sscc": pallet(301)}),
        Sent("D-1/2", {"notice": {"key": "D-1"}, "product": "FLM-500", "quantity": "24", "sscc": pallet(301)}),
        Sent("D-1/3", {"notice": {"key": "D-9"}, "product": "FLM-500", "quantity": "24"}),
    ]
    for expected in ("made", "same"):
        async with house.desk() as desk:
            (head,) = await upsert_many(desk, "notice", "edi", heads)
            found = await upsert_many(desk, "notice_line", "edi", lines)
        assert (head.done, [one.done for one in found]) == (expected, [expected, expected, "faulty"])
    async with house.sessions.read() as session:
        notice = (await session.scalars(select(Notice).where(Notice.document_no == "KR-77"))).one()
        assert [(one.line, one.sscc, one.order_line.line) for one in notice.lines if one.order_line] == [
            ("1", pallet(301), "1"),
            ("2", pallet(301), "2"),
        ]
