"""Every table of a station's mirror: what is in it, what is not, and that a box can read it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from cloud.boxes.models import Box, BoxStatus
from cloud.db.engine import Sessions
from cloud.db.settings_table import Setting
from cloud.masters.models import Location, OrderLine, Party, Product, Site, Station
from cloud.mirror import holdings, patches
from cloud.mirror.patches import pull
from cloud.mirror.rows import desired_rows
from cloud.people.changing import BADGE_SALT
from cloud.people.models import User
from cloud.receiving.models import Receipt, ReceiptLine
from cloud.receiving.projection import project_all
from cloud.stock.ledger import BucketMove, Document, Wanted, post
from cloud.stock.lots import lot_of, unit_of
from cloud.stock.places import house as own_house
from cloud.stock.places import place_of
from cloud.takers import JOB_TAKERS
from cloud.trade.demo import pallet
from cloud.trade.models import ContainerEvent, NoticeLine
from cloud.transfers.models import CountSheet, Transfer
from sync_protocol.entries import StepEntry
from sync_protocol.masters import TABLES
from sync_protocol.movements import GATE, Passed
from sync_protocol.steps import FieldValue
from tests.integration.trading import NOW, SYSTEM, Trading

SCOPE = "receiving-1"


@pytest.fixture
async def house(sessions: Sessions) -> Trading:
    made = Trading(sessions)
    await made.fill()
    async with sessions.write() as session:
        for number in (1, 2, 3):
            status = BoxStatus.REVOKED if number == 3 else BoxStatus.ACTIVE
            key = bytes([number])
            session.add(
                Box(
                    id=f"box-{number}", name="b", spki=key, key_id=key, registered_at=NOW, status=status,
                    station_code=None if number == 2 else SCOPE,
                )
            )  # fmt: skip
    return made


async def mirror(house: Trading) -> dict[str, dict[str, dict[str, Any]]]:
    """By table and key; everything has to be readable as master data."""
    async with house.sessions.read() as session:
        rows = await desired_rows(session, SCOPE, NOW)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (table, key), value in rows.items():
        assert TABLES[table].model_validate(value).model_dump(mode="json", exclude_none=True).items() >= value.items()
        found.setdefault(table, {})[key] = value
    return found


async def one(session: Any, model: Any, **by: Any) -> Any:
    return (await session.scalars(select(model).filter_by(**by))).one()


async def test_the_station_says_what_is_done_there_and_whose_house_it_is(house: Trading) -> None:
    async with house.sessions.write() as session:
        session.add(Setting(key=BADGE_SALT, value="ab" * 16))
        session.add(User(login="badge", name="B", role="operator", pin_hash="$argon2id$x", badge_hash="f" * 64, locale="he"))
    found = await mirror(house)
    station = found["station"][SCOPE]
    assert (station["tz"], station["location"], station["badge_salt"]) == ("Asia/Jerusalem", "GAL-RCV", "ab" * 16)
    assert station["flows"] == ["receive", "put_away", "move", "gate", "count"]
    assert found["party"][station["house"]]["owner"] is True
    assert found["person"]["badge"]["badge_hash"] == "f" * 64
    assert "largest" not in station


async def test_products_carry_what_the_checks_ask_for(house: Trading) -> None:
    async with house.sessions.write() as session:
        row = await one(session, Product, sku="CHK-CUB")
        row.weight_tolerance, row.under_tolerance, row.quarantine = Decimal("0.02"), Decimal("0.1"), True
        row.owner_id = (await one(session, Party, ref="OWN-01")).id
    product = (await mirror(house))["product"]["CHK-CUB"]
    expected = {
        "min_life_days": 5, "temp_min": "0", "temp_max": "4", "weight_tolerance": "0.02", "under_tolerance": "0.1",
        "owner": "OWN-01", "quarantine": True, "over_tolerance": "0.05",
    }  # fmt: skip
    assert expected.items() <= product.items()


async def test_a_carton_says_how_much_is_in_it(house: Trading) -> None:
    codes = (await mirror(house))["code"]
    packs = {value["pack"] for value in codes.values() if value["product"] == "TAH-RAW"}
    assert packs == {"1", "12"}
    assert codes["supplier:GP-1102:SUP-014"]["party"] == "SUP-014"


async def test_orders_say_what_was_agreed_for_their_lines(house: Trading) -> None:
    async with house.sessions.write() as session:
        product = await one(session, Product, sku="SLM-FIL")
        line = await one(session, OrderLine, product_id=product.id)
        line.over_tolerance, line.closed, line.closed_reason = Decimal("0.07"), True, "x"
    order = (await mirror(house))["order"]["PO-2026-0041"]
    assert order["currency"] == "ILS"
    assert [(one.get("over_tolerance"), one["closed"]) for one in order["lines"]] == [(None, False), ("0.07", True)]


async def test_notices_that_are_open_are_told_whole(house: Trading) -> None:
    found = await mirror(house)
    assert set(found["notice"]) == {"NT-2026-0011", "NT-2026-0012"}
    notice = found["notice"]["NT-2026-0012"]
    assert (notice["container"], notice["seals"], notice["carrier"]) == ("CSQU3054383", ["GL-771204"], "North Haulage")
    assert [line["sscc"] for line in notice["lines"]] == [pallet(201), pallet(202), pallet(202)]
    assert [line["order_line"] for line in notice["lines"]] == ["1", "2", "3"]
    await house.do("notice", "NT-2026-0012", "close", reason="x")
    async with house.sessions.write() as session:
        line = (await session.scalars(select(NoticeLine).where(NoticeLine.sscc == pallet(102)))).one()
        line.archived = True
    again = (await mirror(house))["notice"]
    assert [len(notice["lines"]) for notice in again.values()] == [2]


async def test_places_packaging_settings_and_containers_of_the_site(house: Trading) -> None:
    async with house.sessions.write() as session:
        other = Site(code="haifa", name="Haifa")
        session.add(other)
        await session.flush()
        session.add_all([Location(code="HFA-1", name="h", site_id=other.id), Station(code="st-2", name="s", site=other)])
        container = await session.get_one(ContainerEvent, 1)
        assert container.code == "discharged"
    found = await mirror(house)
    assert "HFA-1" not in found["location"]
    assert found["location"]["GAL-SIL"]["owner"] == "OWN-01"
    assert found["location"]["GAL-DRY-A1"]["parent"] == "GAL-DRY"
    assert found["packaging"]["EUR"]["tare"] == "25"
    assert found["check"]["temperature_out_of_range:CHK-CUB"]["severity"] == "stop"
    assert found["check"]["weight_off_notice:"].get("product") is None
    assert found["container"]["MSKU6011672"]["holds"] == ["customs"]
    await house.do("container", "CSQU3054383", "gate_out")
    assert set((await mirror(house))["container"]) == {"MSKU6011672"}


async def some_stock(house: Trading) -> None:
    """Two lots of chicken in the receiving area, one of a receipt's line that is released, and a serial elsewhere."""
    async with house.sessions.write() as session:
        site = await one(session, Site, code="galil")
        chicken, film = await one(session, Product, sku="CHK-CUB"), await one(session, Product, sku="FLM-500")
        owner, source = await own_house(session), await place_of(session, "supplier")
        area, shelf = await one(session, Location, code="GAL-RCV"), await one(session, Location, code="GAL-CLD-1")
        lot = await lot_of(session, chicken, "L1", expires_on=NOW.date() + timedelta(days=9), taken=SYSTEM)
        gone = await lot_of(session, chicken, "GONE", taken=SYSTEM)
        held = await lot_of(session, chicken, "HELD", taken=SYSTEM)
        held.state = "hold"
        unit = await unit_of(session, pallet(101), taken=SYSTEM)
        unit.first_receipt, unit.location_id = "job-1", area.id
        receipt = Receipt(
            uid="job-1", ref="GR-1", state="posted", box_id="box-1", station_code=SCOPE, operator="dana", clock_set=True,
            site_id=site.id, supplier_id=(await one(session, Party, ref="SUP-014")).id, document_no="GP-1",
            opened_received_at=NOW,
        )  # fmt: skip
        receipt.lines = [
            ReceiptLine(
                number=1, standing="confirmed", sku="CHK-CUB", product_rev=1, product_id=chicken.id, lot_id=lot.id,
                handling_unit_id=unit.id, owner_id=owner.id,
            )
        ]  # fmt: skip
        session.add(receipt)
        await session.flush()
        paper = Document("receipt", "job-1", "GR-1")
        common: dict[str, Any] = {"owner_id": owner.id, "document": paper, "effective_at": NOW}
        in_bucket = BucketMove("job-1", 1, None, "released")
        await post(
            session,
            [
                Wanted(
                    "1", chicken.id, quantity=Decimal(80), source_id=source.id, target_id=area.id, lot_id=lot.id,
                    to_unit_id=unit.id, bucket=in_bucket, line=1, **common,
                ),
                Wanted("2", film.id, quantity=Decimal(3), source_id=source.id, target_id=shelf.id, **common),
                Wanted("3", chicken.id, quantity=Decimal(5), source_id=source.id, target_id=shelf.id, lot_id=gone.id, **common),
                Wanted("4", chicken.id, quantity=Decimal(5), source_id=shelf.id, target_id=source.id, lot_id=gone.id, **common),
            ],
            SYSTEM,
        )  # fmt: skip


