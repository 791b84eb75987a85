"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import Decoder, frames
from drivers.gauges import mahr, mahr_maxum, mitutoyo_idh, mitutoyo_spc, surftest, sylvac_serial

DRIVERS: tuple[Driver, ...] = (
    mitutoyo_spc.DRIVER,
    mitutoyo_idh.DRIVER,
    surftest.DRIVER,
    mahr.DRIVER,
    mahr_maxum.DRIVER,
    sylvac_serial.DRIVER,
)

DECODERS: Mapping[str, Decoder] = {driver.info.name: frames(driver) for driver in DRIVERS}
