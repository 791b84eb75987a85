"""What this part of the catalogue offers: the shipped profiles as drivers, and the driver of a profile from a file."""

from collections.abc import Mapping
from pathlib import Path

from drivers.api import Driver, Tier
from drivers.captures import Decoder, frames
from drivers.profiles.driving import driver_of
from drivers.profiles.loading import load, read_text
from drivers.profiles.own import DRIVER as OWN

SHIPPED = Path(__file__).with_name("shipped")

PROVED = frozenset({"atago-prm", "fluke-7341", "number-and-unit"})
"""Those whose lines were read from somebody else's captures; the others follow a manual."""


def _driver(path: Path) -> Driver:
    loaded = load(read_text(path), path.name)
    return driver_of(loaded, tier=Tier.BRONZE if loaded.profile.name in PROVED else Tier.NONE)


_PROFILED: tuple[Driver, ...] = tuple(_driver(path) for path in sorted(SHIPPED.glob("*.toml")))

DRIVERS: tuple[Driver, ...] = (*_PROFILED, OWN)

DECODERS: Mapping[str, Decoder] = {driver.info.name: frames(driver) for driver in DRIVERS}
