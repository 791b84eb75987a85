"""From a byte on a pseudo-terminal to durable, to the screen's event stream, and to a record in the cloud."""

import asyncio
import secrets
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.stations import Bench, Terminal, bench_station, percentiles
from edge.clock import BoxClock
from edge.devices.hub import DeviceHub
from edge.devices.live import Captured
from edge.journal.service import Journal
from edge.settings import CaptureSettings, DeviceSettings
from firmware_sim.demo import ORDER, signed_in
from firmware_sim.demo_operator import Kiosk
from sync_protocol.ids import run_id

SCANS = 300
RECORDS = 40
WEIGHTS = 60


async def durable() -> dict[str, Any]:
    """One scan at a time through hub and journal of this process; beside it, a bare fsync'd commit of one row."""
    clock = BoxClock.of_this_machine()
    terminal = Terminal.open()
    device = DeviceSettings(
        id="reader",
        driver="serial-scanner",
        transport={"kind": "serial", "port": terminal.path},
        settings={"suffix": "\r"},
        capture=CaptureSettings(policy="every"),
    )
    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        async with Journal.open(path, clock=clock, run=run_id(secrets.token_hex(16)), firmware="bench") as journal:
            hub = DeviceHub([device], journal=journal, clock=clock)
            link = asyncio.create_task(hub.links["reader"].run())
            await asyncio.sleep(0.3)
            async with hub.events() as events:
                for n in range(SCANS):
                    started = time.perf_counter()
                    terminal.write(f"LOT-{n}\r".encode())
                    async for event in events:
                        if isinstance(event, Captured):
                            break
                    took.append((time.perf_counter() - started) * 1000)
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
        bare = _bare_commits(Path(folder) / "bare.db")
    terminal.close()
    return {"bench": "latency", "what": "byte to durable", **percentiles(took), "one_bare_commit": percentiles(bare)}


def _bare_commits(path: Path) -> list[float]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (x BLOB)")
    took = []
    for _ in range(SCANS):
        started = time.perf_counter()
        connection.execute("INSERT INTO t VALUES (?)", (b"x" * 300,))
        took.append((time.perf_counter() - started) * 1000)
    connection.close()
    return took


async def screen(bench: Bench, kiosk: Kiosk) -> dict[str, Any]:
    """A new live weight from the last byte of its line to the event in the page's stream."""
    took: list[float] = []
    for n in range(WEIGHTS):
        value = f"{n + 1}.{n % 10}00"
        started = time.perf_counter()
        bench.scale.write(f"S S {value:>10} kg\r\n".encode())
        await kiosk.until_live(value)
        took.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.15)
    return {"bench": "latency", "what": "byte to screen", **percentiles(took)}


async def cloud(bench: Bench, kiosk: Kiosk) -> list[dict[str, Any]]:
    """A scan in an open receipt to its line in the cloud's tables, over HTTPS; each line is discarded before the next."""
    await kiosk.until("the order", lambda state: any(order["ref"] == ORDER for order in state["orders"]))
    bench.reader.write(f"]C0{ORDER}\r".encode())
    await kiosk.until("the delivery note's step", lambda state: state["awaits"] == "document")
    await kiosk.act("document", number="BENCH-1")
    database = sqlite3.connect(f"file:{bench.data.directory / 'cloud.db'}?mode=ro", uri=True)
    took: dict[str, list[float]] = {"entry": [], "receipt_line": []}
    for n in range(RECORDS):
        before = {table: _count(database, table) for table in took}
        started = time.perf_counter()
        bench.reader.write(f"]C101072900012345631727063010LOT{n}\r".encode())
        for table, values in took.items():
            # The cloud is another process: its tables can only be looked at.
            while _count(database, table) == before[table]:  # noqa: ASYNC110
                await asyncio.sleep(0.0005)
            values.append((time.perf_counter() - started) * 1000)
        await kiosk.until("the weighing step", lambda state: state["awaits"] == "weight")
        await kiosk.act("discard", reason="wrong_item")
        await asyncio.sleep(0.1)
    database.close()
    return [
        {"bench": "latency", "what": "byte to entry in the cloud", **percentiles(took["entry"])},
        {"bench": "latency", "what": "byte to line of a receipt in the cloud", **percentiles(took["receipt_line"])},
    ]


def _count(database: sqlite3.Connection, table: str) -> int:
    found: tuple[int] = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    return found[0]


async def _measure(*, screen_too: bool, cloud_too: bool) -> list[dict[str, Any]]:
    async with bench_station() as bench, Kiosk.at(bench.site.box.facts["kiosk"]) as kiosk:
        await signed_in(kiosk, bench.data)
        results = [await screen(bench, kiosk)] if screen_too else []
        return results + (await cloud(bench, kiosk) if cloud_too else [])


def run_latency() -> list[dict[str, Any]]:
    """Byte to durable and byte to screen."""
    return [asyncio.run(durable()), *asyncio.run(_measure(screen_too=True, cloud_too=False))]


def run_cloud() -> list[dict[str, Any]]:
    """Byte to cloud."""
    return asyncio.run(_measure(screen_too=False, cloud_too=True))
