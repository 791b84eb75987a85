"""Whether goods may lie at a place: it is somewhere, it is not another owner's, and it is cold enough. Pure; box and core
judge alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

INTERNAL: Final = frozenset({"stock", "receiving", "quarantine", "rejected", "transit"})
"""Usages of places in which goods are ours to look after. A `view` only groups places; the others are nowhere in a house."""

CLASSES: Final[Mapping[str, tuple[Decimal | None, Decimal | None]]] = {
    "frozen": (None, Decimal(-18)),
    "chilled": (Decimal(0), Decimal(8)),
    "ambient": (Decimal(8), Decimal(25)),
}
"""Degrees Celsius that a class keeps where its place says none itself. Frozen: Codex CAC/RCP 8-1976, 2.2; chilled and ambient:
WHO TRS 961, annex 9 (2 to 8 and 15 to 25), wider below as goods stand near the door."""


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """What of a place decides. `owner`: only this party's goods; temperatures in Cel."""

    usage: str
    archived: bool = False
    owner: str | None = None
    temperature_class: str | None = None
    temp_min: Decimal | None = None
    temp_max: Decimal | None = None


def place_faults(place: PlaceFacts, *, owner: str, temp_min: Decimal | None, temp_max: Decimal | None) -> list[str]:
    """Why goods of `owner` that are to be kept between these temperatures may not lie there; empty where they may.

    Codes: `place_archived`, `place_not_internal`, `place_of_other`, `place_temperature`.
    """
    found = []
    if place.archived:
        found.append("place_archived")
    if place.usage not in INTERNAL:
        found.append("place_not_internal")
    if place.owner is not None and place.owner != owner:
        found.append("place_of_other")
    if not keeps(place, temp_min, temp_max):
        found.append("place_temperature")
    return found


def kept_between(place: PlaceFacts) -> tuple[Decimal | None, Decimal | None]:
    """The lowest and the highest degrees Celsius of a place: its own, else its class's; None for what is not known."""
    if place.temp_min is not None or place.temp_max is not None:
        return place.temp_min, place.temp_max
    return CLASSES.get(place.temperature_class or "", (None, None))


def keeps(place: PlaceFacts, temp_min: Decimal | None, temp_max: Decimal | None) -> bool:
    """Whether goods that are to be kept between these degrees may lie there. A place of which nothing is known takes
    everything: most houses write temperatures only where it is cold."""
    lowest, highest = kept_between(place)
    too_cold = temp_min is not None and lowest is not None and lowest < temp_min
    too_warm = temp_max is not None and highest is not None and highest > temp_max
    return not (too_cold or too_warm)
