"""Which stock a question is about, and which of it the asker may see at all."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.orm import InstrumentedAttribute

from cloud.masters.models import Location
from cloud.stock.models import Move, Quant
from cloud.stock.quants import INTERNAL

Place = InstrumentedAttribute[int]


@dataclass(frozen=True, slots=True)
class Scope:
    """None is any. `sites` and `owners` are what the asker is kept to; the rest is what they look for."""

    product_id: int | None = None
    lot_id: int | None = None
    location_id: int | None = None
    unit_id: int | None = None
    owner_id: int | None = None
    sites: Collection[int] | None = None
    owners: Collection[int] | None = None

    def places(self) -> Select[int]:
        """Ids of the places that are meant: real ones, not those where goods come from and go to."""
        query = select(Location.id).where(Location.usage.in_(INTERNAL))
        if self.location_id is not None:
            query = query.where(Location.id == self.location_id)
        return query if self.sites is None else query.where(Location.site_id.in_(self.sites))

    def goods(self, table: type[Move] | type[Quant]) -> list[ColumnElement[bool]]:
        """What holds of the goods, wherever they are; `unit_id` is asked for apart."""
        asked = {name: getattr(self, name) for name in ("product_id", "lot_id", "owner_id")}
        found = [getattr(table, name) == value for name, value in asked.items() if value is not None]
        if self.owners is not None:
            found.append(table.owner_id.in_(self.owners))
        return found or [true()]

    def quants(self) -> list[ColumnElement[bool]]:
        """What holds of quants of these goods in these places."""
        found = [Quant.internal.is_(True), *self.goods(Quant)]
        if self.unit_id is not None:
            found.append(Quant.unit_id == self.unit_id)
        if self.location_id is not None:
            found.append(Quant.location_id == self.location_id)
        if self.sites is not None:
            found.append(Quant.location_id.in_(self.places()))
        return found

    def came(self) -> list[ColumnElement[bool]]:
        """What holds of moves that brought such goods into these places, from wherever."""
        found = [*self.goods(Move), Move.target_id.in_(self.places())]
        return found if self.unit_id is None else [*found, Move.to_unit_id == self.unit_id]

    def went(self) -> list[ColumnElement[bool]]:
        """What holds of moves that took such goods out of these places."""
        found = [*self.goods(Move), Move.source_id.in_(self.places())]
        return found if self.unit_id is None else [*found, Move.unit_id == self.unit_id]


ANYTHING = Scope()
