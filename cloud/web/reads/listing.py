"""The receipts list: filtered, counted, sorted and paged by the database."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Party
from cloud.people.models import User
from cloud.receiving.models import Evidence, LineStanding, Receipt, ReceiptException, ReceiptLine
from cloud.web.filters import GROUPS, After, Filters
from cloud.web.reach import EVERYWHERE, Reach
from cloud.web.views import Name, ReceiptList, ReceiptRow
from sync_protocol.receiving.settings import Severity

PAGE = 50
EXPORT_MAX = 10_000
"""Rows in one CSV: a year of a busy station, and a file that a spreadsheet opens at once."""

GROUP: dict[str, ColumnElement[bool]] = {
    "review": or_(Receipt.needs_review, Receipt.state == "check"),
    "open": and_(Receipt.state.in_(("open", "counting")), not_(Receipt.needs_review)),
    "posted": Receipt.state == "posted",
    "done": Receipt.state == "done",
    "cancelled": Receipt.state.in_(("cancelled", "reversed")),
}

SORT: dict[str, ColumnElement[Any]] = {
    "ref": Receipt.ref.expression,
    "received": Receipt.opened_received_at.expression,
    "supplier": func.coalesce(Party.name, ""),
    "order": func.coalesce(Receipt.order_ref, ""),
}


@dataclass(frozen=True, slots=True)
class Supplier:
    """One choice of the supplier filter."""

    ref: str
    name: Name


async def list_receipts(
    session: AsyncSession, filters: Filters, zone: ZoneInfo, *, reach: Reach = EVERYWHERE, limit: int = PAGE
) -> ReceiptList:
    """One page of the list with the counts of all groups under the same filters, as far as `reach` goes."""
    conditions = [reach.where(Receipt.site_id), *_conditions(filters, zone)]
    counts = await _counts(session, conditions)
    chosen = [*conditions, *([GROUP[filters.state]] if filters.state in GROUP else [])]
    rows = (await session.execute(_rows(filters, chosen).limit(limit + 1))).all()
    shown = rows[:limit]
    following = str(_place(shown[-1])) if len(rows) > limit else None
    return ReceiptList(tuple(_row(row) for row in shown), counts, following)


async def suppliers(session: AsyncSession) -> list[Supplier]:
    """Who can be chosen in the filter, by name."""
    rows = await session.scalars(select(Party).where(Party.has_role("supplier")).order_by(Party.name))
    return [Supplier(row.ref, Name(row.name, row.name_he)) for row in rows]


async def waiting(session: AsyncSession, reach: Reach = EVERYWHERE) -> int:
    """How many receipts wait for a person."""
    mine = reach.where(Receipt.site_id)
    return await session.scalar(select(func.count()).select_from(Receipt).where(GROUP["review"], mine)) or 0


def _conditions(filters: Filters, zone: ZoneInfo) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.supplier:
        found.append(Party.ref == filters.supplier)
    if filters.order:
        found.append(Receipt.order_ref.icontains(filters.order, autoescape=True))
    if filters.q:
        found.append(_text(filters.q))
    if filters.since:
        found.append(Receipt.opened_received_at >= _midnight(filters.since, zone))
    if filters.until and filters.until < dt.date.max:
        found.append(Receipt.opened_received_at < _midnight(filters.until + dt.timedelta(days=1), zone))
    return found


def _text(wanted: str) -> ColumnElement[bool]:
    """Any of the words that people know a receipt by; lots and products of its lines among them."""
    of_line = select(ReceiptLine.id).where(
        ReceiptLine.receipt_id == Receipt.id,
        or_(ReceiptLine.lot.icontains(wanted, autoescape=True), ReceiptLine.sku.icontains(wanted, autoescape=True)),
    )
    columns = (Receipt.ref, Receipt.order_ref, Receipt.document_no, Receipt.operator, Party.name, Party.name_he)
    return or_(*(column.icontains(wanted, autoescape=True) for column in columns), of_line.exists())


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone)


async def _counts(session: AsyncSession, conditions: Sequence[ColumnElement[bool]]) -> dict[str, int]:
    sums = [
        func.count(Receipt.id).filter(GROUP[name]).label(name) if name in GROUP else func.count(Receipt.id) for name in GROUPS
    ]
    row = (await session.execute(select(*sums).select_from(Receipt).outerjoin(Receipt.supplier).where(*conditions))).one()
    return dict(zip(GROUPS, (int(number) for number in row), strict=True))


def _rows(filters: Filters, conditions: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    column, down = SORT[filters.sorted.column], filters.sorted.down
    lines = select(func.count()).where(ReceiptLine.receipt_id == Receipt.id, ReceiptLine.standing != LineStanding.DISCARDED)
    undecided = select(func.count()).where(
        ReceiptException.receipt_id == Receipt.id,
        ReceiptException.decision.is_(None),
        ReceiptException.severity == Severity.DECISION,
    )
    unverified = select(ReceiptException.id).where(
        ReceiptException.receipt_id == Receipt.id, ReceiptException.check == "not_verified"
    )
    typed = select(func.count()).where(Evidence.receipt_id == Receipt.id, Evidence.mode == "manual")
    query = (
        select(
            Receipt.id,
            Receipt.ref,
            Receipt.state,
            Receipt.needs_review,
            Receipt.order_ref,
            Receipt.document_no,
            Receipt.station_code,
            Receipt.operator,
            # A wall clock that nothing vouches for says 1970 as soon as any other time.
            case((Receipt.clock_set, Receipt.opened_at)).label("opened_at"),
            Receipt.opened_received_at,
            Party.id.label("party_id"),
            Party.name.label("party_name"),
            Party.name_he.label("party_name_he"),
            User.name.label("operator_name"),
            lines.scalar_subquery().label("lines"),
            undecided.scalar_subquery().label("undecided"),
            typed.scalar_subquery().label("typed"),
            unverified.exists().label("unverified"),
            column.label("sorted_by"),
        )
        .select_from(Receipt)
        .outerjoin(Receipt.supplier)
        .outerjoin(User, User.login == Receipt.operator)
        .where(*conditions)
    )
    order = (column.desc(), Receipt.id.desc()) if down else (column.asc(), Receipt.id.asc())
    after = _after(filters, column, down=down)
    return (query if after is None else query.where(after)).order_by(*order)


def _after(filters: Filters, column: ColumnElement[Any], *, down: bool) -> ColumnElement[bool] | None:
    if filters.after is None:
        return None
    value: object = filters.after.value
    if filters.sorted.column == "received":
        try:
            value = dt.datetime.fromisoformat(filters.after.value)
        except ValueError:
            return None
        if value.tzinfo is None:
            return None
    own = Receipt.id < filters.after.id if down else Receipt.id > filters.after.id
    beyond = column < value if down else column > value
    return or_(beyond, and_(column == value, own))


def _place(row: Row[Any]) -> After:
    value = row.sorted_by
    return After(value.isoformat() if isinstance(value, dt.datetime) else str(value), row.id)


def _row(row: Row[Any]) -> ReceiptRow:
    return ReceiptRow(
        ref=row.ref,
        state=row.state,
        needs_review=row.needs_review,
        supplier=Name(row.party_name, row.party_name_he) if row.party_id else None,
        order=row.order_ref,
        document=row.document_no,
        station=row.station_code,
        operator=row.operator_name or row.operator,
        lines=row.lines,
        undecided=row.undecided,
        typed=row.typed,
        unverified=bool(row.unverified),
        opened_at=row.opened_at,
        received_at=row.opened_received_at,
    )
