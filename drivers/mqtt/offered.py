"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import Decoder, messages
from drivers.mqtt.devices import ANY, SHAPED
from drivers.mqtt.sparkplug import DRIVER as SPARKPLUG

DRIVERS: tuple[Driver, ...] = (ANY, *SHAPED, SPARKPLUG)

ORIGINS = {
    "mqtt-json": "device/value",
    "mqtt-tasmota": "tele/device/SENSOR",
    "mqtt-shelly-gen1": "shellies/device/sensor/temperature",
    "mqtt-shelly-rpc": "device/events/rpc",
    "mqtt-zigbee2mqtt": "zigbee2mqtt/device",
    "sparkplug-b": "spBv1.0/group/DBIRTH/node/device",
}
"""The topic of a capture that is a payload and no envelope."""

DECODERS: Mapping[str, Decoder] = {driver.info.name: messages(driver, ORIGINS[driver.info.name]) for driver in DRIVERS}
