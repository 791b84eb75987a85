"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.captures import Decoder, messages
from drivers.mqtt.devices import ANY, SHAPED

DRIVERS: tuple[Driver, ...] = (ANY, *SHAPED)

ORIGINS = {
    "mqtt-json": "device/value",
    "mqtt-tasmota": "tele/device/SENSOR",
    "mqtt-shelly-gen1": "shellies/device/sensor/temperature",
    "mqtt-shelly-rpc": "device/events/rpc",
    "mqtt-zigbee2mqtt": "zigbee2mqtt/device",
}
"""The topic of a capture that is a payload and no envelope."""

DECODERS: Mapping[str, Decoder] = {driver.info.name: messages(driver, ORIGINS[driver.info.name]) for driver in DRIVERS}
