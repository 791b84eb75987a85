"""An authority, an enrolled box and an enrolled server in real files, and a real uvicorn that shows whom it sees."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from provisioning.box_identity import Identity
from provisioning.ca import Authority, init_authority
from provisioning.enroll import ServerFiles, enroll, enroll_server
from provisioning.tls import server_ssl_context
from provisioning.tls_peer import TlsPeerProtocol

BOX = "01J8Z3K4M5N6P7Q8R9S0T1V2W3"
DEADLINE_S = 20


@pytest.fixture
def now() -> datetime:
    """The real time: TLS libraries look at the real clock."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def authority(tmp_path: Path, now: datetime) -> Authority:
    return init_authority(tmp_path / "authority", name="Tallybox test root", now=now)


@pytest.fixture
def foreign(tmp_path: Path, now: datetime) -> Authority:
    """Another root of the same name: only its key tells it apart."""
    return init_authority(tmp_path / "foreign", name="Tallybox test root", now=now)


@pytest.fixture
def box(tmp_path: Path, authority: Authority, now: datetime) -> Identity:
    return enroll(tmp_path / "box", authority, box_id=BOX, tenant="t-9", now=now)


@pytest.fixture
def server(tmp_path: Path, authority: Authority, now: datetime) -> ServerFiles:
    return enroll_server(tmp_path / "server", authority, names=["127.0.0.1"], now=now)


@dataclass(slots=True)
class Seen:
    """Where the server listens, and the `tls` extension of each request that reached the application."""

    port: int = 0
    peers: list[object] = field(default_factory=list)

    async def __call__(self, scope: Scope, _receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        self.peers.append(scope.get("extensions", {}).get("tls"))
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"in", "more_body": False})


Serve = Callable[..., AbstractAsyncContextManager[Seen]]


@pytest.fixture
def serve() -> Serve:
    """`async with serve(files, require_client=True) as seen`; without files the server speaks plain HTTP."""

    @asynccontextmanager
    async def run(files: ServerFiles | None, *, require_client: bool = True) -> AsyncIterator[Seen]:
        seen = Seen()
        context = files and server_ssl_context(files.certificate, files.key, files.ca, require_client)
        config = uvicorn.Config(
            seen,
            host="127.0.0.1",
            port=0,
            http=TlsPeerProtocol,
            lifespan="off",
            log_config=None,
            ssl_context_factory=(lambda _config, _default: context) if context else None,
        )
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve())
        async with asyncio.timeout(DEADLINE_S):
            while not running.started:  # noqa: ASYNC110 - uvicorn tells it by this flag only
                await asyncio.sleep(0.01)
        seen.port = running.servers[0].sockets[0].getsockname()[1]
        try:
            yield seen
        finally:
            running.should_exit = True
            async with asyncio.timeout(DEADLINE_S):
                await task

    return run
