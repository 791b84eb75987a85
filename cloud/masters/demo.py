"""Master data of an invented food wholesaler, to try the product with."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.base import Base
from cloud.kernel.actor import Taken
from cloud.kernel.transition import transition
from cloud.masters.demo_parties import HOUSE, PARTIES, DemoParty
from cloud.masters.demo_places import DEVICES, LAYOUTS, LOCATIONS, WEIGHTS, DemoDevice, DemoLocation
from cloud.masters.demo_products import (
    HOTEL_CATEGORIES,
    HOTEL_FROM,
    HOTEL_SHARE,
    KITS,
    LISTS,
    PRODUCTS,
    DemoProduct,
    gtin,
)
from cloud.masters.identity import HOUSE_COUNTRY, keys_of
from cloud.masters.machine import PURCHASE_ORDER
from cloud.masters.models import (
    BomLine,
    Calibration,
    Device,
    LabelLayout,
    Location,
    OrderLine,
    Party,
    PartyContact,
    PartyKey,
    Price,
    PriceList,
    Product,
    ProductCode,
    PurchaseOrder,
    Site,
    Station,
)
from cloud.masters.models.parties import ROLES
from cloud.people.accounts import NewUser, create_user, user_by_login
from cloud.people.models import Role
from cloud.people.roles import give_role

STATION = "receiving-1"
ORGANISATION = HOUSE.name

ORDERS: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("PO-2026-0041", "SUP-014", (("CHK-CUB", "120.000", "kg"), ("SLM-FIL", "40.000", "kg"))),
    ("PO-2026-0042", "SUP-027", (("ALM-WHL", "25.000", "kg"), ("TAH-RAW", "240", "{pcs}"), ("OIL-OLV", "96", "{pcs}"))),
    ("PO-2026-0043", "SUP-033", (("BOX-450", "500", "{pcs}"), ("FLM-500", "24", "{pcs}"))),
)

PEOPLE = (
    ("dana", "Dana Levi · דנה לוי", Role.OPERATOR, "he"),
    ("omar", "Omar Haddad · עומר חדאד", Role.OPERATOR, "en"),
    ("noa", "Noa Barak · נועה ברק", Role.SUPERVISOR, "he"),
    ("michal", "Michal Mizrahi · מיכל מזרחי", Role.ADMIN, "he"),
)
FURTHER_ROLES = {"noa": Role.SALES}
"""Beside their main ones."""


async def load_demo(
    session: AsyncSession, taken: Taken, *, pins: Mapping[str, str], passwords: Mapping[str, str] | None = None
) -> bool:
    """Fill an empty database: a site with station `receiving-1`, its locations and devices, parties, products with codes, kits
    and prices, 3 confirmed orders, 3 people.

    `pins` and `passwords` are by login (`dana`, `omar`, `noa`); who has none gets none. False when the station is there
    already, and nothing is changed then.
    """
    if await session.scalar(select(Station.id).where(Station.code == STATION)) is not None:
        return False
    parties = await _parties(session, taken)
    products = await _products(session, taken, parties)
    await _prices(session, taken, products)
    site = await _places(session, taken, parties)
    await _orders(session, taken, parties, products, site)
    await _people(session, taken, pins, passwords or {})
    return True


async def bind_devices(session: AsyncSession, box_id: str) -> None:
    """The demo's devices hang on this box."""
    names = {one.code: one.box_device for one in DEVICES}
    for device in await session.scalars(select(Device).where(Device.code.in_(names))):
        device.box_id, device.box_device = box_id, names[device.code]


def demo_codes(spec: DemoProduct) -> Iterable[tuple[str, str, str | None, str]]:
    """Scheme, code, party and content of every code of a product."""
    if spec.item is not None:
        yield "gtin", gtin(spec.item), None, "1"
        if spec.carton is not None:
            yield "gtin", gtin(spec.item, 1), None, str(spec.carton)
    yield from ((one.scheme, one.code, one.party, one.pack) for one in spec.codes)


