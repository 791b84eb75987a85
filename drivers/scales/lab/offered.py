"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import Decoder, frames
from drivers.scales.lab import adam, and_standard, axis, gg_print, kern, mt_lab_print, ohaus_print, radwag
from drivers.scales.lab import sartorius_sbi as sbi
from drivers.scales.lab import sartorius_xbpi as xbpi
from drivers.scales.mt_sics import DRIVER as MT_SICS

DRIVERS: tuple[Driver, ...] = (
    MT_SICS,
    mt_lab_print.DRIVER,
    sbi.DRIVER,
    xbpi.DRIVER,
    and_standard.DRIVER,
    ohaus_print.DRIVER,
    adam.CPW,
    adam.AZEXTRA,
    adam.SIXTEEN,
    adam.PGL,
    kern.BENCH,
    kern.PLATFORM,
    gg_print.DRIVER,
    radwag.DRIVER,
    axis.DRIVER,
)

DECODERS: Mapping[str, Decoder] = {driver.info.name: frames(driver) for driver in DRIVERS}
