"""Pseudo-terminals and TCP ports with real clients: pyserial and sockets."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import serial

from firmware_sim.errors import WireTaken
from firmware_sim.wires import MAX_UNSENT, PtyWire, TcpWire

DEADLINE_S = 10


class Heard(bytearray):
    """What the device side has received."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    async def until(self, data: bytes) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while data not in self:
                self._news.clear()
                await self._news.wait()

    def receiver(self, data: bytes) -> None:
        self.extend(data)
        self._news.set()


def hung_up(client: socket.socket) -> bool:
    """Whether the other side ended the connection, in order or with a reset."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
async def pty(tmp_path: Path) -> AsyncIterator[tuple[PtyWire, Heard]]:
    wire, heard = PtyWire(tmp_path / "scale-1"), Heard()
    await wire.plug(heard.receiver)
    yield wire, heard
    wire.unplug()


@pytest.fixture
async def tcp() -> AsyncIterator[tuple[TcpWire, Heard]]:
    wire, heard = TcpWire("127.0.0.1", 0), Heard()
    await wire.plug(heard.receiver)
    yield wire, heard
    wire.unplug()
    await asyncio.sleep(0.01)


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def open_port(wire: PtyWire) -> serial.Serial:
    return serial.Serial(wire.address, 9600, timeout=DEADLINE_S, exclusive=True)


async def test_bytes_pass_a_pty_unchanged_both_ways(pty: tuple[PtyWire, Heard]) -> None:
    wire, heard = pty
    every_byte = bytes(range(256))
    with open_port(wire) as port:
        await asyncio.to_thread(port.write, every_byte)
        await heard.until(every_byte)
        wire.send(every_byte)
        assert await asyncio.to_thread(port.read, 256) == every_byte
    assert heard == every_byte, "nothing is echoed"


async def test_a_host_that_sets_no_line_discipline_gets_plain_bytes_and_no_echo(pty: tuple[PtyWire, Heard]) -> None:
    wire, heard = pty
    fd = os.open(wire.address, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(fd, b"SI\r\n\x03\x13")
        await heard.until(b"SI\r\n\x03\x13")
        wire.send(b"S S\r\n")
        assert await asyncio.to_thread(os.read, fd, 100) == b"S S\r\n"
    finally:
        os.close(fd)


async def test_the_device_lives_through_closing_and_reopening(pty: tuple[PtyWire, Heard]) -> None:
    wire, heard = pty
    for number in range(3):
        with open_port(wire) as port:
            await asyncio.to_thread(port.write, f"<{number}>".encode())
            await heard.until(f"<{number}>".encode())
            wire.send(b"answer")
            assert await asyncio.to_thread(port.read, 6) == b"answer"


async def test_unplugging_a_pty_breaks_the_port_and_takes_the_link_away(pty: tuple[PtyWire, Heard], tmp_path: Path) -> None:
    wire, heard = pty
    port = open_port(wire)
    wire.unplug()
    wire.unplug()
    assert names_in(tmp_path) == []
    with pytest.raises(serial.SerialException):
        await asyncio.to_thread(port.read, 1)
    port.close()
    with pytest.raises(serial.SerialException):
        open_port(wire)
    await wire.plug(heard.receiver)
    with open_port(wire) as port:
        wire.send(b"back")
        assert await asyncio.to_thread(port.read, 4) == b"back"


async def test_what_nobody_reads_is_lost_without_blocking(pty: tuple[PtyWire, Heard]) -> None:
    wire, _ = pty
    for _ in range(1_000):
        wire.send(b"x" * 1_000)
    assert 900_000 < wire.lost < 1_000_000
    with open_port(wire) as port:
        wire.send(b"fresh")
        assert await asyncio.to_thread(port.read, 5) == b"fresh", "opening a port throws away what is old"


async def test_a_dead_link_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    link, wire = tmp_path / "scale-1", PtyWire(tmp_path / "scale-1")
    link.symlink_to("/dev/pts/nowhere")
    await wire.plug(lambda _data: None)
    assert link.exists()
    wire.unplug()
    link.write_text("a person's file")
    with pytest.raises(WireTaken):
        await wire.plug(lambda _data: None)
    assert link.read_text() == "a person's file"


async def test_a_link_that_another_took_over_is_left_alone(tmp_path: Path) -> None:
    first, second = PtyWire(tmp_path / "scale-1"), PtyWire(tmp_path / "scale-1")
    await first.plug(lambda _data: None)
    await second.plug(lambda _data: None)
    first.unplug()
    assert (tmp_path / "scale-1").exists()
    second.unplug()


def connect(wire: TcpWire) -> socket.socket:
    host, _, port = wire.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=DEADLINE_S)


async def test_clients_come_one_after_the_other(tcp: tuple[TcpWire, Heard]) -> None:
    wire, heard = tcp
    for number in range(3):
        with await asyncio.to_thread(connect, wire) as client:
            client.sendall(f"<{number}>".encode())
            await heard.until(f"<{number}>".encode())
            wire.send(b"answer")
            assert await asyncio.to_thread(client.recv, 100) == b"answer"


async def test_the_newest_client_wins(tcp: tuple[TcpWire, Heard]) -> None:
    wire, heard = tcp
    with await asyncio.to_thread(connect, wire) as old:
        old.sendall(b"old")
        await heard.until(b"old")
        with await asyncio.to_thread(connect, wire) as new:
            new.sendall(b"new")
            await heard.until(b"new")
            wire.send(b"answer")
            assert await asyncio.to_thread(new.recv, 100) == b"answer"
            assert await asyncio.to_thread(hung_up, old)


async def test_unplugging_tcp_breaks_and_refuses_until_it_is_back_on_the_same_port(tcp: tuple[TcpWire, Heard]) -> None:
    wire, heard = tcp
    address = wire.address
    with await asyncio.to_thread(connect, wire) as client:
        client.sendall(b"here")
        await heard.until(b"here")
        wire.unplug()
        wire.send(b"lost")
        assert await asyncio.to_thread(hung_up, client)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.to_thread(connect, wire)
    await wire.plug(heard.receiver)
    assert wire.address == address
    assert wire.lost == 4
    with await asyncio.to_thread(connect, wire) as client:
        client.sendall(b"again")
        await heard.until(b"again")


async def test_a_client_that_does_not_read_costs_no_more_than_the_cap(tcp: tuple[TcpWire, Heard]) -> None:
    wire, heard = tcp
    with await asyncio.to_thread(connect, wire) as client:
        client.sendall(b"here")
        await heard.until(b"here")
        for _ in range(2_000):
            wire.send(b"x" * 10_000)
        assert wire._client is not None
        assert wire._client.get_write_buffer_size() <= MAX_UNSENT
        assert wire.lost > 0


async def test_a_taken_port_is_said_to_be_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(WireTaken, match="cannot be listened on"):
        await TcpWire("127.0.0.1", taken.getsockname()[1]).plug(lambda _data: None)
