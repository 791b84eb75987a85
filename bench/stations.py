"""Stations for the benchmarks: the demo's cloud and box as processes, and pseudo-terminals that the benchmark writes to."""

import asyncio
import os
import tempfile
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import tallybox
from firmware_sim.demo_processes import DemoData, DemoSite, Ports

LIBS = Path(__file__).resolve().parent.parent / "node_modules"


@dataclass(slots=True)
class Terminal:
    """A pseudo-terminal: the box opens `path`, the benchmark writes what a device would send."""

    master: int
    slave: int
    path: str

    @classmethod
    def open(cls) -> Self:
        master, slave = os.openpty()
        tty.setraw(slave, termios.TCSANOW)
        return cls(master, slave, os.ttyname(slave))

    def write(self, data: bytes) -> None:
        os.write(self.master, data)

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


@dataclass(slots=True)
class Bench:
    """A running station: what it was prepared with, its processes, its scale and reader."""

    data: DemoData
    site: DemoSite
    scale: Terminal
    reader: Terminal


@asynccontextmanager
async def bench_station() -> AsyncIterator[Bench]:
    """A cloud and a box; no simulated site."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallybox-bench-", ignore_cleanup_errors=True)))
        data = await tallybox.prepare_demo(folder)
        scale, reader = Terminal.open(), Terminal.open()
        stack.callback(scale.close)
        stack.callback(reader.close)
        site = DemoSite(data, LIBS, Ports())
        stack.push_async_callback(site.stop)
        site.site.facts = {"scale-1": scale.path, "reader-1": reader.path}
        await site.start_cloud()
        await site.start_box()
        yield Bench(data, site, scale, reader)


def percentiles(values: list[float]) -> dict[str, float]:
    """p50 and p99 (nearest rank) of milliseconds."""
    ordered = sorted(values)
    return {
        "p50_ms": round(ordered[len(ordered) // 2], 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
    }


async def pause(seconds: float) -> None:
    """Let the machine come to rest between two measurements."""
    await asyncio.sleep(seconds)
