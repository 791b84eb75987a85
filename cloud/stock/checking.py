"""Quants, buckets and reservations held against what they are sums of, and quants and buckets made anew of all moves."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, delete, func, insert, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.settings_table import Setting
from cloud.db.types import from_micro
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.masters.models import Location
from cloud.stock.closing import alone
from cloud.stock.history import micro
from cloud.stock.models import LineBucket, Move, Quant, Reservation
from cloud.stock.quants import INTERNAL, NOTHING, Held, Spot
from cloud.stock.quants import write as write_quants

MAX_SHOWN = 100
"""Differences that are told one by one; a ledger that is wrong in more places is rebuilt, not read."""

CHUNK = 5000
"""Moves read at a time."""

LAST = "ledger_checked"
"""Setting: when the ledger was checked last and how many differences there were."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`what`: `quant`, `bucket`, `reserved`, `key` or `internal`; `place` a quant's key, or a bucket as receipt/line/bucket.
    `off`: what is kept more than the moves say."""

    what: str
    place: str
    off: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """`differences` are the first hundred of `count`."""

    moves: int
    quants: int
    count: int
    differences: Sequence[Difference]

    @property
    def ok(self) -> bool:
        return not self.count


async def check(session: AsyncSession) -> Checked:
    """Work every sum out anew and compare. Reads only; its cost grows with all that ever moved."""
    found: list[Difference] = []
    for part in (_quants, _buckets, _reserved, _keys, _flags):
        found += await part(session)
    moves = await session.scalar(select(func.count()).select_from(Move))
    quants = await session.scalar(select(func.count()).select_from(Quant))
    return Checked(moves or 0, quants or 0, len(found), found[:MAX_SHOWN])


async def _quants(session: AsyncSession) -> list[Difference]:
    columns = [Quant.product_id, Quant.lot_id, Quant.location_id, Quant.unit_id, Quant.owner_id]
    kept = select(*columns, micro(Quant.quantity).label("off"))
    came = select(Move.product_id, Move.lot_id, Move.target_id, Move.to_unit_id, Move.owner_id, -micro(Move.quantity))
    went = select(Move.product_id, Move.lot_id, Move.source_id, Move.unit_id, Move.owner_id, micro(Move.quantity))
    rows = union_all(kept, came, went).subquery()
    ids = list(rows.c)[:5]
    off = func.sum(rows.c.off)
    found = await session.execute(select(*ids, off).group_by(*ids).having(off != 0))
    return [Difference("quant", Spot(row[0], row[1], row[2], row[3], row[4]).key, _amount(row[5])) for row in found]


async def _buckets(session: AsyncSession) -> list[Difference]:
    kept = select(LineBucket.receipt, LineBucket.line, LineBucket.bucket, micro(LineBucket.quantity).label("off"))
    of_line = (Move.receipt, Move.receipt_line)
    came = select(*of_line, Move.to_bucket, -micro(Move.quantity)).where(Move.to_bucket.is_not(None))
    went = select(*of_line, Move.from_bucket, micro(Move.quantity)).where(Move.from_bucket.is_not(None))
    rows = union_all(kept, came, went).subquery()
    ids = list(rows.c)[:3]
    off = func.sum(rows.c.off)
    found = await session.execute(select(*ids, off).group_by(*ids).having(off != 0))
    return [Difference("bucket", f"{row[0]}/{row[1]}/{row[2]}", _amount(row[3])) for row in found]


async def _reserved(session: AsyncSession) -> list[Difference]:
    kept = select(Quant.key.label("key"), micro(Quant.reserved).label("off")).where(Quant.reserved != NOTHING)
    promised = select(Reservation.quant_key, -micro(Reservation.quantity))
    rows = union_all(kept, promised).subquery()
    off = func.sum(rows.c.off)
    found = await session.execute(select(rows.c.key, off).group_by(rows.c.key).having(off != 0))
    return [Difference("reserved", row[0], _amount(row[1])) for row in found]


async def _keys(session: AsyncSession) -> list[Difference]:
    ids = (Quant.product_id, Quant.lot_id, Quant.location_id, Quant.unit_id, Quant.owner_id)
    parts: list[ColumnElement[str]] = [func.coalesce(cast(one, Text), "") for one in ids]
    wanted = parts[0]
    for one in parts[1:]:
        wanted = wanted + literal(".") + one
    rows = await session.scalars(select(Quant.key).where(Quant.key != wanted))
    return [Difference("key", key) for key in rows]


async def _flags(session: AsyncSession) -> list[Difference]:
    """A place whose use was changed past its own rules: what is in it counts as what it was."""
    query = select(Quant.key).join(Location, Location.id == Quant.location_id)
    rows = await session.scalars(query.where(Quant.internal != Location.usage.in_(INTERNAL)))
    return [Difference("internal", key) for key in rows]


def _amount(off: Any) -> str:
    return format(from_micro(int(off)), "f")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`dropped`: reservations on quants that turned out to hold less than was promised of them."""

    moves: int
    quants: int
    buckets: int
    dropped: int


