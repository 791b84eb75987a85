"""Where goods may be put, the likeliest place first; and what of a receipt waits to be put away."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Location, Party, Product
from cloud.stock.models import HandlingUnit, Lot, Quant
from cloud.stock.place_rules import may_lie
from cloud.transfers.origins import Origin, origins

MAX_SUGGESTIONS = 10
"""Nobody reads on."""

MAX_PLACES = 2000
"""Places of one site that are looked at."""

NOTHING = Decimal(0)

SAME_LOT, SAME_PRODUCT, EMPTY, SHARED = "same_lot", "same_product", "empty", "shared"
"""Why a place is offered, the best first: the very goods lie there; others of the product and owner; nothing does; others'."""

_ORDER = (SAME_LOT, SAME_PRODUCT, EMPTY, SHARED)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A place that may take the goods. `lies` is how much of the product and owner is there already, in the product's unit."""

    location: Location
    why: str
    lies: Decimal


@dataclass(frozen=True, slots=True)
class Waiting:
    """Released goods of one receipt's line that are to be put away: `quantity` in the product's unit."""

    line: int
    product: Product
    lot: Lot | None
    unit: HandlingUnit | None
    owner: Party
    location: Location
    quantity: Decimal
    places: Sequence[Suggestion] = ()


@dataclass(frozen=True, slots=True)
class _Holds:
    """What lies in one place: anything, of the product and owner, and of the very lot."""

    anything: bool = False
    product: Decimal = NOTHING
    lot: Decimal = NOTHING


async def suggest(
    session: AsyncSession,
    product: Product,
    owner: Party,
    *,
    lot_id: int | None,
    site_id: int,
    but: int | None = None,
    limit: int = MAX_SUGGESTIONS,
) -> list[Suggestion]:
    """Places of the site's stock where the goods may lie (cloud.stock.place_rules), `but` for one. First those where the same
    product, lot and owner lie, then the same product and owner, then empty ones, those that are kept for this owner or closest
    in temperature first, then places with other goods."""
    rows = await session.scalars(
        select(Location)
        .where(Location.site_id == site_id, Location.usage == "stock", Location.hold.is_(False), Location.archived.is_(False))
        .order_by(Location.code)
        .limit(MAX_PLACES)
    )
    fitting = [place for place in rows.all() if place.id != but and not may_lie(place, product, owner)]
    holds = await _holds(session, [place.id for place in fitting], product, owner, lot_id)
    found = [Suggestion(place, _why(there), there.product) for place in fitting for there in [holds.get(place.id, _Holds())]]
    found.sort(key=lambda one: (_ORDER.index(one.why), _fit(one.location, product, owner), -one.lies, one.location.code))
    return found[:limit]


def _why(there: _Holds) -> str:
    if there.lot > NOTHING:
        return SAME_LOT
    if there.product > NOTHING:
        return SAME_PRODUCT
    return SHARED if there.anything else EMPTY


def _fit(place: Location, product: Product, owner: Party) -> tuple[bool, bool]:
    """Sorts places that are kept for the owner first, and cold ones last for goods that need no cold."""
    needs = product.temp_min is not None or product.temp_max is not None
    cold = place.temp_max is not None or place.temperature_class in {"chilled", "frozen"}
    return place.owner_id != owner.id, cold is not needs


async def _holds(
    session: AsyncSession, places: Sequence[int], product: Product, owner: Party, lot_id: int | None
) -> dict[int, _Holds]:
    same = (Quant.product_id == product.id) & (Quant.owner_id == owner.id)
    rows = await session.execute(
        select(
            Quant.location_id,
            func.sum(Quant.quantity).filter(same),
            func.sum(Quant.quantity).filter(same & Quant.lot_id.is_not_distinct_from(lot_id)),
        )
        .where(Quant.location_id.in_(places), Quant.quantity > NOTHING)
        .group_by(Quant.location_id)
    )
    return {place: _Holds(anything=True, product=_sum(alike), lot=_sum(very)) for place, alike, very in rows}


def _sum(value: object) -> Decimal:
    """Sums of millionths come back as the column's decimals, or as nothing."""
    return NOTHING if value is None else Decimal(str(value))


async def put_away_list(session: AsyncSession, receipt: str, *, suggestions: int = 3) -> list[Waiting]:
    """What of a receipt (its uid) is released and not put away, by line, each with so many places that may take it."""
    released = [one for one in await origins(session, receipt) if one.bucket == "released"]
    return [await _waiting(session, one, suggestions) for one in released]


async def _waiting(session: AsyncSession, one: Origin, suggestions: int) -> Waiting:
    product, owner = await session.get_one(Product, one.product_id), await session.get_one(Party, one.owner_id)
    place = await session.get_one(Location, one.location_id)
    places = await suggest(session, product, owner, lot_id=one.lot_id, site_id=place.site_id, but=place.id, limit=suggestions)
    return Waiting(
        line=one.line,
        product=product,
        lot=None if one.lot_id is None else await session.get(Lot, one.lot_id),
        unit=None if one.unit_id is None else await session.get(HandlingUnit, one.unit_id),
        owner=owner,
        location=place,
        quantity=one.quantity,
        places=places,
    )
