"""All benchmarks in one run: printed as they come, and written to bench/results/latest.json."""

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import (
    capture,
    codecs,
    devices,
    drain,
    expressions,
    idle,
    ingest,
    journal,
    lag,
    latency,
    modbus,
    objects,
    papers,
    peers,
    receipts,
    start,
    stock,
    verify,
    wire,
)

PARTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "journal": journal.run,
    "latency": latency.run_latency,
    "cloud": latency.run_cloud,
    "idle": idle.run,
    "wire": wire.run,
    "capture": capture.run,
    "lag": lag.run,
    "codecs": codecs.run,
    "devices": devices.run,
    "modbus": modbus.run,
    "drain": drain.run,
    "ingest": ingest.run,
    "objects": objects.run,
    "stock": stock.run,
    "receipts": receipts.run,
    "papers": papers.run,
    "verify": verify.run,
    "start": start.run,
    "expressions": expressions.run,
    "peers": peers.run,
}


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in wanted if name not in PARTS]:
        raise SystemExit(f"no such part: {unknown[0]}; parts are {', '.join(PARTS)}")
    results: list[dict[str, Any]] = []
    for name in wanted:
        print(f"--- {name}", flush=True)
        for row in PARTS[name]():
            results.append(row)
            print("  " + "  ".join(f"{key}={value}" for key, value in row.items() if key != "bench"), flush=True)
    machine = {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }
    target = Path(__file__).resolve().parent / "results" / "latest.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")
    print(f"written to {target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target}")


if __name__ == "__main__":
    main()
