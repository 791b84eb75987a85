"""Lots, handling units, quants and moves as kinds of objects. Quants and moves are only read; the ledger makes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.access import TRANSITION
from cloud.kernel.actor import Taken
from cloud.masters.models import Product
from cloud.masters.product_rules import in_order
from cloud.masters.trees import refuse_circle
from cloud.objects.registry import Shipped
from cloud.objects.typed import TypedKind
from cloud.stock.lot_machine import LOT
from cloud.stock.models import HandlingUnit, Lot, Move, Quant
from sync_protocol.identifiers import sscc_ok

FOLDER = Path(__file__).parent / "definitions"


async def before_lot(session: AsyncSession, row: Lot, changes: Mapping[str, Any], taken: Taken) -> None:
    """A lot is of a product that has lots, and what stock was judged by is not rewritten: `lot_without_tracking`,
    `lot_has_moves`, `lot_has_stock`."""
    in_order(row.made_on, row.expires_on, "expires_on")
    if not (row.code or "").strip().isprintable():
        raise Refused("lot_form", field="code", lot=row.code[:40])
    row.code = (row.code or "").strip()
    with session.no_autoflush:
        if {"product", "is_serial"} & changes.keys():
            tracking = await session.scalar(select(Product.tracking).where(Product.id == row.product_id))
            if tracking != ("serial" if row.is_serial else "lot"):
                raise Refused("lot_without_tracking", field="product", tracking=tracking or "none")
        if row.id is not None:
            await _keep(session, row, changes, taken)


async def _keep(session: AsyncSession, row: Lot, changes: Mapping[str, Any], taken: Taken) -> None:
    what = sorted({"product", "code", "is_serial"} & changes.keys())
    if what:
        moved = await session.scalar(select(Move.id).where(Move.lot_id == row.id).limit(1))
        if moved is not None:
            raise Refused("lot_has_moves", field=what[0])
    if "expires_on" in changes and not _may_correct(taken):
        held = select(Quant.id).where(Quant.lot_id == row.id, Quant.internal.is_(True)).limit(1)
        if await session.scalar(held) is not None:
            raise Refused("lot_has_stock", field="expires_on")


def _may_correct(taken: Taken) -> bool:
    allowed = taken.access is None or taken.access.may(LOT.kind, f"{TRANSITION}correct_expiry")
    return allowed and bool((taken.reason or "").strip())


async def before_unit(session: AsyncSession, row: HandlingUnit, changes: Mapping[str, Any], _taken: Taken) -> None:
    """Its number is right, and it stands on nothing that stands on it."""
    if "sscc" in changes and not sscc_ok(row.sscc or ""):
        raise Refused("sscc_check_digit", field="sscc")
    if row.id is not None and "sscc" in changes:
        moved = select(Move.id).where((Move.unit_id == row.id) | (Move.to_unit_id == row.id)).limit(1)
        with session.no_autoflush:
            if await session.scalar(moved) is not None:
                raise Refused("unit_has_moves", field="sscc")
    if "parent" in changes:
        columns = (HandlingUnit.id, HandlingUnit.parent_id)
        await refuse_circle(session, "handling_unit", columns, row.id, row.parent_id)


KINDS = (
    TypedKind("lot", Lot, FOLDER / "lot.yaml", machine=LOT, before_save=before_lot),
    TypedKind("handling_unit", HandlingUnit, FOLDER / "handling_unit.yaml", before_save=before_unit),
    TypedKind("quant", Quant, FOLDER / "quant.yaml"),
    TypedKind("move", Move, FOLDER / "move.yaml"),
)
SHIPPED = Shipped(typed=KINDS)
