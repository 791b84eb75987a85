"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import Decoder, frames, messages
from drivers.scales.streams import indicators, mt_continuous, st_gs, yaohua
from drivers.scales.streams.digi import DIGI_DI600
from drivers.scales.streams.dini_argeo import DINI_ARGEO
from drivers.scales.streams.hid_scale import HID_POS_SCALE, ORIGIN
from drivers.scales.streams.rice_lake import RICE_LAKE
from drivers.scales.streams.rinstrum import RINSTRUM
from drivers.scales.streams.yaohua_frames import YAOHUA_STX

_LINES: tuple[Driver, ...] = (
    *mt_continuous.DRIVERS,
    DINI_ARGEO,
    *st_gs.DRIVERS,
    *yaohua.DRIVERS,
    YAOHUA_STX,
    RICE_LAKE,
    *indicators.DRIVERS,
    DIGI_DI600,
    RINSTRUM,
)

DRIVERS: tuple[Driver, ...] = (*_LINES, HID_POS_SCALE)

DECODERS: Mapping[str, Decoder] = {
    **{driver.info.name: frames(driver) for driver in _LINES},
    HID_POS_SCALE.info.name: messages(HID_POS_SCALE, ORIGIN),
}
