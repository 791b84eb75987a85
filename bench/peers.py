"""The journal beside the stores of other gateways: readings a second, and what a kill, a power cut and a full disk leave.

The harness is not part of this repository: TALLYBOX_PEERS names its folder, else `../shared/bench/peers`. Its raw store (SQLite
in WAL mode, FULL, natural group commit, nothing hashed or encoded) runs with this program's Python; ThingsBoard's need one with
`thingsboard-gateway` installed, named by TALLYBOX_PEERS_PYTHON. Stores take turns, every one in a process of its own.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OURS = f"{HERE / 'peer_store.py'}:ProductStore"
RAW = "wal-full-natural"
THINGSBOARD = ("tb-sqlite", "tb-file")

IN_FLIGHT = ((1, 2_000, 0.8), (8, 8_000, 0.8), (256, 60_000, 0.5))
"""Events unacknowledged at most, events in all, and how much of the raw store's rate is wanted."""

ROUNDS = 5
TRIALS = 3
RUN_S = 900

COMPILER = shutil.which("cc") or "cc"
"""Of the library that plays the power cut."""

Row = dict[str, Any]


def harness() -> Path | None:
    """The harness's folder, None where there is none."""
    folder = Path(os.environ.get("TALLYBOX_PEERS", HERE.parent.parent / "shared" / "bench" / "peers"))
    return folder if (folder / "bench_crash.py").exists() else None


def python_for(store: str) -> str | None:
    """The interpreter that can run a store."""
    return os.environ.get("TALLYBOX_PEERS_PYTHON") if store in THINGSBOARD else sys.executable


def stores() -> list[str]:
    return [store for store in (OURS, RAW, *THINGSBOARD) if python_for(store)]


def name_of(store: str) -> str:
    return "tallybox" if store == OURS else store


class Harness:
    """Runs the harness's parts; `scratch` holds what they write."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder = folder
        self.scratch = scratch
        self.shim = scratch / "powercut.so"
        source = folder / "shim" / "powercut.c"
        subprocess.run([COMPILER, "-O2", "-shared", "-fPIC", "-o", self.shim, source, "-ldl", "-lpthread"], check=True)

    def part(self, script: str, store: str, *options: str) -> tuple[dict[str, Any], str]:
        """One part for one store: the JSON that it wrote, if any, and its output."""
        found = self.scratch / "out.json"
        found.unlink(missing_ok=True)
        python = python_for(store)
        assert python is not None
        writes = [] if script == "probe_diskfull.py" else ["--json", str(found), "--shim", str(self.shim)]
        done = subprocess.run(
            [python, self.folder / script, "--stores", store, *writes, *options],
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(self.scratch)},
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=True,
        )
        return (json.loads(found.read_text()) if found.exists() else {}), done.stdout


def throughput(peers: Harness) -> list[Row]:
    """What each store takes in a second, as ratios to the raw one."""
    rows: list[Row] = []
    for in_flight, count, aim in IN_FLIGHT:
        taken: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for store in stores():
                options = ("--window", str(in_flight), "-n", str(count), "--trials", "1", "--drain", "0")
                result, _ = peers.part("bench_throughput.py", store, *options)
                taken.setdefault(store, []).append(result["rows"][0]["stored_per_s"])
        ratio = statistics.median(ours / raw for ours, raw in zip(taken[OURS], taken[RAW], strict=True))
        rates = {f"{name_of(store)}_per_s": round(statistics.median(values)) for store, values in taken.items()}
        rows.append({"bench": "peers", "what": f"{in_flight} in flight", **rates, "ratio_to_raw": round(ratio, 2), "aim": aim})
    return rows


def crashes(peers: Harness, what: str, *options: str) -> list[Row]:
    """What was acknowledged and is not found, store by store."""
    rows: list[Row] = []
    for store in stores():
        result, _ = peers.part("bench_crash.py", store, "--trials", str(TRIALS), *options)
        trials = result["rows"][0]["trials"]
        row: Row = {"bench": "peers", "what": what, "store": name_of(store)}
        row |= {key: sum(trial[key] for trial in trials) for key in ("acked", "delivered", "lost", "repeated", "disorder")}
        notes = [trial["note"] for trial in trials if trial["note"]]
        rows.append(row | ({"note": notes[0]} if notes else {}))
    return rows


def full_disk(peers: Harness) -> list[Row]:
    """Two seconds without room; needs the right to mount."""
    rows: list[Row] = []
    for store in stores():
        _, output = peers.part("probe_diskfull.py", store, "--mount", str(peers.scratch / "small"))
        numbers = {
            key: int(value) for key, value in re.findall(r"(accepted but lost|accepted|refused|raised|found) +(\d+)", output)
        }
        rows.append({"bench": "peers", "what": "2 s of full disk", "store": name_of(store), **numbers})
    return rows


def run() -> list[Row]:
    """Every part; a row that says why where the harness is not there."""
    folder = harness()
    if folder is None or shutil.which("cc") is None:
        return [{"bench": "peers", "skipped": "the harness (TALLYBOX_PEERS) or a C compiler is not there"}]
    rows: list[Row] = []
    if python_for(THINGSBOARD[0]) is None:
        rows.append({"bench": "peers", "skipped": "TALLYBOX_PEERS_PYTHON names no Python with thingsboard-gateway"})
    with tempfile.TemporaryDirectory(prefix="tallybox-peers-") as scratch:
        peers = Harness(folder, Path(scratch))
        rows += throughput(peers)
        for rate in ("200", "2000", "0"):
            rows += crashes(peers, f"SIGKILL at {rate}/s" if rate != "0" else "SIGKILL, flat out", "--rate", rate)
        rows += crashes(peers, "SIGKILL while a backlog drains", "--rate", "200", "--consume", "--preload", "5000")
        rows += crashes(peers, "power cut at 200/s", "--rate", "200", "--life", "3", "6", "--power")
        if os.geteuid() == 0:
            rows += full_disk(peers)
    return rows


if __name__ == "__main__":
    for line in run():
        print(line, flush=True)
