"""What is free, and what of it is promised to whom."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions, open_sessions
from cloud.errors import Refused
from cloud.kernel.actor import Actor, Taken
from cloud.masters.models import Location, Party, Product, Site
from cloud.stock.faults import NotEnough
from cloud.stock.free import free
from cloud.stock.ledger import Document, Wanted, post
from cloud.stock.lots import lot_of
from cloud.stock.models import Quant, Reservation
from cloud.stock.places import house, place_of
from cloud.stock.reserving import Wish, release, reserve, reserved_of

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TAKEN = Taken(Actor.user("dana", "admin"), NOW, "because")
ORDER = Document("order", "o-1", "SO-1")


@dataclass
class Shelves:
    session: AsyncSession
    site: Site
    product: Product
    owner: Party
    count: int = 0

    @classmethod
    async def make(cls, session: AsyncSession) -> "Shelves":
        site, product = Site(code="galil", name="Galil"), Product(sku="P-1", name="Milk", unit="L", tracking="lot")
        session.add_all([site, product])
        await session.flush()
        return cls(session, site, product, await house(session))

    async def shelf(self, code: str, **more: object) -> Location:
        given: dict[str, object] = {"usage": "stock", "site_id": self.site.id, "name": code, **more}
        place = Location(code=code, **given)
        self.session.add(place)
        await self.session.flush()
        return place

    async def put(
        self, place: Location, quantity: str, lot: str | None = None, day: date | None = None, *,
        state: str = "released", owner: Party | None = None, at: datetime = NOW,
    ) -> None:  # fmt: skip
        self.count += 1
        made = None
        if lot is not None:
            made = await lot_of(self.session, self.product, lot, expires_on=day, taken=TAKEN, state=state)
        wanted = Wanted(
            f"put {self.count}", self.product.id, (owner or self.owner).id, Decimal(quantity),
            (await place_of(self.session, "supplier")).id, place.id, Document("receipt", "r", "R"), at,
            lot_id=made and made.id,
        )  # fmt: skip
        await post(self.session, [wanted], TAKEN)

    async def free(self, at: datetime = NOW, site_id: int | None = None) -> Decimal:
        return await free(self.session, self.product.id, self.owner.id, at, site_id=site_id)

    def wish(self, quantity: str, *, partial: bool = False, line: int = 1) -> Wish:
        return Wish(ORDER, line, self.product.id, self.owner.id, Decimal(quantity), partial=partial)


@pytest.mark.parametrize(
    ("place", "lot", "found"),
    [
        ({}, {}, 5),
        ({"usage": "receiving"}, {}, 5),
        ({"usage": "quarantine"}, {}, 0),
        ({"usage": "rejected"}, {}, 0),
        ({"usage": "transit"}, {}, 0),
        ({"usage": "customer"}, {}, 0),
        ({"hold": True}, {}, 0),
        ({}, {"lot": "A"}, 5),
        *(({}, {"lot": "A", "state": state}, 0) for state in ("pending", "hold", "rejected")),
        ({}, {"lot": "A", "day": date(2026, 11, 22)}, 5),
        ({}, {"lot": "A", "day": date(2026, 11, 21)}, 0),
    ],
)
async def test_what_is_held_by_place_or_lot_or_day_is_not_free(
    sqlite_url: str, place: dict[str, object], lot: dict[str, object], found: int
) -> None:
    sessions = open_sessions(sqlite_url)
    async with sessions.write() as session:
        shelves = await Shelves.make(session)
        state = lot.get("state", "released")
        usable = {**lot, "state": "released"} if place.get("usage") == "customer" else lot
        await shelves.put(await shelves.shelf("S", **place), "5", **usable)  # type: ignore[arg-type]
        assert await shelves.free() == found, state
    await sessions.engine.dispose()


async def test_a_place_inside_a_held_one_is_held(sessions: Sessions) -> None:
    async with sessions.write() as session:
        shelves = await Shelves.make(session)
        room = await shelves.shelf("ROOM", usage="view", hold=True)
        row = await shelves.shelf("ROW", usage="view", parent_id=room.id)
        await shelves.put(await shelves.shelf("S", parent_id=row.id), "5")
        assert await shelves.free() == 0
        room.hold = False
        assert await shelves.free() == 5


async def test_a_day_ends_at_the_site(sessions: Sessions) -> None:
    async with sessions.write() as session:
        shelves = await Shelves.make(session)
        far = Site(code="far", name="Far", tz="Pacific/Auckland")
        session.add(far)
        await session.flush()
        day = date(2026, 11, 22)
        await shelves.put(await shelves.shelf("HERE"), "5", "A", day)
        await shelves.put(await shelves.shelf("THERE", site_id=far.id), "7", "A", day)
        # 12:30 in Auckland on the 23rd, 01:30 in Karmiel on the 23rd; two hours earlier it is still the 22nd there.
        assert await shelves.free(NOW) == 12
        assert await shelves.free(datetime(2026, 11, 22, 21, 30, tzinfo=UTC)) == 5
        assert await shelves.free(datetime(2026, 11, 22, 23, 30, tzinfo=UTC)) == 0
        assert await shelves.free(NOW, far.id) == 7


async def test_what_expires_first_is_promised_first(sessions: Sessions) -> None:
    async with sessions.write() as session:
        shelves = await Shelves.make(session)
        await shelves.put(await shelves.shelf("NEVER"), "5", at=NOW - timedelta(days=9))
        await shelves.put(await shelves.shelf("LATE"), "5", "B", date(2027, 3, 1))
        await shelves.put(await shelves.shelf("SOON-2"), "5", "A", date(2027, 1, 1), at=NOW - timedelta(days=1))
        await shelves.put(await shelves.shelf("SOON-1"), "5", "A", date(2027, 1, 1), at=NOW - timedelta(days=2))
        rows = await reserve(session, shelves.wish("17"), TAKEN)
        asked = select(Quant.key, Location.code).join(Location, Location.id == Quant.location_id)
        codes = {row.key: row.code for row in await session.execute(asked)}
        assert [(codes[row.quant_key], row.quantity) for row in rows] == [
            ("SOON-1", 5),
            ("SOON-2", 5),
            ("LATE", 5),
            ("NEVER", 2),
        ]
        assert await shelves.free() == 3


async def test_a_promise_reaches_into_one_owners_goods_only(sessions: Sessions) -> None:
    async with sessions.write() as session:
        shelves = await Shelves.make(session)
        other = Party(ref="OWN", name="Other", roles=["owner"])
        session.add(other)
        await session.flush()
        place = await shelves.shelf("S")
        await shelves.put(place, "5", owner=other)
        await shelves.put(place, "3")
        with pytest.raises(NotEnough) as caught:
            await reserve(session, shelves.wish("4"), TAKEN)
        assert caught.value.values["there"] == "3"
        assert await shelves.free() == 3
        [row] = await reserve(session, shelves.wish("4", partial=True), TAKEN)
        assert row.quantity == 3
        assert await reserve(session, shelves.wish("4", partial=True), TAKEN) == []


async def test_a_promise_is_released_once(sessions: Sessions) -> None:
    async with sessions.write() as session:
        shelves = await Shelves.make(session)
        await shelves.put(await shelves.shelf("S"), "5")
        await reserve(session, shelves.wish("3"), TAKEN)
        await reserve(session, shelves.wish("1", line=2), TAKEN)
        rows = await reserved_of(session, ORDER)
        assert [row.quantity for row in rows] == [3, 1]
        assert await release(session, await reserved_of(session, ORDER, 1), ORDER, TAKEN) == 3
        assert await release(session, rows, Document("order", "other", "x"), TAKEN) == 0
        assert await release(session, rows, ORDER, TAKEN) == 1
        assert await release(session, rows, ORDER, TAKEN) == 0
        assert await shelves.free() == 5
        assert (await session.scalars(select(Reservation))).all() == []


async def test_a_wish_is_for_more_than_nothing(sessions: Sessions) -> None:
    async with sessions.write() as session:
        shelves = await Shelves.make(session)
        for quantity in ("0", "-1", "0.0000001"):
            with pytest.raises(Refused, match="quantity_form"):
                await reserve(session, shelves.wish(quantity), TAKEN)


async def test_a_lot_that_is_not_released_does_not_leave_the_house(sessions: Sessions) -> None:
    async with sessions.write() as session:
        shelves = await Shelves.make(session)
        place = await shelves.shelf("S")
        await shelves.put(place, "5", "A", state="pending")
        lot = await lot_of(session, shelves.product, "A", taken=TAKEN)
        away = Wanted(
            "away", shelves.product.id, shelves.owner.id, Decimal(1), place.id,
            (await place_of(session, "customer")).id, ORDER, NOW, lot_id=lot.id,
        )  # fmt: skip
        with pytest.raises(Refused, match="lot_not_released"):
            await post(session, [away], TAKEN)
        lot.state = "released"
        await post(session, [away], TAKEN)
