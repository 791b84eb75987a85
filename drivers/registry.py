"""All drivers by name: ours in `BUILT_IN`, those of other packages through the entry-point group.

Importing this module loads no stranger; `load_entry_points` does, when asked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from drivers.api import Driver, SettingsFault
from drivers.ble import offered as ble
from drivers.gauges import offered as gauges
from drivers.modbus import offered as modbus
from drivers.mqtt import offered as mqtt
from drivers.profiles import offered as profiles
from drivers.scales.lab import offered as lab
from drivers.scales.pos import offered as pos
from drivers.scales.streams import offered as streams
from drivers.scanners import offered as scanners

GROUP = "tallybox.drivers"

AREAS: Mapping[str, tuple[Driver, ...]] = {
    "lab": lab.DRIVERS,
    "pos": pos.DRIVERS,
    "streams": streams.DRIVERS,
    "modbus": modbus.DRIVERS,
    "scanners": scanners.DRIVERS,
    "gauges": gauges.DRIVERS,
    "ble": ble.DRIVERS,
    "mqtt": mqtt.DRIVERS,
    "profiles": profiles.DRIVERS,
}
"""The catalogue in the order in which people read it."""

BUILT_IN: tuple[Driver, ...] = tuple(driver for drivers in AREAS.values() for driver in drivers)

_known: dict[str, Driver] = {driver.info.name: driver for driver in BUILT_IN}


@dataclass(frozen=True, slots=True)
class Loaded:
    """An entry point that gave a driver."""

    name: str


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """An entry point that gave none; the others are used all the same."""

    name: str
    reason: str


def names() -> tuple[str, ...]:
    """Names of all drivers known now, sorted."""
    return tuple(sorted(_known))


def get(name: str) -> Driver:
    """The driver of that name. Raises SettingsFault where none is known."""
    driver = _known.get(name)
    if driver is None:
        raise SettingsFault(f"no driver {name[:40]!r}: {', '.join(names())}", setting="driver")
    return driver


def load_entry_points(found: Iterable[EntryPoint] | None = None) -> tuple[Loaded | NotLoaded, ...]:
    """Register the drivers that installed packages offer; loading twice changes nothing.

    An entry point gives a driver under the driver's own name, or a tuple of drivers under any. A name that is taken stays
    with who has it, and what cannot be loaded is told by name while the others go on. `found` takes the place of the
    installed packages' entry points.
    """
    return tuple(_load(point) for point in (entry_points(group=GROUP) if found is None else found))


def _load(point: EntryPoint) -> Loaded | NotLoaded:
    try:
        driver = point.load()
    # What importing a stranger's module raises is anything at all; the name of the entry point tells whose it is.
    except (
        ImportError,
        AttributeError,
        SyntaxError,
        TypeError,
        ValueError,
        LookupError,
        OSError,
        ArithmeticError,
        RuntimeError,
    ) as exc:
        return NotLoaded(point.name, f"{type(exc).__name__}: {exc}")
    if isinstance(driver, tuple) and driver and all(isinstance(one, Driver) for one in driver):
        return _register(point.name, driver)
    if not isinstance(driver, Driver):
        return NotLoaded(point.name, f"{point.value} is no Driver, and no tuple of them, but {type(driver).__name__}")
    if driver.info.name != point.name:
        return NotLoaded(point.name, f"the driver calls itself {driver.info.name!r}")
    return _register(point.name, (driver,))


def _register(name: str, drivers: tuple[Driver, ...]) -> Loaded | NotLoaded:
    """All of them or none: half a package would be worse than none of it."""
    for driver in drivers:
        if _known.get(driver.info.name, driver) is not driver:
            return NotLoaded(name, f"a driver of the name {driver.info.name!r} is already there")
    _known.update((driver.info.name, driver) for driver in drivers)
    return Loaded(name)
