"""A TCP connection to a terminal, a device server or a simulator."""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress

from pydantic import Field

from drivers.api import LinkLost, Settings, Transport
from drivers.settings import read_settings
from drivers.transports.shared import Shared

READ_SIZE = 4096
"""Bytes at a time, as on a serial port: more than any device of ours has under way."""

BUFFER_LIMIT = 65536
"""Bytes that the stream may hold before it stops reading: a peer that floods is slowed down instead of filling the memory."""

WRITE_TIMEOUT_S = 2.0
"""Commands are a few bytes; a peer that takes none for this long is gone."""

KEEPALIVE_IDLE_S = 10
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_PROBES = 3
"""A device that lost its power says nothing: it is noticed after 10 + 3 x 5 s even where the driver asks nothing."""


class TcpSettings(Settings):
    """Where the device listens."""

    host: str = Field(min_length=1, max_length=253, description="Address of the device or device server.")
    port: int = Field(ge=1, le=65535, description="Its TCP port.")
    connect_timeout_s: float = Field(default=3.0, gt=0, le=60, description="How long it may take to connect, in seconds.")


class TcpLink:
    """One connection."""

    def __init__(self, settings: TcpSettings) -> None:
        self._settings = settings
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """Connect. Raises LinkLost when refused, not found or not answered in `connect_timeout_s`."""
        if self._streams is not None:
            return
        wanted = self._settings
        try:
            async with asyncio.timeout(wanted.connect_timeout_s):
                streams = await asyncio.open_connection(wanted.host, wanted.port, limit=BUFFER_LIMIT)
        # UnicodeError: a host name that IDNA refuses.
        except (OSError, TimeoutError, UnicodeError) as exc:
            raise LinkLost(f"{self._where()} cannot be reached: {exc or 'no answer'}") from exc
        self._streams = streams
        try:
            _tune(streams[1].get_extra_info("socket"))
        except OSError as exc:  # closed again by the other side
            await self.close()
            raise LinkLost(f"{self._where()} cannot be reached: {exc}") from exc

    async def read(self) -> bytes:
        """At least one byte. Raises LinkLost when the other side closed, reset, or stopped answering keep-alive."""
        reader, _ = self._open_streams()
        try:
            data = await reader.read(READ_SIZE)
        except OSError as exc:
            raise LinkLost(f"{self._where()} is gone: {exc}") from exc
        if not data:
            raise LinkLost(f"{self._where()} closed the connection")
        return data

    async def write(self, data: bytes) -> None:
        """All of `data`. Raises LinkLost."""
        _, writer = self._open_streams()
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                writer.write(data)
                await writer.drain()
        except (OSError, TimeoutError) as exc:
            raise LinkLost(f"{self._where()} takes no data: {exc or 'time-out'}") from exc

    async def close(self) -> None:
        """Never raises; what was not sent yet is dropped."""
        streams, self._streams = self._streams, None
        if streams is None:
            return
        writer = streams[1]
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()

    def _open_streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            raise LinkLost(f"{self._where()} is not connected")
        return self._streams

    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"


def _tune(sock: socket.socket) -> None:
    # A command is one small packet: Nagle would hold it until the last one is acknowledged.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)


def make(settings: Mapping[str, object], shared: Shared) -> Transport:  # noqa: ARG001 - nothing of it is shared
    """A closed connection. Raises SettingsFault."""
    return TcpLink(read_settings(TcpSettings, settings))
