"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import Decoder, frames
from drivers.scales.pos.cas_enq import CAS_ENQ
from drivers.scales.pos.cas_lines import AND_18, CAS_10, CAS_22, CAS_PD2_ASCII
from drivers.scales.pos.dialog06 import DIALOG06
from drivers.scales.pos.dibal import DIBAL_98, DIBAL_TERMINAL
from drivers.scales.pos.nci import NCI
from drivers.scales.pos.parcel import FEDEX, UPS_WORLDSHIP
from drivers.scales.pos.penn import PENNSYLVANIA_7600
from drivers.scales.pos.single_cable import DATALOGIC_SINGLE_CABLE
from drivers.scales.pos.sma import SMA
from drivers.scales.pos.toledo import DATALOGIC_SASI, TOLEDO_8213, TOLEDO_8217, answers

DRIVERS: tuple[Driver, ...] = (
    TOLEDO_8217,
    TOLEDO_8213,
    DATALOGIC_SASI,
    DATALOGIC_SINGLE_CABLE,
    NCI,
    SMA,
    CAS_22,
    CAS_10,
    AND_18,
    CAS_PD2_ASCII,
    CAS_ENQ,
    DIALOG06,
    DIBAL_98,
    DIBAL_TERMINAL,
    UPS_WORLDSHIP,
    FEDEX,
    PENNSYLVANIA_7600,
)

DECODERS: Mapping[str, Decoder] = {
    **{driver.info.name: frames(driver) for driver in DRIVERS},
    **{driver.info.name: answers(driver) for driver in (TOLEDO_8217, TOLEDO_8213)},
}
