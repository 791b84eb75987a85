"""The barcode readers of the catalogue."""

from drivers.api import Driver
from drivers.scanners.serial_reader import DRIVER as SERIAL_SCANNER

DRIVERS: tuple[Driver, ...] = (SERIAL_SCANNER,)
