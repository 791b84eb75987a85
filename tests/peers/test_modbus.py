"""Modbus RTU: a second client, on a serial line, at our simulated transmitter."""

from pathlib import Path
from typing import Any

from tests.peers.conftest import simulated

CLIENT = """
import json, sys, time
import minimalmodbus
device = minimalmodbus.Instrument(sys.argv[1], 1)
device.serial.baudrate, device.serial.timeout = 9600, 1
for _ in range(40):
    status, *_ = device.read_registers(6, 8)
    if status & 1 << 11:
        break
    time.sleep(0.1)
said = {"status": status, "gross": device.read_long(7), "net": device.read_long(9)}
try:
    device.read_register(9000)
except minimalmodbus.ModbusException as exc:
    said["refused"] = type(exc).__name__
print(json.dumps(said))
"""


async def test_their_client_reads_our_transmitter(tmp_path: Path, peer: Any) -> None:
    async with simulated(tmp_path, "modbus-laumas", scale={"load": "12345"}) as site:
        said = await peer(CLIENT, site.device("one").address)
    assert said["status"] & 1 << 11, "stable"
    assert said["gross"] == said["net"] == 12345
    assert said["refused"] in {"IllegalRequestError", "SlaveReportedException"}
