"""How long one reading takes to be durable, with 1, 8 and 64 producers that each wait for theirs, beside one sync of the disk.

The sync is measured between the rounds, on the same file system: four kilobytes at the end of a file, then fdatasync.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.readings import weight
from bench.stations import percentiles
from edge.clock import BoxClock
from edge.journal.service import Journal

PRODUCERS = ((1, 1500), (8, 4000), (64, 16_000))
"""How many at once, and readings in all."""

ROUNDS = 3
SYNCS = 200
AIM = 3


def syncs(folder: Path) -> list[float]:
    """Milliseconds of syncs one after the other."""
    took = []
    fd = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for _ in range(SYNCS):
            os.write(fd, bytes(4096))
            started = time.perf_counter()
            os.fdatasync(fd)
            took.append((time.perf_counter() - started) * 1000)
    finally:
        os.close(fd)
    return took


async def captured(path: Path, producers: int, count: int) -> list[float]:
    """Milliseconds from having a reading to its being on the disk."""
    clock = BoxClock.of_this_machine()
    took: list[float] = []
    async with Journal.open(path, clock=clock, firmware="bench") as journal:

        async def produce(device: str) -> None:
            for n in range(count // producers):
                started = time.perf_counter()
                await journal.append(weight(device, f"{n / 1000:.3f}", clock.now_ns(), clock.wall_ns()))
                took.append((time.perf_counter() - started) * 1000)

        await asyncio.gather(*(produce(f"scale-{number}") for number in range(producers)))
    return took


def run() -> list[dict[str, Any]]:
    """One row a number of producers: p50 and p99, and p99 in syncs (the median of the rounds)."""
    rows: list[dict[str, Any]] = []
    for producers, count in PRODUCERS:
        rounds = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory(prefix="tallybox-bench-") as name:
                folder = Path(name)
                before = syncs(folder)
                ours = percentiles(asyncio.run(captured(folder / "journal.db", producers, count)))
                rounds.append((ours, percentiles([*before, *syncs(folder)])))
        ratios = [ours["p99_ms"] / sync["p99_ms"] for ours, sync in rounds]
        typical = [ours["p50_ms"] / sync["p50_ms"] for ours, sync in rounds]
        middle = sorted(rounds, key=lambda one: one[0]["p99_ms"])[ROUNDS // 2]
        rows.append(
            {
                "bench": "capture",
                "what": f"{producers} producers",
                **middle[0],
                "one_sync": middle[1],
                "p99_in_p99_syncs": round(statistics.median(ratios), 1),
                "p50_in_p50_syncs": round(statistics.median(typical), 1),
                "aim": AIM,
            }
        )
    return rows


if __name__ == "__main__":
    for line in run():
        print(line)