async def _add(session: AsyncSession, taken: Taken, rows: Iterable[Any]) -> None:
    listed: list[Base] = list(rows)
    for row in listed:
        for name in ("created", "updated"):
            setattr(row, f"{name}_at", taken.at)
            setattr(row, f"{name}_by", taken.actor.name)
    # Rows that fill the same columns go into one statement.
    session.add_all(sorted(listed, key=lambda row: sorted(name for name, value in vars(row).items() if value is not None)))
    await session.flush()


async def _parties(session: AsyncSession, taken: Taken) -> dict[str, Party]:
    found = {one.ref: _party(one) for one in PARTIES}
    await _add(session, taken, found.values())
    for one in PARTIES:
        if one.parent is not None:
            found[one.ref].parent_id = found[one.parent].id
    await _add(session, taken, [
        PartyContact(company_id=found[one.works_at].id, person_id=found[one.ref].id, job=one.job, is_primary=one.primary)
        for one in PARTIES if one.works_at is not None
    ])  # fmt: skip
    for one in PARTIES:
        keys = keys_of({"email": one.email, "phone": one.phone, "reg_no": one.reg_no}, HOUSE_COUNTRY)
        session.add_all(PartyKey(party_id=found[one.ref].id, scheme=scheme, value=value) for scheme, value in sorted(keys))
    return found


def _party(one: DemoParty) -> Party:
    address = {"use": "main", "street": one.street, "city": one.city, "postcode": None, "country": HOUSE_COUNTRY}
    return Party(
        ref=one.ref,
        kind=one.kind,
        name=one.name,
        name_he=one.name_he,
        roles=[role for role in ROLES if role in one.roles],
        reg_no=one.reg_no,
        phone=one.phone,
        email=one.email,
        segment=one.segment,
        employees=one.employees,
        language=one.language,
        addresses=[address] if one.city else [],
    )


async def _products(session: AsyncSession, taken: Taken, parties: Mapping[str, Party]) -> dict[str, Product]:
    found = {one.sku: _product(one, parties) for one in PRODUCTS}
    await _add(session, taken, found.values())
    await _add(session, taken, [
        ProductCode(
            scheme=scheme, code=code, product=found[spec.sku], party_id=parties[party].id if party else None,
            pack_qty=Decimal(pack),
        )
        for spec in PRODUCTS for scheme, code, party, pack in demo_codes(spec)
    ])  # fmt: skip
    await _add(session, taken, [
        BomLine(
            parent_id=found[kit].id, child_id=found[part].id, quantity=Decimal(quantity), unit=unit, scrap=Decimal(scrap)
        )
        for kit, part, quantity, unit, scrap in KITS
    ])  # fmt: skip
    return found


def _product(spec: DemoProduct, parties: Mapping[str, Party]) -> Product:
    low, high = (Decimal(one) for one in spec.temps) if spec.temps else (None, None)
    return Product(
        sku=spec.sku,
        name=spec.name,
        name_he=spec.name_he,
        kind=spec.kind,
        category=spec.category,
        unit=spec.unit,
        tracking=spec.tracking,
        expiry=spec.expiry,
        min_life_days=spec.life,
        unit_weight=Decimal(spec.unit_weight) if spec.unit_weight else None,
        identity_policy=spec.identity,
        weight_policy=spec.weight,
        over_tolerance=Decimal(spec.over),
        temp_min=low,
        temp_max=high,
        owner_id=parties[spec.owner].id if spec.owner else None,
    )


async def _prices(session: AsyncSession, taken: Taken, products: Mapping[str, Product]) -> None:
    lists = {ref: PriceList(ref=ref, name=name, name_he=name_he, segment=segment) for ref, name, name_he, segment in LISTS}
    await _add(session, taken, lists.values())
    general, hotels = lists.values()
    rows = []
    for spec in PRODUCTS:
        price, product = Decimal(spec.price), products[spec.sku].id
        if price:
            rows.append(Price(list_id=general.id, product_id=product, price=price))
        if spec.category in HOTEL_CATEGORIES:
            lower = price * Decimal(HOTEL_SHARE)
            rows.append(Price(list_id=hotels.id, product_id=product, from_qty=Decimal(HOTEL_FROM), price=lower))
    await _add(session, taken, rows)


