"""Core, database and a box as processes of their own that can be killed one by one, with a relay before the core."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cloud.boxes.registry import register_box
from cloud.db.engine import open_sessions
from cloud.db.migrate import migrate
from cloud.kernel.actor import Actor, Taken
from firmware_sim.demo_processes import Part
from firmware_sim.relay import Relay
from provisioning.box_identity import Identity
from provisioning.ca import Authority, init_authority
from provisioning.enroll import enroll, enroll_server
from sync_protocol.ids import new_box_id
from tests.brokers import Broker, mosquitto
from tests.faults.histories import Key
from tests.faults.postgres import Postgres

LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"

WORKERS = ("ingest-0", "ingest-1")
"""Processes of the core, by the name that each has to a broker."""

WAIT_S = 90.0
"""For a box to have sent everything, on a machine that does other work too."""


@dataclass
class BoxProcess:
    """`tests.faults.box_process`, again and again: each start begins with numbers that no other has."""

    journal: Path
    identity: Path
    way: str
    rate: float
    said: Path
    starts: int = 0
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.starts += 1
        first = self.starts * 1_000_000
        with self.said.open("ab") as said, self.said.with_suffix(".log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.box_process",
                str(self.journal), str(self.identity), self.way, str(first), str(self.rate),
                stdout=said, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        await self.says("ready", self.starts)

    async def says(self, word: str, times: int = 1) -> None:
        async with asyncio.timeout(WAIT_S):
            while self.said.read_bytes().count(f"{word}\n".encode()) < times:
                assert self.process is not None
                assert self.process.returncode is None or word == "drained", self.tail()
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def finish(self) -> None:
        """No more readings; everything is sent."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WAIT_S):
            await self.process.wait()
        assert self.process.returncode == 0, self.tail()
        await self.says("drained")

    def confirmed(self) -> dict[int, Key]:
        """Number to run and seq of every reading that was ever confirmed."""
        # The last line of a process that was killed may be cut: it was not said.
        whole = self.said.read_bytes().decode().rpartition("\n")[0].splitlines()
        return {int(n): (run, int(seq)) for n, run, seq in (line.split()[1:] for line in whole if line.startswith("+ "))}

    def tail(self) -> str:
        return self.said.with_suffix(".log").read_text(errors="replace")[-3000:]


@dataclass
class Fleet:
    """What runs, and how it is hurt."""

    folder: Path
    authority: Authority
    identity: Identity
    database: Postgres
    workers: list[Part]
    relay: Relay
    box: BoxProcess
    ports: list[int]
    """Of the workers' own listeners."""
    broker: Broker | None

    def cloud_rows(self) -> dict[Key, bytes]:
        """What the cloud holds of the box; asserts that every run is whole from its beginning."""
        found = {
            (str(run), int(str(seq))): bytes(content)  # type: ignore[call-overload]
            for run, seq, content in self.database.rows("SELECT run, seq, content FROM entry")
        }
        tips: dict[str, list[int]] = {}
        for run, seq in found:
            tips.setdefault(run, []).append(seq)
        acked = {str(run): int(str(many)) for run, many in self.database.rows("SELECT run, acked FROM run_state")}
        for run, seqs in tips.items():
            assert sorted(seqs) == list(range(acked[run])), f"run {run} is no prefix"
        return found


async def prepared(folder: Path, url: str) -> tuple[Authority, Identity]:
    """An authority, the server's certificate, a migrated database and a box that it knows."""
    now = datetime.now(UTC)
    authority = init_authority(folder / "ca", name="tests", now=now)
    enroll_server(folder / "server", authority, names=["127.0.0.1", "localhost"], now=now)
    box = new_box_id(int(now.timestamp() * 1000), secrets.token_bytes(10))
    identity = enroll(folder / "identity", authority, box_id=box, tenant="tests", now=now)
    await migrate(url)
    sessions = open_sessions(url)
    try:
        async with sessions.write() as session:
            taken = Taken(Actor.system("tests"), now)
            await register_box(session, box=identity.box_id, name="box", spki=identity.spki, station=None, taken=taken)
    finally:
        await sessions.engine.dispose()
    return authority, identity


def worker(folder: Path, number: int, url: str, *, port: int = 0, broker: Broker | None = None) -> Part:
    """One process of the core; where there are several, the relay or the broker chooses."""
    where = ["--db", url, "--server", str(folder / "server"), "--libs", str(LIBRARIES)]
    ports = ["--sync-port", str(port), "--staff-port", "0"]
    if broker is not None:
        identity = str(broker.folder / "workers" / WORKERS[number])
        ports += ["--mqtt-host", broker.host, "--mqtt-port", str(broker.port), "--mqtt-identity", identity]
    return Part(f"cloud {number}", ["cloud", "run", *where, *ports], folder / f"cloud-{number}.log")


def port_of(part: Part) -> int:
    return int(part.facts["sync"].rpartition(":")[2])


@asynccontextmanager
async def fleet(folder: Path, database: Postgres, *, rate: float, by_broker: bool = False) -> AsyncIterator[Fleet]:
    """Everything runs, the box makes readings and sends them by HTTPS or by MQTT. Nothing runs any more afterwards."""
    authority, identity = await prepared(folder, database.url)
    async with AsyncExitStack() as stack:
        broker = None
        if by_broker:
            broker = stack.enter_context(mosquitto(authority, datetime.now(UTC), workers=WORKERS))
        parts = [worker(folder, number, database.url, broker=broker) for number in range(len(WORKERS))]
        for number, part in enumerate(parts):
            stack.push_async_callback(part.stop)
            await part.start()
            # A second time on the port of the first: whoever holds its address finds it again.
            part.arguments = worker(folder, number, database.url, port=port_of(part), broker=broker).arguments
        relay = await stack.enter_async_context(Relay.to(broker.port if broker else port_of(parts[0])))
        (folder / "box").mkdir()
        way = f"{'mqtt' if broker else 'https'}://127.0.0.1:{relay.port}"
        box = BoxProcess(folder / "box" / "journal.db", folder / "identity", way, rate, folder / "said")
        stack.push_async_callback(box.kill)
        await box.start()
        yield Fleet(folder, authority, identity, database, parts, relay, box, [port_of(part) for part in parts], broker)
