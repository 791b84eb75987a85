"""What a long backlog does to a box: its memory with nothing and with 600,000 readings that wait, and how long a new reading
takes to the cloud while a million drain. TALLYBOX_BENCH_BACKLOG names another number for both.
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bench.readings import weight
from bench.stations import LIBS, percentiles
from bench.uplinks import all_sent, backlog, open_box, prepare_core, sender_of, timed_cloud
from edge.clock import BoxClock
from firmware_sim.demo_processes import Part
from sync_protocol.ids import EntryId

WAITING = int(os.environ.get("TALLYBOX_BENCH_BACKLOG", "600000"))
DRAINING = int(os.environ.get("TALLYBOX_BENCH_BACKLOG", "1000000"))

SETTLE_S = 12.0
"""For a box to have read what it reads at start; its memory is the highest seen meanwhile."""

MEMORY_AIM_MB = 120
LIVE_EVERY_S = 0.1
LIVE_AIM_MS = 2000


def _box_toml(folder: Path, url: str) -> str:
    text = json.dumps
    return (
        f'data_dir = {text(str(folder))}\nbrowser_libs = {text(str(LIBS))}\nstation = "bench"\n'
        f"[cloud]\nurl = {text(url)}\n[kiosk]\nport = 0\n"
    )


async def resident(folder: Path, identity: Path, url: str) -> float:
    """The most memory, in MB, that the real box has while it stands with its journal and no cloud."""
    config = folder / "box.toml"
    config.write_text(_box_toml(folder, url))
    box = Part("box", ["edge", "run", "--config", str(config), "--identity", str(identity)], folder / "box.log")
    most = 0
    try:
        await box.start()
        assert box.process is not None
        process = psutil.Process(box.process.pid)
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.1)
    finally:
        await box.stop()
    return round(most / 1e6, 1)


async def memory(folder: Path) -> list[dict[str, Any]]:
    """With an empty journal, and with one that is full of what nobody took. Nothing listens where the cloud should be."""
    core = await prepare_core(folder)
    rows: list[dict[str, Any]] = []
    for name, count in (("empty", 0), ("waiting", WAITING)):
        box = folder / name
        box.mkdir()
        async with open_box(box) as journal:
            await backlog(journal, count)
        most = await resident(box, core.identity_folder, "https://127.0.0.1:9")
        rows.append({"bench": "drain", "what": f"memory with {count} waiting", "resident_mb": most, "aim": MEMORY_AIM_MB})
    return rows


async def lanes(folder: Path) -> dict[str, Any]:
    """Lags of readings made while the backlog of before drains."""
    clock = BoxClock.of_this_machine()
    core = await prepare_core(folder)
    kept: list[tuple[float, EntryId]] = []
    try:
        await core.part.start()
        async with open_box(folder) as journal:
            await backlog(journal, DRAINING)
            cloud = timed_cloud(core, core.port)
            sender = sender_of(journal, cloud, core)
            started = time.perf_counter()
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(sender.run())
                while not sender.facts.up:  # noqa: ASYNC110 - what is made until the link is back belongs to the backlog
                    await asyncio.sleep(0.01)
                while sender.waiting() > DRAINING // 100:
                    await asyncio.sleep(LIVE_EVERY_S)
                    place = await journal.append(weight("live", "1.000", clock.now_ns(), clock.wall_ns()))
                    kept.append((time.perf_counter(), place))
                took_s = time.perf_counter() - started
                await all_sent(sender)
                sending.cancel()
            await cloud.aclose()
    finally:
        await core.part.stop()
    lags = sorted(cloud.lags_ms(kept))
    return {
        "bench": "drain",
        "what": f"new readings while {DRAINING} drain",
        "readings": len(lags),
        "p95_ms": round(lags[int(len(lags) * 0.95)], 1),
        **percentiles(lags),
        "drained_per_s": round(DRAINING / took_s),
        "aim_p95_ms": LIVE_AIM_MS,
    }


def run() -> list[dict[str, Any]]:
    """Memory, then lanes."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-", ignore_cleanup_errors=True) as name:
        rows += asyncio.run(memory(Path(name)))
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-", ignore_cleanup_errors=True) as name:
        rows.append(asyncio.run(lanes(Path(name))))
    return rows


if __name__ == "__main__":
    for line in run():
        print(line)
