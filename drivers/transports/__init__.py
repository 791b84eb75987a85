"""Ways to reach a device. `make_transport` knows them by kind; each opens, reads and writes, and raises LinkLost only."""

from collections.abc import Mapping

from drivers.api import SettingsFault, Transport
from drivers.settings import read_settings
from drivers.transports.serial_port import SerialPort, SerialSettings
from drivers.transports.tcp import TcpLink, TcpSettings

__all__ = ["KINDS", "SerialPort", "SerialSettings", "TcpLink", "TcpSettings", "make_transport"]

KINDS = ("serial", "tcp")


def make_transport(kind: str, settings: Mapping[str, object]) -> Transport:
    """A closed transport of one of `KINDS`. Raises SettingsFault for another kind or settings that do not fit it."""
    match kind:
        case "serial":
            return SerialPort(read_settings(SerialSettings, settings))
        case "tcp":
            return TcpLink(read_settings(TcpSettings, settings))
        case _:
            raise SettingsFault(f"no transport {kind[:40]!r}: {', '.join(KINDS)}", setting="transport")
