"""Products and what names them, as a box needs them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, get_args

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Party, Product, ProductCode
from cloud.masters.units import Units, convert, units_of
from cloud.mirror.here import Here, Made, bare
from sync_protocol import masters
from sync_protocol.quantity import UNITS, plain

RECEIVED = (Product.archived.is_(False), Product.kind != "service", Product.unit.in_(UNITS))
"""Goods in units that a box counts and weighs in: others are received without one."""

_SCHEMES = get_args(masters.Code.model_fields["scheme"].annotation)

PACK_PLACES = 6
"""Stock is counted in millionths."""


async def products(session: AsyncSession, _here: Here) -> list[Made]:
    """Table `product`."""
    rows = await session.execute(select(Product, Party.ref).outerjoin(Party, Party.id == Product.owner_id).where(*RECEIVED))
    return [("product", row.sku, _product(row, owner)) for row, owner in rows]


def _product(row: Product, owner: str | None) -> dict[str, Any]:
    return bare(
        sku=row.sku,
        name=row.name,
        name_he=row.name_he,
        unit=row.unit,
        tracking=row.tracking,
        expiry=row.expiry,
        identity_policy=row.identity_policy,
        weight_policy=row.weight_policy,
        over_tolerance=plain(row.over_tolerance),
        under_tolerance=plain(row.under_tolerance),
        weight_tolerance=said(row.weight_tolerance),
        unit_weight=said(row.unit_weight),
        tare=said(row.tare),
        min_life_days=row.min_life_days,
        temp_min=said(row.temp_min),
        temp_max=said(row.temp_max),
        owner=owner,
        quarantine=row.quarantine,
    )


def said(value: Decimal | None) -> str | None:
    """Plain digits."""
    return None if value is None else plain(value)


async def codes(session: AsyncSession, _here: Here) -> list[Made]:
    """Table `code`: each supplier's own codes by themselves, and every code as it is read where nobody knows whose label it is.

    A code that means several products then names the others too.
    """
    rows = await session.execute(
        select(
            ProductCode.scheme, ProductCode.code, ProductCode.pack_qty, ProductCode.unit, Product.unit, Product.sku, Party.ref
        )
        .join(Product, Product.id == ProductCode.product_id)
        .outerjoin(Party, Party.id == ProductCode.party_id)
        .where(*RECEIVED, ProductCode.archived.is_(False), ProductCode.scheme.in_(_SCHEMES))
        .order_by(ProductCode.id)
    )
    units = await units_of(session)
    made: list[Made] = []
    named: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for scheme, code, quantity, unit, own, sku, party in rows:
        pack = _pack(quantity, unit or own, own, units)
        named.setdefault((scheme, code), []).append((sku, pack))
        if party is not None:
            value = bare(scheme=scheme, code=code, product=sku, party=party, pack=pack)
            made.append(("code", f"{scheme}:{code}:{party}", value))
    for (scheme, code), means in named.items():
        whoevers = _whoevers(scheme, code, means)
        if whoevers is not None:
            made.append(("code", f"{scheme}:{code}", whoevers))
    return made


def _pack(quantity: Decimal, unit: str, own: str, units: Units) -> str:
    return plain(quantity if unit == own else convert(quantity, unit, own, units, decimals=PACK_PLACES))


def _whoevers(scheme: str, code: str, means: Iterable[tuple[str, str]]) -> dict[str, Any] | None:
    """What a code says without its supplier; None where the product is clear and how much is in it is not."""
    skus = list(dict.fromkeys(sku for sku, _ in means))
    packs = {pack for _, pack in means}
    if len(skus) > 1:
        return bare(scheme=scheme, code=code, product=skus[0], others=skus[1:])
    return bare(scheme=scheme, code=code, product=skus[0], pack=packs.pop()) if len(packs) == 1 else None
