"""What is measured in which unit."""

from collections.abc import Mapping

from drivers.api import Kind
from sync_protocol.quantity import UNITS

KINDS_OF: Mapping[str, tuple[Kind, ...]] = {
    "mass": (Kind.MASS,),
    "length": (Kind.LENGTH,),
    "count": (Kind.COUNT,),
    "ratio": (Kind.PERCENT, Kind.HUMIDITY, Kind.BATTERY),
    "temperature": (Kind.TEMPERATURE,),
    "fahrenheit": (Kind.TEMPERATURE,),
    "force": (Kind.FORCE,),
    "angle": (Kind.ANGLE,),
    "pressure": (Kind.PRESSURE,),
}
"""Dimension of a unit -> what is measured in it; anything else is a quantity."""


def kind_of(unit: str, wanted: Kind) -> Kind:
    """What a value in `unit` is of, for a device of `wanted`: pieces and percent of a scale are no mass."""
    kinds = KINDS_OF.get(UNITS[unit][0], (Kind.QUANTITY,))
    return wanted if wanted in kinds else kinds[0]