async def _places(session: AsyncSession, taken: Taken, parties: Mapping[str, Party]) -> Site:
    site = Site(code="galil", name="Galil warehouse", name_he="מחסן גליל", address="7 HaYotsrim St., Karmiel")
    await _add(session, taken, [site])
    locations = {one.code: _location(one, site, parties) for one in LOCATIONS}
    await _add(session, taken, locations.values())
    for one in LOCATIONS:
        if one.parent is not None:
            locations[one.code].parent_id = locations[one.parent].id
    station = Station(
        code=STATION,
        name="Receiving 1",
        name_he="קבלה 1",
        site=site,
        location_id=locations["GAL-RCV"].id,
        flows=["receive", "put_away", "move", "gate", "count"],
    )
    await _add(session, taken, [station])
    devices = {one.code: _device(one, station, taken) for one in DEVICES}
    await _add(session, taken, devices.values())
    await _add(session, taken, [
        Calibration(
            ref=f"CAL-{number:04}", device_id=row.id, day=row.calibrated_on, due=row.calibration_due,
            by="Galilee Metrology · מטרולוגיה גליל", certificate_no=f"GM-{row.serial}", weights=WEIGHTS,
        )
        for number, row in enumerate(devices.values(), 1) if row.calibrated_on is not None
    ])  # fmt: skip
    await _add(session, taken, [
        LabelLayout(ref=ref, party_id=parties[party].id, name=name, example=example, rules=rules)
        for ref, party, name, example, rules in LAYOUTS
    ])  # fmt: skip
    return site


def _location(one: DemoLocation, site: Site, parties: Mapping[str, Party]) -> Location:
    low, high = (Decimal(temp) for temp in one.temps) if one.temps else (None, None)
    return Location(
        code=one.code,
        name=one.name,
        name_he=one.name_he,
        site_id=site.id,
        usage=one.usage,
        hold=one.hold,
        temperature_class=one.cold,
        temp_min=low,
        temp_max=high,
        owner_id=parties[one.owner].id if one.owner else None,
    )


def _device(one: DemoDevice, station: Station, taken: Taken) -> Device:
    done = None if one.calibrated is None else taken.at.date() - timedelta(days=one.calibrated[0])
    return Device(
        code=one.code,
        name=one.name,
        name_he=one.name_he,
        kind=one.kind,
        driver=one.driver,
        maker=one.maker,
        model=one.model,
        serial=one.serial,
        station_id=station.id,
        calibrates=one.calibrated is not None,
        calibrated_on=done,
        calibration_due=None if done is None or one.calibrated is None else done + timedelta(days=one.calibrated[1]),
    )


async def _orders(
    session: AsyncSession, taken: Taken, parties: Mapping[str, Party], products: Mapping[str, Product], site: Site
) -> None:
    for ref, supplier, lines in ORDERS:
        order = PurchaseOrder(ref=ref, supplier=parties[supplier], site=site, currency="ILS", ordered_on=taken.at.date())
        order.lines = [
            OrderLine(line=str(number), product=products[sku], quantity=Decimal(quantity), unit=unit)
            for number, (sku, quantity, unit) in enumerate(lines, 1)
        ]
        await _add(session, taken, [order])
        await _add(session, taken, order.lines)
        await transition(session, PURCHASE_ORDER, order, "confirm", taken)


async def _people(session: AsyncSession, taken: Taken, pins: Mapping[str, str], passwords: Mapping[str, str]) -> None:
    for login, name, role, locale in PEOPLE:
        if await user_by_login(session, login) is None:
            new = NewUser(login, name, role, password=passwords.get(login), pin=pins.get(login), locale=locale)
            user = await create_user(session, new, taken)
            if login in FURTHER_ROLES:
                await give_role(session, user, FURTHER_ROLES[login], taken)
