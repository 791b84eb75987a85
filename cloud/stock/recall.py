"""Recall: where a lot is now, where it went, and how it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.masters.models import Location, Party, Product
from cloud.stock.models import HandlingUnit, Lot, Move, Quant
from cloud.stock.quants import INTERNAL, NOTHING
from cloud.stock.scope import ANYTHING, Scope

MAX_LOTS = 200
"""Lots of one code: each product has at most one."""


@dataclass(frozen=True, slots=True)
class Here:
    """Some of the lot that is still in the house."""

    lot_id: int
    product: str
    location: str
    usage: str
    site_id: int
    owner: str
    sscc: str | None
    quantity: Decimal
    reserved: Decimal


@dataclass(frozen=True, slots=True)
class Passed:
    """Some of the lot that came or went over the house's border, and was not taken back. Of whom or to whom the document
    says."""

    lot_id: int
    product: str
    usage: str
    """Of the place outside: supplier, customer, production or adjustment."""
    quantity: Decimal
    owner: str
    document_kind: str
    document: str
    document_ref: str
    line: int | None
    receipt: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Recall:
    """`receipts` are uids; `units` every pallet that the lot lay on and what stood on it with it: SSCCs."""

    lots: Sequence[Lot]
    here: Sequence[Here]
    came: Sequence[Passed]
    went: Sequence[Passed]
    receipts: Sequence[str]
    units: Sequence[str]

    @property
    def gone(self) -> Decimal:
        return sum((one.quantity for one in self.went), NOTHING)


async def lots_of_code(session: AsyncSession, code: str) -> list[Lot]:
    """Every product's lot of this code, or serial number."""
    rows = await session.scalars(select(Lot).where(Lot.code == code.strip()).order_by(Lot.id).limit(MAX_LOTS))
    return list(rows.all())


async def recall(session: AsyncSession, lots: Sequence[Lot], scope: Scope = ANYTHING) -> Recall:
    """Everything about these lots that the asker may see (`sites`, `owners` of the scope; the rest of it does not count)."""
    seen = Scope(sites=scope.sites, owners=scope.owners)
    ids = [one.id for one in lots]
    came, went = await _passed(session, ids, seen, out=False), await _passed(session, ids, seen, out=True)
    brought = [
        one.receipt or one.document
        for one in came
        if one.usage == "supplier" and (one.receipt or one.document_kind == "receipt")
    ]
    first = [one.first_receipt for one in lots if one.first_receipt]
    return Recall(
        lots,
        await _here(session, ids, seen),
        came,
        went,
        list(dict.fromkeys([*first, *brought])),
        await _units(session, ids, seen),
    )


async def _here(session: AsyncSession, ids: Sequence[int], scope: Scope) -> list[Here]:
    rows: Any = await session.execute(
        select(
            Quant.lot_id,
            Product.sku,
            Location.code,
            Location.usage,
            Location.site_id,
            Party.ref,
            HandlingUnit.sscc,
            Quant.quantity,
            Quant.reserved,
        )
        .join(Product, Product.id == Quant.product_id)
        .join(Location, Location.id == Quant.location_id)
        .join(Party, Party.id == Quant.owner_id)
        .outerjoin(HandlingUnit, HandlingUnit.id == Quant.unit_id)
        .where(Quant.lot_id.in_(ids), Quant.quantity > NOTHING, *scope.quants())
        .order_by(Location.code, Quant.id)
    )
    return [Here(*row) for row in rows]


async def _passed(session: AsyncSession, ids: Sequence[int], scope: Scope, *, out: bool) -> list[Passed]:
    source, target = aliased(Location), aliased(Location)
    inside, outside = (source, target) if out else (target, source)
    rows: Any = await session.execute(
        select(
            Move.lot_id,
            Product.sku,
            outside.usage,
            Move.quantity,
            Party.ref,
            Move.document_kind,
            Move.document,
            Move.document_ref,
            Move.line,
            Move.receipt,
            Move.effective_at,
        )
        .join(Product, Product.id == Move.product_id)
        .join(Party, Party.id == Move.owner_id)
        .join(source, source.id == Move.source_id)
        .join(target, target.id == Move.target_id)
        .where(Move.lot_id.in_(ids), outside.usage.not_in(INTERNAL), inside.usage.in_(INTERNAL), *_stands())
        .where(*(scope.went() if out else scope.came()))
        .order_by(Move.effective_at, Move.id)
    )
    return [Passed(*row) for row in rows]


def _stands() -> list[ColumnElement[bool]]:
    """Neither taken back nor a taking back."""
    opposite = aliased(Move)
    return [Move.reverses_id.is_(None), ~select(opposite.id).where(opposite.reverses_id == Move.id).exists()]


async def _units(session: AsyncSession, ids: Sequence[int], scope: Scope) -> list[str]:
    """Units of moves and of their whole families: what stood on one pallet went the same way."""
    touched = select(HandlingUnit.id, HandlingUnit.parent_id).where(
        or_(
            HandlingUnit.id.in_(select(Move.unit_id).where(Move.lot_id.in_(ids), *scope.went())),
            HandlingUnit.id.in_(select(Move.to_unit_id).where(Move.lot_id.in_(ids), *scope.came())),
        )
    )
    family = touched.cte("family", recursive=True)
    other = aliased(HandlingUnit)
    related = or_(other.parent_id == family.c.id, other.id == family.c.parent_id)
    family = family.union(select(other.id, other.parent_id).join(family, related))
    rows = await session.scalars(
        select(HandlingUnit.sscc).where(HandlingUnit.id.in_(select(family.c.id))).order_by(HandlingUnit.sscc)
    )
    return list(rows.all())
