"""Receipts made of readings: how many a second one worker makes on either database and two on PostgreSQL, and how long the
posting of one of 200 lines takes. Clean receipts of five lines from four boxes; each is checked, verified and posted as it is.
"""

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bench import databases
from bench.verify import NOW, Writer
from cloud.boxes.registry import register_box
from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import migrate
from cloud.ingest.receive import receive_frame
from cloud.kernel.actor import Actor, Taken
from cloud.masters.demo import STATION, load_demo
from cloud.receiving.decisions import decide_exception, post
from cloud.receiving.models import Receipt, ReceiptException
from cloud.receiving.projection import project_all
from cloud.takers import JOB_TAKERS, TAKERS
from sync_protocol.ids import RunId
from sync_protocol.receiving.settings import Severity

BOXES, RECEIPTS, LINES = 4, 50, 5
LONG, ROUNDS = 200, 3
BOSS = Taken(Actor.user("noa", "supervisor"), NOW + timedelta(hours=2), "seen")
LATER = NOW + timedelta(hours=1)
PATIENCE_S = 600


async def _deliver(sessions: Sessions, writers: list[Writer]) -> None:
    taken = Taken(Actor.user("root", "admin"), NOW)
    async with sessions.write() as session:
        await load_demo(session, taken, pins={})
        for writer in writers:
            name = f"Box {writer.number}"
            await register_box(session, box=writer.box, name=name, spki=writer.spki, station=STATION, taken=taken)
    for writer in writers:
        for frame in writer.frames():
            await receive_frame(sessions, box=writer.box, frame=frame, now=NOW)


def _writers(count: int) -> list[Writer]:
    return [Writer(number=number, run=RunId(f"{number + 1:032x}")) for number in range(count)]


async def _project(url: str, wanted: int) -> None:
    """As a worker does, until all receipts are there, whoever made them."""
    sessions = open_sessions(url)
    try:
        while True:
            await project_all(sessions, takers=TAKERS, job_takers=JOB_TAKERS, now=LATER)
            async with sessions.read() as session:
                if await session.scalar(select(func.count()).where(Receipt.state == "posted")) == wanted:
                    return
            await asyncio.sleep(0.01)
    finally:
        await sessions.engine.dispose()


def _worker(url: str, wanted: int) -> None:
    asyncio.run(asyncio.wait_for(_project(url, wanted), PATIENCE_S))


def _projected(url: str, database: str, workers: int) -> dict[str, Any]:
    async def prepare() -> None:
        await migrate(url)
        sessions, writers = open_sessions(url), _writers(BOXES)
        try:
            for writer in writers:
                for number in range(RECEIPTS):
                    writer.receipt(LINES, f"DN-{writer.number}-{number}")
            await _deliver(sessions, writers)
        finally:
            await sessions.engine.dispose()

    asyncio.run(prepare())
    wanted = BOXES * RECEIPTS
    started = time.perf_counter()
    if workers == 1:
        _worker(url, wanted)
    else:
        spawn = multiprocessing.get_context("spawn")
        ones = [spawn.Process(target=_worker, args=(url, wanted)) for _ in range(workers)]
        for one in ones:
            one.start()
        for one in ones:
            one.join()
        if any(one.exitcode for one in ones):
            raise SystemExit("a worker ended with a fault")
    took = time.perf_counter() - started
    what = f"projection, {workers} worker{'s' * (workers > 1)}, {LINES} lines"
    return {"bench": "receipts", "database": database, "what": what, "receipts": wanted, "per_second": round(wanted / took, 1)}


async def _posted(url: str, database: str) -> dict[str, Any]:
    """A receipt without delivery note waits for a person; what is measured is their press of the button."""
    await migrate(url)
    sessions, (writer,) = open_sessions(url), _writers(1)
    took = []
    try:
        for _ in range(ROUNDS):
            writer.receipt(LONG, "")
        await _deliver(sessions, [writer])
        await project_all(sessions, takers=TAKERS, job_takers=JOB_TAKERS, now=LATER)
        async with sessions.read() as session:
            refs = list(await session.scalars(select(Receipt.ref).where(Receipt.state == "check").order_by(Receipt.id)))
            rows = await session.execute(
                select(Receipt.ref, ReceiptException.id)
                .join(Receipt, Receipt.id == ReceiptException.receipt_id)
                .where(ReceiptException.severity == Severity.DECISION)
            )
            asked = [(ref, number) for ref, number in rows]
        for ref, number in asked:
            await decide_exception(sessions, ref=ref, exception=number, decision="accept", taken=BOSS, version=None)
        for ref in refs:
            started = time.perf_counter()
            await post(sessions, ref=ref, taken=replace(BOSS, reason=None), version=None)
            took.append((time.perf_counter() - started) * 1000)
    finally:
        await sessions.engine.dispose()
    what = f"post of {LONG} lines, verified in the same transaction"
    return {"bench": "receipts", "database": database, "what": what, "p50_ms": round(statistics.median(took))}


def run() -> list[dict[str, Any]]:
    """One row a way of working."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-") as name:
        folder = Path(name)
        rows.append(_projected(f"sqlite:///{folder / 'one.db'}", "sqlite", 1))
        rows.append(asyncio.run(_posted(f"sqlite:///{folder / 'post.db'}", "sqlite")))
    with databases.postgres() as server:
        if server is None:
            return rows
        rows += [
            _projected(databases.make_database(server, f"receipts_{workers}"), "postgresql", workers) for workers in (1, 2)
        ]
        rows.append(asyncio.run(_posted(databases.make_database(server, "receipts_post"), "postgresql")))
    return rows
