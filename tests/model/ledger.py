"""The ledger beside a few dictionaries: whatever is posted, taken back, promised and released, both hold the same."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions, open_sessions
from cloud.errors import Refused
from cloud.kernel.actor import Actor, Taken
from cloud.masters.models import Location, Party, Product, Site
from cloud.stock.checking import check, rebuild
from cloud.stock.faults import NotEnough
from cloud.stock.free import free
from cloud.stock.history import as_of
from cloud.stock.ledger import BucketMove, Document, Wanted, post, reverse
from cloud.stock.lots import lot_of, unit_of
from cloud.stock.models import Move, Quant, Reservation
from cloud.stock.places import OWNERSHIP, house, place_of
from cloud.stock.quants import INTERNAL, Spot
from cloud.stock.reserving import Wish, release, reserve
from cloud.stock.statement import statement

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
PAPER = Document("receipt", "u", "R-1")
INSIDE = ("A", "B", "QRT")
RECEIPT = "receipt-1"

Result = TypeVar("Result")

quantities = st.integers(1, 40).map(lambda one: Decimal(one) / 8) | st.just(Decimal("0.000001"))
places = st.sampled_from(INSIDE)
goods = st.sampled_from([(0, None), (0, "L1"), (0, "L2"), (1, None)])
owners = st.integers(0, 1)
pallets = st.booleans()
minutes = st.integers(0, 30)


@dataclass(frozen=True)
class Ids:
    """What the goods of a rule are in the database."""

    product: int
    lot: int | None
    owner: int


class LedgerMachine(RuleBasedStateMachine):
    """One transaction, rolled back at the end; each rule takes a minute."""

    url: str
    acts: ClassVar[Counter[str]] = Counter()
    """How often what was done, over all examples."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.sessions: Sessions = open_sessions(self.url)
        self.open = self.sessions.write()
        self.session: AsyncSession = self.run(self.open.__aenter__())
        self.now = BEGAN
        self.count = 0
        self.held: dict[Spot, Decimal] = {}
        self.promised: dict[Spot, Decimal] = {}
        self.promises: dict[str, tuple[Spot, Decimal]] = {}
        self.buckets: dict[str, Decimal] = defaultdict(Decimal)
        self.posted: list[list[Move]] = []
        self.taken_back: set[int] = set()
        self.log: list[tuple[datetime, datetime, Spot, Decimal]] = []

    @invariant()
    def count_up(self) -> None:
        self.acts["steps"] += 1

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    def taken(self) -> Taken:
        return Taken(Actor.user("dana", "admin"), self.now, "because")

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        session, taken = self.session, self.taken()
        site = Site(code="galil", name="Galil")
        products = [Product(sku=f"P-{one}", name="p", unit="kg", tracking="lot") for one in range(2)]
        other = Party(ref="OTHER", name="Other", roles=["owner"])
        session.add_all([site, *products, other])
        await session.flush()
        usages = {"A": "stock", "B": "receiving", "QRT": "quarantine"}
        session.add_all(Location(code=code, name=code, site_id=site.id, usage=usage) for code, usage in usages.items())
        await session.flush()
        self.places = {row.code: row for row in await session.scalars(select(Location))}
        for usage in ("supplier", "customer"):
            self.places[usage] = await place_of(session, usage)
        self.places[OWNERSHIP] = await place_of(session, "adjustment", code=OWNERSHIP)
        self.products = [one.id for one in products]
        self.owners = [(await house(session)).id, other.id]
        self.lots = {code: (await lot_of(session, products[0], code, taken=taken)).id for code in ("L1", "L2")}
        self.unit = (await unit_of(session, "376104250021234569", taken=taken)).id

    def ids(self, what: tuple[int, str | None], owner: int) -> Ids:
        product, lot = what
        return Ids(self.products[product], None if lot is None else self.lots[lot], self.owners[owner])

    def want(self, what: Ids, quantity: Decimal, way: tuple[str, str], on: tuple[bool, bool], back: int, **more: Any) -> Wanted:
        self.count += 1
        units = [self.unit if one and code in INSIDE else None for one, code in zip(on, way, strict=True)]
        return Wanted(
            f"k{self.count}", what.product, what.owner, quantity, self.places[way[0]].id, self.places[way[1]].id, PAPER,
            self.now - timedelta(minutes=back), lot_id=what.lot, unit_id=units[0], to_unit_id=units[1], **more,
        )  # fmt: skip

    def is_inside(self, spot: Spot) -> bool:
        return next(one.usage for one in self.places.values() if one.id == spot.location_id) in INTERNAL

    def would(self, wanted: list[Wanted]) -> tuple[dict[Spot, Decimal], bool]:
        """What is held after it, and whether all of it can be."""
        held = dict(self.held)
        for one in wanted:
            own = self.promises[one.reserved_for][1] if one.reserved_for else Decimal(0)
            there = held.get(one.before, Decimal(0)) - self.promised.get(one.before, Decimal(0)) + own
            if self.is_inside(one.before) and there < one.quantity:
                return self.held, False
            held[one.before] = held.get(one.before, Decimal(0)) - one.quantity
            held[one.after] = held.get(one.after, Decimal(0)) + one.quantity
        return held, True

    def post(self, *wanted: Wanted) -> None:
        self.now += timedelta(minutes=1)
        said = [one for one in wanted if one.before != one.after]
        if not said:
            return
        held, goes = self.would(said)
        try:
            moves = self.run(post(self.session, said, self.taken()))
        except NotEnough:
            assert not goes, said
            return
        assert goes, said
        self.acts["posted"] += 1
        self.held = held
        self.posted.append(moves)
        self.note(moves)
        again = self.run(post(self.session, said, self.taken()))
        assert [one.id for one in again] == [one.id for one in moves]

    def note(self, moves: list[Move]) -> None:
        for one in moves:
            before = Spot(one.product_id, one.lot_id, one.source_id, one.unit_id, one.owner_id)
            after = Spot(one.product_id, one.lot_id, one.target_id, one.to_unit_id, one.owner_id)
            self.log += [
                (one.effective_at, one.at, before, -one.quantity),
                (one.effective_at, one.at, after, one.quantity),
            ]
            if one.from_bucket:
                self.buckets[one.from_bucket] -= one.quantity
            if one.to_bucket:
                self.buckets[one.to_bucket] += one.quantity

    @rule(what=goods, owner=owners, quantity=quantities, place=places, pallet=pallets, back=minutes, line=st.booleans())
    def receive(
        self, what: tuple[int, str | None], owner: int, quantity: Decimal, place: str, pallet: bool, back: int, line: bool
    ) -> None:
        bucket = BucketMove(RECEIPT, 1, None, "pending_qc") if line else None
        self.post(self.want(self.ids(what, owner), quantity, ("supplier", place), (False, pallet), back, bucket=bucket))

    def inside(self) -> list[Spot]:
        """Where something lies that can be taken."""
        return sorted(
            (spot for spot, quantity in self.held.items() if quantity > 0 and self.is_inside(spot)), key=lambda one: one.key
        )

    def some(self, data: st.DataObject) -> tuple[Ids, str, bool, Decimal]:
        """Goods that are there, and so much of them: all, or perhaps more than there are."""
        spots = self.inside()
        spot = data.draw(st.sampled_from(spots))
        quantity = data.draw(st.just(self.held[spot]) | quantities)
        code = next(name for name, one in self.places.items() if one.id == spot.location_id)
        return Ids(spot.product_id, spot.lot_id, spot.owner_id), code, spot.unit_id is not None, quantity

    @precondition(lambda self: self.inside())
    @rule(data=st.data(), to=places, pallet=pallets)
    def carry(self, data: st.DataObject, to: str, pallet: bool) -> None:
        what, source, on, quantity = self.some(data)
        self.post(self.want(what, quantity, (source, to), (on, pallet), 0))

    @precondition(lambda self: self.buckets["pending_qc"] > 0 and self.inside())
    @rule(data=st.data(), to=st.sampled_from(["released", "rejected"]))
    def decide(self, data: st.DataObject, to: str) -> None:
        """So much of the receipt's line as still waits, of goods that are here."""
        what, source, on, quantity = self.some(data)
        part = min(quantity, self.buckets["pending_qc"])
        bucket = BucketMove(RECEIPT, 1, "pending_qc", to)
        target = "B" if source == "A" else "A"
        self.post(self.want(what, part, (source, target), (on, False), 0, bucket=bucket))

    @precondition(lambda self: self.inside())
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        what, source, on, quantity = self.some(data)
        self.post(self.want(what, quantity, (source, "customer"), (on, False), 0))

    @precondition(lambda self: self.inside())
    @rule(data=st.data())
    def change_hands(self, data: st.DataObject) -> None:
        what, place, on, quantity = self.some(data)
        other = next(one for one in self.owners if one != what.owner)
        out = self.want(what, quantity, (place, OWNERSHIP), (on, False), 0)
        into = self.want(replace(what, owner=other), quantity, (OWNERSHIP, place), (False, on), 0)
        self.post(out, into)

    @precondition(lambda self: self.posted)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.posted) - 1))
        moves = [one for one in self.posted[number] if one.reverses_id is None]
        if not moves or number in self.taken_back:
            return
        self.now += timedelta(minutes=1)
        opposite = [
            replace(
                self.want(Ids(one.product_id, one.lot_id, one.owner_id), one.quantity, ("A", "B"), (False, False), 0),
                source_id=one.target_id, target_id=one.source_id, unit_id=one.to_unit_id, to_unit_id=one.unit_id,
            )
            for one in reversed(moves)
        ]  # fmt: skip
        held, goes = self.would(opposite)
        for one in moves:
            goes = goes and (one.to_bucket is None or self.buckets[one.to_bucket] >= one.quantity)
        refused = ""
        try:
            back = self.run(reverse(self.session, moves, self.taken(), document=PAPER, reason="wrong"))
        except Refused as exc:
            refused = exc.code
        assert refused in ({""} if goes else {"not_enough", "bucket_not_enough"})
        if refused:
            return
        self.acts["taken back"] += 1
        self.taken_back.add(number)
        self.held = held
        self.note(back)

    @rule(product=st.integers(0, 1), owner=owners, quantity=quantities, partial=st.booleans())
    def promise(self, product: int, owner: int, quantity: Decimal, partial: bool) -> None:
        wish = Wish(PAPER, 1, self.products[product], self.owners[owner], quantity, partial=partial)
        there = self.free(wish)
        assert self.run(free(self.session, wish.product_id, wish.owner_id, self.now)) == there
        try:
            rows = self.run(reserve(self.session, wish, self.taken()))
        except NotEnough:
            assert not partial
            assert there < quantity
            return
        assert sum(one.quantity for one in rows) == min(there, quantity)
        spots = {spot.key: spot for spot in self.held}
        for one in rows:
            spot = spots[one.quant_key]
            self.promises[one.uid] = (spot, one.quantity)
            self.promised[spot] = self.promised.get(spot, Decimal(0)) + one.quantity

    def free(self, wish: Wish) -> Decimal:
        usable = {self.places["A"].id, self.places["B"].id}
        return sum(
            (
                quantity - self.promised.get(spot, Decimal(0))
                for spot, quantity in self.held.items()
                if (spot.product_id, spot.owner_id) == (wish.product_id, wish.owner_id) and spot.location_id in usable
            ),
            Decimal(0),
        )

    @precondition(lambda self: self.promises)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.promises)))
        rows = self.run(self._promises(uid))
        assert self.run(release(self.session, rows, PAPER, self.taken())) == self.promises[uid][1]
        self.forget(uid, self.promises[uid][1])

    async def _promises(self, uid: str) -> list[Reservation]:
        return list((await self.session.scalars(select(Reservation).where(Reservation.uid == uid))).all())

    def forget(self, uid: str, quantity: Decimal) -> None:
        spot, promised = self.promises.pop(uid)
        self.promised[spot] -= quantity
        if promised > quantity:
            self.promises[uid] = (spot, promised - quantity)

    @precondition(lambda self: self.promises)
    @rule(data=st.data(), quantity=quantities)
    def use(self, data: st.DataObject, quantity: Decimal) -> None:
        uid = data.draw(st.sampled_from(sorted(self.promises)))
        spot, promised = self.promises[uid]
        code = next(name for name, one in self.places.items() if one.id == spot.location_id)
        what = Ids(spot.product_id, spot.lot_id, spot.owner_id)
        before = len(self.posted)
        self.post(self.want(what, quantity, (code, "customer"), (spot.unit_id is not None, False), 0, reserved_for=uid))
        if len(self.posted) > before:
            self.forget(uid, min(promised, quantity))

    @precondition(lambda self: self.log)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        happened_at = st.sampled_from(sorted({one[0] for one in self.log}))
        written_at = st.sampled_from(sorted({one[1] for one in self.log}))
        moment = data.draw(happened_at | written_at)
        until = data.draw(st.none() | written_at)
        wanted: dict[Spot, Decimal] = defaultdict(Decimal)
        for happened, written, spot, quantity in self.log:
            if happened <= moment and (until is None or written <= until) and self.is_inside(spot):
                wanted[spot] += quantity
        self.acts["looked back"] += bool(wanted)
        found = self.run(as_of(self.session, moment, known=until))
        assert found == {spot: quantity for spot, quantity in wanted.items() if quantity}

    @rule(owner=owners, back=st.integers(0, 60), length=st.integers(0, 60))
    def state(self, owner: int, back: int, length: int) -> None:
        since = self.now - timedelta(minutes=back)
        until = since + timedelta(minutes=length)
        opening: dict[tuple[int, int | None], Decimal] = defaultdict(Decimal)
        closing: dict[tuple[int, int | None], Decimal] = defaultdict(Decimal)
        for happened, _, spot, quantity in self.log:
            if spot.owner_id == self.owners[owner] and self.is_inside(spot):
                opening[spot.product_id, spot.lot_id] += quantity if happened < since else 0
                closing[spot.product_id, spot.lot_id] += quantity if happened < until else 0
        found = {
            (one.product_id, one.lot_id): one for one in self.run(statement(self.session, self.owners[owner], since, until))
        }
        for key in {*opening, *closing, *found}:
            row = found.get(key)
            assert (row.opening if row else 0, row.closing if row else 0) == (opening[key], closing[key])
            assert row is None or row.opening + row.came - row.went == row.closing

    @rule()
    def compare(self) -> None:
        """Quants are what the dictionaries say, and what the moves add up to; nothing came or went without a move."""
        found = self.run(check(self.session))
        assert found.ok, found.differences
        rows = self.run(self._quants())
        assert rows == {
            spot.key: (quantity, self.promised.get(spot, Decimal(0))) for spot, quantity in self.held.items() if quantity
        }
        totals: dict[tuple[int, int | None, int], Decimal] = defaultdict(Decimal)
        for spot, quantity in self.held.items():
            totals[spot.product_id, spot.lot_id, spot.owner_id] += quantity
        assert not any(totals.values())

    async def _quants(self) -> dict[str, tuple[Decimal, Decimal]]:
        rows = await self.session.execute(select(Quant.key, Quant.quantity, Quant.reserved))
        return {key: (quantity, reserved) for key, quantity, reserved in rows}

    @rule()
    def make_anew(self) -> None:
        before = self.run(self._whole())
        assert self.run(rebuild(self.session, self.taken())).dropped == 0
        assert self.run(self._whole()) == before

    async def _whole(self) -> list[Any]:
        columns = (Quant.key, Quant.quantity, Quant.reserved, Quant.internal, Quant.since, Quant.moved_at)
        return [tuple(row) for row in await self.session.execute(select(*columns).order_by(Quant.key))]

    def teardown(self) -> None:
        try:
            if hasattr(self, "unit"):
                self.compare()
        finally:
            self.run(self.session.rollback())
            self.run(self.open.__aexit__(None, None, None))
            self.run(self.sessions.engine.dispose())
            self.runner.close()
