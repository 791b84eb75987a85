"""Posting and taking back, on both databases: what is written, what is refused, and that nothing is left of a refusal."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import NotFound, Refused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import history
from cloud.kernel.transition import transition
from cloud.masters.models import Location, Party, Product, Site
from cloud.stock import buckets, closing
from cloud.stock.faults import LotDiffers, MoveDiffers, NotEnough
from cloud.stock.ledger import BucketMove, Document, Wanted, post, reverse, unit_contents
from cloud.stock.lot_machine import LOT
from cloud.stock.lots import lot_of, unit_of
from cloud.stock.models import HandlingUnit, LineBucket, Lot, Move, Quant, Reservation
from cloud.stock.place_rules import may_lie
from cloud.stock.places import OWNERSHIP, house, place_of

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TAKEN = Taken(Actor.user("dana", "admin"), NOW, "because")
PAPER = Document("receipt", "u-1", "R-0001")
SSCC = "376104250021234569"


class Stock:
    """One site with a few places, one product, two owners."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.count = 0

    async def make(self) -> "Stock":
        session = self.session
        session.add(Site(code="galil", name="Galil"))
        self.product = Product(sku="P-1", name="Flour", unit="kg", tracking="lot")
        self.other = Party(ref="OWN-1", name="Somebody", roles=["owner"])
        session.add_all([self.product, self.other])
        await session.flush()
        site = await session.scalar(select(Site.id))
        self.house = await house(session)
        self.supplier = await place_of(session, "supplier")
        self.customer = await place_of(session, "customer")
        self.receiving = await place_of(session, "receiving", site)
        self.shelf = Location(code="SHELF", name="Shelf", site_id=site, usage="stock")
        session.add(self.shelf)
        await session.flush()
        return self

    def want(self, quantity: str, source: Location, target: Location, **more: object) -> Wanted:
        self.count += 1
        given: dict[str, object] = {
            "key": f"k{self.count}",
            "product_id": self.product.id,
            "owner_id": self.house.id,
            "quantity": Decimal(quantity),
            "source_id": source.id,
            "target_id": target.id,
            "document": PAPER,
            "effective_at": NOW,
        }
        return Wanted(**{**given, **more})  # type: ignore[arg-type]

    async def quantity(self, place: Location, **where: object) -> Decimal:
        query = select(Quant.quantity).where(Quant.location_id == place.id)
        for name, value in where.items():
            query = query.where(getattr(Quant, name) == value)
        return sum(await self.session.scalars(query), Decimal(0))


