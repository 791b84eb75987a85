"""Several who post at the same moment: nothing is moved twice, nobody waits for ever, nothing goes below nothing."""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from cloud.db.engine import Sessions
from cloud.kernel.actor import Actor, Taken
from cloud.masters.models import Location, Product, Site
from cloud.stock import closing
from cloud.stock.checking import check
from cloud.stock.faults import NotEnough
from cloud.stock.ledger import BucketMove, Document, Wanted, post
from cloud.stock.lots import lot_of
from cloud.stock.models import Lot, Move, Quant
from cloud.stock.places import house, place_of
from cloud.stock.reserving import Wish, reserve

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TAKEN = Taken(Actor.user("dana", "admin"), NOW)
PAPER = Document("receipt", "u", "R")
DEADLINE_S = 60


class Floor:
    """Four shelves, one product."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    async def make(self, *filled: int) -> "Floor":
        async with self.sessions.write() as session:
            site, product = Site(code="galil", name="Galil"), Product(sku="P-1", name="Milk", unit="L", tracking="lot")
            session.add_all([site, product])
            await session.flush()
            shelves = [Location(code=f"S{one}", name="S", usage="stock", site_id=site.id) for one in range(4)]
            session.add_all(shelves)
            await session.flush()
            self.product, self.owner = product, (await house(session)).id
            self.shelves = [one.id for one in shelves]
            self.supplier = (await place_of(session, "supplier")).id
            came = [
                self.want(f"came {place}", quantity, self.supplier, self.shelves[place])
                for place, quantity in enumerate(filled)
                if quantity
            ]
            await post(session, came, TAKEN)
        return self

    def want(self, key: str, quantity: int, source: int, target: int, *, bucket: BucketMove | None = None) -> Wanted:
        amount = Decimal(quantity)
        return Wanted(key, self.product.id, self.owner, amount, source, target, PAPER, NOW, bucket=bucket)

    async def post(self, *wanted: Wanted) -> bool:
        try:
            async with self.sessions.write() as session:
                await post(session, wanted, TAKEN)
        except NotEnough:
            return False
        return True

    async def whole(self) -> Decimal:
        async with self.sessions.read() as session:
            found = await check(session)
            assert found.ok, found.differences
            rows = (await session.scalars(select(Quant.quantity).where(Quant.internal.is_(True)))).all()
            assert all(one > 0 for one in rows)
            return sum(rows, Decimal(0))


async def at_once(*work: Awaitable[bool]) -> list[bool]:
    return await asyncio.wait_for(asyncio.gather(*work), DEADLINE_S)


async def test_two_who_post_the_same_post_it_once(sessions: Sessions) -> None:
    floor = await Floor(sessions).make(0)
    said = [
        floor.want(f"k{one}", 1, floor.supplier, floor.shelves[one % 4], bucket=BucketMove("u", 1, None, "released"))
        for one in range(20)
    ]
    assert all(await at_once(*(floor.post(*said) for _ in range(4))))
    async with sessions.read() as session:
        assert await session.scalar(select(func.count()).select_from(Move)) == 20
    assert await floor.whole() == 20


async def test_who_comes_second_does_not_get_what_is_gone(sessions: Sessions) -> None:
    floor = await Floor(sessions).make(10)
    first, second = floor.shelves[:2]
    done = await at_once(*(floor.post(floor.want(f"k{one}", 4, first, second)) for one in range(5)))
    assert done.count(True) == 2
    assert await floor.whole() == 10


async def test_goods_go_round_in_circles_without_anybody_waiting_for_ever(sessions: Sessions) -> None:
    """Whole shelves are emptied and filled again, so that their rows come and go under those who wait for them."""
    floor = await Floor(sessions).make(2, 2, 2, 2)
    rng = random.Random(5)

    async def carry(number: int) -> bool:
        order = rng.sample(floor.shelves, 3)
        way = pairwise(order)
        return await floor.post(*(floor.want(f"k{number}-{one}", 2, *pair) for one, pair in enumerate(way)))

    for start in range(0, 60, 6):
        await at_once(*(carry(number) for number in range(start, start + 6)))
    assert await floor.whole() == 8


async def test_what_is_promised_once_is_not_promised_twice(sessions: Sessions) -> None:
    floor = await Floor(sessions).make(5, 5)

    async def wish(number: int) -> bool:
        try:
            async with sessions.write() as session:
                said = Wish(Document("order", str(number), str(number)), 1, floor.product.id, floor.owner, Decimal(4))
                await reserve(session, said, TAKEN)
        except NotEnough:
            return False
        return True

    assert (await at_once(*(wish(number) for number in range(5)))).count(True) == 2
    assert await floor.whole() == 10


async def test_a_lot_is_made_once(sessions: Sessions) -> None:
    floor = await Floor(sessions).make(0)

    async def scan(_number: int) -> bool:
        async with sessions.write() as session:
            product = await session.get_one(Product, floor.product.id)
            await lot_of(session, product, "A1", expires_on=date(2027, 1, 1), taken=TAKEN)
        return True

    assert all(await at_once(*(scan(number) for number in range(4))))
    async with sessions.read() as session:
        assert await session.scalar(select(func.count()).select_from(Lot)) == 1


async def test_nothing_is_written_behind_a_closing_that_is_made_meanwhile(sessions: Sessions) -> None:
    floor = await Floor(sessions).make(0)
    early = datetime(2026, 11, 1, tzinfo=UTC)
    order: list[str] = []
    began = asyncio.Event()

    async def late() -> bool:
        async with sessions.write() as session:
            wanted = floor.want("k", 1, floor.supplier, floor.shelves[0])
            await closing.share(session)
            began.set()
            await asyncio.sleep(0.05)
            [move] = await post(session, [replace(wanted, effective_at=early)], TAKEN)
            assert move.effective_at == early
            order.append("posted")
        return True

    async def close() -> bool:
        await began.wait()
        async with sessions.write() as session:
            await closing.close(session, date(2026, 11, 20), ZoneInfo("Asia/Jerusalem"), TAKEN)
            order.append("closed")
        return True

    await at_once(late(), close())
    assert order == ["posted", "closed"]
