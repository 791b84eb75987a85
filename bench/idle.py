"""Memory and processor time of a box with two scales at ten readings a second, nobody touching it."""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bench.stations import LIBS
from firmware_sim.demo_processes import Part

SECONDS = 15.0

SITE = """
title = "Two scales"
seed = 1
[[devices]]
name = "scale-1"
kind = "mt-sics"
pty = "scale-1"
[[devices]]
name = "scale-2"
kind = "mt-sics"
pty = "scale-2"
"""


def _box(folder: Path, facts: dict[str, Any]) -> str:
    devices = "".join(
        f'[[devices]]\nid = "{name}"\ndriver = "mt-sics"\n'
        f'transport = {{ kind = "serial", port = {json.dumps(str(facts[name]))} }}\n'
        for name in ("scale-1", "scale-2")
    )
    return (
        f'data_dir = {json.dumps(str(folder / "box"))}\nbrowser_libs = {json.dumps(str(LIBS))}\nstation = "bench"\n'
        f'[kiosk]\nport = 0\nscale = "scale-1"\n{devices}'
    )


async def _measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "site.toml").write_text(SITE)
        site = Part("site", ["sim", "site", str(folder / "site.toml"), "--directory", name], folder / "site.log")
        box = Part("box", ["edge", "run", "--config", str(folder / "box.toml")], folder / "box.log")
        try:
            (folder / "box.toml").write_text(_box(folder, await site.start()))
            await box.start()
            assert box.process is not None
            await asyncio.sleep(3)
            process = psutil.Process(box.process.pid)
            before, started = process.cpu_times(), time.monotonic()
            switches = process.num_ctx_switches().voluntary
            await asyncio.sleep(SECONDS)
            after, seconds = process.cpu_times(), time.monotonic() - started
            busy = after.user + after.system - before.user - before.system
            return {
                "bench": "idle",
                "what": "box with two scales polled ten times a second",
                "resident_mb": round(process.memory_info().rss / 1e6, 1),
                "cpu_percent": round(100 * busy / seconds, 1),
                "wakeups_per_s": round((process.num_ctx_switches().voluntary - switches) / seconds),
            }
        finally:
            await box.stop()
            await site.stop()


def run() -> list[dict[str, Any]]:
    return [asyncio.run(_measure())]