async def test_a_move_takes_from_one_place_and_puts_into_the_other(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        moves = await post(session, [stock.want("12.5", stock.supplier, stock.receiving)], TAKEN)
        assert [one.quantity for one in moves] == [Decimal("12.5")]
        assert moves[0].id
        await post(session, [stock.want("2.000001", stock.receiving, stock.shelf)], TAKEN)
    async with sessions.read() as session:
        stock.session = session
        assert await stock.quantity(stock.supplier) == Decimal("-12.5")
        assert await stock.quantity(stock.receiving) == Decimal("10.499999")
        assert await stock.quantity(stock.shelf) == Decimal("2.000001")


async def test_what_is_not_there_does_not_go_and_leaves_nothing_behind(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        await post(session, [stock.want("10", stock.supplier, stock.receiving)], TAKEN)
        good, bad = stock.want("3", stock.receiving, stock.shelf), stock.want("8", stock.receiving, stock.shelf)
        with pytest.raises(NotEnough) as caught:
            await post(session, [good, bad], TAKEN)
        assert caught.value.code == "not_enough"
        wanted = {"product": "P-1", "place": "GALIL-RCV", "wanted": "8", "there": "7", "reserved": "0"}
        assert caught.value.values == wanted
        # The session goes on without a savepoint of the caller's.
        await post(session, [stock.want("10", stock.receiving, stock.shelf)], TAKEN)
    async with sessions.read() as session:
        stock.session = session
        assert await session.scalar(select(func.count()).select_from(Move)) == 2
        assert await stock.quantity(stock.shelf) == 10
        # What is empty has no row.
        assert await session.scalar(select(func.count()).select_from(Quant)) == 2


async def test_the_database_itself_refuses_less_than_nothing(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        await post(session, [stock.want("10", stock.supplier, stock.receiving)], TAKEN)
    async with sessions.read() as session:
        quant = (await session.scalars(select(Quant).where(Quant.internal.is_(True)))).one()
    with pytest.raises(IntegrityError):
        async with sessions.write() as session:
            (await session.get_one(Quant, quant.id)).quantity = Decimal(-1)
    with pytest.raises(IntegrityError):
        async with sessions.write() as session:
            (await session.get_one(Quant, quant.id)).reserved = Decimal(11)


async def test_moves_are_never_changed(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        await post(session, [stock.want("10", stock.supplier, stock.receiving)], TAKEN)
    with pytest.raises(DBAPIError):
        async with sessions.write() as session:
            (await session.scalars(select(Move))).one().quantity = Decimal(9)
    with pytest.raises(DBAPIError):
        async with sessions.write() as session:
            await session.delete((await session.scalars(select(Move))).one())


async def test_the_same_key_is_one_move(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        said = stock.want("10", stock.supplier, stock.receiving)
        first = await post(session, [said], TAKEN)
        more = stock.want("1", stock.supplier, stock.receiving)
        again = await post(session, [more, said], TAKEN)
        assert again[1].id == first[0].id
        assert again[0].id != first[0].id
        assert await stock.quantity(stock.receiving) == 11
        with pytest.raises(MoveDiffers):
            await post(session, [stock.want("9", stock.supplier, stock.receiving, key=said.key)], TAKEN)
        with pytest.raises(MoveDiffers):
            await post(session, [more, more], TAKEN)
        assert await stock.quantity(stock.receiving) == 11


async def test_a_reversal_takes_back_in_the_other_order_and_once(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        moves = await post(
            session,
            [stock.want("10", stock.supplier, stock.receiving), stock.want("10", stock.receiving, stock.shelf)],
            TAKEN,
        )
        back = await reverse(session, moves, TAKEN, document=PAPER, reason="wrong supplier")
        assert [one.reverses_id for one in back] == [moves[1].id, moves[0].id]
        assert {one.reason for one in back} == {"wrong supplier"}
        again = await reverse(session, moves, TAKEN, document=PAPER, reason="wrong supplier")
        assert [one.id for one in again] == [one.id for one in back]
        assert await session.scalar(select(func.count()).select_from(Quant)) == 0
        with pytest.raises(Refused, match="reversal_of_reversal"):
            await reverse(session, back, TAKEN, document=PAPER, reason="again")


async def test_goods_that_went_on_are_not_taken_back(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        moves = await post(session, [stock.want("10", stock.supplier, stock.receiving)], TAKEN)
        await post(session, [stock.want("1", stock.receiving, stock.customer)], TAKEN)
        with pytest.raises(NotEnough):
            await reverse(session, moves, TAKEN, document=PAPER, reason="late")


async def test_buckets_follow_the_moves(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        came = BucketMove("u-1", 1, None, "pending_qc")
        moves = await post(session, [stock.want("10", stock.supplier, stock.receiving, bucket=came)], TAKEN)
        good = BucketMove("u-1", 1, "pending_qc", "released")
        moves += await post(session, [stock.want("8", stock.receiving, stock.shelf, bucket=good)], TAKEN)
        assert await buckets.of_receipt(session, "u-1") == {1: {"pending_qc": 2, "released": 8}}
        for bucket, code in (("rejected", "bucket_not_enough"), ("lost", "bucket_unknown")):
            bad = BucketMove("u-1", 1, "pending_qc", bucket)
            with pytest.raises(Refused, match=code):
                await post(session, [stock.want("2.5", stock.shelf, stock.customer, bucket=bad)], TAKEN)
        await reverse(session, moves, TAKEN, document=PAPER, reason="all of it")
        assert await buckets.of_receipt(session, "u-1") == {}
        assert await session.scalar(select(func.count()).select_from(LineBucket)) == 2


async def test_a_whole_unit_moves_with_what_lies_on_it(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        unit = await unit_of(session, SSCC, taken=TAKEN)
        lot = await lot_of(session, stock.product, "A1", taken=TAKEN)
        await post(session, [stock.want("4", stock.supplier, stock.receiving, lot_id=lot.id, to_unit_id=unit.id)], TAKEN)
        [held] = await unit_contents(session, unit.id)
        assert (held.quantity, held.location_id) == (4, stock.receiving.id)
        on = {"lot_id": lot.id, "unit_id": unit.id, "to_unit_id": unit.id}
        await post(session, [stock.want("4", stock.receiving, stock.shelf, **on)], TAKEN)
        [held] = await unit_contents(session, unit.id)
        assert held.location_id == stock.shelf.id
        await session.refresh(unit)
        assert unit.location_id == stock.shelf.id
        # From the unit onto the floor of the same place.
        await post(session, [stock.want("4", stock.shelf, stock.shelf, lot_id=lot.id, unit_id=unit.id)], TAKEN)
        assert await unit_contents(session, unit.id) == []
        assert await stock.quantity(stock.shelf, lot_id=lot.id) == 4


@pytest.mark.parametrize("quantity", ["0", "-1", "0.0000001", "NaN"])
async def test_a_quantity_is_more_than_nothing_and_whole_millionths(sessions: Sessions, quantity: str) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        with pytest.raises(Refused, match="quantity_form"):
            await post(session, [stock.want(quantity, stock.supplier, stock.receiving)], TAKEN)


async def test_a_move_goes_somewhere_and_is_of_its_own_lot(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        group = Location(code="ALL", name="All", site_id=stock.shelf.site_id, usage="view")
        another = Product(sku="P-2", name="Rice", unit="kg")
        session.add_all([group, another])
        await session.flush()
        strange = await lot_of(session, another, "B1", taken=TAKEN)
        for wanted, code in (
            (stock.want("1", stock.shelf, stock.shelf), "goes_nowhere"),
            (stock.want("1", stock.supplier, group), "place_is_group"),
            (stock.want("1", stock.supplier, stock.shelf, lot_id=strange.id), "lot_of_other_product"),
        ):
            with pytest.raises(Refused, match=code):
                await post(session, [wanted], TAKEN)
        with pytest.raises(NotFound):
            await post(session, [stock.want("1", stock.supplier, stock.shelf, target_id=999)], TAKEN)
        with pytest.raises(NotFound):
            await post(session, [stock.want("1", stock.supplier, stock.shelf, lot_id=999)], TAKEN)


async def test_what_is_promised_goes_only_to_whom_it_is_promised(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        await post(session, [stock.want("10", stock.supplier, stock.shelf)], TAKEN)
        quant = (await session.scalars(select(Quant).where(Quant.location_id == stock.shelf.id))).one()
        quant.reserved = Decimal(6)
        row = Reservation(
            uid="r1", quant_key=quant.key, document_kind="order", document="o", quantity=Decimal(6), at=NOW, by="dana"
        )
        session.add(row)
        await session.flush()
        with pytest.raises(NotEnough) as caught:
            await post(session, [stock.want("5", stock.shelf, stock.customer)], TAKEN)
        assert caught.value.values["reserved"] == "6"
        await post(session, [stock.want("4", stock.shelf, stock.customer, reserved_for="r1")], TAKEN)
        assert await session.scalar(select(Reservation.quantity)) == 2
        # The promise reaches for 2, and 4 are free.
        await post(session, [stock.want("6", stock.shelf, stock.customer, reserved_for="r1")], TAKEN)
        assert await session.scalar(select(func.count()).select_from(Reservation)) == 0
        assert await stock.quantity(stock.shelf) == 0
        with pytest.raises(NotFound):
            await post(session, [stock.want("6", stock.shelf, stock.customer, reserved_for="r1")], TAKEN)


async def test_nothing_is_written_behind_the_closing(sessions: Sessions) -> None:
    zone = ZoneInfo("Asia/Jerusalem")
    async with sessions.write() as session:
        stock = await Stock(session).make()
        early = NOW - timedelta(days=30)
        [move] = await post(session, [stock.want("1", stock.supplier, stock.shelf, effective_at=early)], TAKEN)
        assert move.effective_at == early
        await closing.close(session, date(2026, 11, 20), zone, TAKEN)
        [move] = await post(session, [stock.want("1", stock.supplier, stock.shelf, effective_at=early)], TAKEN)
        assert move.effective_at == datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
        [move] = await post(
            session, [stock.want("1", stock.supplier, stock.shelf, effective_at=NOW + timedelta(hours=1))], TAKEN
        )
        assert move.effective_at == NOW
        for day, code in ((date(2026, 11, 22), "day_not_over"), (date(2026, 11, 19), "closed_already")):
            with pytest.raises(Refused, match=code):
                await closing.close(session, day, zone, TAKEN)
    async with sessions.read() as session:
        [event] = await history(session, "ledger", "2026-11-20")
        assert event.changes == {"closed_until": [None, "2026-11-20"]}


async def test_a_lot_is_one_whoever_brings_it(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        first = await lot_of(session, stock.product, " A1 ", taken=TAKEN)
        known = await lot_of(session, stock.product, "A1", expires_on=date(2027, 1, 1), taken=TAKEN)
        assert known is first
        assert first.expires_on == date(2027, 1, 1)
        assert (await lot_of(session, stock.product, "A1", taken=TAKEN)).id == first.id
        with pytest.raises(LotDiffers) as caught:
            await lot_of(session, stock.product, "A1", expires_on=date(2027, 1, 2), taken=TAKEN)
        assert caught.value.values["known"] == "2027-01-01"
        with pytest.raises(LotDiffers):
            await lot_of(session, stock.product, "A1", is_serial=True, taken=TAKEN)
        assert (await unit_of(session, SSCC, taken=TAKEN)).id == (await unit_of(session, SSCC, taken=TAKEN)).id
        with pytest.raises(Refused, match="sscc_form"):
            await unit_of(session, "123", taken=TAKEN)
        assert await session.scalar(select(func.count()).select_from(Lot)) == 1
        assert await session.scalar(select(func.count()).select_from(HandlingUnit)) == 1


async def test_a_lots_day_is_corrected_with_a_reason(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        lot = await lot_of(session, stock.product, "A1", expires_on=date(2027, 1, 1), taken=TAKEN)
        right = Taken(TAKEN.actor, NOW, "misread", values={"expires_on": "2027-10-01"})
        await transition(session, LOT, lot, "correct_expiry", right)
        assert lot.expires_on == date(2027, 10, 1)
        assert lot.state == "released"
        await transition(session, LOT, lot, "hold", TAKEN)
        await transition(session, LOT, lot, "unhold", TAKEN)
        assert lot.state == "pending"
    async with sessions.read() as session:
        found = {one.action: one for one in await history(session, "lot", lot.ref)}
        assert found["correct_expiry"].changes["expires_on"] == ["2027-01-01", "2027-10-01"]
        assert found["correct_expiry"].reason == "misread"


async def test_places_are_made_once(sessions: Sessions) -> None:
    async with sessions.write() as session:
        stock = await Stock(session).make()
        site = stock.shelf.site_id
        for usage in ("supplier", "customer", "adjustment", "production", "transit"):
            assert (await place_of(session, usage)).id == (await place_of(session, usage)).id
        over = await place_of(session, "adjustment", code=OWNERSHIP)
        assert over.code == OWNERSHIP
        assert (await place_of(session, "adjustment")).code == "ADJUST"
        held = await place_of(session, "quarantine", site)
        assert (held.code, held.hold) == ("GALIL-QRT", True)
        for usage, code, why in (("receiving", None, "site_missing"), ("stock", OWNERSHIP, "place_usage")):
            with pytest.raises(Refused, match=why):
                await place_of(session, usage, code=code)
        assert (await house(session)).id == stock.house.id


@pytest.mark.parametrize(
    ("place", "product", "found"),
    [
        ({}, {}, []),
        ({"archived": True, "usage": "customer"}, {}, ["place_archived", "place_not_internal"]),
        ({"owner_id": 7}, {}, []),
        ({"owner_id": 8}, {}, ["place_of_other"]),
        ({"temperature_class": "frozen"}, {"temp_max": Decimal(-18)}, []),
        ({"temperature_class": "chilled"}, {"temp_max": Decimal(-18)}, ["place_temperature"]),
        ({}, {"temp_max": Decimal(4)}, []),
        ({"temp_min": Decimal(0), "temp_max": Decimal(4)}, {"temp_min": Decimal(0), "temp_max": Decimal(4)}, []),
        ({"temp_min": Decimal(-1), "temp_max": Decimal(4)}, {"temp_min": Decimal(0)}, ["place_temperature"]),
        ({"temp_min": Decimal(0), "temp_max": Decimal("4.1")}, {"temp_max": Decimal(4)}, ["place_temperature"]),
    ],
)  # fmt: skip
def test_goods_lie_where_they_may(place: dict[str, object], product: dict[str, object], found: list[str]) -> None:
    location = Location(**{"usage": "stock", "archived": False, **place})
    assert may_lie(location, Product(**product), Party(id=7)) == found
