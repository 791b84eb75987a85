"""Where goods could be put away: beside their like, else where nothing lies yet."""

from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Location, Party, Product
from cloud.stock.models import Quant
from cloud.stock.place_rules import may_lie
from cloud.stock.places import house_of

LOOKED_AT = 200
"""Places of a kind that are tried for one product; a list is a proposal, and whoever puts away knows better."""


@dataclass(slots=True)
class Chooser:
    """Proposes places of one site. An empty place is proposed once."""

    session: AsyncSession
    site_id: int | None
    _given: set[int] = field(default_factory=set)
    _known: dict[tuple[int, int], Location] = field(default_factory=dict)

    async def place_for(self, product: Product, owner: Party | None) -> Location | None:
        """A place that may take so much of it; None where there is none."""
        holder = owner or await house_of(self.session)
        if self.site_id is None or holder is None:
            return None
        key = product.id, holder.id
        if key not in self._known:
            found = await self._beside(product, holder) or await self._empty(product, holder)
            if found is None:
                return None
            self._known[key] = found
            self._given.add(found.id)
        return self._known[key]

    async def _beside(self, product: Product, owner: Party) -> Location | None:
        held = func.sum(Quant.quantity)
        rows = await self.session.scalars(
            select(Location)
            .join(Quant, Quant.location_id == Location.id)
            .where(Location.site_id == self.site_id, Location.usage == "stock", Location.archived.is_(False))
            .where(Quant.product_id == product.id, Quant.owner_id == owner.id)
            .group_by(Location.id)
            .order_by(held.desc(), Location.code)
            .limit(LOOKED_AT)
        )
        return next((row for row in rows if not may_lie(row, product, owner)), None)

    async def _empty(self, product: Product, owner: Party) -> Location | None:
        lies = exists().where(Quant.location_id == Location.id, Quant.quantity > Decimal(0))
        rows = await self.session.scalars(
            select(Location)
            .where(Location.site_id == self.site_id, Location.usage == "stock", Location.archived.is_(False), ~lies)
            .where(Location.id.not_in(self._given))
            .order_by(Location.code)
            .limit(LOOKED_AT)
        )
        return next((row for row in rows if not may_lie(row, product, owner)), None)
