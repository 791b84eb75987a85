"""The page of supported devices (docs/DEVICES.md), made from the registry: what a technician reads before buying and wiring."""

import textwrap
from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from drivers import registry
from drivers.api import Driver, DriverInfo, Settings
from drivers.decoding import protocols
from drivers.transports import KINDS, settings_of

TITLES = {
    "lab": "Laboratory and bench balances",
    "pos": "Scales at tills and counters",
    "streams": "Industrial terminals and indicators; USB scales",
    "modbus": "Weight transmitters and loggers on Modbus",
    "scanners": "Barcode readers",
    "gauges": "Dimensional gauges and roughness testers",
    "ble": "Bluetooth LE",
    "mqtt": "Devices on MQTT",
    "profiles": "Instruments described by a profile",
}

HEAD = """# Devices

All drivers of this program, made from its registry by `tallybox edge devices --page`. What the columns and words mean, and how
to write one, is in [DRIVERS](DRIVERS.md); instruments that send lines need no code, only a [profile](PROFILES.md). Cameras
are in [STATION](STATION.md#cameras).

*Proved* is the tier of `drivers/quality.toml`. None of these drivers was tried on hardware yet: they were tried on captures
from manuals and other programs, and against simulators that were written from the manuals.
"""

WIDTH = 120
"""Of a line of prose; tables cannot be wrapped."""

FEW = 4
"""So many settings are said again with each driver; a longer table stands once in its area."""

Rows = tuple[tuple[str, str, str], ...]


def devices_page() -> str:
    """The page as Markdown."""
    return (
        "\n".join(
            [HEAD, *_overview(), *_transports(), *(line for area in registry.AREAS for line in _area(area)), *_captures()]
        ).rstrip()
        + "\n"
    )


def _transports() -> Iterator[str]:
    yield "## How devices are connected"
    yield ""
    yield '`transport = { kind = "serial", ... }` in a device\'s configuration.'
    yield ""
    for kind in KINDS:
        yield f"### Transport `{kind}`"
        yield ""
        yield from _settings(settings_of(kind))


def _captures() -> Iterator[str]:
    yield "## Captures"
    yield ""
    names = ", ".join(f"`{name}`" for name in protocols())
    yield from _wrapped(f"`tallybox decode --protocol NAME` reads captures of: {names}.")


def _overview() -> Iterator[str]:
    yield "| driver | devices | transports | proved |"
    yield "|---|---|---|---|"
    for driver in registry.BUILT_IN:
        info = driver.info
        mark = " (unofficial)" if info.unofficial else ""
        yield f"| [`{info.name}`](#{info.name}) | {_cell(info.title)}{mark} | {', '.join(info.transports)} | {info.tier} |"
    yield ""


def _area(area: str) -> Iterator[str]:
    drivers = registry.AREAS[area]
    if not drivers:
        return
    yield f"## {TITLES[area]}"
    yield ""
    shown: dict[Rows, str] = {}
    for driver in drivers:
        yield from _driver(driver, shown)


def _driver(driver: Driver, shown: dict[Rows, str]) -> Iterator[str]:
    info = driver.info
    yield f"### `{info.name}`"
    yield ""
    yield f"{info.title}."
    if info.unofficial:
        yield "The protocol was never published: a new firmware may change it without notice."
    yield ""
    for fact in _facts(info):
        yield from _wrapped(fact, "- ")
    yield ""
    rows = _rows(driver.settings)
    same = shown.setdefault(rows, info.name)
    if len(rows) > FEW and same != info.name:
        yield f"Settings: those of [`{same}`](#{same})."
        yield ""
    else:
        yield from _settings(driver.settings)


def _rows(model: type[Settings]) -> Rows:
    return tuple((name, _default(field), _cell(field.description or "")) for name, field in model.model_fields.items())


def _settings(model: type[Settings]) -> Iterator[str]:
    if not model.model_fields:
        return
    yield "| setting | default | meaning |"
    yield "|---|---|---|"
    for name, default, meaning in _rows(model):
        yield f"| `{name}` | {default} | {meaning} |"
    yield ""


def _wrapped(text: str, mark: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark), break_long_words=False, break_on_hyphens=False
    )


def _facts(info: DriverInfo) -> Iterator[str]:
    yield f"Models: {'; '.join(info.models)}."
    yield f"Reads: {', '.join(sorted(info.kinds))}; {', '.join(info.modes)}."
    yield f"Over: {', '.join(info.transports)}{_line(info.serial_defaults)}."
    if info.commands:
        yield f"Commands: {', '.join(f'`{name}`' for name in info.commands)}."
    if info.probe is not None:
        yield "Found by probing a port." if info.probe.send else "Found by listening to a port."
    yield from info.notes
    yield f"Sources: {'; '.join(info.sources)}."


def _line(defaults: Mapping[str, object]) -> str:
    if not defaults:
        return ""
    return f"; as shipped {defaults['baudrate']} {defaults['bytesize']}{defaults['parity']}{defaults['stopbits']}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(needed)"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ("", (), {}, []):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`{_cell(', '.join(_written(part) for part in value))}`"
    return f"`{_cell(_written(value))}`"


def _written(value: object) -> str:
    """As in a configuration, where it is no plain word or number."""
    if isinstance(value, BaseModel):
        fields = value.model_dump(mode="json", exclude_defaults=True)
        return "{ " + ", ".join(f'{name} = "{field}"' for name, field in fields.items()) + " }"
    return repr(value)[1:-1] if isinstance(value, str) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
