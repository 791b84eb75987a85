"""A cloud's inbox by script: in the same process, or behind a real HTTPS server with the box's own authority."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from edge.clock import StampFields
from edge.journal.service import Journal
from edge.uplink.backoff import Backoff
from edge.uplink.cloud import Cloud
from edge.uplink.frames import Credentials
from edge.uplink.sender import Sender
from provisioning.box_identity import Identity
from provisioning.ca import Authority, init_authority
from provisioning.enroll import enroll, enroll_server
from provisioning.tls import server_ssl_context
from provisioning.tls_peer import TlsPeerProtocol
from sync_protocol import answers, frame, inbox, packing
from sync_protocol.answers import Ack, Answer, Need, Refused
from sync_protocol.entries import Clk, NoteEntry
from sync_protocol.frame import Batch
from sync_protocol.ids import BoxId, RunId, run_id
from sync_protocol.signing import verifier

BOX = BoxId("01J8Z3K4M5N6P7Q8R9S0T1V2W3")
SECOND = 1_000_000_000
DEADLINE_S = 20.0


@dataclass
class TurnClock:
    """Stands still until it is turned."""

    ns: int = 1_000 * SECOND

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return self.ns

    def stamp(self) -> StampFields:
        return {"boot_id": "boot", "mono_ns": self.ns, "wall_ns": self.ns, "clk": Clk(s="none")}

    def turn(self, seconds: float) -> None:
        self.ns += round(seconds * SECOND)


@dataclass
class Inbox:
    """Opens real frames and judges them as the cloud does; `script` goes first, one item for each request.

    An item is an answer, bytes for the body, an exception for `post`, or None for the honest answer.
    """

    key_id: bytes
    verify: Any
    script: list[Any] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    entries: dict[RunId, list[bytes]] = field(default_factory=dict)
    hashes: dict[RunId, list[bytes]] = field(default_factory=dict)
    gen: int = 0
    always: Any = None
    under_way: int = 0
    most_at_once: int = 0

    name = "https"
    enc: tuple[str, ...] = ()
    packed: list[bool] = field(default_factory=list)

    async def post(self, data: bytes, *, packed: bool = False) -> Answer:
        """As Cloud.post, without a wire."""
        self.packed.append(packed)
        data = packing.unpack(data) if packed else data
        self.under_way += 1
        self.most_at_once = max(self.under_way, self.most_at_once)
        await asyncio.sleep(0)
        self.under_way -= 1
        found = self.answer(data)
        if isinstance(found, Exception):
            raise found
        return answers.parse(found) if isinstance(found, bytes) else found

    def answer(self, data: bytes) -> Any:
        batch = frame.unseal(data, lambda key_id: self.verify if key_id == self.key_id else None)
        self.batches.append(batch)
        scripted = self.script.pop(0) if self.script else self.always
        if callable(scripted):
            scripted = scripted(batch)
        return self.take(batch) if scripted is None else scripted

    def position(self, run: RunId) -> inbox.Position:
        hashes = self.hashes.get(run, [])
        return inbox.Position(len(hashes), hashes[-1]) if hashes else inbox.Position.start(run)

    def take(self, batch: Batch) -> Answer:
        run = batch.run
        stored = self.hashes.setdefault(run, [])
        match inbox.judge(self.position(run), batch, lambda seq: stored[seq]):
            case inbox.Take(skip=skip):
                self.entries.setdefault(run, []).extend(batch.entries[skip:])
                stored.extend(batch.hashes[skip:])
            case inbox.Gap():
                return self.need(run)
            case inbox.Fork():
                return Refused(err="fork")
        return self.ack(run)

    def ack(self, run: RunId) -> Ack:
        at = self.position(run)
        return Ack(run=run, acked=at.acked, hash=at.hash.hex(), gen=self.gen, srv_time="2026-05-01T10:00:00.000Z", enc=self.enc)

    def need(self, run: RunId) -> Need:
        at = self.position(run)
        return Need(run=run, need=at.acked, hash=at.hash.hex(), gen=self.gen)

    def restored(self, keep: dict[RunId, int]) -> None:
        """As from a backup: only so many entries of each run are left, and the generation is a new one."""
        self.gen += 1
        for run in list(self.entries):
            del self.entries[run][keep.get(run, 0) :], self.hashes[run][keep.get(run, 0) :]


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def authority(tmp_path: Path, now: datetime) -> Authority:
    return init_authority(tmp_path / "authority", name="Tallybox test root", now=now)


@pytest.fixture
def box(tmp_path: Path, authority: Authority, now: datetime) -> Identity:
    return enroll(tmp_path / "box", authority, box_id=BOX, tenant="t-9", now=now)


@pytest.fixture
def clock() -> TurnClock:
    return TurnClock()


@pytest.fixture
def cloud_inbox(box: Identity) -> Inbox:
    return Inbox(box.key_id, verifier(box.spki))


@pytest.fixture
def open_journal(tmp_path: Path, clock: TurnClock) -> Callable[[], AbstractAsyncContextManager[Journal]]:
    def opened() -> AbstractAsyncContextManager[Journal]:
        return Journal.open(tmp_path / "journal.db", clock=clock, run=run_id(secrets.token_hex(16)), firmware="0")

    return opened


@pytest.fixture
def note(clock: TurnClock) -> Callable[[str], NoteEntry]:
    return lambda name: NoteEntry(**clock.stamp(), name=name)


@dataclass
class Sending:
    """A sender that runs; its pauses take no time, and are written down."""

    sender: Sender
    pauses: list[float]
    task: "asyncio.Task[None]"


Run = Callable[..., AbstractAsyncContextManager[Sending]]


@pytest.fixture
def sending(box: Identity, clock: TurnClock) -> Run:
    """`async with sending(journal, cloud, stop_after=n)`: after n pauses the sender sleeps for good."""

    @asynccontextmanager
    async def run(journal: Journal, cloud: Any, *, stop_after: int = 1_000_000, cap_s: float = 8.0) -> AsyncIterator[Sending]:
        pauses: list[float] = []

        async def sleep(pause_s: float) -> None:
            pauses.append(pause_s)
            if len(pauses) >= stop_after:
                await asyncio.Event().wait()
            await asyncio.sleep(0.001)

        who = Credentials(BOX, box.key_id, box.sign)
        sender = Sender(journal, cloud, who, clock=clock, backoff=Backoff(cap_s, lambda: 1.0), sleep=sleep)
        task = asyncio.create_task(sender.run())
        try:
            yield Sending(sender, pauses, task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return run


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    async def wait(fact: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not fact():  # noqa: ASYNC110 - facts of many kinds, none of which can wake anyone
                await asyncio.sleep(0.002)

    return wait


@dataclass
class Server:
    """A real HTTPS server; `app` may be exchanged while it runs."""

    app: Any
    port: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture
async def clouds() -> AsyncIterator[list[Cloud]]:
    """Every Cloud of the test, closed at the end."""
    made: list[Cloud] = []
    yield made
    for cloud in made:
        await cloud.aclose()


@pytest.fixture
def serve(
    tmp_path: Path, authority: Authority, now: datetime, clouds: list[Cloud]
) -> Callable[..., AbstractAsyncContextManager[Server]]:
    """`async with serve(app)`; `by` another authority makes an impostor, `port` takes a place again.

    The clients are closed first, which a server's shutdown would wait for; not so with `stays`.
    """

    @asynccontextmanager
    async def run(app: Any, *, by: Authority | None = None, port: int = 0, stays: bool = False) -> AsyncIterator[Server]:
        files = enroll_server(tmp_path / f"server-{secrets.token_hex(4)}", by or authority, names=["127.0.0.1"], now=now)
        context = server_ssl_context(files.certificate, files.key, authority_file(tmp_path), True)
        server = Server(app)
        config = uvicorn.Config(
            server,
            host="127.0.0.1",
            port=port,
            http=TlsPeerProtocol,
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
            ssl_context_factory=lambda _config, _default: context,
        )
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve())
        async with asyncio.timeout(DEADLINE_S):
            while not running.started:  # noqa: ASYNC110 - uvicorn tells it by this flag only
                await asyncio.sleep(0.005)
        server.port = running.servers[0].sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            for cloud in () if stays else clouds:
                await cloud.aclose()
            running.should_exit = True
            async with asyncio.timeout(DEADLINE_S):
                await task

    return run


def authority_file(tmp_path: Path) -> Path:
    return tmp_path / "box" / "ca.crt"


@pytest.fixture
def connect(box: Identity, clouds: list[Cloud]) -> Callable[..., Cloud]:
    """`connect(server.url)`: a Cloud with the box's certificate, closed at the end."""

    def make(url: str, tls: ssl.SSLContext | None = None, **more: Any) -> Cloud:
        clouds.append(Cloud.at(url, tls or box.client_ssl_context(), **more))
        return clouds[-1]

    return make
