"""How long the core takes from being called to serving, on a fresh SQLite database, and what it holds in memory then and after
its first requests; beside an interpreter that only loads the web framework and the ORM.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.uplinks import prepare_core

ROUNDS = 5
BARE = [sys.executable, "-c", "import fastapi, uvicorn, sqlalchemy.ext.asyncio"]


async def _measure() -> dict[str, Any]:
    starts, memory, after = [], [], []
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-", ignore_cleanup_errors=True) as name:
        core = (await prepare_core(Path(name))).part
        for _ in range(ROUNDS):
            began = time.perf_counter()
            facts = await core.start()
            starts.append(time.perf_counter() - began)
            try:
                assert core.process is not None
                process = psutil.Process(core.process.pid)
                memory.append(process.memory_info().rss / 1e6)
                async with httpx.AsyncClient(base_url=str(facts["staff"])) as client:
                    for _page in range(20):
                        (await client.get("/sign-in")).raise_for_status()
                after.append(process.memory_info().rss / 1e6)
            finally:
                await core.stop()
    bare = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await asyncio.to_thread(subprocess.run, BARE, check=True)
        bare.append(time.perf_counter() - began)
    return {
        "bench": "start",
        "serves_after_s": round(statistics.median(starts), 2),
        "frameworks_alone_s": round(statistics.median(bare), 2),
        "memory_mb": round(statistics.median(memory), 1),
        "memory_after_requests_mb": round(statistics.median(after), 1),
    }


def run() -> list[dict[str, Any]]:
    return [asyncio.run(_measure())]
