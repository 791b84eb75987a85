"""A core of its own and, in this process, a box's journal and sender that talk to it: what the benchmarks of sync share."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.readings import readings
from bench.stations import LIBS
from cloud.boxes.registry import register_box
from cloud.db.engine import open_sessions
from cloud.db.migrate import migrate
from cloud.kernel.actor import Actor, Taken
from edge.clock import BoxClock
from edge.journal.service import Journal
from edge.uplink.backoff import Backoff
from edge.uplink.cloud import Cloud
from edge.uplink.frames import Credentials
from edge.uplink.sender import Sender
from firmware_sim.demo_processes import Part
from provisioning.box_identity import Identity
from provisioning.ca import init_authority
from provisioning.enroll import enroll, enroll_server
from sync_protocol.answers import Ack, Answer
from sync_protocol.ids import EntryId, RunId, new_box_id

IN_FLIGHT = 500
"""Readings that are given to the journal at once when a backlog is made."""


@dataclass
class Core:
    """A core that is prepared; `part` runs it."""

    folder: Path
    part: Part
    identity: Identity
    identity_folder: Path

    @property
    def port(self) -> int:
        return int(self.part.facts["sync"].rpartition(":")[2])


async def prepare_core(folder: Path, url: str | None = None) -> Core:
    """A migrated database (None: SQLite in the folder), certificates and one registered box."""
    now = datetime.now(UTC)
    authority = init_authority(folder / "ca", name="bench", now=now)
    enroll_server(folder / "server", authority, names=["127.0.0.1"], now=now)
    box = new_box_id(int(now.timestamp() * 1000), secrets.token_bytes(10))
    identity = enroll(folder / "identity", authority, box_id=box, tenant="bench", now=now)
    url = url or f"sqlite:///{folder / 'cloud.db'}"
    await migrate(url)
    sessions = open_sessions(url)
    try:
        async with sessions.write() as session:
            taken = Taken(Actor.system("bench"), now)
            await register_box(session, box=identity.box_id, name="bench", spki=identity.spki, station=None, taken=taken)
    finally:
        await sessions.engine.dispose()
    where = ["--db", url, "--server", str(folder / "server"), "--libs", str(LIBS), "--sync-port", "0", "--staff-port", "0"]
    return Core(folder, Part("core", ["cloud", "run", *where], folder / "core.log"), identity, folder / "identity")


@dataclass
class Timed(Cloud):
    """Notes when the cloud was known to have how much of each run: at the box, so half a way later than the commit."""

    acks: list[tuple[float, RunId, int]] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)

    async def post(self, frame: bytes, *, packed: bool = False) -> Answer:
        started = time.perf_counter()
        answer = await super().post(frame, packed=packed)
        self.took_ms.append((time.perf_counter() - started) * 1000)
        if isinstance(answer, Ack):
            self.acks.append((time.perf_counter(), RunId(answer.run), answer.acked))
        return answer

    def lags_ms(self, kept: list[tuple[float, EntryId]]) -> list[float]:
        """For each durable entry (when, which) the milliseconds until it was acked; all must have been."""
        left = {place: when for when, place in kept}
        found: list[float] = []
        for at, run, acked in self.acks:
            done = [place for place in left if place.run == run and place.seq < acked]
            found.extend((at - left.pop(place)) * 1000 for place in done)
        assert not left, f"{len(left)} entries were not acked"
        return found


@asynccontextmanager
async def open_box(folder: Path) -> AsyncIterator[Journal]:
    """The journal of the bench's box, in a new run."""
    async with Journal.open(folder / "journal.db", clock=BoxClock.of_this_machine(), firmware="bench") as journal:
        yield journal


async def backlog(journal: Journal, count: int) -> None:
    """So many readings that nobody has sent."""
    some = []
    for entry in readings(count):
        some.append(journal.append(entry))
        if len(some) == IN_FLIGHT:
            await asyncio.gather(*some)
            some = []
    await asyncio.gather(*some)


def timed_cloud(core: Core, port: int) -> Timed:
    """The way to the core through `port`."""
    made = Cloud.at(f"https://127.0.0.1:{port}", core.identity.client_ssl_context())
    return Timed(made.client, made.deadline_s)


def sender_of(journal: Journal, cloud: Cloud, core: Core) -> Sender:
    who = core.identity
    credentials = Credentials(who.box_id, who.key_id, who.sign)
    return Sender(journal, cloud, credentials, clock=BoxClock.of_this_machine(), backoff=Backoff(1.0, lambda: 0.5))


async def all_sent(sender: Sender) -> None:
    """Until the cloud has everything."""
    while not sender.facts.up or sender.waiting():  # noqa: ASYNC110 - nothing tells when the last answer came
        await asyncio.sleep(0.01)