async def rebuild(session: AsyncSession, taken: Taken) -> Rebuilt:
    """Make all quants and buckets anew of the moves, in one transaction during which nobody posts; the log says so."""
    await alone(session)
    usages = {row.id: row.usage in INTERNAL for row in await session.execute(select(Location.id, Location.usage))}
    quants: dict[str, Held] = {}
    buckets: dict[tuple[str, int, str], Decimal] = {}
    after = moves = 0
    while rows := (await session.execute(_page(after))).all():
        for row in rows:
            _replay(row, quants, buckets, usages)
        after, moves = rows[-1].id, moves + len(rows)
    dropped = await _promise(session, quants)
    await session.execute(delete(Quant))
    await write_quants(session, quants.values(), taken.at)
    await session.execute(delete(LineBucket))
    filled = [
        {"receipt": receipt, "line": line, "bucket": bucket, "quantity": quantity}
        for (receipt, line, bucket), quantity in sorted(buckets.items())
    ]
    if filled:
        await session.execute(insert(LineBucket), filled)
    kept = sum(1 for held in quants.values() if held.quantity != NOTHING)
    found = Rebuilt(moves, kept, len(filled), dropped)
    await append_event(session, taken, action="rebuild", kind="ledger", ref="quants", changes=asdict(found))
    return found


def _page(after: int) -> Any:
    columns = (
        Move.id,
        Move.product_id,
        Move.lot_id,
        Move.unit_id,
        Move.to_unit_id,
        Move.owner_id,
        Move.quantity,
        Move.source_id,
        Move.target_id,
        Move.effective_at,
        Move.receipt,
        Move.receipt_line,
        Move.from_bucket,
        Move.to_bucket,
    )
    return select(*columns).where(Move.id > after).order_by(Move.id).limit(CHUNK)


def _replay(row: Any, quants: dict[str, Held], buckets: dict[tuple[str, int, str], Decimal], usages: dict[int, bool]) -> None:
    before = Spot(row.product_id, row.lot_id, row.source_id, row.unit_id, row.owner_id)
    behind = Spot(row.product_id, row.lot_id, row.target_id, row.to_unit_id, row.owner_id)
    for spot, quantity in ((before, -row.quantity), (behind, row.quantity)):
        key = spot.key
        if key not in quants:
            quants[key] = Held(spot, usages[spot.location_id])
        quants[key].add(quantity, row.effective_at)
    for bucket, quantity in ((row.from_bucket, -row.quantity), (row.to_bucket, row.quantity)):
        if bucket is not None:
            place = (row.receipt, row.receipt_line, bucket)
            buckets[place] = buckets.get(place, NOTHING) + quantity


async def _promise(session: AsyncSession, quants: dict[str, Held]) -> int:
    """Put what is promised back on its quants; promises that no longer fit go, with all others of the same quant."""
    rows = await session.execute(
        select(Reservation.quant_key, func.sum(micro(Reservation.quantity))).group_by(Reservation.quant_key)
    )
    gone = []
    for key, total in rows:
        reserved, held = from_micro(int(total)), quants.get(key)
        if held is not None and reserved <= held.quantity:
            held.reserved = reserved
        else:
            gone.append(key)
    if not gone:
        return 0
    found = await session.execute(delete(Reservation).where(Reservation.quant_key.in_(gone)).returning(Reservation.id))
    return len(found.all())


async def note(session: AsyncSession, found: Checked, taken: Taken) -> None:
    """Keep what a check came to for whoever watches, and log differences."""
    said = {"at": taken.at.isoformat(), "moves": found.moves, "differences": found.count}
    await session.merge(Setting(key=LAST, value=json.dumps(said)))
    if not found.ok:
        shown = [asdict(one) for one in found.differences]
        changes = {"count": found.count, "differences": shown}
        await append_event(session, taken, action="differs", kind="ledger", ref="quants", changes=changes)


@dataclass(frozen=True, slots=True)
class LastCheck:
    at: datetime
    moves: int
    differences: int


async def last_check(session: AsyncSession) -> LastCheck | None:
    """What the last check came to, None where there was none."""
    value = await session.scalar(select(Setting.value).where(Setting.key == LAST))
    if value is None:
        return None
    said = json.loads(value)
    return LastCheck(datetime.fromisoformat(said["at"]), said["moves"], said["differences"])
