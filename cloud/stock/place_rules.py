"""Whether goods may lie somewhere, by the rule that boxes ask as well (sync_protocol.places)."""

from cloud.masters.models import Location, Party, Product
from sync_protocol.places import PlaceFacts, place_faults


def may_lie(location: Location, product: Product, owner: Party) -> list[str]:
    """Why so much of it may not lie there, as translation keys; empty where it may: `place_archived`, `place_not_internal`,
    `place_of_other`, `place_temperature`."""
    facts = PlaceFacts(
        location.usage,
        archived=location.archived,
        owner=None if location.owner_id is None else str(location.owner_id),
        temperature_class=location.temperature_class,
        temp_min=location.temp_min,
        temp_max=location.temp_max,
    )
    return place_faults(facts, owner=str(owner.id), temp_min=product.temp_min, temp_max=product.temp_max)
