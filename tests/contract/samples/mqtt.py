"""Frames and arguments of the drivers in the area `mqtt`: messages in their envelopes."""

from drivers.envelope import Message
from drivers.mqtt.topics import origin_of


def message(topic: str, payload: str, *, retained: bool = False) -> bytes:
    return Message(origin_of(topic, retained=retained), payload.encode()).to_bytes()


def sparkplug(what: str, text: str) -> bytes:
    """A message in protobuf's wire form, written out in hexadecimal."""
    return Message(f"spBv1.0/plant/{what}", bytes.fromhex(text)).to_bytes()


SAMPLES: dict[str, list[bytes]] = {
    "mqtt-json": [
        message("scales/7", '{"value": 12.340, "unit": "kg", "stable": true, "time": "2026-01-02T03:04:05Z"}'),
        message("scales/7", '{"value": "-0.5", "unit": "kg", "stable": false}'),
        message("scales/7", '{"value": null, "unit": "kg"}'),
        message("scales/7", '{"value": 1, "unit": "kg"}', retained=True),
    ],
    "mqtt-tasmota": [
        message("tele/plug/SENSOR", '{"Time": "2022-01-11T21:57:38", "DS18B20": {"Temperature": 21.5}, "TempUnit": "C"}'),
        message("tele/plug/LWT", "Offline", retained=True),
        message("tele/plug/LWT", "Online"),
    ],
    "mqtt-shelly-gen1": [
        message("shellies/ht/sensor/temperature", "21.50"),
        message("shellies/plug/relay/0/power", "5.12"),
        message("shellies/plug/online", "false"),
    ],
    "mqtt-shelly-rpc": [
        message("plus/status/temperature:0", '{"id": 0, "tC": 21.5, "tF": 70.7}'),
        message("plus/events/rpc", '{"method": "NotifyStatus", "params": {"ts": 1.25, "switch:0": {"id": 0, "apower": 8.9}}}'),
        message("plus/online", "true", retained=True),
    ],
    "mqtt-zigbee2mqtt": [
        message("zigbee2mqtt/cold-room", '{"temperature": 27.34, "linkquality": 97}'),
        message("zigbee2mqtt/cold-room/availability", '{"state": "offline"}', retained=True),
        message("zigbee2mqtt/cold-room", '{"temperature": 27.34}', retained=True),
    ],
    "sparkplug-b": [
        # timestamp 1486144502122, seq 0, one metric: name Weight, datatype 10 (double), 12.34.
        sparkplug("NBIRTH/n1", "08eaf2f5a8a02b 1213 0a06576569676874 200a 69ae47e17a14ae2840 1800"),
        # The same as single precision (9), and null.
        sparkplug("DBIRTH/n1/d1", "120f 0a06576569676874 2009 65a4704541 1801"),
        sparkplug("DDATA/n1/d1", "120c 0a06576569676874 2009 3801 1802"),
        sparkplug("DDEATH/n1/d1", "1803"),
    ],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
