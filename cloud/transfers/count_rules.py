"""What holds for count sheets and their lines beyond their definitions, before they are saved."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.kernel.transition import begin
from cloud.masters.models import Location, Product
from cloud.masters.product_rules import needs_role
from cloud.stock.places import house
from cloud.stock.quants import INTERNAL as INSIDE
from cloud.transfers.goods import demand_lot
from cloud.transfers.models import CountLine, CountSheet
from cloud.transfers.rules import fresh_ref, in_product_unit


async def before_sheet(session: AsyncSession, row: CountSheet, _changes: Mapping[str, Any], taken: Taken) -> None:
    """A place that is somewhere; nothing of it is changed once it is being counted."""
    if row.id and row.state != "planned":
        raise Refused("count_begun", field="location", ref=row.ref)
    place = await session.get_one(Location, row.location_id)
    if place.usage not in INSIDE:
        raise Refused("place_nowhere", field="location", place=place.code)
    row.site_id = place.site_id
    if not row.id:
        begin(row, "planned")
        if not row.ref:
            row.ref = await fresh_ref(session, "CS", CountSheet, row.site_id, taken)


async def before_count_line(session: AsyncSession, row: CountLine, changes: Mapping[str, Any], taken: Taken) -> None:
    """What is found while its sheet is counted; the second count is somebody else's."""
    sheet = await session.get_one(CountSheet, row.sheet_id)
    await session.refresh(sheet, ["state", "version", "second", "first_by"], with_for_update={"read": True})
    if sheet.state != "counting" and not (sheet.state == "review" and row.review_code):
        raise Refused("not_counting", field="sheet", ref=sheet.ref)
    if row.product_id is None:
        raise Refused("product_missing", field="product")
    if not row.number:
        row.number = await next_line(session, sheet)
    row.owner_id = row.owner_id if row.owner_id is not None else (await house(session)).id
    product = await session.get_one(Product, row.product_id)
    await needs_role(session, row.owner_id, ("owner", "house", "customer"), "owned_by")
    if row.review_code and row.counted is None and row.recounted is None:
        await _take_up(session, sheet, row, product)
    if "counted" in changes and row.counted is not None:
        await _first(session, sheet, row, product, taken)
    if "recounted" in changes and row.recounted is not None:
        await _second(session, sheet, row, product, taken)
    if not row.id and row.counted is None and row.recounted is None:
        raise Refused("quantity_missing", field="counted")
    await _not_twice(session, sheet, row)
    row.review_code = row.review_detail = None


async def _take_up(session: AsyncSession, sheet: CountSheet, row: CountLine, product: Product) -> None:
    """What a box counted of something that nobody knew, now that somebody says what it is."""
    if row.given_quantity is None:
        raise Refused("quantity_missing", field="counted")
    unit = row.given_unit or product.unit
    amount = await in_product_unit(session, row.given_quantity, unit, product, field="product", nothing=True)
    await demand_lot(session, product, row.lot_id, amount)
    if sheet.second and row.recounted_at is not None:
        row.recounted = amount
    else:
        row.counted = amount


async def next_line(session: AsyncSession, sheet: CountSheet) -> int:
    """The number after the sheet's last line."""
    last = await session.scalar(select(func.max(CountLine.number)).where(CountLine.sheet_id == sheet.id))
    return (last or 0) + 1


async def _first(session: AsyncSession, sheet: CountSheet, row: CountLine, product: Product, taken: Taken) -> None:
    if sheet.second:
        raise Refused("counted_already", field="counted")
    await _demand_amount(session, row, product, "counted")
    row.counted_by, row.counted_at = taken.actor.name, taken.at


async def _second(session: AsyncSession, sheet: CountSheet, row: CountLine, product: Product, taken: Taken) -> None:
    if not sheet.second:
        raise Refused("not_counting_again", field="recounted")
    if taken.actor.name in {row.counted_by, sheet.first_by}:
        raise Refused("second_person_needed", field="recounted")
    await _demand_amount(session, row, product, "recounted")
    row.recounted_by, row.recounted_at = taken.actor.name, taken.at


async def _demand_amount(session: AsyncSession, row: CountLine, product: Product, field: str) -> None:
    value = getattr(row, field)
    if value < 0:
        raise Refused("quantity_positive", field=field)
    try:
        await demand_lot(session, product, row.lot_id, value)
    except Refused as exc:
        raise Refused(exc.code, **{**exc.values, "field": "lot" if exc.values.get("field") == "lot" else field}) from exc


async def _not_twice(session: AsyncSession, sheet: CountSheet, row: CountLine) -> None:
    """Raises Refused `counted_in_line`. A line that only says what should be there makes room."""
    others = await session.scalars(
        select(CountLine).where(
            CountLine.sheet_id == sheet.id,
            CountLine.id != (row.id or 0),
            CountLine.archived.is_(False),
            CountLine.product_id == row.product_id,
            CountLine.lot_id.is_not_distinct_from(row.lot_id),
            CountLine.unit_id.is_not_distinct_from(row.unit_id),
            CountLine.owner_id == row.owner_id,
        )
    )
    for other in others.all():
        if other.counted or other.recounted or sheet.state == "counting":
            raise Refused("counted_in_line", field="product", line=str(other.number))
        other.archived = True
        other.version += 1
