"""The barcode readers of the catalogue."""

from drivers.api import Driver
from drivers.captures import Decoder, frames
from drivers.scanners import captures
from drivers.scanners.hid_pos import DRIVER as HID_POS
from drivers.scanners.keyboard_reader import DRIVER as KEYBOARD
from drivers.scanners.serial_reader import DRIVER as SERIAL

DRIVERS: tuple[Driver, ...] = (SERIAL, HID_POS, KEYBOARD)

DECODERS: dict[str, Decoder] = {
    "serial-scanner": frames(SERIAL),
    "hid-pos-scanner": captures.reports(HID_POS),
    "evdev-keys": captures.key_events(KEYBOARD),
    **captures.DECODERS,
}
