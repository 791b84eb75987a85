"""A serial port or pseudo-terminal: opened by pyserial, read and written by the event loop on its descriptor, no threads."""

import asyncio
import errno
import os
import termios
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, Self

import serial
from pydantic import Field, model_validator

from drivers.api import LinkLost, Settings, Transport
from drivers.settings import read_settings
from drivers.transports import usb
from drivers.transports.shared import Shared
from drivers.transports.usb import UsbMatch

READ_SIZE = 4096
"""Bytes at a time: the kernel's tty buffer, so that one wake-up empties it and a stream never shows old weights."""

FULL_BYTES = 4095
"""What the kernel keeps of a tty (one byte of 4096 stays free); what comes while it holds this much is lost."""

WRITE_TIMEOUT_S = 2.0
"""Commands are a few bytes. A port that takes none for this long is held by hardware handshake or gone."""

_AGAIN = frozenset({errno.EAGAIN, errno.EINTR})


class SerialSettings(Settings):
    """Where the port is and how its line is set: `port`, or `usb` for the adapter wherever its node is now."""

    port: str | None = Field(default=None, min_length=1, description="The port's path; one under /dev/serial stays the same.")
    usb: UsbMatch | None = Field(
        default=None, description="The USB adapter instead of a path, as `tallybox edge ports` names it: `serial`, or `path`."
    )
    baudrate: int = Field(default=9600, ge=50, le=4_000_000, description="Speed of the line.")
    bytesize: Literal[7, 8] = Field(default=8, description="Data bits.")
    parity: Literal["N", "E", "O", "M", "S"] = Field(default="N", description="Parity: none, even, odd, mark or space.")
    stopbits: Literal[1, 2] = Field(default=1, description="Stop bits.")
    rtscts: bool = Field(default=False, description="Hardware handshake.")
    xonxoff: bool = Field(default=False, description="Software handshake.")
    # Some POS scales take their power or their permission to send from these two.
    dtr: bool = Field(default=True, description="The DTR line; some scales take their power from it.")
    rts: bool = Field(default=True, description="The RTS line; some scales send only while it is on.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.port is None) == (self.usb is None):
            raise ValueError("either port or usb is needed")
        return self

    def where(self) -> str:
        """The port in words."""
        return self.port or f"usb {self.usb}"


class SerialPort:
    """One port, ours alone (TIOCEXCL and flock): a second reader would steal bytes silently."""

    def __init__(self, settings: SerialSettings) -> None:
        self._settings = settings
        self._port: serial.Serial | None = None
        self._writers: set[asyncio.Future[None]] = set()
        self._reader: asyncio.Future[bytes] | None = None
        self._watched = False
        self._kept = b""
        self._full = False
        self.overflowed = False

    async def open(self) -> None:
        """Open with the line settings and an empty input buffer. Raises LinkLost."""
        if self._port is not None:
            return
        wanted = self._settings
        # Port None: the object is configured first, so that DTR and RTS are right from the first moment.
        port = serial.Serial(
            None,
            baudrate=wanted.baudrate,
            bytesize=wanted.bytesize,
            parity=wanted.parity,
            stopbits=wanted.stopbits,
            rtscts=wanted.rtscts,
            xonxoff=wanted.xonxoff,
            timeout=0,
            write_timeout=0,
            exclusive=True,
            # Sets VMIN 1: with VMIN 0 a read of an idle port gives nothing, which is also how an unplugged one looks.
            inter_byte_timeout=0,
        )
        port.dtr, port.rts = wanted.dtr, wanted.rts
        # A number in /dev shifts when the device comes back while its old node is open: the node is looked up each time.
        port.port = wanted.port if wanted.usb is None else await asyncio.to_thread(usb.find, "tty", wanted.usb)
        try:
            port.open()
        # termios.error is no OSError; ValueError is a speed that the adapter's driver refuses.
        except (OSError, termios.error, ValueError) as exc:
            raise LinkLost(f"{wanted.where()} cannot be opened: {exc}") from exc
        self._port = port

    async def read(self) -> bytes:
        """At least one byte. Raises LinkLost when the port is gone, also when `close` is called meanwhile."""
        if self._kept:
            data, self._kept = self._kept, b""
            return data
        fd = self._fd()
        if not self._watched:
            if data := self._read_now(fd):
                return data
            asyncio.get_running_loop().add_reader(fd, self._readable, fd)
            self._watched = True
        self._reader = asyncio.get_running_loop().create_future()
        try:
            return await self._reader
        except asyncio.CancelledError:
            # Read already, and nobody has it: the next `read` gets it.
            if self._reader.done() and not self._reader.cancelled() and self._reader.exception() is None:
                self._kept = self._reader.result()
            raise
        finally:
            self._reader = None

    def _readable(self, fd: int) -> None:
        """The loop's news. The descriptor stays watched from one frame to the next: arming it anew costs as much as reading."""
        reader = self._reader
        if reader is None or reader.done():
            asyncio.get_running_loop().remove_reader(fd)
            self._watched = False
            return
        try:
            data = self._read_now(fd)
        except LinkLost as lost:
            reader.set_exception(lost)
            return
        if data:
            reader.set_result(data)

    def _read_now(self, fd: int) -> bytes:
        """What is there, b"" when nothing is. Raises LinkLost when the port is gone."""
        try:
            data = os.read(fd, READ_SIZE)
        except OSError as exc:
            if exc.errno in _AGAIN:
                return b""
            raise LinkLost(f"{self._settings.where()} is gone: {exc}") from exc
        if not data:
            # Neither data nor EAGAIN: how Linux shows that the line is hung up.
            raise LinkLost(f"{self._settings.where()} is gone: hung up")
        # The read that is no longer full ends the backlog and still belongs to it.
        was_full, self._full = self._full, len(data) >= FULL_BYTES
        self.overflowed = self._full or was_full
        return data

    async def write(self, data: bytes) -> None:
        """All of `data`. Raises LinkLost when the port is gone or takes nothing for WRITE_TIMEOUT_S."""
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._write(data)
        except TimeoutError as exc:
            raise LinkLost(f"{self._settings.where()} takes no data (handshake line, or gone)") from exc

    async def close(self) -> None:
        """Never raises; a reader that waits meanwhile gets LinkLost."""
        port, self._port = self._port, None
        if port is None or port.fd is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(port.fd)
        loop.remove_writer(port.fd)
        self._watched = False
        self._kept = b""
        for waiter in self._waiters():
            if not waiter.done():
                waiter.set_exception(LinkLost(f"{self._settings.where()} was closed"))
        self._writers.clear()
        with suppress(OSError, termios.error):
            # Else the kernel waits for bytes that a dead line never takes.
            termios.tcflush(port.fd, termios.TCIOFLUSH)
        with suppress(OSError):
            port.close()

    async def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            fd = self._fd()
            try:
                rest = rest[os.write(fd, rest) :]
            except OSError as exc:
                if exc.errno not in _AGAIN:
                    raise LinkLost(f"{self._settings.where()} is gone: {exc}") from exc
                await self._writable(fd)

    async def _writable(self, fd: int) -> None:
        """Wait until the loop sees room; raises LinkLost when `close` comes first."""
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        self._writers.add(ready)
        loop.add_writer(fd, _wake, ready)
        try:
            await ready
        finally:
            # After `close` the number may already belong to another file: it is not ours to unwatch any more.
            if ready in self._writers:
                self._writers.discard(ready)
                loop.remove_writer(fd)

    def _waiters(self) -> list[asyncio.Future[Any]]:
        return [*self._writers, *([] if self._reader is None else [self._reader])]

    def _fd(self) -> int:
        if self._port is None or self._port.fd is None:
            raise LinkLost(f"{self._settings.where()} is not open")
        return int(self._port.fd)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def make(settings: Mapping[str, object], shared: Shared) -> Transport:  # noqa: ARG001 - nothing of it is shared
    """A closed port. Raises SettingsFault."""
    return SerialPort(read_settings(SerialSettings, settings))
