"""Ways to reach a device. `make_transport` knows them by kind; each opens, reads and writes, and raises LinkLost only."""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

from drivers.api import Settings, SettingsFault, Transport
from drivers.transports.shared import Shared

__all__ = ["KINDS", "Shared", "make_transport", "settings_of"]

_MODULES = {
    "serial": ("serial_port", "SerialSettings"),
    "tcp": ("tcp", "TcpSettings"),
    "hidraw": ("hid_raw", "HidRawSettings"),
    "evdev": ("key_events", "KeyEventsSettings"),
    "modbus": ("modbus_line", "ModbusSettings"),
    "ble": ("bluetooth", "BluetoothSettings"),
    "mqtt": ("broker", "BrokerSettings"),
}
"""Kind -> module and its settings. Each is imported when a device of its kind is configured, and has
`make(settings, shared) -> Transport`."""

KINDS = tuple(_MODULES)


def make_transport(kind: str, settings: Mapping[str, object], shared: Shared | None = None) -> Transport:
    """A closed transport of one of `KINDS`. Raises SettingsFault for another kind or settings that do not fit it.

    Devices that are given the same `shared` use one line, broker or adapter together where their settings name the same.
    """
    make: Callable[[Mapping[str, object], Shared], Transport] = _module(kind).make
    return make(settings, shared or Shared())


def settings_of(kind: str) -> type[Settings]:
    """The settings of one of `KINDS`. Raises SettingsFault for another kind, and where this machine lacks its library."""
    model: type[Settings] = getattr(_module(kind), _MODULES[kind][1])
    return model


def _module(kind: str) -> ModuleType:
    if kind not in _MODULES:
        raise SettingsFault(f"no transport {kind[:40]!r}: {', '.join(KINDS)}", setting="transport")
    try:
        return import_module(f"drivers.transports.{_MODULES[kind][0]}")
    except ImportError as exc:
        raise SettingsFault(f"{kind} cannot be used on this machine: {exc}", setting="transport") from exc
