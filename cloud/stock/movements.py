"""Movements, a page at a time, newest first."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.masters.models import Location, Party, Product
from cloud.stock.models import HandlingUnit, Lot, Move
from cloud.stock.scope import ANYTHING, Scope

MAX_PAGE = 200


@dataclass(frozen=True, slots=True)
class Movement:
    """One move with the names of what it is about."""

    id: int
    at: datetime
    effective_at: datetime
    sku: str
    product: str
    product_he: str | None
    unit: str
    lot: str | None
    owner: str
    owner_name: str
    quantity: Decimal
    source: str
    source_usage: str
    target: str
    target_usage: str
    from_unit: str | None
    to_unit: str | None
    document_kind: str
    document: str
    document_ref: str
    line: int | None
    receipt: str | None
    receipt_line: int | None
    from_bucket: str | None
    to_bucket: str | None
    reverses_id: int | None
    by: str
    via: str | None
    reason: str | None

    @property
    def place(self) -> "After":
        return (self.effective_at, self.id)


After = tuple[datetime, int]
"""Where a page ended: the next one begins below it."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` up to and without `until`; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self) -> list[ColumnElement[bool]]:
        found = []
        if self.since is not None:
            found.append(Move.effective_at >= self.since)
        if self.until is not None:
            found.append(Move.effective_at < self.until)
        return found


EVER = Span()


async def movements(
    session: AsyncSession, scope: Scope = ANYTHING, span: Span = EVER, *, after: After | None = None, limit: int = 50
) -> list[Movement]:
    """By the time at which they happened, then as they were written; `after` is `place` of the last one of the page before."""
    limit = max(1, min(limit, MAX_PAGE))
    ids = (await session.scalars(_page(scope, span, after, limit))).all()
    rows = await session.execute(_named().where(Move.id.in_(ids)))
    return sorted((Movement(*row) for row in rows), key=lambda one: one.place, reverse=True)


def _page(scope: Scope, span: Span, after: After | None, limit: int) -> Select[int]:
    where = [*scope.goods(Move), *span.holds()]
    if scope.unit_id is not None:
        where.append(or_(Move.unit_id == scope.unit_id, Move.to_unit_id == scope.unit_id))
    if after is not None:
        moment, number = after
        where += [Move.effective_at <= moment, or_(Move.effective_at < moment, Move.id < number)]
    if scope.location_id is None:
        places = scope.places()
        if scope.sites is not None:
            where.append(or_(Move.source_id.in_(places), Move.target_id.in_(places)))
        return select(Move.id).where(*where).order_by(Move.effective_at.desc(), Move.id.desc()).limit(limit)
    # Each side by its own index: asked for together both databases would sort everything that ever passed the place.
    sides = []
    for side in (Move.source_id, Move.target_id):
        there = and_(side == scope.location_id, side.in_(scope.places()))
        newest = select(Move.id, Move.effective_at).where(*where, there)
        sides.append(select(newest.order_by(Move.effective_at.desc(), Move.id.desc()).limit(limit).subquery()))
    both = union(*sides).subquery()
    return select(both.c.id).order_by(both.c.effective_at.desc(), both.c.id.desc()).limit(limit)


def _named() -> Select[*tuple[Any, ...]]:
    source, target = aliased(Location), aliased(Location)
    before, behind = aliased(HandlingUnit), aliased(HandlingUnit)
    return (
        select(
            Move.id,
            Move.at,
            Move.effective_at,
            Product.sku,
            Product.name,
            Product.name_he,
            Product.unit,
            Lot.code,
            Party.ref,
            Party.name,
            Move.quantity,
            source.code,
            source.usage,
            target.code,
            target.usage,
            before.sscc,
            behind.sscc,
            Move.document_kind,
            Move.document,
            Move.document_ref,
            Move.line,
            Move.receipt,
            Move.receipt_line,
            Move.from_bucket,
            Move.to_bucket,
            Move.reverses_id,
            Move.by,
            Move.via,
            Move.reason,
        )
        .join(Product, Product.id == Move.product_id)
        .join(Party, Party.id == Move.owner_id)
        .join(source, source.id == Move.source_id)
        .join(target, target.id == Move.target_id)
        .outerjoin(Lot, Lot.id == Move.lot_id)
        .outerjoin(before, before.id == Move.unit_id)
        .outerjoin(behind, behind.id == Move.to_unit_id)
    )
