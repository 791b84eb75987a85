"""One side of `bench.devices`, in a process of its own: `hub` is the box's, `plain` the same reads by hand; prints JSON."""

import asyncio
import json
import os
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import serial
from pymodbus.client import AsyncModbusTcpClient

from edge.clock import BoxClock
from edge.devices.hub import DeviceHub
from edge.devices.live import Captured, LiveChanged
from edge.settings import DeviceSettings
from sync_protocol.entries import Encoded, Entry
from sync_protocol.ids import EntryId, RunId

WARM_UP_S = 2.0
POLL_S = 0.2
START, COUNT = 40007 - 40001, 8


class NoJournal:
    """Takes what the hub writes; nothing is captured here."""

    async def append(self, entry: Entry | Encoded) -> EntryId:  # noqa: ARG002
        return EntryId(RunId("0" * 32), 0)


class Counting:
    """Readings since the warm-up, and when a stamped weight was seen."""

    def __init__(self) -> None:
        self.samples = 0
        self.seen: dict[str, float] = {}


async def hub(ports: list[str], modbus: int | None, counting: Counting) -> list[asyncio.Task[Any]]:
    devices = [
        DeviceSettings(id=f"s{n}", driver="mt-sics", transport={"kind": "serial", "port": port}, settings={"mode": "stream"})
        for n, port in enumerate(ports)
    ]
    devices += [
        DeviceSettings(
            id=f"m{unit}",
            driver="modbus-laumas",
            transport={"kind": "modbus", "host": "127.0.0.1", "port": modbus},
            settings={"unit_id": unit, "interval_ms": round(POLL_S * 1000)},
        )
        for unit in (range(1, 5) if modbus else ())
    ]
    return _run_hub(devices, counting)


def _run_hub(devices: list[DeviceSettings], counting: Counting) -> list[asyncio.Task[Any]]:
    made = DeviceHub(devices, journal=NoJournal(), clock=BoxClock.of_this_machine())

    async def listen() -> None:
        async with made.events() as events:
            async for event in events:
                if isinstance(event, LiveChanged) and event.live.reading is not None:
                    counting.seen.setdefault(str(event.live.reading.value), time.monotonic())
                assert not isinstance(event, Captured)

    return [asyncio.create_task(link.run()) for link in made.links.values()] + [asyncio.create_task(listen())]


async def silent(ports: list[str]) -> list[asyncio.Task[Any]]:
    """Eight readers with nobody scanning."""
    devices = [
        DeviceSettings(id=f"s{n}", driver="serial-scanner", transport={"kind": "serial", "port": port})
        for n, port in enumerate(ports)
    ]
    return _run_hub(devices, Counting())


async def plain(ports: list[str], modbus: int | None, counting: Counting) -> list[asyncio.Task[Any]]:
    loop = asyncio.get_running_loop()
    for port in ports:
        line = serial.Serial(port, timeout=0, exclusive=True)
        loop.add_reader(line.fileno(), _line, line, bytearray(), counting)

    async def poll() -> None:
        client = AsyncModbusTcpClient("127.0.0.1", port=modbus or 0)
        await client.connect()
        while True:
            started = loop.time()
            for unit in range(1, 5):
                answer = await client.read_holding_registers(START, count=COUNT, device_id=unit)
                words = answer.registers
                Decimal((words[1] << 16) + words[2]).scaleb(-3)
                counting.samples += 1
            await asyncio.sleep(max(0.0, POLL_S - (loop.time() - started)))

    return [asyncio.create_task(poll())] if modbus else []


def _line(port: serial.Serial, kept: bytearray, counting: Counting) -> None:
    kept += port.read(4096)
    while (at := kept.find(b"\n")) >= 0:
        parts = bytes(kept[:at]).split()
        del kept[: at + 1]
        seen = str(Decimal(parts[2].decode()))
        counting.samples += 1
        counting.seen.setdefault(seen, time.monotonic())


async def main() -> None:
    side, seconds, modbus, *ports = sys.argv[1:]
    counting = Counting()
    if side == "silent":
        tasks = await silent(ports)
    else:
        tasks = await (hub if side == "hub" else plain)(ports, int(modbus) or None, counting)
    await asyncio.sleep(WARM_UP_S)
    counting.samples, counting.seen = 0, {}
    before, wall, switches = time.process_time(), time.monotonic(), _switches()
    await asyncio.sleep(float(seconds))
    took = time.process_time() - before
    elapsed = time.monotonic() - wall
    print(
        json.dumps({"cpu_s": took, "seconds": elapsed, "wakeups": _switches() - switches, "seen": counting.seen}),
        flush=True,
    )
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    os._exit(0)


def _switches() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("voluntary_ctxt_switches")))


if __name__ == "__main__":
    asyncio.run(main())
