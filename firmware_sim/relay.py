"""A TCP relay that a test puts between two parts and tells to misbehave: to delay, throttle, pause, lose, double, cut, replay.

It knows nothing of what passes through. On a stream that lost bytes nothing that follows is passed on either: bytes vanish from
the middle of no TCP connection, but a peer may well fall silent in the middle of a sentence.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, Self

CHUNK = 65_536

MAX_HELD = 64
"""Chunks on their way in one direction of a connection: 4 MiB of a delayed stream; then the sender's window closes."""

MAX_KEPT = 1 << 20
"""Bytes kept of what the newest connection's client said, for a replay: several frames."""

PIECES_PER_S = 50
"""A throttled stream leaves in this many pieces a second, so that a slow line trickles rather than stutters."""

Side = Literal["client", "server", "both"]
How = Literal["rst", "fin"]


@dataclass(slots=True)
class Way:
    """One direction of every connection. Changes count from the next chunk on; the default is a perfect line."""

    delay_s: float = 0.0
    bytes_per_s: float | None = None
    loses: Callable[[], bool] = lambda: False
    """Asked for each chunk: from the first that is lost on, that connection says nothing more in this direction."""
    duplicate: int = 0
    """So many of the next chunks are sent twice."""
    passed: int = 0
    lost: int = 0
    """Bytes, of all connections."""
    lost_some: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, nothing is read: bytes pile up at the sender and come later."""

    def __post_init__(self) -> None:
        self.open.set()

    def heal(self) -> None:
        """A perfect line again; the counts stay."""
        self.delay_s, self.bytes_per_s, self.duplicate = 0.0, None, 0
        self.loses = lambda: False
        self.open.set()


class Relay:
    """Listens on `port` of 127.0.0.1 and passes on to `target_port`. `up` is towards the target, `down` comes from it."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.up = Way()
        self.down = Way()
        self.takes: Literal["yes", "reset", "silent"] = "yes"
        """What happens to new connections: passed on, reset at once, or accepted and never answered."""
        self.accepted = 0
        self.said = bytearray()
        """What the client of the newest connection said from its beginning, up to MAX_KEPT bytes."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._pairs: set[_Pair] = set()

    @classmethod
    @asynccontextmanager
    async def to(cls, target_port: int) -> AsyncIterator[Self]:
        """A relay that lives as long as the block."""
        relay = cls(target_port)
        server = await asyncio.start_server(relay._accept, "127.0.0.1", 0, limit=CHUNK)
        relay.port = server.sockets[0].getsockname()[1]
        try:
            yield relay
        finally:
            server.close()
            for task in relay._tasks:
                task.cancel()
            await asyncio.gather(*relay._tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """Connections that are open on at least one side."""
        return len(self._pairs)

    def heal(self) -> None:
        """Both ways perfect, new connections welcome. What was cut or fell silent stays so."""
        self.up.heal()
        self.down.heal()
        self.takes = "yes"

    def go_silent(self) -> None:
        """Half-open: every connection stays, nobody hears anything any more, not even that the other has gone."""
        self.takes = "silent"
        for pair in self._pairs:
            pair.silent = True

    def cut(self, how: How = "rst", side: Side = "both") -> int:
        """End all open connections on one side or both; how many there were. The other side is left half-open."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cut(how, side)
        return len(pairs)

    async def replay(self, *, patience_s: float = 1.0) -> bytes:
        """Say on a new connection what the newest one's client said; what the target answers until it is silent or closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        heard = bytearray()
        try:
            writer.write(bytes(self.said))
            with suppress(TimeoutError, OSError):
                await writer.drain()
                while data := await asyncio.wait_for(reader.read(CHUNK), patience_s):
                    heard += data
        finally:
            writer.transport.abort()
        return bytes(heard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        pair = _Pair(task, writer, silent=self.takes == "silent")
        self._pairs.add(pair)
        how: How = "rst"
        # Cancelled by `cut` and at the relay's end: then the connection is over, which is what the cancelling is for.
        with suppress(asyncio.CancelledError):
            try:
                if self.takes != "reset":
                    how = await self._serve(pair, reader)
            finally:
                self._pairs.discard(pair)
                pair.end(how, "both")

    async def _serve(self, pair: "_Pair", reader: asyncio.StreamReader) -> How:
        """Pass on until both have said all; how that was."""
        how: How = "fin"
        try:
            if pair.silent:
                await _swallow(reader)
            server_reader, pair.server = await asyncio.open_connection("127.0.0.1", self.target_port, limit=CHUNK)
            self.said = said = bytearray()
            async with asyncio.TaskGroup() as tasks:
                for way, source, sink in ((self.up, reader, pair.server), (self.down, server_reader, pair.client)):
                    held = _Held(MAX_HELD)
                    tasks.create_task(_read(pair, way, source, held, said if way is self.up else None))
                    tasks.create_task(_write(pair, way, held, sink))
        except* OSError:
            # A reset on one side is one on the other, unless nobody is to hear anything.
            if pair.silent:
                await _forever()
            how = "rst"
        return how


_Held = asyncio.Queue[tuple[float, bytes]]
"""Chunks and when they are due; an empty chunk is the end of the stream."""


@dataclass(slots=True, eq=False)
class _Pair:
    """One connection through the relay: two sockets, of which one may be gone already."""

    task: "asyncio.Task[None]"
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    silent: bool = False

    def cut(self, how: How, side: Side) -> None:
        # Whoever is left hears nothing more, and what he says goes nowhere.
        self.silent = True
        self.end(how, side)
        if side == "both":
            self.task.cancel()

    def end(self, how: How, side: Side) -> None:
        if side in {"client", "both"}:
            _end(self.client, how)
        if side in {"server", "both"} and self.server is not None:
            _end(self.server, how)


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


async def _read(pair: _Pair, way: Way, reader: asyncio.StreamReader, held: _Held, said: bytearray | None) -> None:
    clock = asyncio.get_running_loop().time
    lost = False
    while data := await reader.read(CHUNK):
        await way.open.wait()
        if said is not None and len(said) < MAX_KEPT:
            said += data
        lost = lost or pair.silent or way.loses()
        if lost:
            way.lost += len(data)
            way.lost_some.set()
            continue
        times = 1
        if way.duplicate > 0:
            way.duplicate -= 1
            times = 2
        for _ in range(times):
            await held.put((clock() + way.delay_s, data))
    if pair.silent:
        await _forever()
    if lost:
        raise ConnectionResetError("the end of a stream that lost bytes")
    await held.put((clock() + way.delay_s, b""))


async def _write(pair: _Pair, way: Way, held: _Held, writer: asyncio.StreamWriter) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due, data = await held.get()
        await asyncio.sleep(due - clock())
        if pair.silent:
            await _forever()
        if not data:
            writer.write_eof()
            return
        way.passed += len(data)
        rate = way.bytes_per_s
        size = len(data) if rate is None else max(int(rate / PIECES_PER_S), 1)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            writer.write(piece)
            await writer.drain()
            if rate is not None:
                await asyncio.sleep(len(piece) / rate)


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(CHUNK):
        pass
    # A client that gives up is not told that it was understood.
    await _forever()


def _end(writer: asyncio.StreamWriter, how: How) -> None:
    if writer.transport.is_closing():
        return
    if how == "fin":
        writer.close()
        return
    sock = writer.get_extra_info("socket")
    # Linger on, zero seconds: closing sends RST (Linux socket(7), SO_LINGER).
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
