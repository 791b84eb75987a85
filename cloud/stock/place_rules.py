"""Whether goods may lie somewhere: the place is in use and is somewhere, it is not another owner's, and it is cold enough."""

from decimal import Decimal

from cloud.masters.models import Location, Party, Product
from cloud.stock.quants import INTERNAL
from sync_protocol.receiving.line_checks import CLASSES


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
    """A place of which nothing is known takes everything, as when goods are received."""
    lowest, highest = location.temp_min, location.temp_max
    if lowest is None and highest is None:
        lowest, highest = (_number(one) for one in CLASSES.get(location.temperature_class or "", (None, None)))
    too_cold = product.temp_min is not None and lowest is not None and lowest < product.temp_min
    too_warm = product.temp_max is not None and highest is not None and highest > product.temp_max
    return not (too_cold or too_warm)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
