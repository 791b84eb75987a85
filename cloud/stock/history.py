"""What stock was: at a moment, as it was known at a moment, and day after day. Worked out of moves, never kept."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Select, case, func, select, type_coerce, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import from_micro
from cloud.errors import Refused
from cloud.stock.models import Move, Quant
from cloud.stock.quants import NOTHING, Spot
from cloud.stock.scope import ANYTHING, Scope

MAX_DAYS = 370
"""Of one chart: each is a column of one question (SQLite takes 2000)."""


async def as_of(
    session: AsyncSession, moment: datetime, scope: Scope = ANYTHING, *, known: datetime | None = None
) -> dict[Spot, Decimal]:
    """What lay where once everything had happened that happened until `moment` (inclusive), by spot.

    As we know it now, or with `known` as was written down until then. The first costs what moved since the moment, the second
    what ever moved.
    """
    if known is None:
        parts = [_quants(scope), *_moves(scope, Move.effective_at > moment, back=True)]
    else:
        parts = _moves(scope, (Move.effective_at <= moment) & (Move.at <= known), back=False)
    rows = union_all(*parts).subquery()
    total = func.sum(rows.c.quantity)
    ids = [rows.c[name] for name in ("product_id", "lot_id", "location_id", "unit_id", "owner_id")]
    found = await session.execute(select(*ids, total).group_by(*ids).having(total != 0))
    return {Spot(*row[:5]): from_micro(int(row[5])) for row in found}


def _quants(scope: Scope) -> Select[int, int | None, int, int | None, int, int]:
    columns = (Quant.product_id, Quant.lot_id, Quant.location_id, Quant.unit_id, Quant.owner_id)
    return select(*columns, micro(Quant.quantity).label("quantity")).where(*scope.quants())


def _moves(scope: Scope, when: ColumnElement[bool], *, back: bool) -> list[Select[int, int | None, int, int | None, int, int]]:
    """Both sides of moves; `back` takes them away again."""
    sign = -1 if back else 1
    came = (Move.product_id, Move.lot_id, Move.target_id.label("location_id"), Move.to_unit_id.label("unit_id"), Move.owner_id)
    went = (Move.product_id, Move.lot_id, Move.source_id.label("location_id"), Move.unit_id, Move.owner_id)
    quantity = micro(Move.quantity)
    return [
        select(*came, (quantity * sign).label("quantity")).where(when, *scope.came()),
        select(*went, (quantity * -sign).label("quantity")).where(when, *scope.went()),
    ]


def micro(column: ColumnElement[Decimal] | object) -> ColumnElement[int]:
    """The column as the whole number that it is."""
    found: ColumnElement[int] = type_coerce(column, BigInteger)
    return found


async def balance(session: AsyncSession, scope: Scope, moment: datetime) -> Decimal:
    """How much there was in all before `moment`, of one product as a rule: other units are not told apart."""
    return (await balances(session, scope, [moment]))[0]


async def balances(session: AsyncSession, scope: Scope, moments: Sequence[datetime]) -> list[Decimal]:
    """The same at several moments, in one look at the moves since the first of them."""
    now = await session.scalar(select(func.sum(micro(Quant.quantity))).where(*scope.quants()))
    first = min(moments)
    later = [NOTHING] * len(moments)
    for sign, side in ((1, scope.came()), (-1, scope.went())):
        sums = [func.sum(case((Move.effective_at >= moment, micro(Move.quantity)), else_=0)) for moment in moments]
        row = (await session.execute(select(*sums).where(Move.effective_at >= first, *side))).one()
        later = [so_far + sign * from_micro(int(value or 0)) for so_far, value in zip(later, row, strict=True)]
    return [from_micro(int(now or 0)) - one for one in later]


async def over_time(session: AsyncSession, scope: Scope, first: date, last: date, zone: ZoneInfo) -> list[tuple[date, Decimal]]:
    """How much there was at the end of each day in a zone, the first and the last included. Raises Refused `too_many_days`."""
    count = (last - first).days + 1
    if not 0 < count <= MAX_DAYS:
        raise Refused("too_many_days", days=str(count), most=str(MAX_DAYS))
    days = [first + timedelta(days=number) for number in range(count)]
    ends = [datetime.combine(day + timedelta(days=1), time(), zone) for day in days]
    return list(zip(days, await balances(session, scope, ends), strict=True))
