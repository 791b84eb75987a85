"""What holds for transfers and their lines beyond their definitions, before they are saved; and their numbers and amounts."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.settings_table import next_number
from cloud.db.types import MICRO, to_micro
from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.kernel.transition import begin
from cloud.masters.models import Location, Product, Site
from cloud.masters.product_rules import needs_role
from cloud.masters.units import exact, units_of
from cloud.stock.models import Move
from cloud.stock.quants import INTERNAL as INSIDE
from cloud.transfers.goods import demand_lot
from cloud.transfers.models import (
    CUSTOMER_RETURN,
    OWNERSHIP,
    PUT_AWAY,
    SERIES,
    SUPPLIER_RETURN,
    CountSheet,
    Transfer,
    TransferLine,
)

_PARTIES = {
    SUPPLIER_RETURN: ("supplier",),
    CUSTOMER_RETURN: ("customer",),
    OWNERSHIP: ("owner", "house", "customer"),
}
"""By kind of transfer: what the other side is to us."""


async def before_transfer(session: AsyncSession, row: Transfer, changes: Mapping[str, Any], taken: Taken) -> None:
    """A number of its kind's series; places of its site; somebody at the other side where its kind has one."""
    row.kind = row.kind or "internal"
    if row.id and row.state != "draft":
        raise Refused("transfer_not_draft", field="kind", ref=row.ref)
    if row.id and "kind" in changes and not row.ref.startswith(SERIES[row.kind]):
        raise Refused("kind_is_numbered", field="kind", ref=row.ref)
    roles = _PARTIES.get(row.kind)
    if roles is None and row.party_id is not None:
        raise Refused("party_not_for_kind", field="party")
    await needs_role(session, row.party_id, roles or (), "party")
    await needs_role(session, row.owner_id, ("owner", "house", "customer"), "owned_by")
    for field, place_id in (("from_place", row.from_id), ("to_place", row.to_id)):
        await demand_inside(session, place_id, row.site_id, field)
    if "receipt_ref" in changes:
        row.receipt = await receipt_uid(session, row.receipt_ref)
    if not row.id:
        begin(row, "draft")
        if not row.ref:
            row.ref = await fresh_ref(session, SERIES[row.kind], Transfer, row.site_id, taken)


async def demand_inside(session: AsyncSession, place_id: int | None, site_id: int, field: str) -> None:
    """Raises Refused `place_nowhere` or `other_site`; nothing for no place."""
    if place_id is None:
        return
    place = await session.get_one(Location, place_id)
    if place.usage not in INSIDE:
        raise Refused("place_nowhere", field=field, place=place.code)
    if place.site_id != site_id:
        raise Refused("other_site", field=field)


async def receipt_uid(session: AsyncSession, said: str | None) -> str | None:
    """The uid of a posted receipt by its number. Raises Refused `receipt_not_posted`."""
    if not said:
        return None
    found = await session.scalar(
        select(Move.document).where(Move.document_kind == "receipt", Move.document_ref == said.strip()).limit(1)
    )
    if found is None:
        raise Refused("receipt_not_posted", field="receipt_ref", receipt=said[:40])
    return found


async def fresh_ref(
    session: AsyncSession, series: str, model: type[Transfer] | type[CountSheet], site_id: int, taken: Taken
) -> str:
    """The next number of a series, with the year as it is at the site."""
    site = await session.get_one(Site, site_id)
    year = taken.at.astimezone(ZoneInfo(site.tz)).year
    while True:
        ref = f"{series}-{year}-{await next_number(session, f'ref:{series}:{year}'):04}"
        if await session.scalar(select(model.id).where(model.ref == ref)) is None:
            return ref


async def before_line(session: AsyncSession, row: TransferLine, _changes: Mapping[str, Any], taken: Taken) -> None:
    """While its transfer is a draft, or it waits for a person: goods that can be meant, in an amount of theirs."""
    transfer = await session.get_one(Transfer, row.transfer_id)
    # Shared with others who write lines, and not with whoever posts them.
    await session.refresh(transfer, ["state", "version"], with_for_update={"read": True})
    if not row.id:
        begin(row, "planned")
    if not (transfer.state == "draft" or row.state == "needs_review"):
        raise Refused("transfer_not_draft", field="transfer", ref=transfer.ref)
    if not row.number:
        last = await session.scalar(select(func.max(TransferLine.number)).where(TransferLine.transfer_id == transfer.id))
        row.number = (last or 0) + 1
    if row.product_id is None and row.unit_id is None:
        raise Refused("product_or_unit", field="product")
    for field, place_id in (("from_place", row.from_id), ("to_place", row.to_id)):
        await demand_inside(session, place_id, transfer.site_id, field)
    await needs_role(session, row.owner_id, ("owner", "house", "customer"), "owned_by")
    await _amount(session, row)
    if transfer.kind == PUT_AWAY and row.receipt_line is not None and transfer.receipt is None and row.receipt is None:
        raise Refused("receipt_missing", field="receipt_line")
    if row.created_by is None:
        row.created_by = taken.actor.name


async def _amount(session: AsyncSession, row: TransferLine) -> None:
    if row.product_id is None:
        if row.given_quantity is not None or row.lot_id is not None:
            raise Refused("unit_goes_whole", field="given_quantity" if row.given_quantity is not None else "lot")
        row.quantity = row.given_unit = None
        return
    product = await session.get_one(Product, row.product_id)
    if row.given_quantity is None:
        raise Refused("quantity_missing", field="given_quantity")
    row.given_unit = row.given_unit or product.unit
    row.quantity = await in_product_unit(session, row.given_quantity, row.given_unit, product)
    await demand_lot(session, product, row.lot_id, row.quantity)


async def in_product_unit(
    session: AsyncSession, amount: Decimal, unit: str, product: Product, *, field: str = "given_quantity", nothing: bool = False
) -> Decimal:
    """An amount in the product's own unit, to a millionth, half to even where it has no end before. Raises Refused
    `quantity_positive` (`nothing`: 0 may stand), `quantity_form`, and as `cloud.masters.units.ratio`."""
    try:
        result = exact(amount, unit, product.unit, await units_of(session))
    except Refused as exc:
        raise Refused(exc.code, **{"field": "given_unit", **exc.values}) from exc
    value = _rounded(result)
    if value < 0 or (value == 0 and not nothing):
        raise Refused("quantity_positive", field=field)
    try:
        to_micro(value)
    except ValueError as exc:
        raise Refused("quantity_form", field=field, quantity=f"{amount:f}"[:40]) from exc
    return value


def _rounded(value: Fraction) -> Decimal:
    """Not by Decimal's arithmetic, which would keep 28 digits and drop the rest."""
    scaled = round(value * 10**MICRO)
    digits = tuple(int(one) for one in str(abs(scaled)))
    return Decimal((int(scaled < 0), digits, -MICRO))
