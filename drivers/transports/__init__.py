"""Ways to reach a device. `make_transport` knows them by kind; each opens, reads and writes, and raises LinkLost only."""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

from drivers.api import LinkLost, Settings, SettingsFault, Transport
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

    Where this machine lacks the kind's library, it is a transport that cannot be opened and says so.

    Devices that are given the same `shared` use one line, broker or adapter together where their settings name the same.
    """
    try:
        make: Callable[[Mapping[str, object], Shared], Transport] = _module(kind).make
    except ImportError as exc:
        return _Unusable(f"{kind} cannot be used on this machine: {exc}")
    return make(settings, shared or Shared())


class _Unusable:
    """A link whose library this machine lacks: lost, with the reason; the other devices of the box work all the same."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def open(self) -> None:
        raise LinkLost(self._reason)

    async def read(self) -> bytes:
        raise LinkLost(self._reason)

    async def write(self, data: bytes) -> None:  # noqa: ARG002 - the contract's signature
        raise LinkLost(self._reason)

    async def close(self) -> None:
        """Nothing was opened."""


def settings_of(kind: str) -> type[Settings]:
    """The settings of one of `KINDS`. Raises SettingsFault for another kind, and where this machine lacks its library."""
    try:
        model: type[Settings] = getattr(_module(kind), _MODULES[kind][1])
    except ImportError as exc:
        raise SettingsFault(f"{kind} cannot be used on this machine: {exc}", setting="transport") from exc
    return model


def _module(kind: str) -> ModuleType:
    if kind not in _MODULES:
        raise SettingsFault(f"no transport {kind[:40]!r}: {', '.join(KINDS)}", setting="transport")
    return import_module(f"drivers.transports.{_MODULES[kind][0]}")
