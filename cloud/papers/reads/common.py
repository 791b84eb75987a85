"""What several documents read: ourselves, parties, people, goods, and amounts in one unit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Location, Party, Product, Site
from cloud.papers.views import Amount, Goods, Name, Side
from cloud.people.models import User
from cloud.stock.models import HandlingUnit, Lot
from cloud.stock.places import house_of
from sync_protocol.errors import TextFault
from sync_protocol.quantity import UNITS, Quantity, plain

PLACES = 6
"""Decimal places to which sums over several units are rounded, as stock itself is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document is read with. `organisation`: our name where no party is ourselves."""

    session: AsyncSession
    organisation: str


async def house(reading: Reading) -> Side:
    """Ourselves."""
    row = await house_of(reading.session)
    return side(row) if row is not None else Side(Name(reading.organisation or "Tallybox"))


def side(row: Party) -> Side:
    """A party as documents show it."""
    return Side(named(row), row.ref, row.reg_no, _address(row), row.phone)


def _address(row: Party) -> str | None:
    rows = sorted(row.addresses or [], key=lambda one: one.get("use") != "main")
    parts = [str(rows[0].get(name) or "").strip() for name in ("street", "city", "postcode")] if rows else []
    return ", ".join(part for part in parts if part) or None


def named(row: Party | Product | Site | Location) -> Name:
    """Its name in both languages."""
    return Name(row.name, row.name_he)


async def people(session: AsyncSession, logins: Iterable[str | None]) -> Mapping[str, str]:
    """Names of people by login; who is none (a part of the system) keeps the name that it has."""
    wanted = {login for login in logins if login}
    rows = await session.execute(select(User.login, User.name).where(User.login.in_(wanted)))
    return {login: login for login in wanted} | {row[0]: row[1] for row in rows}


def goods_of(product: Product, lot: Lot | None = None, unit: HandlingUnit | None = None, owner: Party | None = None) -> Goods:
    """Goods as stock knows them."""
    serial = lot is not None and lot.is_serial
    return Goods(
        product.sku,
        named(product),
        lot=lot.code if lot is not None and not serial else None,
        expiry=lot.expires_on if lot is not None else None,
        serials=(lot.code,) if lot is not None and serial else (),
        sscc=unit.sscc if unit is not None else None,
        owner=named(owner) if owner is not None else None,
    )


def amount(value: Decimal | None, unit: str | None) -> Amount | None:
    """Digits with their unit."""
    return None if value is None else Amount(plain(value), unit)


def in_unit(value: Decimal, unit: str | None, target: str | None) -> Decimal | None:
    """The amount counted in `target`; None where it cannot be."""
    if unit == target:
        return value
    if unit not in UNITS or target not in UNITS:
        return None
    try:
        return Quantity(value, unit).to(target, decimals=PLACES).value.normalize() + 0
    except TextFault:
        return None
