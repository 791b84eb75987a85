"""Where goods may lie and where they should: the place's rules at once, and a suggestion. Pure."""

from decimal import Decimal
from typing import Final

from edge.jobs.overlay import Stock
from edge.mirror.view import MasterView
from sync_protocol.masters import Location, Product
from sync_protocol.places import INTERNAL, PlaceFacts, place_faults
from sync_protocol.quantity import decimal
from sync_protocol.steps import FieldValue

SUGGESTED: Final = 3
"""Places that are suggested: more would have to be read."""

APART: Final = frozenset({"quarantine", "rejected"})
"""Usages of places in which goods wait for a decision."""

SHELVED: Final = "stock"
"""Usage of the places in which goods are stored; the other internal ones only pass them on or keep them apart."""


def why_not(masters: MasterView, code: str, product: Product | None, owner: str | None) -> str | None:
    """Why such goods must not lie there, as a translation key; None where they may, or the place is not known."""
    place = masters.location(code)
    if place is None:
        return None
    house = _house(masters)
    faults = place_faults(
        _facts(place),
        owner=owner or (product.owner if product else None) or house,
        temp_min=_degrees(product.temp_min if product else None),
        temp_max=_degrees(product.temp_max if product else None),
    )
    return faults[0] if faults else None


def is_ours(masters: MasterView, code: str) -> bool:
    """Whether goods can be there at all, as far as the box knows."""
    place = masters.location(code)
    return place is None or place.usage in INTERNAL


def kept_apart(masters: MasterView, source: FieldValue | None, target: FieldValue | None) -> bool:
    """Whether goods would go from where they are kept apart to where they are not: somebody has to decide that."""
    return source is not None and target is not None and _holds(masters, source.value) and not _holds(masters, target.value)


def _holds(masters: MasterView, code: str) -> bool:
    place = masters.location(code)
    return place is not None and (place.hold or place.usage in APART)


def suggested(masters: MasterView, stock: Stock, product: Product | None, lot: str | None, owner: str | None) -> list[str]:
    """Up to `SUGGESTED` codes of places: where the same lot lies, where the same product lies, then empty ones that fit."""
    if product is None:
        return []
    house = _house(masters)
    wanted = owner or product.owner or house
    lying = [row for row in stock.places(product.sku) if row.owner == wanted]
    same_lot = [row.location for row in lying if lot is not None and row.lot == lot]
    filled = stock.filled()
    empty = sorted(code for code, row in masters.table(Location) if code not in filled and row.usage == SHELVED)
    found: list[str] = []
    for code in (*same_lot, *(row.location for row in lying), *empty):
        if len(found) == SUGGESTED:
            break
        if code not in found and _shelf(masters, code) and why_not(masters, code, product, wanted) is None:
            found.append(code)
    return found


def _shelf(masters: MasterView, code: str) -> bool:
    place = masters.location(code)
    return place is not None and place.usage == SHELVED and not place.hold


def _house(masters: MasterView) -> str:
    station = masters.station()
    return (station.house if station else None) or ""


def _facts(place: Location) -> PlaceFacts:
    return PlaceFacts(
        place.usage,
        owner=place.owner,
        temperature_class=place.temperature_class,
        temp_min=_degrees(place.temp_min),
        temp_max=_degrees(place.temp_max),
    )


def _degrees(text: str | None) -> Decimal | None:
    return decimal(text) if text else None
