"""The box's device side under load: 8 serial scales at 10 frames a second and 4 Modbus transmitters at 5 Hz.

The same bytes are read by the hub with its drivers and by a plain loop of pyserial and pymodbus, each in a process of its own,
one after the other in one run. Beside it: how often a box wakes up while nobody scans, and byte to live value under that load.
"""

import asyncio
import json
import statistics
import sys
import time
from typing import Any

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from bench.stations import Terminal, percentiles

SECONDS = 10.0
ROUNDS = 3
SCALES, FRAMES_PER_S = 8, 10
TRANSMITTERS, POLLS_PER_S = 4, 5
SAMPLES_PER_S = SCALES * FRAMES_PER_S + TRANSMITTERS * POLLS_PER_S

REGISTERS = [0x0800, 0, 12345, 0, 12345, 0, 0, 0x000F] + [0] * 60
"""From 40007: stable, gross and net 12.345, peak, divisions and unit: three decimals, kg."""


class Writers:
    """Eight scales that stream; each frame holds a number of its own, so that it can be found again at the other end."""

    def __init__(self, terminals: list[Terminal]) -> None:
        self._terminals = terminals
        self.sent: dict[str, float] = {}
        self._number = 0

    async def run(self) -> None:
        while True:
            for terminal in self._terminals:
                self._number += 1
                value = f"{self._number // 1000}.{self._number % 1000:03}"
                self.sent[value] = time.monotonic()
                terminal.write(f"S S {value:>10} kg\r\n".encode())
                await asyncio.sleep(1 / FRAMES_PER_S / SCALES)


async def _child(side: str, modbus: int, terminals: list[Terminal]) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.devices_child",
        side,
        str(SECONDS),
        str(modbus),
        *(terminal.path for terminal in terminals),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await child.communicate()
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


async def _measure() -> list[dict[str, Any]]:
    terminals = [Terminal.open() for _ in range(SCALES)]
    blocks = [SimDevice(unit, simdata=[SimData(6, values=REGISTERS, datatype=DataType.REGISTERS)]) for unit in range(1, 5)]
    server = ModbusTcpServer(blocks, address=("127.0.0.1", 0))
    await server.listen()
    port = server.transport.sockets[0].getsockname()[1]
    writers = Writers(terminals)
    sides: dict[str, list[dict[str, Any]]] = {"hub": [], "plain": []}
    try:
        idle = await _child("silent", 0, terminals)
        writing = asyncio.create_task(writers.run())
        for _ in range(ROUNDS):
            for side, found in sides.items():
                found.append(await _child(side, port, terminals))
        writing.cancel()
    finally:
        await server.shutdown()
        for terminal in terminals:
            terminal.close()
    return [*_rows(sides, writers.sent), _idle(idle)]


def _rows(sides: dict[str, list[dict[str, Any]]], sent: dict[str, float]) -> list[dict[str, Any]]:
    cpu = {side: statistics.median(one["cpu_s"] / one["seconds"] for one in found) for side, found in sides.items()}
    rows: list[dict[str, Any]] = []
    for side, found in sides.items():
        late = [1000 * (seen - sent[value]) for one in found for value, seen in one["seen"].items() if value in sent]
        rows.append(
            {
                "bench": "devices",
                "what": f"{SCALES} scales at {FRAMES_PER_S}/s and {TRANSMITTERS} transmitters at {POLLS_PER_S}/s, {side}",
                "cpu_percent": round(100 * cpu[side], 2),
                "cpu_ms_per_sample": round(1000 * cpu[side] / SAMPLES_PER_S, 3),
                "against_plain": round(cpu[side] / cpu["plain"], 2),
                "wakeups_per_s": round(statistics.median(one["wakeups"] / one["seconds"] for one in found)),
                "byte_to_live_ms": percentiles(late),
            }
        )
    return rows


def _idle(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "bench": "devices",
        "what": f"{SCALES} readers, nobody scans",
        "cpu_percent": round(100 * found["cpu_s"] / found["seconds"], 2),
        "wakeups_per_s": round(found["wakeups"] / found["seconds"], 1),
    }


def run() -> list[dict[str, Any]]:
    return asyncio.run(_measure())
