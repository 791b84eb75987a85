"""Processor time of four Modbus devices polled five times a second: the box's links beside a plain loop of pymodbus.

Both read the same twelve registers of four units behind one TCP server of pymodbus in a process of its own, and make decimals
of them. Rounds take turns; what counts is the median of the processor time a sample.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers import registry
from drivers.api import Reading
from drivers.transports import Shared, make_transport
from edge.clock import BoxClock
from edge.devices.link import DeviceLink, Owner

UNITS = (1, 2, 3, 4)
HZ = 5
SECONDS = 10.0
WARM_S = 1.0
ROUNDS = 3
AIM_MS = 0.3
AIM_TIMES = 2.0

WORDS = [0, 12345, 0, 2000, 0, 14345, 0x1000, 0x000C, 0, 0, 0, 1]
"""An FT-112's: net, tare, gross, status, errors, heartbeat."""


async def serve() -> None:
    """Four units whose heartbeat goes on; prints the port."""

    def unit(number: int) -> SimDevice:
        async def act(_function: int, _start: int, _address: int, _count: int, current: list[int], _values: Any) -> None:
            current[11] = int(time.monotonic() * 10) & 0xFFFF

        return SimDevice(number, simdata=[SimData(0, values=WORDS, datatype=DataType.REGISTERS)], action=act)

    server = ModbusTcpServer([unit(number) for number in UNITS], address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    assert isinstance(server.transport, asyncio.Server)
    print(server.transport.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


async def box(port: int, counted: Callable[[], None]) -> None:
    """The box's own links, drivers and line."""
    shared = Shared()
    line: Mapping[str, object] = {"host": "127.0.0.1", "port": port}

    async def reading(item: Reading) -> None:
        assert item.value == Decimal("12.345")
        counted()

    async def ignored(*_: Any) -> None: ...

    owner = Owner(reading, lambda _: None, lambda: None, ignored, ignored)
    links = [
        DeviceLink(
            f"unit-{unit}",
            registry.get("modbus-ft-112"),
            {"unit_id": unit, "unit": "kg", "interval_ms": 1000 // HZ},
            transport=lambda: make_transport("modbus", line, shared),
            clock=BoxClock.of_this_machine(),
            owner=owner,
        )
        for unit in UNITS
    ]
    await asyncio.gather(*(link.run() for link in links))


async def plain(port: int, counted: Callable[[], None]) -> None:
    """What a person would write: one client, a loop, the value taken out by hand."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    while True:
        started = time.monotonic()
        for unit in UNITS:
            answer = await client.read_holding_registers(0, count=12, device_id=unit)
            high, low = answer.registers[:2]
            assert Decimal(high << 16 | low).scaleb(-3) == Decimal("12.345")
            counted()
        await asyncio.sleep(max(1 / HZ - (time.monotonic() - started), 0))


async def measured(side: Callable[[int, Callable[[], None]], Coroutine[Any, Any, None]], port: int) -> None:
    """Run one side for a while; prints its samples, processor time and wake-ups."""
    samples = 0

    def counted() -> None:
        nonlocal samples
        samples += 1

    task = asyncio.create_task(side(port, counted))
    await asyncio.sleep(WARM_S)
    process = psutil.Process()
    before, busy, switches = samples, time.process_time(), process.num_ctx_switches().voluntary
    await asyncio.sleep(SECONDS)
    busy, switches = time.process_time() - busy, process.num_ctx_switches().voluntary - switches
    print(json.dumps({"samples": samples - before, "busy_s": busy, "wakeups": switches}), flush=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _child(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench.modbus", *arguments]


def run() -> list[dict[str, Any]]:
    """One row a side, and how they compare."""
    root = Path(__file__).resolve().parent.parent
    server = subprocess.Popen(_child("serve"), cwd=root, stdout=subprocess.PIPE, text=True)
    took: dict[str, list[float]] = {"box": [], "plain": []}
    wakeups: dict[str, list[float]] = {"box": [], "plain": []}
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        for _ in range(ROUNDS):
            for side, each in took.items():
                said = subprocess.run(_child(side, port), cwd=root, capture_output=True, text=True, check=True).stdout
                found = json.loads(said.splitlines()[-1])
                each.append(found["busy_s"] * 1000 / found["samples"])
                wakeups[side].append(found["wakeups"] / SECONDS)
    finally:
        server.terminate()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()
    middle = {side: statistics.median(each) for side, each in took.items()}
    rows: list[dict[str, Any]] = [
        {
            "bench": "modbus",
            "what": f"four devices at five readings a second, {'the box' if side == 'box' else 'a plain loop of pymodbus'}",
            "cpu_ms_per_sample": round(middle[side], 3),
            "wakeups_per_s": round(statistics.median(wakeups[side]), 1),
            "rounds": [round(one, 3) for one in took[side]],
        }
        for side in took
    ]
    rows[0] |= {"aim_ms": AIM_MS, "plain_loops": round(middle["box"] / middle["plain"], 2), "aim_plain_loops": AIM_TIMES}
    return rows


def main() -> None:
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(serve())
        case ["box", port]:
            asyncio.run(measured(box, int(port)))
        case ["plain", port]:
            asyncio.run(measured(plain, int(port)))
        case _:
            for row in run():
                print(json.dumps(row))


if __name__ == "__main__":
    main()
