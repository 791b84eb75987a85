"""What holds for master data beyond its definitions, through the one way records are written, on both databases."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.errors import CloudError, Refused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import history
from cloud.kernel.transition import transition
from cloud.masters.bom import explode
from cloud.masters.calibrations import is_calibrated, standing
from cloud.masters.duplicates import duplicates_of
from cloud.masters.kinds import MASTERS
from cloud.masters.machine import PURCHASE_ORDER
from cloud.masters.models import Device, Party, PartyContact, Product, ProductCode, PurchaseOrder
from cloud.masters.pricing import best_price
from cloud.objects import service
from cloud.objects.caller import Caller, caller
from cloud.objects.faults import Invalid
from cloud.objects.registry import Registry
from cloud.objects.shipped import PLAIN

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
REGISTRY = Registry(MASTERS + PLAIN)

Create = Callable[..., Awaitable[str]]


@asynccontextmanager
async def writing(sessions: Sessions) -> AsyncIterator[Caller]:
    async with sessions.write() as session:
        yield await caller(session, REGISTRY, Taken(Actor.user("ada", "admin"), NOW, "test"))


async def make(sessions: Sessions, of: str, /, **values: Any) -> str:
    async with writing(sessions) as who:
        return (await service.create(who, of, values))[0].ref


async def change(sessions: Sessions, of: str, ref: str, /, **values: Any) -> service.Item:
    async with writing(sessions) as who:
        return await service.update(who, of, ref, values)


async def refused(deed: Awaitable[object], code: str, field: str = "") -> None:
    """`code` of a refusal by code, or of the fault of a field that the definition refuses."""
    with pytest.raises(CloudError) as raised:
        await deed
    if isinstance(raised.value, Invalid):
        assert (code, field) in [(fault.code, fault.field) for fault in raised.value.faults], raised.value.faults
    else:
        assert isinstance(raised.value, Refused)
        assert (raised.value.code, raised.value.values.get("field", "")) == (code, field), raised.value.values


async def company(sessions: Sessions, name: str, *roles: str, **values: Any) -> str:
    return await make(sessions, "party", name=name, roles=list(roles or ["customer"]), **values)


async def test_a_party_is_whole_and_its_ways_have_one_form(sessions: Sessions) -> None:
    await refused(make(sessions, "party", name="No role"), "required", "roles")
    await refused(make(sessions, "party", name="No way", kind="person"), "person_needs_way", "phone")
    await refused(company(sessions, "A", email="nobody"), "mail_form", "email")
    await refused(company(sessions, "A", phone="12"), "phone_form", "phone")
    await refused(company(sessions, "A", more_ways=[{"way": "mail", "value": "x"}]), "mail_form", "more_ways")
    await refused(company(sessions, "A", website="javascript:alert(1)//"), "website_form", "website")
    await refused(company(sessions, "A", mail_consent=True), "consent_without_way", "mail_consent")
    ref = await company(sessions, "A", email="Office@Galil.IL", phone="04-692-1234", reg_no="51-4567890", website="galil.il")
    async with writing(sessions) as who:
        found = (await service.get(who, "party", ref)).values
    assert (found["email"], found["phone"]) == ("office@galil.il", "+97246921234")
    assert (found["reg_no"], found["website"]) == ("514567890", "https://galil.il")
    await refused(company(sessions, "B", reg_no="514567890"), "taken", "reg_no")
    await refused(company(sessions, "B", reg_no="51 4567 890"), "reg_no_taken", "reg_no")
    since = (await change(sessions, "party", ref, mail_consent=True)).values["mail_consent_at"]
    assert since == NOW
    assert (await change(sessions, "party", ref, mail_consent=False)).values["mail_consent_at"] is None
    assert (await company(sessions, "The house", "house")).startswith("P-")
    await refused(company(sessions, "Another house", "house"), "house_is_one", "roles")


async def test_duplicates_are_found_by_every_key(sessions: Sessions) -> None:
    ref = await company(
        sessions, "Galil", email="office@galil.il", phone="050-1234567", reg_no="514567890", vat_no="IL 514567890",
        more_ways=[{"way": "mail", "value": "sales@galil.il"}],
    )  # fmt: skip
    async with sessions.read() as session:
        for values, scheme in (
            ({"email": "OFFICE@galil.il"}, "mail"),
            ({"email": "sales@galil.il"}, "mail"),
            ({"phone": "+972 50 123 4567"}, "phone"),
            ({"more_ways": [{"way": "whatsapp", "value": "0501234567"}]}, "phone"),
            ({"reg_no": "514-567-890"}, "reg_no"),
            ({"vat_no": "il514567890"}, "vat_no"),
        ):
            assert [(one.ref, one.scheme) for one in await duplicates_of(session, values)] == [(ref, scheme)]
            assert await duplicates_of(session, values, but=ref) == []
        assert await duplicates_of(session, {"email": "x@y.il", "phone": None, "name": "Galil"}) == []
    await change(sessions, "party", ref, email="new@galil.il")
    async with sessions.read() as session:
        assert await duplicates_of(session, {"email": "office@galil.il"}) == []
        assert await duplicates_of(session, {"email": "new@galil.il"}) != []


async def test_nobody_is_below_themselves(sessions: Sessions) -> None:
    refs = [await company(sessions, "0")]
    for number in range(1, 6):
        refs.append(await company(sessions, str(number), parent=refs[-1]))
    for below in refs:
        await refused(change(sessions, "party", refs[0], parent=below), "circle")
    await change(sessions, "party", refs[5], parent=refs[1])
    await change(sessions, "party", refs[2], parent=refs[5])
    await refused(change(sessions, "party", refs[5], parent=refs[4]), "circle")
    person = await make(sessions, "party", kind="person", name="Dana", phone="0501234567", parent=refs[0])
    await refused(change(sessions, "party", refs[3], parent=person), "ref_not_fitting", "parent")
    await refused(change(sessions, "party", refs[1], kind="person", phone="0501234568"), "parent_is_person", "kind")


async def test_a_supplier_stays_one_while_an_order_is_open(sessions: Sessions) -> None:
    site = await make(sessions, "site", code="galil", name="Galil")
    ref = await company(sessions, "Golan", "customer")
    order = await make(sessions, "purchase_order", supplier=ref, site=site)
    async with writing(sessions) as who:
        assert (await service.get(who, "party", ref)).values["roles"] == ["customer", "supplier"]
        assert [(row.action, row.changes) for row in await history(who.session, "party", ref)][-1] == (
            "change",
            {"roles": [["customer"], ["customer", "supplier"]]},
        )
    await refused(change(sessions, "party", ref, roles=["customer"]), "role_in_use", "roles")
    async with sessions.write() as session:
        row = (await session.scalars(select(PurchaseOrder).where(PurchaseOrder.ref == order))).one()
        await transition(session, PURCHASE_ORDER, row, "cancel", Taken(Actor.user("ada", "admin"), NOW, "not needed"))
    await change(sessions, "party", ref, roles=["customer"])
    await change(sessions, "party", ref, status="blocked")
    await refused(make(sessions, "purchase_order", supplier=ref, site=site), "party_blocked", "supplier")


async def test_a_new_first_contact_takes_the_place_of_the_one_before(sessions: Sessions) -> None:
    firm = await company(sessions, "Galil")
    people = [await make(sessions, "party", kind="person", name=name, email=f"{name}@x.il") for name in ("dana", "omar")]
    await refused(make(sessions, "party_contact", company=people[0], person=people[1]), "ref_not_fitting", "company")
    await refused(make(sessions, "party_contact", company=firm, person=firm), "ref_not_fitting", "person")
    for person in people:
        await make(sessions, "party_contact", company=firm, person=person, job="Buyer", primary=True)
    async with sessions.read() as session:
        rows = (await session.scalars(select(PartyContact).order_by(PartyContact.id))).all()
    assert [row.is_primary for row in rows] == [False, True]


async def product(sessions: Sessions, sku: str, unit: str = "kg", **values: Any) -> str:
    return await make(sessions, "product", sku=sku, name=sku.title(), unit=unit, **values)


async def test_products_have_units_that_can_be_counted(sessions: Sessions) -> None:
    await refused(product(sessions, "A", "stone"), "unit_unknown", "unit")
    await refused(product(sessions, "A", "Cel"), "unit_offset", "unit")
    await refused(product(sessions, "A", "kg", tracking="serial"), "serial_needs_pieces", "tracking")
    await refused(product(sessions, "A", temp_min="5", temp_max="2"), "range_order", "temp_max")
    await refused(product(sessions, "A", min_life_days=10), "hidden", "min_life_days")
    ref = await product(sessions, "A", expiry="required", min_life_days=10, over_tolerance="0.05")
    await refused(change(sessions, "product", ref, tracking=None), "required", "tracking")
    await make(sessions, "unit", code="[stone_av]", name="Stone", dimension="mass", numerator=635029318, denominator=100000)
    await change(sessions, "product", ref, unit="[stone_av]")
    await make(sessions, "product_code", scheme="own", code="A-BOX", product=ref, pack_qty="12", unit="g")
    await refused(change(sessions, "product", ref, unit="{pcs}"), "unit_in_use", "unit")
    await refused(change(sessions, "unit", "kg", numerator=999), "unit_built_in", "numerator")
    await refused(make(sessions, "unit", code="a b", name="x", dimension="mass"), "unit_form", "code")


async def test_a_code_names_one_product_for_one_party(sessions: Sessions) -> None:
    one, other = await product(sessions, "A"), await product(sessions, "B")
    golan, carmel = await company(sessions, "Golan", "supplier"), await company(sessions, "Carmel", "supplier")
    await refused(make(sessions, "product_code", code="7290001234588", product=one), "gtin_check_digit", "code")
    await make(sessions, "product_code", code="7290001234587", product=one)
    await refused(make(sessions, "product_code", code="07290001234587", product=other), "code_taken", "code")
    await refused(make(sessions, "product_code", scheme="supplier", code="X", product=one), "required", "party")
    await refused(make(sessions, "product_code", scheme="own", code="X", product=one, party=golan), "hidden", "party")
    for party, sku in ((golan, one), (carmel, other)):
        await make(sessions, "product_code", scheme="supplier", code="X", product=sku, party=party)
    await refused(make(sessions, "product_code", scheme="supplier", code="X", product=other, party=golan), "code_taken", "code")
    await refused(make(sessions, "product_code", scheme="own", code="Y", product=one, unit="{pcs}"), "unit_dimension", "unit")
    # Beside the service, the database keeps the rule too.
    for party_id in (None, 1):
        with pytest.raises(Exception, match=r"(?i)unique"):  # noqa: PT012 - the transaction is the statement
            async with sessions.write() as session:
                row = (await session.scalars(select(Product).where(Product.sku == "A"))).one()
                party = (await session.scalars(select(Party).where(Party.ref == golan))).one()
                for _ in range(2):
                    session.add(ProductCode(scheme="own", code="Z", product=row, party_id=party.id if party_id else None))


async def test_kits_are_never_in_themselves_and_explode_to_what_they_are_made_of(sessions: Sessions) -> None:
    for sku, kind, unit in (
        ("box", "kit", "{pcs}"),
        ("mix", "kit", "kg"),
        ("nut", "stocked", "kg"),
        ("jar", "stocked", "{pcs}"),
    ):
        await product(sessions, sku, unit, kind=kind)
    line = "bom_line"
    await refused(make(sessions, line, kit="nut", component="jar", quantity="1", unit="{pcs}"), "ref_not_fitting", "kit")
    await refused(make(sessions, line, kit="box", component="box", quantity="1", unit="{pcs}"), "circle", "component")
    await refused(make(sessions, line, kit="box", component="nut", quantity="1", unit="{pcs}"), "unit_dimension", "unit")
    await refused(make(sessions, line, kit="box", component="nut", quantity="0", unit="g"), "rule", "quantity")
    await make(sessions, line, kit="box", component="mix", quantity="250", unit="g", scrap="0.1")
    await make(sessions, line, kit="box", component="jar", quantity="2", unit="{pcs}")
    await make(sessions, line, kit="mix", component="nut", quantity="1.5", unit="kg")
    await refused(make(sessions, line, kit="mix", component="box", quantity="1", unit="{pcs}"), "circle", "component")
    await refused(change(sessions, "product", "mix", kind="stocked"), "kit_has_parts", "kind")
    async with sessions.read() as session:
        rows = {row.sku: row for row in await session.scalars(select(Product))}
        need = await explode(session, rows["box"], Decimal(4))
    assert need == {rows["jar"].id: 8, rows["nut"].id: Decimal("1.65")}


async def test_locations_are_a_tree_inside_their_site(sessions: Sessions) -> None:
    for code in ("galil", "haifa"):
        await make(sessions, "site", code=code, name=code)
    await refused(make(sessions, "site", code="x", name="x", tz="Asia/Nowhere"), "zone_unknown", "tz")
    place = {"name": "x", "site": "galil"}
    await make(sessions, "location", code="G", usage="view", **place)
    await make(sessions, "location", code="G-1", parent="G", **place)
    await make(sessions, "location", code="G-1-1", parent="G-1", **place)
    await refused(change(sessions, "location", "G", parent="G-1-1"), "circle")
    await refused(make(sessions, "location", code="H", name="x", site="haifa", parent="G"), "other_site", "parent")
    await refused(change(sessions, "location", "G", site="haifa"), "other_site", "site")
    await refused(make(sessions, "location", code="C", temp_min="4", temp_max="0", **place), "range_order", "temp_max")
    await refused(make(sessions, "station", code="s", name="s", site="haifa", location="G-1"), "other_site", "location")
    await make(sessions, "station", code="s", name="s", site="galil", location="G-1", flows=["receive", "inspect"])


async def test_prices_come_from_the_nearest_list(sessions: Sessions) -> None:
    sku = await product(sessions, "nut")
    customer = await company(sessions, "Carmel", segment="hotels")
    lists = {
        "all": await make(sessions, "price_list", name="All"),
        "hotels": await make(sessions, "price_list", name="Hotels", segment="hotels"),
        "own": await make(
            sessions, "price_list", name="Carmel", party=customer, valid_from="2026-06-01", valid_to="2026-12-31"
        ),
    }
    await refused(
        make(sessions, "price_list", name="x", valid_from="2026-02-01", valid_to="2026-01-31"), "range_order", "valid_to"
    )
    for name, from_qty, unit, price, since in (
        ("all", "0", None, "50", None), ("all", "100", None, "45", None), ("hotels", "0", None, "48", None),
        ("hotels", "20000", "g", "0.044", None), ("own", "50", None, "40", None), ("own", "50", None, "39", "2026-11-01"),
    ):  # fmt: skip
        values = {"from_qty": from_qty, "unit": unit, "price": price, "valid_from": since}
        if (name, since) == ("own", "2026-11-01"):
            await refused(make(sessions, "price", list=lists[name], product=sku, **values), "price_twice", "valid_from")
            continue
        await make(sessions, "price", list=lists[name], product=sku, **values)
    async with sessions.read() as session:
        nut = (await session.scalars(select(Product).where(Product.sku == sku))).one()
        party = (await session.scalars(select(Party).where(Party.ref == customer))).one()
        today, later = date(2026, 11, 22), date(2027, 1, 1)
        for who, quantity, day, expected in (
            (None, "1", today, "50"), (None, "100", today, "45"), (party, "1", today, "48"), (party, "20", today, "0.044"),
            (party, "50", today, "40"), (party, "50", later, "0.044"),
        ):  # fmt: skip
            found = await best_price(session, nut, Decimal(quantity), day, party=who)
            assert found is not None
            assert found[1].price == Decimal(expected), (quantity, day)
        found = await best_price(session, nut, Decimal(30_000), today, party=party, unit="g")
        assert found is not None
        assert found[1].price == Decimal("0.044")


async def test_a_device_is_calibrated_from_its_day_to_the_day_it_is_due(sessions: Sessions) -> None:
    await refused(make(sessions, "device", code="D", name="Scale", box="nobody"), "box_unknown", "box")
    await refused(make(sessions, "device", code="D", name="Scale", box_device="scale-1"), "device_needs_box", "box")
    ref = await make(sessions, "device", code="D", name="Scale")
    done = {"device": ref, "by": "Laboratory"}
    await refused(make(sessions, "calibration", day="2026-12-01", due="2027-12-01", **done), "day_in_future", "day")
    await refused(make(sessions, "calibration", day="2026-11-02", due="2026-11-01", **done), "range_order", "due")
    weights = [{"nominal": "10", "unit": "stones", "shown": "10"}]
    await refused(
        make(sessions, "calibration", day="2026-01-10", due="2026-07-10", weights=weights, **done), "weight_form", "weights"
    )
    weights = [{"nominal": "10", "unit": "kg", "shown": "10.002", "allowed": "0.005"}]
    await make(sessions, "calibration", day="2026-01-10", due="2026-07-10", weights=weights, **done)
    await make(sessions, "calibration", day="2026-08-01", due="2026-10-01", result="adjusted", **done)
    failed = await make(sessions, "calibration", day="2026-09-01", due="2027-09-01", result="failed", **done)
    async with sessions.read() as session:
        device = (await session.scalars(select(Device))).one()
        days = {date(2026, 1, 9): False, date(2026, 1, 10): True, date(2026, 7, 10): True, date(2026, 7, 11): False,
                date(2026, 8, 1): True, date(2026, 8, 31): True, date(2026, 9, 1): False, date(2026, 9, 30): False}  # fmt: skip
        assert {day: await is_calibrated(session, device.id, day) for day in days} == days
        assert (device.calibrated_on, device.calibration_due, standing(device, NOW.date())) == (None, None, "found")
    await change(sessions, "calibration", failed, result="passed")
    async with sessions.read() as session:
        device = (await session.scalars(select(Device))).one()
        assert (device.calibrated_on, device.calibration_due) == (date(2026, 9, 1), date(2027, 9, 1))
        device.station_id = 1
        assert [standing(device, day) for day in (date(2027, 9, 1), date(2027, 9, 2))] == ["calibrated", "overdue"]
        device.calibration_due = None
        assert standing(device, NOW.date()) == "bound"


async def test_a_label_layout_reads_its_own_example(sessions: Sessions) -> None:
    party = await company(sessions, "Golan", "supplier")
    rules = [{"field": "lot", "way": "part", "mark": "|", "first": 2}]
    said = {"party": party, "name": "Box", "example": "ALM|2211"}
    await refused(make(sessions, "label_layout", **said, rules=[{**rules[0], "first": 0}]), "label_rule", "rules")
    await refused(make(sessions, "label_layout", **{**said, "example": "ALM"}, rules=rules), "label_example", "example")
    first = await make(sessions, "label_layout", **said, rules=rules)
    await make(sessions, "label_layout", **said, rules=rules, edition=2)
    async with writing(sessions) as who:
        assert (await service.get(who, "label_layout", first)).values["in_use"] is False


async def test_order_lines_are_written_while_the_order_is_a_draft(sessions: Sessions) -> None:
    site, nut = await make(sessions, "site", code="galil", name="Galil"), await product(sessions, "nut")
    order = await make(sessions, "purchase_order", supplier=await company(sessions, "Golan", "supplier"), site=site)
    line = {"order": order, "product": nut}
    for quantity in ("1.5", "2"):
        uid = await make(sessions, "order_line", quantity=quantity, unit="g", **line)
    await refused(make(sessions, "order_line", quantity="1", unit="{pcs}", **line), "unit_dimension", "unit")
    await refused(make(sessions, "order_line", quantity="-1", unit="g", **line), "rule", "quantity")
    async with writing(sessions) as who:
        found = await service.get(who, "order_line", uid)
        assert (found.values["line"], found.values["received"]) == ("2", Decimal(0))
        await service.do(who, "purchase_order", order, "confirm")
    await refused(make(sessions, "order_line", quantity="1", unit="g", **line), "order_not_draft", "order")
    await refused(change(sessions, "purchase_order", order, currency="USD"), "readonly", "currency")