async def test_stock_says_which_receipts_goods_wait_to_be_put_away(house: Trading) -> None:
    await some_stock(house)
    found = await mirror(house)
    owner = found["station"][SCOPE]["house"]
    stock = found["stock"]
    waiting = stock[f"GAL-RCV:CHK-CUB:L1:{pallet(101)}:{owner}"]
    assert (waiting["quantity"], waiting["receipt"], waiting["receipt_line"]) == ("80", "job-1", 1)
    lying = stock[f"GAL-CLD-1:FLM-500:::{owner}"]
    assert (lying["quantity"], lying.get("receipt")) == ("3", None)
    assert len(stock) == 2, "places that are nowhere are not told"
    assert found["delivery"]["SUP-014:GP-1"]["receipt"] == "job-1"
    assert found["unit"][pallet(101)] == {"sscc": pallet(101), "receipt": "job-1", "location": "GAL-RCV"}


async def test_lots_are_those_that_lie_here_and_those_that_are_blocked(house: Trading) -> None:
    await some_stock(house)
    lots = (await mirror(house))["lot"]
    assert {key: (value["status"], value["in_stock"]) for key, value in lots.items()} == {
        "CHK-CUB:L1": ("released", True),
        "CHK-CUB:HELD": ("hold", False),
    }
    assert lots["CHK-CUB:L1"]["expiry"] == "2026-12-01"


