"""What one station's mirror should hold: master data as the models of the contract between box and cloud."""

from typing import Any, get_args

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.lookup import station_by_code
from cloud.masters.models import Party, Product, ProductCode, PurchaseOrder, Station
from cloud.people.models import Role, User
from sync_protocol import masters
from sync_protocol.mirror import Key
from sync_protocol.quantity import UNITS, plain

_AT_BOX = {Role.OPERATOR: "operator", Role.SUPERVISOR: "supervisor", Role.ADMIN: "supervisor"}


async def desired_rows(session: AsyncSession, scope: str) -> dict[Key, dict[str, Any]]:
    """Table and key to value for a station's code; nothing for a code that no station has."""
    station = await station_by_code(session, scope)
    if station is None:
        return {}
    models: list[tuple[str, str, BaseModel]] = [
        ("station", station.code, _station(station)),
        *[("person", row.login, row) for row in await _people(session)],
        *[("product", row.sku, row) for row in await _products(session)],
        *[("code", f"{row.scheme}:{row.code}", row) for row in await _codes(session)],
    ]
    orders = await _orders(session, station)
    models += [("order", order.ref, _order(order)) for order in orders]
    models += [("party", party.ref, _party(party)) for party in {order.supplier for order in orders}]
    return {(table, key): model.model_dump(mode="json", exclude_none=True) for table, key, model in models}


def _station(row: Station) -> masters.Station:
    return masters.Station(code=row.code, name=row.name, name_he=row.name_he, site=row.site.code)


async def _people(session: AsyncSession) -> list[masters.Person]:
    rows = await session.scalars(select(User).where(User.active, User.pin_hash.is_not(None), User.role.in_(_AT_BOX)))
    return [
        masters.Person.model_validate(
            {
                "login": row.login,
                "name": row.name,
                "role": _AT_BOX[Role(row.role)],
                "pin_hash": row.pin_hash,
                "locale": row.locale,
            }
        )
        for row in rows
    ]


async def _products(session: AsyncSession) -> list[masters.Product]:
    rows = await session.scalars(select(Product).where(*_RECEIVED))
    return [_product(row) for row in rows]


_RECEIVED = (Product.archived.is_(False), Product.kind != "service", Product.unit.in_(UNITS))
"""Goods in units that a box counts and weighs in: others are received without one."""


def _product(row: Product) -> masters.Product:
    return masters.Product.model_validate(
        {
            "sku": row.sku,
            "name": row.name,
            "name_he": row.name_he,
            "unit": row.unit,
            "tracking": row.tracking,
            "expiry": row.expiry,
            "identity_policy": row.identity_policy,
            "weight_policy": row.weight_policy,
            "over_tolerance": plain(row.over_tolerance),
        }
    )


async def _codes(session: AsyncSession) -> list[masters.Code]:
    """Codes that mean one product to a box, which does not know whose label it reads."""
    rows = await session.execute(
        select(ProductCode.scheme, ProductCode.code, Product.sku)
        .join(Product, Product.id == ProductCode.product_id)
        .where(*_RECEIVED, ProductCode.archived.is_(False), ProductCode.scheme.in_(_SCHEMES))
        .order_by(ProductCode.id)
    )
    named: dict[tuple[str, str], set[str]] = {}
    for scheme, code, sku in rows:
        named.setdefault((scheme, code), set()).add(sku)
    return [
        masters.Code.model_validate({"scheme": scheme, "code": code, "product": next(iter(skus))})
        for (scheme, code), skus in named.items()
        if len(skus) == 1
    ]


_SCHEMES = get_args(masters.Code.model_fields["scheme"].annotation)


async def _orders(session: AsyncSession, station: Station) -> list[PurchaseOrder]:
    wanted = (PurchaseOrder.state == "confirmed", PurchaseOrder.site_id == station.site_id)
    return list(await session.scalars(select(PurchaseOrder).where(*wanted).order_by(PurchaseOrder.ref)))


def _order(row: PurchaseOrder) -> masters.Order:
    lines = [
        masters.OrderLine(
            line=line.line,
            product=line.product.sku,
            quantity=plain(line.quantity),
            unit=line.unit,
            received=plain(line.received),
        )
        for line in row.lines
        if line.unit in UNITS and not line.archived
    ]
    return masters.Order(ref=row.ref, supplier=row.supplier.ref, lines=lines)


def _party(row: Party) -> masters.Party:
    return masters.Party(ref=row.ref, name=row.name, name_he=row.name_he)
