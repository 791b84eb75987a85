"""Devices as a box meets them: a simulated site, or a peer on TCP that says what the test wants; a clock that can be turned."""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge.devices.hub import DeviceHub
from edge.journal.service import Journal
from edge.settings import DeviceSettings
from edge.supervisor import keep_running
from sync_protocol.entries import Clk, Encoded, Entry, StampFields, encode, parse
from sync_protocol.ids import EntryId, RunId, run_id

SECOND = 1_000_000_000
DEADLINE_S = 20.0


@dataclass
class TurnClock:
    """Stands still until it is turned."""

    ns: int = 1_000 * SECOND

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return 1_700_000_000 * SECOND + self.ns

    def stamp(self) -> StampFields:
        return {"boot_id": "boot", "mono_ns": self.ns, "wall_ns": self.wall_ns(), "clk": Clk(s="none")}

    def turn(self, seconds: float) -> None:
        self.ns += round(seconds * SECOND)


@dataclass
class Memory:
    """A journal that is always quick."""

    entries: list[Entry] = field(default_factory=list)

    async def append(self, entry: Entry | Encoded) -> EntryId:
        self.entries.append(parse(encode(entry)))
        return EntryId(RunId("0" * 32), len(self.entries) - 1)

    def notes(self, name: str) -> list[Any]:
        return [entry for entry in self.entries if entry.t == "note" and entry.name == name]


@dataclass
class Peer:
    """A device server on 127.0.0.1: the test is the device. `heard` collects what the box sent."""

    port: int = 0
    opened: int = 0
    heard: bytearray = field(default_factory=bytearray)
    _server: asyncio.Server | None = None
    _writer: asyncio.StreamWriter | None = None

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, self.opened = writer, self.opened + 1
        try:
            while data := await reader.read(4096):
                self.heard += data
        except OSError:
            pass  # the box aborts what it no longer wants
        finally:
            writer.transport.abort()

    def say(self, text: str | bytes) -> None:
        assert self._writer is not None
        self._writer.write(text.encode() if isinstance(text, str) else text)

    def hang_up(self) -> None:
        """Close the connection; the next one is welcome."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    def unplug(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self.hang_up()


@pytest.fixture
def clock() -> TurnClock:
    return TurnClock()


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    plugged = Peer()
    await plugged.plug()
    yield plugged
    plugged.unplug()
    await asyncio.sleep(0)


Until = Callable[[Callable[[], object]], Any]


@pytest.fixture
def until() -> Until:
    """`await until(lambda: fact)`: wait for a fact, with a generous deadline."""

    async def wait(fact: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not fact():  # noqa: ASYNC110 - facts of many kinds, none of which can wake anyone
                await asyncio.sleep(0.002)

    return wait


Running = Callable[[DeviceHub], AbstractAsyncContextManager[DeviceHub]]


@pytest.fixture
def running() -> Running:
    """`async with running(hub)`: its links run under the supervisor, and are cancelled at the end."""

    @asynccontextmanager
    async def run(hub: DeviceHub) -> AsyncIterator[DeviceHub]:
        tasks = [asyncio.create_task(keep_running(name, link.run)) for name, link in hub.links.items()]
        try:
            yield hub
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return run


MakeDevice = Callable[..., DeviceSettings]


@pytest.fixture
def device() -> MakeDevice:
    """Settings of a scale that streams, or another device, behind a TCP port."""

    def make(port: int, *, name: str = "scale", driver: str = "mt-sics", **more: Any) -> DeviceSettings:
        settings = {"settings": {"mode": "stream"}} if driver == "mt-sics" else {}
        transport = {"kind": "tcp", "host": "127.0.0.1", "port": port}
        return DeviceSettings(**({"id": name, "driver": driver, "transport": transport} | settings | more))

    return make


Opened = Callable[..., AbstractAsyncContextManager[Journal]]


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def open_journal(journal_path: Path) -> Opened:
    """A real journal; `connect` as in Journal.open."""

    def opened(clock: Any, **more: Any) -> AbstractAsyncContextManager[Journal]:
        return Journal.open(journal_path, clock=clock, run=run_id(secrets.token_hex(16)), firmware="0", **more)

    return opened


@pytest.fixture
def entries(journal_path: Path) -> Callable[[], list[Any]]:
    """What lies on the disk now."""

    def read() -> list[Any]:
        connection = sqlite3.connect(journal_path)
        try:
            return [parse(data) for (data,) in connection.execute("SELECT bytes FROM entry ORDER BY run, seq")]
        finally:
            connection.close()

    return read