async def test_a_delivery_note_is_forgotten_after_a_year_and_when_it_was_taken_back(house: Trading) -> None:
    await some_stock(house)
    async with house.sessions.write() as session:
        (await one(session, Receipt, uid="job-1")).opened_received_at = NOW - timedelta(days=366)
    assert "delivery" not in await mirror(house)
    async with house.sessions.write() as session:
        row = await one(session, Receipt, uid="job-1")
        row.opened_received_at, row.state = NOW, "reversed"
    assert "delivery" not in await mirror(house)


async def test_more_stock_than_a_box_holds_is_cut_and_said(house: Trading, monkeypatch: pytest.MonkeyPatch) -> None:
    await some_stock(house)
    monkeypatch.setattr(holdings, "MAX_STOCK", 1)
    found = await mirror(house)
    assert (len(found["stock"]), found["station"][SCOPE]["largest"]) == (1, 1)


async def test_work_that_waits_and_what_needs_a_look(house: Trading) -> None:
    async with house.sessions.write() as session:
        site = await one(session, Site, code="galil")
        place = await one(session, Location, code="GAL-CLD-1")
        common: dict[str, Any] = {"site_id": site.id, "location_id": place.id}
        session.add_all(
            [
                CountSheet(ref="CS-1", **common),
                CountSheet(ref="CS-2", **common, state="counting", second=True, first_by="dana"),
                CountSheet(ref="CS-3", **common, state="posted"),
                CountSheet(ref="CS-4", uid="count", **common, state="review", needs_review=True, box_id="box-1"),
                Transfer(
                    ref="TR-1", uid="move", site_id=site.id, needs_review=True, review_reason="not_enough", box_id="box-1"
                ),
                Transfer(ref="TR-2", site_id=site.id, needs_review=True, box_id="box-2"),
                ContainerEvent(
                    uid="gate", number="X", code="gate_in", at=NOW, state="needs_review", review_reason="container_form",
                    review_detail="number X", box_id="box-1",
                ),
            ]
        )  # fmt: skip
    found = await mirror(house)
    assert {key: (value["location"], value.get("counted_by")) for key, value in found["sheet"].items()} == {
        "CS-1": ("GAL-CLD-1", None),
        "CS-2": ("GAL-CLD-1", "dana"),
    }
    assert {key: (value["kind"], value["reason"]) for key, value in found["review"].items()} == {
        "move": ("move", "not_enough"),
        "count": ("count", "needs_review"),
        "gate": ("gate", "container_form"),
    }
    assert found["review"]["gate"]["detail"] == "number X"


