"""The barcode readers of the catalogue."""

from drivers.api import Driver
from drivers.captures import Decoder, frames
from drivers.scanners import captures
from drivers.scanners.serial_reader import DRIVER as SERIAL_SCANNER

DRIVERS: tuple[Driver, ...] = (SERIAL_SCANNER,)

DECODERS: dict[str, Decoder] = {"serial-scanner": frames(SERIAL_SCANNER), **captures.DECODERS}
