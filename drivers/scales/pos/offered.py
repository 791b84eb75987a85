"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import Decoder

DRIVERS: tuple[Driver, ...] = ()

DECODERS: Mapping[str, Decoder] = {}
