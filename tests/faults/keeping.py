"""A cloud in this process, over a real database, and a box's real sender that empties a journal into it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from cloud.boxes.registry import register_box
from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import migrate
from cloud.ingest.models import JournalEntry
from cloud.ingest.opening import Keys
from cloud.ingest.receive import Arriving, receive
from cloud.kernel.actor import Actor, Taken
from edge.journal.service import Journal
from edge.uplink.backoff import Backoff
from edge.uplink.binding import BindingName
from edge.uplink.frames import Credentials
from edge.uplink.sender import Sender
from sync_protocol import signing
from sync_protocol.answers import Answer
from sync_protocol.ids import BoxId, new_box_id
from tests.faults.histories import Key
from tests.faults.opening import CLOCK

WAIT_S = 60.0
"""For a journal of some hundred entries to be taken by the cloud; nothing here is a measurement."""


@dataclass(frozen=True, slots=True)
class Box:
    """Who a box is to the cloud, and the way there: `post` is what a line would carry."""

    sessions: Sessions
    who: Credentials
    keys: Keys = field(default_factory=Keys)

    @property
    def name(self) -> BindingName:
        return "https"

    async def post(self, frame: bytes, *, packed: bool = False) -> Answer:
        arriving = Arriving(self.who.box, frame, packed)
        return (await receive(self.sessions, arriving, now=datetime.now(UTC), keys=self.keys)).answer

    async def drain(self, journal: Journal) -> None:
        """Send until the cloud has everything that the journal held when this was called."""
        sender = Sender(journal, self, self.who, clock=CLOCK, backoff=Backoff(1.0, lambda: 0.0))  # type: ignore[arg-type]
        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(sender.run())
            while not sender.facts.up or sender.waiting():  # noqa: ASYNC110 - nothing tells when the last answer came
                await asyncio.sleep(0.005)
            sending.cancel()

    async def holds(self) -> dict[Key, bytes]:
        """Every entry of this box that the cloud has."""
        rows = select(JournalEntry.run, JournalEntry.seq, JournalEntry.content).where(JournalEntry.box_id == self.who.box)
        async with self.sessions.read() as session:
            return {(run, seq): content for run, seq, content in (await session.execute(rows)).all()}


@dataclass(frozen=True, slots=True)
class Keeper:
    """The cloud: its database, to which boxes are added."""

    sessions: Sessions

    @classmethod
    @asynccontextmanager
    async def within(cls, folder: Path) -> AsyncIterator[Self]:
        """A cloud on a new SQLite file."""
        url = f"sqlite:///{folder / 'cloud.db'}"
        await migrate(url)
        sessions = open_sessions(url)
        try:
            yield cls(sessions)
        finally:
            await sessions.engine.dispose()

    async def new_box(self) -> Box:
        key = ec.generate_private_key(ec.SECP256R1())
        spki = signing.spki(key.public_key())
        now = datetime.now(UTC)
        box: BoxId = new_box_id(int(now.timestamp() * 1000), secrets.token_bytes(10))
        async with self.sessions.write() as session:
            taken = Taken(Actor.system("tests"), now)
            await register_box(session, box=box, name=box[-6:], spki=spki, station=None, taken=taken)
        return Box(self.sessions, Credentials(box, signing.key_id(spki), signing.signer(key)))
