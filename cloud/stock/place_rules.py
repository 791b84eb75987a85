"""Whether goods may lie somewhere: the place is in use and is somewhere, it is not another owner's, and it is cold enough."""

from collections.abc import Mapping
from decimal import Decimal

from cloud.masters.models import Location, Party, Product
from cloud.stock.quants import INTERNAL

Range = tuple[Decimal | None, Decimal | None]

CLASSES: Mapping[str, Range] = {
    "frozen": (None, Decimal(-18)),
    "chilled": (Decimal(0), Decimal(8)),
    "ambient": (Decimal(8), Decimal(25)),
}
"""Degrees Celsius that a class keeps where its place says none itself. Frozen: Codex CAC/RCP 8-1976, 2.2; chilled and ambient:
WHO TRS 961, annex 9 (2 to 8 and 15 to 25), wider below as goods stand near the door."""


def may_lie(location: Location, product: Product, owner: Party) -> list[str]:
    """Why so much of it may not lie there, as translation keys; empty where it may: `place_archived`, `place_not_internal`,
    `place_of_other`, `place_temperature`."""
    found = []
    if location.archived:
        found.append("place_archived")
    if location.usage not in INTERNAL:
        found.append("place_not_internal")
    if location.owner_id is not None and location.owner_id != owner.id:
        found.append("place_of_other")
    if not _kept_cold(location, product):
        found.append("place_temperature")
    return found


def _kept_cold(location: Location, product: Product) -> bool:
    """A place that says nothing of its temperature takes everything that has none to keep."""
    if product.temp_min is None and product.temp_max is None:
        return True
    lowest, highest = location.temp_min, location.temp_max
    if lowest is None and highest is None:
        lowest, highest = CLASSES.get(location.temperature_class or "", (None, None))
    if lowest is None and highest is None:
        return False
    too_cold = product.temp_min is not None and lowest is not None and lowest < product.temp_min
    too_warm = product.temp_max is not None and (highest is None or highest > product.temp_max)
    return not (too_cold or too_warm)
