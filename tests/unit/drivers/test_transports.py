"""Serial ports on real pseudo-terminals, TCP on real sockets: what is lost is told at once, and comes back."""

import asyncio
import os
import socket
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from drivers.api import LinkLost, SettingsFault, Transport
from drivers.transports import KINDS, make_transport, settings_of

DEADLINE_S = 10.0


class Pty:
    """A serial cable: the test holds the device's end."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        self.path = os.ttyname(slave)
        os.close(slave)

    def send(self, data: bytes) -> None:
        os.write(self.master, data)

    def unplug(self) -> None:
        with suppress(OSError):
            os.close(self.master)


@pytest.fixture
def pty() -> Iterator[Pty]:
    cable = Pty()
    yield cable
    cable.unplug()


@asynccontextmanager
async def opened(transport: Transport) -> AsyncIterator[Transport]:
    await transport.open()
    try:
        yield transport
    finally:
        await transport.close()


async def in_time(awaitable: "asyncio.Future[bytes]") -> bytes:
    async with asyncio.timeout(DEADLINE_S):
        return await awaitable


async def test_serial_bytes_pass_unchanged_both_ways(pty: Pty) -> None:
    every_byte = bytes(range(256))
    async with opened(make_transport("serial", {"port": pty.path})) as port:
        pty.send(every_byte)
        got = b""
        while len(got) < 256:
            got += await port.read()
        assert got == every_byte
        await port.write(every_byte)
        assert os.read(pty.master, 4096) == every_byte


async def test_serial_read_waits_and_wakes(pty: Pty) -> None:
    async with opened(make_transport("serial", {"port": pty.path})) as port:
        waiting = asyncio.ensure_future(port.read())
        await asyncio.sleep(0.02)
        assert not waiting.done()
        pty.send(b"S S 1 g\r\n")
        assert await in_time(waiting) == b"S S 1 g\r\n"


async def test_line_settings_reach_the_port(pty: Pty) -> None:
    settings = {"port": pty.path, "baudrate": 2400, "bytesize": 7, "parity": "E", "stopbits": 2}
    async with opened(make_transport("serial", settings)):
        _, _, cflag, _, ispeed, ospeed, _ = termios.tcgetattr(pty.master)
        # A pseudo-terminal keeps 8 bits without parity whatever is asked (tty_ioctl(4)); speed and stop bits it keeps.
        assert (ispeed, ospeed) == (termios.B2400, termios.B2400)
        assert cflag & termios.CSTOPB


async def test_unplugged_port_wakes_the_reader_with_link_lost(pty: Pty) -> None:
    async with opened(make_transport("serial", {"port": pty.path})) as port:
        waiting = asyncio.ensure_future(port.read())
        await asyncio.sleep(0)
        pty.unplug()
        with pytest.raises(LinkLost):
            await in_time(waiting)
        with pytest.raises(LinkLost):
            await port.read()
        with pytest.raises(LinkLost):
            await port.write(b"SI\r\n")


async def test_bytes_sent_before_the_unplug_are_read_first(pty: Pty) -> None:
    async with opened(make_transport("serial", {"port": pty.path})) as port:
        pty.send(b"last")
        assert await port.read() == b"last"
        pty.unplug()
        with pytest.raises(LinkLost):
            await port.read()


async def test_replugged_port_opens_again_under_its_name(pty: Pty, tmp_path: Path) -> None:
    # by-id names are links, which follow the device to its new number
    name = tmp_path / "usb-scale"
    name.symlink_to(pty.path)
    port = make_transport("serial", {"port": str(name)})
    async with opened(port):
        pty.unplug()
        with pytest.raises(LinkLost):
            await port.read()
    again = Pty()
    name.unlink()
    name.symlink_to(again.path)
    async with opened(port):
        again.send(b"back")
        assert await port.read() == b"back"
    again.unplug()


async def test_second_opener_is_kept_out(pty: Pty) -> None:
    async with opened(make_transport("serial", {"port": pty.path})):
        with pytest.raises(LinkLost):
            await make_transport("serial", {"port": pty.path}).open()


async def test_missing_port_is_link_lost(tmp_path: Path) -> None:
    with pytest.raises(LinkLost):
        await make_transport("serial", {"port": str(tmp_path / "none")}).open()
    plain = tmp_path / "file"
    plain.write_bytes(b"")
    with pytest.raises(LinkLost):
        await make_transport("serial", {"port": str(plain)}).open()


async def test_closing_wakes_the_reader_and_may_happen_twice(pty: Pty) -> None:
    port = make_transport("serial", {"port": pty.path})
    await port.open()
    await port.open()
    waiting = asyncio.ensure_future(port.read())
    await asyncio.sleep(0)
    await port.close()
    await port.close()
    with pytest.raises(LinkLost):
        await in_time(waiting)
    with pytest.raises(LinkLost):
        await port.read()
    with pytest.raises(LinkLost):
        await port.write(b"x")


async def test_cancelled_reader_leaves_the_port_usable(pty: Pty) -> None:
    async with opened(make_transport("serial", {"port": pty.path})) as port:
        waiting = asyncio.ensure_future(port.read())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        pty.send(b"S")
        assert await port.read() == b"S"


async def test_port_that_takes_nothing_is_link_lost(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transports.serial_port.WRITE_TIMEOUT_S", 0.05)
    async with opened(make_transport("serial", {"port": pty.path})) as port:
        with pytest.raises(LinkLost):
            await port.write(b"x" * 1_000_000)


class Peer:
    """A device on TCP: keeps the last connection, says nothing by itself."""

    def __init__(self) -> None:
        self.connected: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.port = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.connected.put((reader, writer))


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    found = Peer()
    server = await asyncio.start_server(found.accept, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    while not found.connected.empty():
        _, writer = found.connected.get_nowait()
        writer.transport.abort()
    await server.wait_closed()


async def test_tcp_bytes_pass_both_ways(peer: Peer) -> None:
    async with opened(make_transport("tcp", {"host": "127.0.0.1", "port": peer.port})) as link:
        reader, writer = await peer.connected.get()
        await link.write(b"SI\r\n")
        assert await reader.readexactly(4) == b"SI\r\n"
        writer.write(b"S S 1 g\r\n")
        assert await link.read() == b"S S 1 g\r\n"
        writer.transport.abort()


@pytest.mark.parametrize("reset", [False, True])
async def test_tcp_peer_that_goes_away_is_link_lost_and_may_come_back(peer: Peer, *, reset: bool) -> None:
    link = make_transport("tcp", {"host": "127.0.0.1", "port": peer.port})
    async with opened(link):
        _, writer = await peer.connected.get()
        if reset:
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        else:
            writer.close()
        with pytest.raises(LinkLost):
            await in_time(asyncio.ensure_future(link.read()))
    async with opened(link):
        _, writer = await peer.connected.get()
        writer.write(b"back")
        assert await link.read() == b"back"
        writer.transport.abort()


async def test_tcp_refused_is_link_lost() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(LinkLost):
            await make_transport("tcp", {"host": "127.0.0.1", "port": port}).open()


async def test_tcp_without_an_answer_is_link_lost_in_its_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        held = [socket.socket() for _ in range(4)]
        for other in held:
            other.setblocking(False)
            other.connect_ex(address)
        try:
            with pytest.raises(LinkLost):
                await make_transport("tcp", {"host": "127.0.0.1", "port": address[1], "connect_timeout_s": 0.05}).open()
        finally:
            for other in held:
                other.close()


async def test_tcp_closed_link_reads_and_writes_nothing(peer: Peer) -> None:
    link = make_transport("tcp", {"host": "127.0.0.1", "port": peer.port})
    with pytest.raises(LinkLost):
        await link.read()
    await link.open()
    waiting = asyncio.ensure_future(link.read())
    await asyncio.sleep(0)
    await link.close()
    await link.close()
    with pytest.raises(LinkLost):
        await in_time(waiting)
    with pytest.raises(LinkLost):
        await link.write(b"x")


async def test_tcp_sends_small_commands_at_once(peer: Peer) -> None:
    link = make_transport("tcp", {"host": "127.0.0.1", "port": peer.port})
    async with opened(link):
        sock = link._streams[1].get_extra_info("socket")  # type: ignore[attr-defined]
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize(
    ("kind", "settings", "blamed"),
    [
        ("serial", {}, None),
        ("serial", {"port": "/dev/x", "usb": {"serial": "A"}}, None),
        ("serial", {"usb": {"vid": "1a86"}}, "usb"),
        ("serial", {"port": "/dev/x", "parity": "X"}, "parity"),
        ("serial", {"port": "/dev/x", "speed": 9600}, "speed"),
        ("tcp", {"host": "a", "port": 0}, "port"),
        ("pigeon", {}, "transport"),
    ],
)
def test_settings_that_do_not_fit_are_named(kind: str, settings: dict[str, object], blamed: str | None) -> None:
    with pytest.raises(SettingsFault) as caught:
        make_transport(kind, settings)
    assert caught.value.setting == blamed


def test_kinds_are_what_the_factory_knows() -> None:
    for kind in KINDS:
        with pytest.raises(SettingsFault):
            make_transport(kind, {})


async def test_a_library_that_is_missing_loses_its_device_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "drivers.transports.key_events", None)
    transport = make_transport("evdev", {"path": "/dev/input/by-id/reader"})
    with pytest.raises(LinkLost, match="evdev cannot be used on this machine"):
        await transport.open()
    await transport.close()
    with pytest.raises(SettingsFault, match="evdev"):
        settings_of("evdev")
