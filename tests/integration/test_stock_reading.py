"""What stock was and is: as of a moment, as a statement, as movements, as a recall, as a pick list."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import Refused
from cloud.kernel.actor import Actor, Taken
from cloud.masters.models import BomLine, Location, Party, Product, Site
from cloud.stock.history import as_of, balance, over_time
from cloud.stock.ledger import BucketMove, Document, Wanted, post, reverse
from cloud.stock.lots import lot_of, unit_of
from cloud.stock.models import HandlingUnit, Lot, Move
from cloud.stock.movements import Movement, Span, movements
from cloud.stock.picking import pick_list
from cloud.stock.places import house, place_of
from cloud.stock.reading import stock_by, stock_lines
from cloud.stock.recall import lots_of_code, recall
from cloud.stock.scope import Scope
from cloud.stock.statement import Balance, statement

ZONE = ZoneInfo("Asia/Jerusalem")
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ACTOR = Actor.user("dana", "admin")


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@dataclass
class House:
    """Two sites, three products, two owners, and ten days."""

    session: AsyncSession
    sites: list[Site] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    places: dict[str, Location] = field(default_factory=dict)
    count: int = 0

    async def make(self) -> "House":
        session = self.session
        self.sites = [Site(code="north", name="North"), Site(code="south", name="South")]
        self.products = [Product(sku=f"P-{one}", name=f"Product {one}", unit="kg", tracking="lot") for one in "ABC"]
        self.other = Party(ref="OWN-1", name="Other", roles=["owner"])
        session.add_all([*self.sites, *self.products, self.other])
        await session.flush()
        self.own = await house(session)
        for usage in ("supplier", "customer"):
            self.places[usage] = await place_of(session, usage)
        for site in self.sites:
            place = Location(code=site.code.upper(), name=site.name, site_id=site.id, usage="stock")
            session.add(place)
            self.places[site.code] = place
        await session.flush()
        return self

    async def move(
        self, quantity: str, source: str, target: str, day: int, *, product: int = 0, lot: Lot | None = None,
        owner: Party | None = None, on: tuple[HandlingUnit | None, HandlingUnit | None] = (None, None),
        known: datetime | None = None, bucket: BucketMove | None = None,
    ) -> Move:  # fmt: skip
        self.count += 1
        wanted = Wanted(
            f"m{self.count}", self.products[product].id, (owner or self.own).id, Decimal(quantity),
            self.places[source].id, self.places[target].id, Document("receipt", f"u{self.count}", f"R{self.count}"), at(day),
            lot_id=lot and lot.id, unit_id=on[0] and on[0].id, to_unit_id=on[1] and on[1].id, bucket=bucket,
        )  # fmt: skip
        [move] = await post(self.session, [wanted], Taken(ACTOR, known or NOW))
        return move

    async def lot(self, code: str, product: int = 0) -> Lot:
        return await lot_of(self.session, self.products[product], code, taken=Taken(ACTOR, NOW))


async def test_what_was_there_at_a_moment_and_what_was_known_of_it(sessions: Sessions) -> None:
    async with sessions.write() as session:
        house = await House(session).make()
        await house.move("10", "supplier", "north", 10, known=at(10))
        await house.move("4", "north", "south", 12, known=at(12))
        # Written down on the 15th, happened on the 11th.
        await house.move("3", "north", "customer", 11, known=at(15))

        async def north(day: int, known: datetime | None = None) -> Decimal:
            found = await as_of(session, at(day), Scope(location_id=house.places["north"].id), known=known)
            return sum(found.values(), Decimal(0))

        assert [await north(day) for day in (9, 10, 11, 12, 13)] == [0, 10, 7, 3, 3]
        assert [await north(day, at(13)) for day in (9, 10, 11, 12, 13)] == [0, 10, 10, 6, 6]
        for day in range(9, 16):
            assert await as_of(session, at(day)) == await as_of(session, at(day), known=NOW)
        south = Scope(sites=[house.sites[1].id])
        assert sum((await as_of(session, at(13), south)).values(), Decimal(0)) == 4
        assert await as_of(session, at(13), Scope(owners=[house.other.id])) == {}
        assert await as_of(session, at(13), Scope(product_id=house.products[1].id)) == {}


async def test_a_day_of_the_chart_ends_at_its_midnight(sessions: Sessions) -> None:
    async with sessions.write() as session:
        house = await House(session).make()
        await house.move("10", "supplier", "north", 10)
        await house.move("4", "north", "customer", 12)
        scope = Scope(product_id=house.products[0].id)
        found = await over_time(session, scope, date(2026, 11, 9), date(2026, 11, 13), ZONE)
        assert [quantity for _, quantity in found] == [0, 10, 10, 6, 6]
        assert await balance(session, scope, at(12)) == 10
        assert await balance(session, scope, at(12) + timedelta(seconds=1)) == 6
        with pytest.raises(Refused, match="too_many_days"):
            await over_time(session, scope, date(2026, 11, 9), date(2028, 11, 9), ZONE)


async def test_a_statement_goes_from_its_opening_to_its_closing(sessions: Sessions) -> None:
    async with sessions.write() as session:
        house = await House(session).make()
        lot = await house.lot("A1")
        await house.move("10", "supplier", "north", 2, lot=lot)
        await house.move("100", "supplier", "north", 2, owner=house.other)
        await house.move("5", "supplier", "north", 10, lot=lot)
        await house.move("6", "north", "south", 11, lot=lot)
        await house.move("2", "south", "customer", 12, lot=lot)
        await house.move("7", "supplier", "south", 12, product=1)
        await house.move("1", "north", "customer", 20, lot=lot)
        first, second = house.products[0].id, house.products[1].id
        found = await statement(session, house.own.id, at(5), at(15))
        assert found == [
            Balance(first, lot.id, Decimal(10), Decimal(5), Decimal(2), Decimal(13)),
            Balance(second, None, Decimal(0), Decimal(7), Decimal(0), Decimal(7)),
        ]
        # Kept to one site, what goes to another site goes away.
        north = await statement(session, house.own.id, at(5), at(15), Scope(sites=[house.sites[0].id]))
        assert north == [Balance(first, lot.id, Decimal(10), Decimal(5), Decimal(6), Decimal(9))]
        assert await statement(session, house.own.id, at(5), at(15), Scope(owners=[house.other.id])) == []


async def pages(session: AsyncSession, scope: Scope, span: Span) -> list[list[Movement]]:
    found: list[list[Movement]] = []
    after = None
    while rows := await movements(session, scope, span, after=after, limit=2):
        found.append(rows)
        after = rows[-1].place
    return found


async def test_movements_come_page_by_page_newest_first(sessions: Sessions) -> None:
    async with sessions.write() as session:
        house = await House(session).make()
        for day in (10, 12, 11, 12, 12):
            await house.move("1", "supplier", "north", day)
        await house.move("1", "north", "south", 13)
        await house.move("9", "supplier", "south", 14, owner=house.other)
        north = house.places["north"].id

        def refs(found: Sequence[Sequence[Movement]]) -> list[str]:
            return [one.document_ref for page in found for one in page]

        assert refs(await pages(session, Scope(), Span())) == ["R7", "R6", "R5", "R4", "R2", "R3", "R1"]
        assert refs(await pages(session, Scope(location_id=north), Span())) == ["R6", "R5", "R4", "R2", "R3", "R1"]
        assert refs(await pages(session, Scope(owner_id=house.other.id), Span())) == ["R7"]
        assert refs(await pages(session, Scope(sites=[house.sites[0].id]), Span())) == ["R6", "R5", "R4", "R2", "R3", "R1"]
        assert refs(await pages(session, Scope(location_id=north, sites=[house.sites[1].id]), Span())) == []
        assert refs(await pages(session, Scope(), Span(at(11), at(13)))) == ["R5", "R4", "R2", "R3"]
        [row] = await movements(session, Scope(owners=[house.other.id]))
        assert (row.sku, row.owner, row.source, row.target, row.quantity) == ("P-A", "OWN-1", "SUPPLIERS", "SOUTH", 9)


async def test_a_recall_finds_where_a_lot_is_who_got_it_and_what_brought_it(sessions: Sessions) -> None:
    async with sessions.write() as session:
        house = await House(session).make()
        lot, same_code = await house.lot("A1"), await house.lot("A1", 1)
        taken = Taken(ACTOR, NOW)
        pallet = await unit_of(session, "376104250021234569", taken=taken)
        box = await unit_of(session, "376104250021234576", taken=taken, parent_id=pallet.id)
        came = BucketMove("uid-of-receipt", 1, None, "released")
        await house.move("10", "supplier", "north", 2, lot=lot, on=(None, box), bucket=came)
        await house.move("3", "north", "customer", 3, lot=lot, on=(box, None))
        wrong = await house.move("1", "north", "customer", 4, lot=lot, on=(box, None))
        await reverse(session, [wrong], taken, document=Document("delivery", "x", "X"), reason="not loaded")
        await house.move("5", "supplier", "south", 5, lot=same_code, product=1, owner=house.other)
        found = await recall(session, await lots_of_code(session, " A1 "))
        assert [(one.location, one.quantity, one.sscc, one.owner) for one in found.here] == [
            ("NORTH", 7, box.sscc, "HOUSE"),
            ("SOUTH", 5, None, "OWN-1"),
        ]
        assert [(one.usage, one.quantity, one.document_ref) for one in found.went] == [("customer", 3, "R2")]
        assert found.gone == 3
        assert found.receipts == ["uid-of-receipt", "u4"]
        assert found.units == sorted([pallet.sscc, box.sscc])
        seen = await recall(session, found.lots, Scope(owners=[house.other.id]))
        assert [one.location for one in seen.here] == ["SOUTH"]
        assert (seen.went, seen.units, seen.receipts) == ([], [], ["u4"])
        assert (await recall(session, [lot], Scope(sites=[house.sites[1].id]))).here == []


async def test_a_pick_list_takes_a_kit_apart_and_says_what_is_missing(sessions: Sessions) -> None:
    async with sessions.write() as session:
        house = await House(session).make()
        kit = Product(sku="KIT", name="Kit", unit="{pcs}", kind="kit")
        session.add(kit)
        await session.flush()
        first, second, _ = house.products
        session.add_all(
            [
                BomLine(parent_id=kit.id, child_id=first.id, quantity=Decimal(1), unit="g"),
                BomLine(parent_id=kit.id, child_id=second.id, quantity=Decimal(2), unit="kg", scrap=Decimal("0.5")),
            ]
        )
        await house.move("5", "supplier", "north", 2, product=1)
        await house.move("5", "supplier", "south", 3, product=1)
        lines = await pick_list(session, kit, Decimal(3), house.own.id, NOW)
        assert [(one.needed, one.wanted, one.free, one.missing) for one in lines] == [
            (Fraction(3, 1000), Decimal("0.003"), 0, Decimal("0.003")),
            (9, 9, 10, 0),
        ]
        assert [one.quantity for one in lines[1].picks] == [5, 4]
        here = await pick_list(session, kit, Decimal(3), house.own.id, NOW, site_id=house.sites[0].id)
        assert here[1].missing == 4


async def test_stock_is_summed_by_what_is_asked(sessions: Sessions) -> None:
    async with sessions.write() as session:
        house = await House(session).make()
        lot = await house.lot("A1")
        await house.move("10", "supplier", "north", 2, lot=lot)
        await house.move("5", "supplier", "south", 3)
        await house.move("2", "supplier", "south", 3, product=1, owner=house.other)

        async def sums(by: str, scope: Scope = Scope(), after: str = "") -> list[tuple[str, str, Decimal]]:  # noqa: B008
            return [(one.name, one.sku, one.quantity) for one in await stock_by(session, by, scope, after=after)]

        assert await sums("product") == [("P-A", "P-A", 15), ("P-B", "P-B", 2)]
        assert await sums("product", after="P-A") == [("P-B", "P-B", 2)]
        assert await sums("location") == [("NORTH", "P-A", 10), ("SOUTH", "P-A", 5), ("SOUTH", "P-B", 2)]
        assert await sums("owner") == [("HOUSE", "P-A", 15), ("OWN-1", "P-B", 2)]
        assert await sums("lot") == [(lot.ref, "P-A", 10)]
        assert await sums("product", Scope(sites=[house.sites[1].id])) == [("P-A", "P-A", 5), ("P-B", "P-B", 2)]
        assert await sums("product", Scope(owners=[])) == []
        lines = await stock_lines(session, Scope(), limit=2)
        assert [(one.location, one.lot, one.quantity) for one in lines] == [("NORTH", "A1", 10), ("SOUTH", None, 5)]
        assert [one.sku for one in await stock_lines(session, Scope(), after=lines[-1].id)] == ["P-B"]
