"""The one way in which stock changes: moves that are written down together with the quants and buckets that they add up to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import to_micro
from cloud.errors import Conflict, NotFound, Refused
from cloud.kernel.actor import Taken
from cloud.masters.models import Location, Product
from cloud.stock import buckets as line_buckets
from cloud.stock import promised, quants
from cloud.stock.buckets import Filled, Place
from cloud.stock.closing import closed, share
from cloud.stock.faults import MoveDiffers, NotEnough, QuantGone
from cloud.stock.models import HandlingUnit, Lot, Move, Quant
from cloud.stock.promised import Promise
from cloud.stock.quants import INTERNAL, NOTHING, Held, Spot
from sync_protocol.ids import EntryId

USES = frozenset({"customer", "production"})
"""Usages of places to which only goods of released lots go."""

TRIES = 5
"""Rows that go while they are being locked: each try costs somebody else's whole post in between."""

CHUNK = 1000
"""Keys of one question."""


@dataclass(frozen=True, slots=True)
class Document:
    """What asked for a move: the record's kind, uid and human number."""

    kind: str
    uid: str
    ref: str


@dataclass(frozen=True, slots=True)
class BucketMove:
    """The quantity of a move goes from one bucket of a receipt's line (its uid and number) to another. Without `source` it was
    just posted; without `target` the posting is taken back."""

    receipt: str
    line: int
    source: str | None
    target: str | None

    @property
    def before(self) -> Place | None:
        return None if self.source is None else (self.receipt, self.line, self.source)

    @property
    def after(self) -> Place | None:
        return None if self.target is None else (self.receipt, self.line, self.target)

    @property
    def places(self) -> list[Place]:
        return [one for one in (self.before, self.after) if one is not None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One move that is asked for.

    `key` says what it is for in words that stay the same (`receipt UID line 3`): said again it is the same move. `quantity` is
    in the product's unit. `unit_id` is what the goods lie on before, `to_unit_id` after; both the same when a whole unit moves.
    `reserved_for` is the uid of a reservation that is used up by it.
    """

    key: str
    product_id: int
    owner_id: int
    quantity: Decimal
    source_id: int
    target_id: int
    document: Document
    effective_at: datetime
    lot_id: int | None = None
    unit_id: int | None = None
    to_unit_id: int | None = None
    line: int | None = None
    bucket: BucketMove | None = None
    entry: EntryId | None = None
    reserved_for: str | None = None
    reason: str | None = None
    reverses_id: int | None = None

    @property
    def before(self) -> Spot:
        return Spot(self.product_id, self.lot_id, self.source_id, self.unit_id, self.owner_id)

    @property
    def after(self) -> Spot:
        return Spot(self.product_id, self.lot_id, self.target_id, self.to_unit_id, self.owner_id)


@dataclass(slots=True)
class _Locked:
    """What one post holds."""

    quants: dict[str, Held]
    buckets: dict[Place, Filled]
    promises: dict[str, Promise]
    places: Mapping[int, Location]
    written: list[Move] = field(default_factory=list)


async def post(session: AsyncSession, wanted: Sequence[Wanted], taken: Taken) -> list[Move]:
    """Write moves, in their order, all of them or (by raising) none; the session stays usable. Gives a move for each wanted.

    A move whose key is written already is given as it is. Times before the closing become its end, times to come become
    `taken.at`. Raises NotEnough; MoveDiffers where a key is written about something else; Refused `quantity_form`,
    `place_is_group`, `goes_nowhere`, `lot_of_other_product`, `lot_not_released`
    (to customers and production), `bucket_unknown`, `bucket_not_enough`, `reservation_elsewhere`;
    NotFound for a place, lot or reservation; Conflict `stock_busy`.

    A transaction posts once, or in one order: on PostgreSQL two that lock the same quants in turns end each other.
    """
    _demand_form(wanted)
    there = await _written(session, [one.key for one in wanted])
    if len(there) == len(wanted):
        return _all_of(wanted, there)
    await share(session)
    shut = await closed(session)
    places = await _places(session, wanted)
    await _demand_lots(session, wanted, places)
    for _ in range(TRIES):
        try:
            async with session.begin_nested():
                return await _post(session, wanted, taken, places, None if shut is None else shut.open_from)
        except QuantGone:
            continue
        except IntegrityError as exc:
            # One key at the same moment about different quants: neither waited for the other.
            taken_keys = await _written(session, [one.key for one in wanted])
            if not taken_keys:
                raise
            raise MoveDiffers("move_differs", key=min(taken_keys)) from exc
    raise Conflict("stock_busy")


async def _post(
    session: AsyncSession,
    wanted: Sequence[Wanted],
    taken: Taken,
    places: Mapping[int, Location],
    open_from: datetime | None,
) -> list[Move]:
    internal = {one.id: one.usage in INTERNAL for one in places.values()}
    spots = [spot for one in wanted for spot in (one.before, one.after)]
    locked = await quants.lock(session, spots, internal, taken.at)
    # Whoever said the same at the same moment has written it by now.
    there = await _written(session, [one.key for one in wanted])
    new = [one for one in wanted if one.key not in there]
    hands = _Locked(
        locked,
        await line_buckets.lock(session, [place for one in new if one.bucket is not None for place in one.bucket.places]),
        await promised.lock(session, [one.reserved_for for one in new if one.reserved_for is not None]),
        places,
    )
    for one in new:
        await _move(session, one, hands, taken, open_from)
    session.add_all(hands.written)
    await session.flush()
    await quants.write(session, hands.quants.values(), taken.at)
    await line_buckets.write(session, hands.buckets.values())
    await promised.write(session, hands.promises.values())
    await _put_units(session, new)
    return _all_of(wanted, there | {row.key: row for row in hands.written})


async def _move(session: AsyncSession, one: Wanted, hands: _Locked, taken: Taken, open_from: datetime | None) -> None:
    moment = min(one.effective_at, taken.at)
    moment = moment if open_from is None else max(moment, open_from)
    source, target = hands.quants[one.before.key], hands.quants[one.after.key]
    if one.reserved_for is not None:
        hands.promises[one.reserved_for].use(source, one.quantity)
    if source.internal and source.quantity - source.reserved < one.quantity:
        raise await _not_enough(session, one, source, hands.places)
    source.add(-one.quantity, moment)
    target.add(one.quantity, moment)
    if one.bucket is not None:
        line_buckets.pour(hands.buckets, one.bucket.before, one.bucket.after, one.quantity)
    hands.written.append(_row(one, taken, moment))


def _row(one: Wanted, taken: Taken, moment: datetime) -> Move:
    return Move(
        key=one.key,
        at=taken.at,
        effective_at=moment,
        product_id=one.product_id,
        lot_id=one.lot_id,
        unit_id=one.unit_id,
        to_unit_id=one.to_unit_id,
        owner_id=one.owner_id,
        quantity=one.quantity,
        source_id=one.source_id,
        target_id=one.target_id,
        document_kind=one.document.kind,
        document=one.document.uid,
        document_ref=one.document.ref,
        line=one.line,
        receipt=one.bucket and one.bucket.receipt,
        receipt_line=one.bucket and one.bucket.line,
        from_bucket=one.bucket and one.bucket.source,
        to_bucket=one.bucket and one.bucket.target,
        reverses_id=one.reverses_id,
        by=taken.actor.name,
        via=taken.actor.name if taken.actor.kind == "box" else taken.actor.via,
        run=one.entry and str(one.entry.run),
        seq=one.entry and one.entry.seq,
        reason=one.reason or taken.reason,
    )


def _demand_form(wanted: Sequence[Wanted]) -> None:
    for one in wanted:
        try:
            good = to_micro(one.quantity) > 0
        except ValueError as exc:
            raise Refused("quantity_form", quantity=format(one.quantity, "f")[:40]) from exc
        if not good:
            raise Refused("quantity_form", quantity=format(one.quantity, "f")[:40])
        if one.before == one.after:
            raise Refused("goes_nowhere", key=one.key)
        for place in one.bucket.places if one.bucket is not None else ():
            line_buckets.demand_bucket(place)
    if len({one.key for one in wanted}) < len(wanted):
        raise MoveDiffers("move_differs", key=_double(wanted))


def _double(wanted: Sequence[Wanted]) -> str:
    seen: set[str] = set()
    for one in wanted:
        if one.key in seen:
            return one.key
        seen.add(one.key)
    return ""


async def _written(session: AsyncSession, keys: Sequence[str]) -> dict[str, Move]:
    found: dict[str, Move] = {}
    for start in range(0, len(keys), CHUNK):
        rows = await session.scalars(select(Move).where(Move.key.in_(keys[start : start + CHUNK])))
        found |= {row.key: row for row in rows}
    return found


def _all_of(wanted: Sequence[Wanted], there: Mapping[str, Move]) -> list[Move]:
    """Raises MoveDiffers."""
    for one in wanted:
        row = there[one.key]
        before = Spot(row.product_id, row.lot_id, row.source_id, row.unit_id, row.owner_id)
        after = Spot(row.product_id, row.lot_id, row.target_id, row.to_unit_id, row.owner_id)
        if (before, after, row.quantity) != (one.before, one.after, one.quantity):
            raise MoveDiffers("move_differs", key=one.key)
    return [there[one.key] for one in wanted]


async def _places(session: AsyncSession, wanted: Iterable[Wanted]) -> dict[int, Location]:
    ids = {place for one in wanted for place in (one.source_id, one.target_id)}
    found = {row.id: row for row in await session.scalars(select(Location).where(Location.id.in_(ids)))}
    for place_id in ids:
        place = found.get(place_id)
        if place is None:
            raise NotFound("location", str(place_id))
        if place.usage == "view":
            raise Refused("place_is_group", place=place.code)
    return found


async def _demand_lots(session: AsyncSession, wanted: Iterable[Wanted], places: Mapping[int, Location]) -> None:
    ids = {one.lot_id for one in wanted if one.lot_id is not None}
    rows = await session.execute(select(Lot.id, Lot.product_id, Lot.code, Lot.state).where(Lot.id.in_(ids)))
    found = {row.id: row for row in rows}
    for one in wanted:
        if one.lot_id is None:
            continue
        lot = found.get(one.lot_id)
        if lot is None:
            raise NotFound("lot", str(one.lot_id))
        if lot.product_id != one.product_id:
            raise Refused("lot_of_other_product", lot=lot.code)
        leaves = places[one.source_id].usage in INTERNAL and places[one.target_id].usage in USES
        if leaves and one.reverses_id is None and lot.state != "released":
            raise Refused("lot_not_released", lot=lot.code, state=lot.state)


async def _not_enough(session: AsyncSession, one: Wanted, source: Held, places: Mapping[int, Location]) -> NotEnough:
    sku = await session.scalar(select(Product.sku).where(Product.id == one.product_id))
    return NotEnough(
        "not_enough",
        product=sku or str(one.product_id),
        place=places[one.source_id].code,
        wanted=format(one.quantity, "f"),
        there=format(source.quantity, "f"),
        reserved=format(source.reserved, "f"),
    )


async def _put_units(session: AsyncSession, moved: Iterable[Wanted]) -> None:
    """What goods were put on stands where they were put."""
    last = {one.to_unit_id: one.target_id for one in moved if one.to_unit_id is not None}
    changed = [{"id": unit, "location_id": place} for unit, place in sorted(last.items())]
    if changed:
        await session.execute(update(HandlingUnit), changed)


async def reverse(
    session: AsyncSession,
    moves: Iterable[Move],
    taken: Taken,
    *,
    document: Document,
    reason: str,
    reserved_for: Mapping[int, str] | None = None,
) -> list[Move]:
    """Take moves back by opposite ones, the last first, as of `taken.at`; gives those in the order in which they are written.

    Moves that are taken back already give the moves that did it. `reserved_for`: reservation by the move's id, as of Wanted.
    Raises as `post`: NotEnough where the goods have gone on; Refused `reversal_of_reversal`.
    """
    wanted = [
        _opposite(one, taken, document, reason, (reserved_for or {}).get(one.id))
        for one in sorted(moves, key=lambda one: one.id, reverse=True)
    ]
    return await post(session, wanted, replace(taken, reason=reason))


def _opposite(one: Move, taken: Taken, document: Document, reason: str, promise: str | None) -> Wanted:
    if one.reverses_id is not None:
        raise Refused("reversal_of_reversal", key=one.key)
    bucket = None
    if one.receipt is not None and one.receipt_line is not None:
        bucket = BucketMove(one.receipt, one.receipt_line, one.to_bucket, one.from_bucket)
    return Wanted(
        key=f"reverse {one.key}",
        product_id=one.product_id,
        owner_id=one.owner_id,
        quantity=one.quantity,
        source_id=one.target_id,
        target_id=one.source_id,
        document=document,
        effective_at=taken.at,
        lot_id=one.lot_id,
        unit_id=one.to_unit_id,
        to_unit_id=one.unit_id,
        line=one.line,
        bucket=bucket,
        reserved_for=promise,
        reason=reason,
        reverses_id=one.id,
    )


async def unit_contents(session: AsyncSession, unit_id: int) -> list[Quant]:
    """What lies on a unit and in the units that it carries, as quants of places that are somewhere."""
    carried = select(HandlingUnit.id).where(HandlingUnit.id == unit_id).cte("carried", recursive=True)
    carried = carried.union(select(HandlingUnit.id).join(carried, HandlingUnit.parent_id == carried.c.id))
    rows = await session.scalars(
        select(Quant)
        .where(Quant.unit_id.in_(select(carried.c.id)), Quant.internal.is_(True), Quant.quantity > NOTHING)
        .order_by(Quant.key)
        .execution_options(populate_existing=True)
    )
    return list(rows.all())
