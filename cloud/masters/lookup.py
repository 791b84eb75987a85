"""Finding master data by what a box or a page calls it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Party, PartyAlias, Product, ProductCode, PurchaseOrder, Station


async def order_by_ref(session: AsyncSession, ref: str | None) -> PurchaseOrder | None:
    """The order of this number."""
    return None if ref is None else await session.scalar(select(PurchaseOrder).where(PurchaseOrder.ref == ref))


async def party_by_ref(session: AsyncSession, ref: str | None) -> Party | None:
    """The party of this number, or the one that it has become part of."""
    if ref is None:
        return None
    return await merged_into(session, ref) or await session.scalar(select(Party).where(Party.ref == ref))


async def station_by_code(session: AsyncSession, code: str) -> Station | None:
    """The station of this code."""
    return await session.scalar(select(Station).where(Station.code == code))


async def product_by_sku(session: AsyncSession, sku: str) -> Product | None:
    """The product of this number."""
    return await session.scalar(select(Product).where(Product.sku == sku))


async def products_of_code(session: AsyncSession, code: str) -> set[str]:
    """Skus that a scanned text may mean: own and supplier codes as they are, GTINs of any length padded to 14 digits."""
    texts = {code, code.zfill(14)} if code.isascii() and code.isdigit() and len(code) <= 14 else {code}
    rows = await session.scalars(select(ProductCode).where(ProductCode.code.in_(texts), ProductCode.archived.is_(False)))
    return {row.product.sku for row in rows if row.code == code or row.scheme == "gtin"}


async def merged_into(session: AsyncSession, ref: str) -> Party | None:
    """The party that another of this number has become part of."""
    alias = select(PartyAlias.party_id).where(PartyAlias.ref == ref).scalar_subquery()
    return await session.scalar(select(Party).where(Party.id == alias))
