"""How fast the core takes entries: a box's backlog drained into it, beside a bulk insert of the same rows with no protocol; and
several boxes at once into one worker and two. TALLYBOX_BENCH_BACKLOG names another number of readings.
"""

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench import databases
from bench.readings import readings
from bench.uplinks import Core, all_sent, backlog, open_box, prepare_core, sender_of, timed_cloud
from cloud.boxes.registry import register_box
from cloud.db.engine import open_sessions
from cloud.db.migrate import migrate
from cloud.kernel.actor import Actor, Taken
from firmware_sim.demo_processes import Part
from provisioning.box_identity import Identity
from provisioning.ca import load_authority
from provisioning.enroll import enroll
from sync_protocol import answers, chain
from sync_protocol.answers import Ack
from sync_protocol.entries import Clk, RunEntry, encode
from sync_protocol.frame import MAX_ENTRIES, seal
from sync_protocol.ids import RunId, new_box_id
from sync_protocol.routes import BATCHES, FRAME_TYPE

BACKLOG = int(os.environ.get("TALLYBOX_BENCH_BACKLOG", "600000"))
DRAIN_AIM = 0.5
WORKERS_AIM = 1.6
BOXES = 4
EACH = 30_000
ROUNDS = 3


async def drained(folder: Path, url: str | None = None) -> float:
    """Seconds in which a real box's sender empties its journal into a real core."""
    core = await prepare_core(folder, url)
    try:
        await core.part.start()
        async with open_box(folder) as journal:
            await backlog(journal, BACKLOG)
            cloud = timed_cloud(core, core.port)
            sender = sender_of(journal, cloud, core)
            started = time.perf_counter()
            sending = asyncio.create_task(sender.run())
            await all_sent(sender)
            took = time.perf_counter() - started
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await cloud.aclose()
    finally:
        await core.part.stop()
    return took


def drains(server: str | None) -> list[dict[str, Any]]:
    """The drain beside the bulk insert, on both databases."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        took = asyncio.run(drained(folder))
        asyncio.run(migrate(f"sqlite:///{folder / 'plain.db'}"))
        rows.append(
            _beside("SQLite", "executemany", took, databases.executemany(folder / "cloud.db", folder / "plain.db", BACKLOG))
        )
    if server is None:
        return rows
    with tempfile.TemporaryDirectory(prefix="tallybox-bench-", ignore_cleanup_errors=True) as name:
        source, target = databases.make_database(server, "drained"), databases.make_database(server, "plain")
        took = asyncio.run(drained(Path(name), source))
        asyncio.run(migrate(target))
        rows.append(_beside("PostgreSQL", "COPY", took, databases.copy(source, target, BACKLOG)))
    return rows


def _beside(database: str, peer: str, took_s: float, plain_s: float) -> dict[str, Any]:
    return {
        "bench": "ingest",
        "what": f"drain of {BACKLOG} to {database}",
        "entries_per_s": round(BACKLOG / took_s),
        f"plain_{peer}_per_s": round(BACKLOG / plain_s),
        "ratio": round(plain_s / took_s, 2),
        "aim": DRAIN_AIM,
    }


@dataclass
class Client:
    """A box whose frames are made before the clock runs."""

    identity: Identity
    frames: Sequence[bytes]

    async def send(self, url: str) -> None:
        """Every frame, one at a time, each answered with its position."""
        async with httpx.AsyncClient(verify=self.identity.client_ssl_context(), base_url=url, timeout=60) as http:
            for frame in self.frames:
                response = await http.post(BATCHES, content=frame, headers={"content-type": FRAME_TYPE})
                assert isinstance(answers.parse(response.content), Ack), response.content


def frames_of(identity: Identity, count: int) -> list[bytes]:
    """A run of `count` entries in the largest frames."""
    run = RunId(secrets.token_hex(16))
    first = RunEntry(boot_id="bench", mono_ns=0, wall_ns=0, clk=Clk(s="none"), fw="bench")
    entries = [encode(first), *(encode(one) for one in readings(count - 1))]
    previous, frames = chain.seed(run), []
    for at in range(0, count, MAX_ENTRIES):
        part = entries[at : at + MAX_ENTRIES]
        frames.append(
            seal(
                box=identity.box_id,
                run=run,
                first=at,
                prev=previous,
                entries=part,
                gen=0,
                key_id=identity.key_id,
                sign=identity.sign,
            )
        )
        previous = chain.links(previous, at, part)[-1]
    return frames


async def boxes_of(core: Core, url: str) -> list[Identity]:
    """Further boxes of the core."""
    now = datetime.now(UTC)
    authority = load_authority(core.folder / "ca")
    made = []
    sessions = open_sessions(url)
    try:
        for number in range(BOXES):
            box = new_box_id(int(now.timestamp() * 1000), secrets.token_bytes(10))
            identity = enroll(core.folder / f"box-{number}", authority, box_id=box, tenant="bench", now=now)
            async with sessions.write() as session:
                taken = Taken(Actor.system("bench"), now)
                await register_box(session, box=box, name=f"box {number}", spki=identity.spki, station=None, taken=taken)
            made.append(identity)
    finally:
        await sessions.engine.dispose()
    return made


async def workers(folder: Path, url: str) -> list[float]:
    """Entries a second with one worker and with two, the median of the rounds of each."""
    core = await prepare_core(folder, url)
    second = Part("core", core.part.arguments, folder / "second.log")
    found: dict[int, list[float]] = {1: [], 2: []}
    try:
        await core.part.start()
        await second.start()
        identities = await boxes_of(core, url)
        urls = [core.part.facts["sync"], second.facts["sync"]]
        for _ in range(ROUNDS):
            for count, rates in found.items():
                clients = [Client(identity, frames_of(identity, EACH)) for identity in identities]
                started = time.perf_counter()
                await asyncio.gather(*(client.send(urls[place % count]) for place, client in enumerate(clients)))
                rates.append(BOXES * EACH / (time.perf_counter() - started))
    finally:
        await core.part.stop()
        await second.stop()
    return [sorted(rates)[len(rates) // 2] for rates in found.values()]


def run() -> list[dict[str, Any]]:
    """Drains, then one worker and two."""
    with databases.postgres() as server:
        rows = drains(server)
        if server is None:
            return rows
        with tempfile.TemporaryDirectory(prefix="tallybox-bench-", ignore_cleanup_errors=True) as name:
            one, two = asyncio.run(workers(Path(name), databases.make_database(server, "workers")))
        rows.append(
            {
                "bench": "ingest",
                "what": f"{BOXES} boxes at once, PostgreSQL",
                "one_worker_per_s": round(one),
                "two_workers_per_s": round(two),
                "ratio": round(two / one, 2),
                "aim": WORKERS_AIM,
                "cores": os.cpu_count(),
            }
        )
        return rows


if __name__ == "__main__":
    for line in run():
        print(line)
