"""Patches bring any box to exactly what the cloud has, from any cookie, in pages, after any edits."""

import random
from decimal import Decimal

import pytest
from sqlalchemy import select

from cloud.clock import EPOCH
from cloud.db.engine import Sessions
from cloud.db.settings_table import start_generation
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.transition import transition
from cloud.masters.demo import ORDERS, PRODUCTS, demo_codes, load_demo
from cloud.masters.demo_parties import PARTIES
from cloud.masters.demo_places import LOCATIONS
from cloud.masters.machine import PURCHASE_ORDER
from cloud.masters.models import OrderLine, Party, Product, ProductCode, PurchaseOrder, Site, Station
from cloud.mirror import patches
from cloud.mirror.patches import pull
from cloud.mirror.rows import desired_rows
from cloud.people.models import User
from sync_protocol.masters import TABLES
from sync_protocol.mirror import Clear, Key, Patch, Row, applied, parse

SCOPE = "receiving-1"


class Mirror:
    """A box's mirror: applies patches as a box does, over the wire's JSON."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.rows: dict[Key, Row] = {}
        self.cookie = ""
        self.patches: list[Patch] = []

    async def pull(self) -> None:
        more = True
        while more:
            made = await pull(self.sessions, scope=SCOPE, cookie=self.cookie)
            patch = parse(made.model_dump_json(by_alias=True).encode())
            self.rows = applied(self.rows, patch)
            self.cookie, more = patch.cookie, patch.more
            self.patches.append(patch)

    async def agrees(self) -> bool:
        async with self.sessions.read() as session:
            desired = await desired_rows(session, SCOPE)
        return {key: row.v for key, row in self.rows.items()} == desired


async def test_full_mirror_is_readable_as_master_data(sessions, demo) -> None:
    mirror = Mirror(sessions)
    await mirror.pull()
    assert await mirror.agrees()
    models = {key: TABLES[row.t].model_validate(row.v) for key, row in mirror.rows.items()}
    tables = [table for table, _ in models]
    goods = [spec for spec in PRODUCTS if spec.kind != "service"]
    codes = {(scheme, code, party) for spec in goods for scheme, code, party, _ in demo_codes(spec)}
    whoevers = {(scheme, code) for scheme, code, party in codes if party is not None}
    parties = [one for one in PARTIES if {"supplier", "owner", "house"} & set(one.roles) and one.kind == "company"]
    assert {table: tables.count(table) for table in set(tables)} == {
        "station": 1, "order": 3, "party": len(parties), "product": len(goods), "code": len(codes) + len(whoevers),
        "location": len(LOCATIONS),
    }  # fmt: skip
    assert [row.v["lines"][0]["received"] for row in mirror.rows.values() if row.t == "order"] == ["0", "0", "0"]


async def test_people_with_a_pin_are_in_it_and_others_are_not(sessions, clock) -> None:
    async with sessions.write() as session:
        await load_demo(
            session, Taken(Actor.system("test"), clock.now), pins={"dana": "1234"}, passwords={"noa": "long enough"}
        )
    mirror = Mirror(sessions)
    await mirror.pull()
    (person,) = [row.v for row in mirror.rows.values() if row.t == "person"]
    assert (person["login"], person["role"]) == ("dana", "operator")
    assert person["pin_hash"].startswith("$argon2id$")
    assert "password" not in str(mirror.rows)


async def test_nothing_new_is_an_empty_patch_with_the_same_cookie(sessions, demo) -> None:
    mirror = Mirror(sessions)
    await mirror.pull()
    cookie = mirror.cookie
    await mirror.pull()
    assert (mirror.cookie, mirror.patches[-1].patch) == (cookie, [])


async def test_change_is_sent_alone_with_a_grown_revision(sessions, demo) -> None:
    mirror = Mirror(sessions)
    await mirror.pull()
    before = mirror.rows["product", "CHK-CUB"].rev
    async with sessions.write() as session:
        (await session.scalars(select(Product).where(Product.sku == "CHK-CUB"))).one().over_tolerance = Decimal("0.10")
    await mirror.pull()
    assert [op.op for op in mirror.patches[-1].patch] == ["put"]
    assert mirror.rows["product", "CHK-CUB"].rev > before
    assert mirror.rows["product", "CHK-CUB"].v["over_tolerance"] == "0.10"


async def test_closed_order_goes_away_and_comes_back_newer(sessions, demo, clock) -> None:
    mirror = Mirror(sessions)
    await mirror.pull()
    before = mirror.rows["order", "PO-2026-0043"].rev
    taken = Taken(Actor.user("noa", "supervisor"), clock.now, "wait for the truck")
    for action, there in (("hold", False), ("release", True)):
        async with sessions.write() as session:
            order = (await session.scalars(select(PurchaseOrder).where(PurchaseOrder.ref == "PO-2026-0043"))).one()
            await transition(session, PURCHASE_ORDER, order, action, taken)
        await mirror.pull()
        assert (("order", "PO-2026-0043") in mirror.rows) is there
        assert ("party", "SUP-033") in mirror.rows, "goods of theirs may come without an order"
    assert mirror.rows["order", "PO-2026-0043"].rev > before


@pytest.mark.parametrize(
    "cookie", ["nonsense", "x.5", ".", "0123456789abcdef.1", "a" * 5000, "٣.٣", "EPOCH.999999", "EPOCH.-1", "EPOCH."]
)
async def test_cookie_that_is_not_ours_gets_everything_anew(sessions, demo, cookie: str) -> None:
    mirror = Mirror(sessions)
    await mirror.pull()
    mirror.cookie = cookie.replace("EPOCH", mirror.cookie.partition(".")[0])
    mirror.rows = {("order", "left"): Row("order", "left", 1, {})}
    await mirror.pull()
    assert isinstance(mirror.patches[-1].patch[0], Clear)
    assert await mirror.agrees()


async def test_restored_cloud_makes_every_mirror_start_anew(sessions, demo) -> None:
    mirror = Mirror(sessions)
    await mirror.pull()
    async with sessions.write() as session:
        await start_generation(session, "another", now=EPOCH)
    await mirror.pull()
    assert isinstance(mirror.patches[-1].patch[0], Clear)
    assert await mirror.agrees()


async def test_station_that_does_not_exist_has_an_empty_mirror(sessions, demo) -> None:
    patch = await pull(sessions, scope="nowhere", cookie="")
    assert [op.op for op in patch.patch] == ["clear"]


async def test_orders_of_another_site_are_not_in_it(sessions, demo, clock) -> None:
    async with sessions.write() as session:
        site = Site(code="haifa", name="Haifa")
        supplier = (await session.scalars(select(Party).where(Party.ref == "SUP-014"))).one()
        product = (await session.scalars(select(Product).limit(1))).one()
        order = PurchaseOrder(ref="PO-OTHER", supplier=supplier, site=site, created_at=clock.now)
        order.lines = [OrderLine(line="1", product=product, quantity=Decimal(1), unit=product.unit)]
        session.add_all([order, Station(code="other-1", name="Other", site=site)])
        await session.flush()
        await transition(session, PURCHASE_ORDER, order, "confirm", Taken(Actor.system("test"), clock.now))
    mirror = Mirror(sessions)
    await mirror.pull()
    assert {key for table, key in mirror.rows if table == "order"} == {ref for ref, _, _ in ORDERS}


@pytest.mark.parametrize("page", [2, 3, 7])
async def test_pages_end_in_the_same_mirror_though_rows_change_between_them(sessions, demo, monkeypatch, page: int) -> None:
    monkeypatch.setattr(patches, "MAX_OPS", page)
    mirror = Mirror(sessions)
    first = await pull(sessions, scope=SCOPE, cookie="")
    assert (first.more, first.sum, len(first.patch)) == (True, None, page)
    mirror.rows, mirror.cookie = applied({}, first), first.cookie
    async with sessions.write() as session:
        (await session.scalars(select(Product).where(Product.sku == "CHK-CUB"))).one().name = "Renamed"
        (await session.scalars(select(Product).where(Product.sku == "SUG-BLK"))).one().archived = True
    await mirror.pull()
    assert all(len(patch.patch) <= page for patch in mirror.patches)
    assert await mirror.agrees()
    assert mirror.rows["product", "CHK-CUB"].v["name"] == "Renamed"


async def _edit(sessions: Sessions, chance: random.Random, number: int, clock) -> None:
    async with sessions.write() as session:
        products = list(await session.scalars(select(Product).order_by(Product.id)))
        product = chance.choice(products)
        kind = chance.choice(["rename", "switch", "add", "code", "order", "receive", "person"])
        if kind == "rename":
            product.name = f"name {number}"
        elif kind == "switch":
            product.archived = not product.archived
        elif kind == "add":
            session.add(Product(sku=f"NEW-{number}", name="new", unit="kg"))
        elif kind == "code":
            session.add(ProductCode(scheme="own", code=f"c{number}", product=product))
        elif kind == "order":
            order = chance.choice(list(await session.scalars(select(PurchaseOrder).order_by(PurchaseOrder.id))))
            action = "hold" if order.state == "confirmed" else "release"
            await transition(session, PURCHASE_ORDER, order, action, Taken(Actor.user("a", "admin"), clock.now, "test"))
        elif kind == "receive":
            line = chance.choice(list(await session.scalars(select(OrderLine).order_by(OrderLine.id))))
            line.received += Decimal(chance.randrange(1000)) / 1000
        else:
            session.add(User(login=f"u{number}", name="U", role="operator", pin_hash="h", locale="en"))


@pytest.mark.parametrize("seed", range(4))
async def test_mirrors_that_pull_at_any_time_end_up_equal(sessions, demo, clock, seed: int) -> None:
    chance = random.Random(seed)
    mirrors = [Mirror(sessions) for _ in range(3)]
    for number in range(25):
        await _edit(sessions, chance, number, clock)
        if chance.random() < 0.6:
            mirror = chance.choice(mirrors)
            await mirror.pull()
            assert await mirror.agrees()
    for mirror in mirrors:
        await mirror.pull()
        assert await mirror.agrees()
    assert mirrors[0].rows == mirrors[1].rows == mirrors[2].rows
