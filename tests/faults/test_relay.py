"""The relay does what it is told, so that tests which rely on it prove something."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from firmware_sim.relay import MAX_KEPT, Relay

WAIT_S = 20.0
QUIET_S = 0.3
"""Long enough for a byte on loopback to arrive a hundred times over."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Echo:
    """A server that says back what it hears, and remembers how each connection ended."""

    port: int = 0
    heard: list[bytearray] = field(default_factory=list)
    endings: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = bytearray()
        self.heard.append(said)
        self.writers.append(writer)
        try:
            while data := await reader.read(65536):
                said += data
                writer.write(data)
                await writer.drain()
            self.endings.put_nowait("fin")
        except OSError:
            self.endings.put_nowait("rst")
        finally:
            writer.close()

    async def close(self, server: asyncio.Server) -> None:
        server.close()
        for writer in self.writers:
            writer.transport.abort()
        for writer in self.writers:
            with suppress(OSError):
                await writer.wait_closed()


@dataclass
class Rig:
    echo: Echo
    relay: Relay
    open: Callable[[], Awaitable[Streams]]


def abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        echo = Echo()
        server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
        stack.push_async_callback(echo.close, server)
        echo.port = server.sockets[0].getsockname()[1]
        relay = await stack.enter_async_context(Relay.to(echo.port))

        async def connected() -> Streams:
            reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
            # Held until the end: a stream writer that nobody holds closes itself.
            stack.callback(abort, writer)
            return reader, writer

        yield Rig(echo, relay, connected)


@asynccontextmanager
async def soon() -> AsyncIterator[None]:
    async with asyncio.timeout(WAIT_S):
        yield


async def said_back(streams: Streams, data: bytes) -> bytes:
    reader, writer = streams
    async with soon():
        writer.write(data)
        return await reader.readexactly(len(data))


async def nothing_comes(reader: asyncio.StreamReader) -> bool:
    """Neither a byte nor an end."""
    with suppress(TimeoutError):
        await asyncio.wait_for(reader.read(1), QUIET_S)
        return False
    return True


async def test_healthy_relay_passes_every_byte_both_ways_and_the_end_too(rig: Rig) -> None:
    reader, writer = await rig.open()
    sent = bytes(range(256)) * 4096

    async def say() -> None:
        writer.write(sent)
        await writer.drain()
        writer.write_eof()

    async with soon():
        _, heard = await asyncio.gather(say(), reader.read(-1))
        assert heard == sent
        assert await rig.echo.endings.get() == "fin"
    assert (rig.relay.up.passed, rig.relay.down.passed, rig.relay.up.lost) == (len(sent), len(sent), 0)


async def test_delayed_bytes_come_late_and_in_order(rig: Rig) -> None:
    rig.relay.down.delay_s = 0.2
    streams = await rig.open()
    started = asyncio.get_running_loop().time()
    assert await said_back(streams, b"first, ") == b"first, "
    assert asyncio.get_running_loop().time() - started >= 0.2
    assert await said_back(streams, b"then") == b"then"


async def test_throttled_stream_keeps_to_its_rate(rig: Rig) -> None:
    rig.relay.up.bytes_per_s = 10_000
    streams = await rig.open()
    started = asyncio.get_running_loop().time()
    assert await said_back(streams, b"x" * 3_000) == b"x" * 3_000
    assert asyncio.get_running_loop().time() - started >= 0.25


async def test_paused_stream_loses_nothing(rig: Rig) -> None:
    streams = await rig.open()
    rig.relay.up.open.clear()
    streams[1].write(b"held ")
    assert await nothing_comes(streams[0])
    rig.relay.heal()
    streams[1].write(b"back")
    async with soon():
        assert await streams[0].readexactly(9) == b"held back"


@pytest.mark.parametrize(("how", "ending"), [("rst", "rst"), ("fin", "fin")])
async def test_cut_ends_both_sides_as_asked(rig: Rig, how: str, ending: str) -> None:
    streams = await rig.open()
    await said_back(streams, b"hello")
    assert rig.relay.cut("rst" if how == "rst" else "fin") == 1
    async with soon():
        if how == "rst":
            with pytest.raises(ConnectionResetError):
                await streams[0].read(1)
        else:
            assert await streams[0].read(1) == b""
        assert await rig.echo.endings.get() == ending


