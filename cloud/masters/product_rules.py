"""What holds for products, their codes, kits and units beyond their definitions."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.masters.gtin import gtin14
from cloud.masters.models import BomLine, OrderLine, Party, Price, Product, ProductCode, Unit
from cloud.masters.moved import keep_unit
from cloud.masters.trees import hold, leads_to
from cloud.masters.units import BUILT_IN, Factor, countable, ratio, units_of

OF_NOBODY = frozenset({"gtin", "udi", "own"})
"""Schemes whose codes mean the same whoever's label they stand on."""

_UCUM = re.compile(r"[!-~]{1,40}")
"""UCUM codes are printable ASCII without blanks (UCUM 2.1, 2)."""


async def before_product(session: AsyncSession, row: Product, changes: Mapping[str, Any], _taken: Taken) -> None:
    """Unit, ranges, owner, and that what hangs on the product still fits."""
    if "unit" in changes:
        await _product_unit(session, row)
        await keep_unit(session, row)
    if row.tracking == "serial" and BUILT_IN.get(row.unit) != BUILT_IN["{pcs}"]:
        raise Refused("serial_needs_pieces", field="tracking", unit=row.unit)
    in_order(row.temp_min, row.temp_max, "temp_max")
    if "owned_by" in changes:
        await needs_role(session, row.owner_id, ("owner", "house"), "owned_by")
    if changes.get("kind") not in {None, "kit"} and row.id is not None:
        line = await session.scalar(select(BomLine.id).where(BomLine.parent_id == row.id, BomLine.archived.is_(False)).limit(1))
        if line is not None:
            raise Refused("kit_has_parts", field="kind", sku=row.sku)


def in_order(low: Any, high: Any, field: str) -> None:
    """Raises Refused `range_order` where an upper end lies below the lower one."""
    if low is not None and high is not None and high < low:
        raise Refused("range_order", field=field)


async def needs_role(session: AsyncSession, party_id: int | None, roles: tuple[str, ...], field: str) -> None:
    """Raises Refused `party_role` where a party is given that has none of the roles."""
    if party_id is None:
        return
    party = await session.get(Party, party_id)
    if party is None or not set(roles) & set(party.roles):
        raise Refused("party_role", field=field, role=roles[0], ref=party.ref if party else "")


async def _product_unit(session: AsyncSession, row: Product) -> None:
    units = await units_of(session)
    if row.unit not in units:
        raise Refused("unit_unknown", field="unit", unit=row.unit)
    if not countable(row.unit, units):
        raise Refused("unit_offset", field="unit", unit=row.unit)
    if not row.id:
        return
    used = {
        *(await session.scalars(select(OrderLine.unit).where(OrderLine.product_id == row.id).distinct())),
        *(await session.scalars(select(BomLine.unit).where(BomLine.child_id == row.id).distinct())),
        *(await session.scalars(select(ProductCode.unit).where(ProductCode.product_id == row.id).distinct())),
        *(await session.scalars(select(Price.unit).where(Price.product_id == row.id).distinct())),
    }
    for unit in sorted(filter(None, used)):
        if units[unit].dimension != units[row.unit].dimension:
            raise Refused("unit_in_use", field="unit", unit=unit)


async def fits_product(session: AsyncSession, unit: str | None, product_id: int, field: str = "unit") -> None:
    """Raises Refused where amounts in `unit` (None: the product's own) are not amounts of the product."""
    if unit is None:
        return
    units = await units_of(session)
    own = await session.scalar(select(Product.unit).where(Product.id == product_id))
    try:
        ratio(unit, str(own), units)
    except Refused as exc:
        raise Refused(exc.code, field=field, **exc.values) from exc


async def before_code(session: AsyncSession, row: ProductCode, changes: Mapping[str, Any], _taken: Taken) -> None:
    """A GTIN has its right check digit and all its digits; a code names one product for one party."""
    if row.scheme == "gtin" and ("code" in changes or "scheme" in changes):
        try:
            row.code = gtin14(row.code)
        except Refused as exc:
            raise Refused(exc.code, field="code", **exc.values) from exc
    if {"scheme", "party"} & changes.keys():
        if row.scheme in OF_NOBODY and row.party_id is not None:
            raise Refused("code_of_nobody", field="party", scheme=row.scheme)
        if row.scheme == "supplier" and row.party_id is None:
            raise Refused("code_needs_party", field="party")
        await needs_role(session, row.party_id, ("supplier",), "party")
    if {"unit", "product"} & changes.keys():
        await fits_product(session, row.unit, row.product_id)
    party = ProductCode.party_id.is_(None) if row.party_id is None else ProductCode.party_id == row.party_id
    other = await session.scalar(
        select(ProductCode).where(
            ProductCode.scheme == row.scheme, ProductCode.code == row.code, party, ProductCode.id != (row.id or 0)
        )
    )
    if other is not None:
        raise Refused("code_taken", field="code", sku=other.product.sku)


async def before_bom_line(session: AsyncSession, row: BomLine, changes: Mapping[str, Any], _taken: Taken) -> None:
    """Only kits have components, in amounts of them, and no kit is in itself at any depth."""
    kind = await session.scalar(select(Product.kind).where(Product.id == row.parent_id))
    if kind != "kit":
        raise Refused("not_a_kit", field="kit")
    if {"unit", "component"} & changes.keys():
        await fits_product(session, row.unit, row.child_id)
    if {"kit", "component"} & changes.keys():
        await hold(session, "bom")
        live = BomLine.archived.is_(False)
        if await leads_to(session, BomLine.parent_id, BomLine.child_id, row.child_id, row.parent_id, where=live):
            raise Refused("circle", field="component")


async def before_unit(_session: AsyncSession, row: Unit, changes: Mapping[str, Any], _taken: Taken) -> None:
    """What is built in keeps its factor: amounts on the box and here must mean the same."""
    if not _UCUM.fullmatch(row.code):
        raise Refused("unit_form", field="code", unit=row.code[:40])
    row.numerator, row.denominator = row.numerator or 1, row.denominator or 1
    built_in = BUILT_IN.get(row.code)
    if built_in not in {None, Factor(row.dimension, Fraction(row.numerator, row.denominator))}:
        names = ("dimension", "numerator", "denominator")
        raise Refused("unit_built_in", field=next((name for name in names if name in changes), "code"))
