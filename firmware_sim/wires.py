"""Where a simulated device is plugged in: a pseudo-terminal behind a fixed path, or a TCP port. Bytes only, no timing.

Both can be unplugged and plugged in again under the same address; what is sent while nobody can take it is lost, as on a cable.
"""

import asyncio
import contextlib
import os
import socket
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from firmware_sim.errors import WireTaken

Receiver = Callable[[bytes], None]

READ_BYTES = 4096
"""The kernel's line buffer of a pseudo-terminal holds no more."""

MAX_UNSENT = 65_536
"""Bytes a TCP client may leave unread; a device server's buffer is smaller still. What comes on top is lost."""


class Wire(Protocol):
    """One plug. `lost` counts the bytes that found no taker."""

    plugged: bool
    lost: int

    @property
    def address(self) -> str: ...

    async def plug(self, receiver: Receiver) -> None:
        """Make the address appear; raises WireTaken when something else has it. May be called again after `unplug`."""
        ...

    def send(self, data: bytes) -> None: ...

    def unplug(self) -> None:
        """Make the address disappear and break what is connected. May be called twice."""
        ...


class PtyWire:
    """A pseudo-terminal in raw mode. The path stays the same over unplugging, as a udev link does; the terminal is a new one.

    The far end is kept open here too: without that the kernel reports a hang-up for as long as the box has the port closed.
    """

    def __init__(self, link: Path) -> None:
        self.plugged = False
        self.lost = 0
        self._link = link
        self._master = -1
        self._slave = -1
        self._terminal = ""

    @property
    def address(self) -> str:
        return str(self._link)

    async def plug(self, receiver: Receiver) -> None:
        if self._link.exists() and not self._link.is_symlink():
            raise WireTaken(f"{self._link} is there already and is not a link")
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_reader(self._master, self._read, self._master, receiver)
        beside = self._link.with_name(self._link.name + ".new")
        beside.unlink(missing_ok=True)
        self._terminal = os.ttyname(self._slave)
        beside.symlink_to(self._terminal)
        beside.replace(self._link)
        self.plugged = True

    def send(self, data: bytes) -> None:
        sent = 0
        if self.plugged:
            with contextlib.suppress(BlockingIOError):
                sent = os.write(self._master, data)
        self.lost += len(data) - sent

    def unplug(self) -> None:
        if not self.plugged:
            return
        self.plugged = False
        # Another process may have taken the path over meanwhile; its link is not ours to remove.
        if self._link.is_symlink() and str(self._link.readlink()) == self._terminal:
            self._link.unlink()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)

    @staticmethod
    def _read(master: int, receiver: Receiver) -> None:
        with contextlib.suppress(BlockingIOError):
            receiver(os.read(master, READ_BYTES))


class TcpWire:
    """A device server: one client at a time. The newest wins, so that one that vanished silently cannot block the port."""

    def __init__(self, host: str, port: int) -> None:
        self.plugged = False
        self.lost = 0
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._client: asyncio.Transport | None = None

    @property
    def address(self) -> str:
        """`host:port`; with port 0 the real one is known after the first `plug` and kept from then on."""
        return f"{self._host}:{self._port}"

    async def plug(self, receiver: Receiver) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Client(self, receiver), self._host, self._port)
        except OSError as exc:
            raise WireTaken(f"{self.address} cannot be listened on: {exc.strerror or exc}") from exc
        self._port = self._server.sockets[0].getsockname()[1]
        self.plugged = True

    def send(self, data: bytes) -> None:
        client = self._client
        if client is None or client.get_write_buffer_size() + len(data) > MAX_UNSENT:
            self.lost += len(data)
            return
        client.write(data)

    def unplug(self) -> None:
        self.plugged = False
        if self._server is not None:
            self._server.close()
            self._server = None
        self._drop_client()

    def connected(self, client: asyncio.Transport) -> None:
        self._drop_client()
        self._client = client

    def disconnected(self, client: asyncio.Transport | None) -> None:
        if self._client is client:
            self._client = None

    def _drop_client(self) -> None:
        if self._client is not None:
            self._client.abort()
            self._client = None


class _Client(asyncio.Protocol):
    def __init__(self, wire: TcpWire, receiver: Receiver) -> None:
        self._wire = wire
        self._receiver = receiver
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            return
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport
        self._wire.connected(transport)

    def data_received(self, data: bytes) -> None:
        self._receiver(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why the client left makes no difference
        self._wire.disconnected(self._transport)
