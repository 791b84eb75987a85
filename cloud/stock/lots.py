"""Lots, serial numbers and handling units: found or made when goods come, and what a lot's state lets happen to it."""

from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.settings_table import next_number
from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.masters.models import Product
from cloud.stock.faults import LotDiffers
from cloud.stock.lot_machine import LOT
from cloud.stock.models import HandlingUnit, Lot
from sync_protocol.identifiers import SSCC_LENGTH

MAX_CODE = 60
"""GS1 keeps lots and serials to 20 characters (General Specifications, 3.4 and 3.5); papers say longer ones."""

NUMBERS = "ref:lot::"
"""The counter from which lots made by hand get their numbers too."""


async def lot_of(  # noqa: PLR0913 - what a receipt knows of a lot
    session: AsyncSession,
    product: Product,
    code: str,
    *,
    taken: Taken,
    expires_on: date | None = None,
    is_serial: bool = False,
    supplier_id: int | None = None,
    receipt: str | None = None,
    state: str = LOT.initial,
) -> Lot:
    """The product's lot of this code, or (`is_serial`) its one piece of this number; made in `state` if there is none. A day
    that was not known before is added. Raises LotDiffers where it is known with another; Refused `lot_form`."""
    code = code.strip()
    if not code or len(code) > MAX_CODE or not code.isprintable():
        raise Refused("lot_form", lot=code[:MAX_CODE])
    found = await _lot(session, product, code)
    if found is None:
        row = Lot(
            product_id=product.id,
            code=code,
            is_serial=is_serial,
            expires_on=expires_on,
            supplier_id=supplier_id,
            first_receipt=receipt,
            state=state,
        )
        if await _store(session, row, taken):
            return row
        found = await _lot(session, product, code)
        if found is None:
            raise Refused("lot_form", lot=code)
    await _agree(session, product, found, expires_on, is_serial=is_serial, taken=taken)
    return found


async def _lot(session: AsyncSession, product: Product, code: str) -> Lot | None:
    return await session.scalar(select(Lot).where(Lot.product_id == product.id, Lot.code == code))


async def _store(session: AsyncSession, row: Lot, taken: Taken) -> bool:
    """False where somebody stored the same lot at the same moment."""
    row.created_at, row.created_by = taken.at, taken.actor.name
    try:
        async with session.begin_nested():
            row.ref = f"L-{await next_number(session, NUMBERS):06}"
            session.add(row)
            await session.flush()
    except IntegrityError:
        return False
    await session.refresh(row, ["product", "supplier"])
    changes = {"code": [None, row.code], "expires_on": [None, row.expires_on and row.expires_on.isoformat()]}
    await append_event(session, taken, action="create", kind="lot", ref=row.ref, changes=changes)
    return True


async def _agree(session: AsyncSession, product: Product, lot: Lot, day: date | None, *, is_serial: bool, taken: Taken) -> None:
    known = lot.expires_on
    if lot.is_serial != is_serial:
        values = {"field": "is_serial", "known": str(lot.is_serial).lower(), "said": str(is_serial).lower()}
        raise LotDiffers("lot_differs", product=product.sku, lot=lot.code, **values)
    if day is None or day == known:
        return
    if known is not None:
        values = {"field": "expires_on", "known": known.isoformat(), "said": day.isoformat()}
        raise LotDiffers("lot_differs", product=product.sku, lot=lot.code, **values)
    lot.expires_on = day
    lot.version += 1
    lot.updated_at, lot.updated_by = taken.at, taken.actor.name
    changes = {"expires_on": [None, day.isoformat()]}
    await append_event(session, taken, action="change", kind="lot", ref=lot.ref, changes=changes)
    await session.flush()


async def unit_of(
    session: AsyncSession,
    sscc: str,
    *,
    taken: Taken,
    parent_id: int | None = None,
    location_id: int | None = None,
    packaging: str | None = None,
    tare: Decimal | None = None,
    receipt: str | None = None,
) -> HandlingUnit:
    """The handling unit of this SSCC, made if there is none; what is said of a known one changes nothing. Raises Refused
    `sscc_form` for anything but 18 digits (a wrong check digit is for the receipt's checks)."""
    sscc = sscc.strip()
    if len(sscc) != SSCC_LENGTH or not (sscc.isascii() and sscc.isdigit()):
        raise Refused("sscc_form", sscc=sscc[:40])
    query = select(HandlingUnit).where(HandlingUnit.sscc == sscc)
    found = await session.scalar(query)
    if found is not None:
        return found
    row = HandlingUnit(
        sscc=sscc,
        parent_id=parent_id,
        location_id=location_id,
        packaging=packaging,
        tare=tare,
        first_receipt=receipt,
        created_at=taken.at,
        created_by=taken.actor.name,
    )
    try:
        async with session.begin_nested():
            session.add(row)
            await session.flush()
    except IntegrityError:
        return (await session.scalars(query)).one()
    await append_event(session, taken, action="create", kind="handling_unit", ref=sscc, changes={"sscc": [None, sscc]})
    return row
