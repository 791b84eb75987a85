"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import Decoder, frames
from drivers.scales.lab import and_standard, mt_lab_print, ohaus_print, radwag, sartorius_sbi

DRIVERS: tuple[Driver, ...] = tuple(
    module.DRIVER for module in (mt_lab_print, sartorius_sbi, and_standard, ohaus_print, radwag)
)

DECODERS: Mapping[str, Decoder] = {driver.info.name: frames(driver) for driver in DRIVERS}
