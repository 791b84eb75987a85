"""The serial ports of this machine as a technician sees them: what is plugged in where, and how the configuration names it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.transports.usb import Plugged, UsbMatch
from edge.devices.probing import Finding
from edge.errors import SettingsFault

CACHE = "probes.json"
"""In the box's data folder: what was found at which adapter, so that no device is asked twice who it is."""

MAX_CACHED = 256
"""Adapters that are remembered; a box sees a few dozen in its life."""


@dataclass(frozen=True, slots=True)
class Port:
    """One serial port."""

    plugged: Plugged
    match: UsbMatch
    twins: tuple[str, ...]
    """Sockets of adapters that cannot be told apart from this one but by where they are."""

    @property
    def remark(self) -> str | None:
        """What to tell whoever installs it."""
        if self.plugged.serial is None and self.twins:
            return f"same adapter, no serial, also in {', '.join(self.twins)}: bound to the USB socket"
        if self.plugged.serial is None:
            return "no serial: bound to the USB socket"
        if self.twins:
            return f"same serial as in {', '.join(self.twins)}: bound to the USB socket"
        return None

    def key(self) -> str:
        """Port path and serial number: what a finding is remembered by. Another adapter in the same socket is another key."""
        one = self.plugged
        return f"{one.path}:{one.interface or 0}:{one.vid}:{one.pid}:{one.serial or '-'}"

    def settings(self) -> dict[str, object]:
        """The transport of a device at this port, for the configuration."""
        return {"kind": "serial", "usb": self.match.model_dump(exclude_none=True)}


def ports(every: Sequence[Plugged]) -> list[Port]:
    """The ports among what is plugged in (`drivers.transports.usb.plugged("tty")`)."""
    return [Port(one, one.match(every), tuple(twin.path for twin in one.twins(every))) for one in every]


def as_toml(settings: Mapping[str, object]) -> str:
    """Settings as one inline table, to be copied into the configuration."""
    parts = (
        f"{name} = {as_toml(value) if isinstance(value, Mapping) else json.dumps(value)}" for name, value in settings.items()
    )
    return f"{{ {', '.join(parts)} }}"


def remembered(folder: Path, port: Port) -> Finding | None:
    """What was found at this adapter in this socket before."""
    found = _read(folder).get(port.key())
    if not isinstance(found, dict) or not isinstance(found.get("driver"), str) or not isinstance(found.get("line"), str):
        return None
    return Finding(found["driver"], found["line"], b"", "remembered")


def remember(folder: Path, port: Port, finding: Finding) -> None:
    """Keep what was found; what was not recognised is forgotten. Raises SettingsFault when the file cannot be written."""
    known = {key: value for key, value in _read(folder).items() if key != port.key()}
    if finding.driver is not None:
        known[port.key()] = {"driver": finding.driver, "line": finding.line}
    kept = dict(list(known.items())[-MAX_CACHED:])
    path = folder / CACHE
    try:
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        beside.replace(path)
    except OSError as exc:
        raise SettingsFault(f"{path}: {exc}") from exc


def _read(folder: Path) -> dict[str, object]:
    """Broken or missing is the same as empty: the device is asked again."""
    try:
        found = json.loads((folder / CACHE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
