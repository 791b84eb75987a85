"""The demo company has sense in it: every row passes the rules that people's own rows must pass."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from cloud.boxes.models import Box
from cloud.db.engine import Sessions
from cloud.kernel.actor import Actor, Taken
from cloud.masters.bom import explode
from cloud.masters.calibrations import is_calibrated, standing
from cloud.masters.demo import DEVICES, LAYOUTS, PARTIES, PRODUCTS, bind_devices, load_demo
from cloud.masters.duplicates import duplicates_of, house_country
from cloud.masters.gtin import gtin14
from cloud.masters.kinds import KINDS, MASTERS
from cloud.masters.labels import read_label, rules_of
from cloud.masters.machine import PURCHASE_ORDER
from cloud.masters.models import Device, Party, PartyContact, PartyKey, Product, ProductCode, Station
from cloud.masters.pricing import best_price
from cloud.objects.caller import caller
from cloud.objects.registry import Registry
from cloud.objects.rows import Rows
from cloud.objects.shipped import PLAIN

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
TAKEN = Taken(Actor.system("test"), NOW)
REGISTRY = Registry(MASTERS + PLAIN)


@pytest.fixture
async def house(sessions: Sessions) -> Sessions:
    async with sessions.write() as session:
        assert await load_demo(session, TAKEN, pins={})
    return sessions


async def test_every_row_passes_the_rules_of_its_kind(house: Sessions) -> None:
    async with house.write() as session:
        who = await caller(session, REGISTRY, TAKEN)
        for kind in KINDS:
            rows = Rows(who.objects.get(kind.key), who.objects)
            found = (await session.scalars(rows.select())).all()
            assert found, f"the demo has no {kind.key}"
            if kind.before_save is None or kind.key == "order_line":  # lines of confirmed orders are not written any more
                continue
            for row in found:
                values: dict[str, Any] = rows.values(row)
                await kind.before_save(session, row, values, TAKEN)
                assert {name: value for name, value in rows.values(row).items() if name not in LEFT} == {
                    name: value for name, value in values.items() if name not in LEFT
                }, (kind.key, rows.ref(row))


LEFT = frozenset({"mail_consent_at", "whatsapp_consent_at"})


async def test_every_name_stands_in_both_languages(house: Sessions) -> None:
    async with house.read() as session:
        for kind in KINDS:
            if hasattr(kind.model, "name_he"):
                rows = (await session.scalars(select(kind.model))).all()
                assert not [row.name for row in rows if not row.name_he or row.name_he == row.name], kind.key


async def test_codes_have_right_check_digits_and_keys_are_found(house: Sessions) -> None:
    async with house.read() as session:
        gtins = (await session.scalars(select(ProductCode.code).where(ProductCode.scheme == "gtin"))).all()
        assert len(gtins) >= 25
        assert all(gtin14(one) == one for one in gtins)
        cartons = await session.scalars(select(ProductCode.pack_qty).where(ProductCode.pack_qty > Decimal(1)))
        assert len(cartons.all()) >= 5
        assert [one.ref for one in await duplicates_of(session, {"phone": "04-5550114"})] == ["SUP-014"]
        assert await house_country(session) == "IL"
        assert await session.scalar(select(func.count()).select_from(PartyKey)) >= len(PARTIES)
        assert (await session.scalar(select(func.count()).select_from(PartyContact))) == sum(
            1 for one in PARTIES if one.works_at
        )
        assert len(PRODUCTS) >= 25
        parent = await session.scalar(select(Party.name).where(Party.ref == "GRP-01"))
        assert parent == "Galil Group Holdings"


async def test_kits_prices_devices_and_labels_work(house: Sessions) -> None:
    async with house.read() as session:
        products = {row.sku: row for row in await session.scalars(select(Product))}
        skus = {row.id: sku for sku, row in products.items()}
        need = {skus[key]: amount for key, amount in (await explode(session, products["GFT-GAL"], Decimal(100))).items()}
        assert need["ALM-WHL"] == Decimal("12.75")
        assert need["ZAT-100"] == 200
        hotel = (await session.scalars(select(Party).where(Party.ref == "CUS-101"))).one()
        found = await best_price(session, products["SLM-FIL"], Decimal(10), date(2026, 11, 22), party=hotel)
        fewer = await best_price(session, products["SLM-FIL"], Decimal(9), date(2026, 11, 22), party=hotel)
        assert found is not None
        assert fewer is not None
        assert (found[1].price, fewer[1].price) == (Decimal("82.8"), Decimal(92))
        devices = (await session.scalars(select(Device).order_by(Device.code))).all()
        assert [standing(row, NOW.date()) for row in devices] == ["calibrated", "bound", "overdue"]
        assert [await is_calibrated(session, row.id, NOW.date()) for row in devices] == [True, False, False]
        station = (await session.scalars(select(Station))).one()
        assert station.location_id is not None
    for _ref, _party, name, example, rules in LAYOUTS:
        assert read_label(rules_of(rules), example).keys() >= {"code"}, name


async def test_devices_are_bound_to_the_box_that_came(house: Sessions) -> None:
    async with house.write() as session:
        session.add(Box(id="b", name="b", spki=b"", key_id=b"k", registered_at=NOW))
        await session.flush()
        await bind_devices(session, "b")
    async with house.read() as session:
        rows = await session.execute(select(Device.box_id, Device.box_device).order_by(Device.code))
        assert [tuple(row) for row in rows] == [("b", one.box_device) for one in DEVICES]


async def test_a_second_load_changes_nothing(house: Sessions) -> None:
    async with house.write() as session:
        assert not await load_demo(session, TAKEN, pins={})


def test_the_orders_definition_says_what_its_machine_does() -> None:
    definition = REGISTRY.plain().get("purchase_order")
    assert set(definition.state_by_key) == PURCHASE_ORDER.states
    assert definition.states[0].key == PURCHASE_ORDER.initial
    coded = {(one.action, one.sources, one.target, one.needs_reason) for one in PURCHASE_ORDER.transitions}
    assert coded == {(one.key, frozenset(one.sources), one.target, one.reason) for one in definition.transitions}


def test_every_label_of_the_definitions_stands_in_both_languages() -> None:
    for kind in KINDS:
        definition = REGISTRY.plain().get(kind.key)
        labels = [definition.label, definition.plural, *(one.label for one in definition.sections)]
        for field in definition.fields:
            labels += [field.label, *(one.label for one in field.options)]
            labels += [each.label for each in field.of]
        assert not [one.en for one in labels if not one.he and not one.en.isupper() and "." not in one.en and "-" not in one.en]
