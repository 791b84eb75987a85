"""Ways to reach a device. `make_transport` knows them by kind; each opens, reads and writes, and raises LinkLost only."""

from collections.abc import Callable, Mapping
from importlib import import_module

from drivers.api import SettingsFault, Transport
from drivers.transports.shared import Shared

__all__ = ["KINDS", "Shared", "make_transport"]

_MODULES = {
    "serial": "serial_port",
    "tcp": "tcp",
    "hidraw": "hid_raw",
    "evdev": "key_events",
    "modbus": "modbus_line",
    "ble": "bluetooth",
    "mqtt": "broker",
}
"""Kind -> module. Each is imported when a device of its kind is configured, and has `make(settings, shared) -> Transport`."""

KINDS = tuple(_MODULES)


def make_transport(kind: str, settings: Mapping[str, object], shared: Shared | None = None) -> Transport:
    """A closed transport of one of `KINDS`. Raises SettingsFault for another kind or settings that do not fit it.

    Devices that are given the same `shared` use one line, broker or adapter together where their settings name the same.
    """
    module = _MODULES.get(kind)
    if module is None:
        raise SettingsFault(f"no transport {kind[:40]!r}: {', '.join(KINDS)}", setting="transport")
    try:
        make: Callable[[Mapping[str, object], Shared], Transport] = import_module(f"drivers.transports.{module}").make
    except ImportError as exc:
        raise SettingsFault(f"{kind} cannot be used on this machine: {exc}", setting="transport") from exc
    return make(settings, shared or Shared())