async def test_each_box_has_a_range_of_its_own_for_good(house: Trading) -> None:
    await pull(house.sessions, scope=SCOPE, cookie="")
    assert (await mirror(house))["range"] == {"box-1": {"prefix": "B1", "taken": {}}}
    async with house.sessions.write() as session:
        (await one(session, Box, id="box-2")).station_code = SCOPE
        (await one(session, Box, id="box-1")).station_code = None
    await pull(house.sessions, scope=SCOPE, cookie="")
    assert (await mirror(house))["range"] == {"box-2": {"prefix": "B2", "taken": {}}}
    async with house.sessions.write() as session:
        (await one(session, Box, id="box-1")).station_code = SCOPE
    await pull(house.sessions, scope=SCOPE, cookie="")
    assert {box: row["prefix"] for box, row in (await mirror(house))["range"].items()} == {"box-1": "B1", "box-2": "B2"}


async def test_pages_in_between_are_given_without_comparing_everything_anew(
    house: Trading, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0
    real = patches.refresh

    async def counted(*args: Any) -> None:
        nonlocal compared
        compared += 1
        await real(*args)

    monkeypatch.setattr(patches, "MAX_OPS", 10)
    monkeypatch.setattr(patches, "refresh", counted)
    patch = await pull(house.sessions, scope=SCOPE, cookie="")
    pages = 1
    while patch.more:
        patch, pages = await pull(house.sessions, scope=SCOPE, cookie=patch.cookie), pages + 1
    assert pages > 5
    assert compared == 2, "before the first page and with the last"


async def test_a_box_hears_how_far_its_journal_was_taken_and_what_became_of_its_passage(
    sessions: Sessions, box: Any, clock: Any
) -> None:
    house = Trading(sessions, now=clock.now)
    await house.fill()
    field = FieldValue(value="TGHU7599330", mode="manual", reason="typed")
    data = Passed(number="B1-1", direction="in", container=field).model_dump(mode="json", exclude_none=True)
    box.start()
    box.note()
    job = box.new_job()
    step = StepEntry(
        **box.stamp(), job=job, job_kind=GATE, n=0, step="passed", station=SCOPE, by="dana", data=data, readings=[]
    )
    said = box.write(step)
    box.reading(device="scale-1", driver="mt-sics", kind="weight", value="1", unit="kg")
    await box.deliver(sessions)
    await pull(sessions, scope=SCOPE, cookie="")
    assert (await mirror(house))["range"][box.id]["taken"] == {}
    await project_all(sessions, job_takers=JOB_TAKERS)
    found = await mirror(house)
    run, _, seq = said.partition(":")
    assert found["range"][box.id]["taken"] == {run: int(seq) + 1}, "behind the step; readings are no deeds"
    assert found["review"][job]["reason"] == "container_unknown"
