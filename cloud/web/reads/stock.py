"""What the stock pages ask: codes of an address become a scope, ids become names."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from cloud.db.base import Base
from cloud.masters.models import Location, Party, Product, Site
from cloud.receiving.models import Receipt
from cloud.stock.models import HandlingUnit, Lot
from cloud.stock.scope import Scope
from cloud.stock.statement import Balance
from cloud.web.reach import Reach
from cloud.web.views import Name

Row = TypeVar("Row", bound=Base)

BY = ("product", "location", "owner", "lot")
MAX_TEXT = 80


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for, by the codes that people use: sku, location code, party ref, lot ref, SSCC."""

    product: str = ""
    location: str = ""
    owner: str = ""
    lot: str = ""
    sscc: str = ""

    @classmethod
    def of(cls, params: Mapping[str, str]) -> "Asked":
        return cls(
            **{name: params.get(name, "").strip()[:MAX_TEXT] for name in ("product", "location", "owner", "lot", "sscc")}
        )

    @property
    def narrowed(self) -> bool:
        return any(asdict(self).values())

    def url(self, path: str, **changed: str) -> str:
        """The address of a stock page that asks for the same, but for what is changed."""
        given = {name: value for name, value in {**asdict(self), **changed}.items() if value}
        return f"{path}?{urlencode(given)}" if given else path


@dataclass(frozen=True, slots=True)
class Found:
    """The scope that was asked for; `unknown` are fields whose code nobody has, and then nothing may be shown."""

    scope: Scope
    unknown: tuple[str, ...]
    product: Product | None = None
    lot: Lot | None = None


async def found(session: AsyncSession, asked: Asked, reach: Reach) -> Found:
    """The codes looked up. Sites that are out of reach are no part of the scope."""
    product = await _one(session, Product, Product.sku, asked.product)
    location = await _one(session, Location, Location.code, asked.location)
    owner = await _one(session, Party, Party.ref, asked.owner)
    lot = await _one(session, Lot, Lot.ref, asked.lot)
    unit = await _one(session, HandlingUnit, HandlingUnit.sscc, asked.sscc)
    rows = {"product": product, "location": location, "owner": owner, "lot": lot, "sscc": unit}
    unknown = tuple(name for name, row in rows.items() if row is None and getattr(asked, name))
    scope = Scope(
        product_id=product.id if product else None,
        lot_id=lot.id if lot else None,
        location_id=location.id if location else None,
        unit_id=unit.id if unit else None,
        owner_id=owner.id if owner else None,
        sites=await sites_of(session, reach),
    )
    return Found(scope, unknown, product, lot)


async def sites_of(session: AsyncSession, reach: Reach) -> list[int] | None:
    """Ids of the sites in reach; None: all."""
    if reach.sites is None:
        return None
    return list(await session.scalars(select(Site.id).where(Site.code.in_(sorted(reach.sites)))))


async def _one(session: AsyncSession, model: type[Row], column: InstrumentedAttribute[str], value: str) -> Row | None:
    return await session.scalar(select(model).where(column == value)) if value else None


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands over sums of stock."""

    code: str
    name: Name | None
    expires_on: dt.date | None = None
    state: str | None = None


async def headings(session: AsyncSession, by: str, ids: Iterable[int]) -> dict[int, Heading]:
    """Names of products, locations, owners or lots."""
    wanted = set(ids)
    if by == "lot":
        lots = await session.scalars(select(Lot).where(Lot.id.in_(wanted)))
        return {row.id: Heading(row.ref, Name(row.code), row.expires_on, row.state) for row in lots}
    if by == "product":
        products = await session.scalars(select(Product).where(Product.id.in_(wanted)))
        return {row.id: Heading(row.sku, Name(row.name, row.name_he)) for row in products}
    if by == "location":
        places = await session.scalars(select(Location).where(Location.id.in_(wanted)))
        return {row.id: Heading(row.code, Name(row.name, row.name_he)) for row in places}
    parties = await session.scalars(select(Party).where(Party.id.in_(wanted)))
    return {row.id: Heading(row.ref, Name(row.name, row.name_he)) for row in parties}


async def owners(session: AsyncSession) -> list[Heading]:
    """Who can have goods here: the house and the owners that it stores for."""
    rows = await session.scalars(
        select(Party).where(Party.archived.is_(False), Party.has_role("owner") | Party.has_role("house")).order_by(Party.name)
    )
    return [Heading(row.ref, Name(row.name, row.name_he)) for row in rows]


async def receipt_refs(session: AsyncSession, uids: Sequence[str]) -> dict[str, str]:
    """Numbers of receipts by their uids."""
    rows = await session.execute(select(Receipt.uid, Receipt.ref).where(Receipt.uid.in_(set(uids))))
    return {uid: ref for uid, ref in rows}  # noqa: C416 - a Row is no pair to the type checker


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A balance with its names."""

    balance: Balance
    product: Heading
    unit: str
    lot: Heading | None


async def named(session: AsyncSession, balances: Sequence[Balance]) -> list[StatementLine]:
    """The balances in the order of skus and lots."""
    products = {
        row.id: row
        for row in await session.scalars(select(Product).where(Product.id.in_({one.product_id for one in balances})))
    }
    lots = await headings(session, "lot", [one.lot_id for one in balances if one.lot_id is not None])
    lines = [
        StatementLine(
            one,
            Heading(products[one.product_id].sku, Name(products[one.product_id].name, products[one.product_id].name_he)),
            products[one.product_id].unit,
            lots.get(one.lot_id) if one.lot_id is not None else None,
        )
        for one in balances
    ]
    return sorted(lines, key=lambda one: (one.product.code, one.lot.code if one.lot else ""))


def day_of(text: str) -> dt.date | None:
    """A day of an address; None for anything else."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """When a day begins at the house."""
    return dt.datetime.combine(day, dt.time(), zone)