async def test_cut_on_the_servers_side_leaves_the_client_hanging(rig: Rig) -> None:
    streams = await rig.open()
    await said_back(streams, b"hello")
    rig.relay.cut("rst", "server")
    async with soon():
        assert await rig.echo.endings.get() == "rst"
    streams[1].write(b"anyone?")
    assert await nothing_comes(streams[0])
    assert rig.relay.connections == 1


async def test_half_open_line_swallows_and_tells_nobody_of_an_end(rig: Rig) -> None:
    reader, writer = await rig.open()
    await said_back((reader, writer), b"hello")
    rig.relay.go_silent()
    writer.write(b"anyone?")
    assert await nothing_comes(reader)
    writer.transport.abort()
    await asyncio.sleep(QUIET_S)
    assert (bytes(rig.echo.heard[0]), rig.echo.endings.empty()) == (b"hello", True)
    late = await rig.open()
    late[1].write(b"hello?")
    assert await nothing_comes(late[0])
    assert len(rig.echo.heard) == 1
    rig.relay.heal()
    assert await said_back(await rig.open(), b"again") == b"again"


async def test_delayed_bytes_are_lost_when_the_line_falls_silent(rig: Rig) -> None:
    rig.relay.up.delay_s = 0.1
    _, writer = await rig.open()
    writer.write(b"on its way")
    await asyncio.sleep(0.05)
    rig.relay.go_silent()
    await asyncio.sleep(QUIET_S)
    assert not any(rig.echo.heard)


async def test_lost_answers_are_counted_and_end_with_the_server(rig: Rig) -> None:
    reader, writer = await rig.open()
    await said_back((reader, writer), b"hello")
    rig.relay.down.loses = lambda: True
    writer.write(b"anyone?")
    async with soon():
        await rig.relay.down.lost_some.wait()
    assert (bytes(rig.echo.heard[0]), rig.relay.down.lost) == (b"helloanyone?", 7)
    rig.relay.heal()
    writer.write(b"still?")
    assert await nothing_comes(reader), "a stream with a hole must not go on"
    rig.echo.writers[0].transport.abort()
    async with soon():
        with pytest.raises(ConnectionResetError):
            await reader.read(1)


async def test_duplicate_chunk_arrives_twice(rig: Rig) -> None:
    reader, writer = await rig.open()
    await said_back((reader, writer), b"once ")
    rig.relay.up.duplicate = 1
    async with soon():
        writer.write(b"twice ")
        assert await reader.readexactly(12) == b"twice twice "
    assert await said_back((reader, writer), b"once") == b"once"


async def test_replay_says_the_newest_connections_words_to_a_new_one(rig: Rig) -> None:
    await said_back(await rig.open(), b"older")
    await said_back(await rig.open(), b"pay 10")
    assert await rig.relay.replay(patience_s=QUIET_S) == b"pay 10"
    assert [bytes(said) for said in rig.echo.heard] == [b"older", b"pay 10", b"pay 10"]


async def test_what_is_kept_for_a_replay_is_bounded(rig: Rig) -> None:
    reader, writer = await rig.open()
    sent = b"x" * (MAX_KEPT + 500_000)

    async def say() -> None:
        writer.write(sent)
        await writer.drain()

    async with soon():
        await asyncio.gather(say(), reader.readexactly(len(sent)))
    assert MAX_KEPT <= len(rig.relay.said) < MAX_KEPT + 65536


async def test_refused_connections_are_reset(rig: Rig) -> None:
    rig.relay.takes = "reset"
    async with soon():
        with pytest.raises(ConnectionResetError):
            await (await rig.open())[0].read(1)
    assert not rig.echo.heard


async def test_absent_target_is_a_reset(rig: Rig) -> None:
    rig.relay.target_port = 1
    async with soon():
        with pytest.raises(ConnectionResetError):
            await (await rig.open())[0].read(1)
