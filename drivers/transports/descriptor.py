"""One open file descriptor of a device on the event loop: waiting, closing under a waiter, every fault as LinkLost."""

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress

from drivers.api import LinkLost

_AGAIN = frozenset({errno.EAGAIN, errno.EINTR})


class Descriptor:
    """A descriptor that was opened with O_NONBLOCK. It is ours from here on: `close` closes it."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd: int | None = fd
        self._name = name
        self._waiting: set[asyncio.Future[None]] = set()

    @classmethod
    def opened(cls, path: str, flags: int) -> "Descriptor":
        """Open `path`. Raises LinkLost."""
        try:
            return cls(os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY), path)
        except (OSError, ValueError) as exc:  # ValueError: a zero character in the path
            raise LinkLost(f"{path} cannot be opened: {exc}") from exc

    @property
    def fd(self) -> int:
        """The number. Raises LinkLost once closed."""
        if self._fd is None:
            raise LinkLost(f"{self._name} is not open")
        return self._fd

    async def read(self, size: int) -> bytes:
        """What one read gives, at least one byte. Raises LinkLost when the device is gone or `close` is called meanwhile."""
        while True:
            fd = self.fd
            try:
                data = os.read(fd, size)
            except OSError as exc:
                if exc.errno not in _AGAIN:
                    raise LinkLost(f"{self._name} is gone: {exc}") from exc
                loop = asyncio.get_running_loop()
                await self._ready(fd, loop.add_reader, loop.remove_reader)
                continue
            if data:
                return data
            raise LinkLost(f"{self._name} is gone: end of file")

    async def write(self, data: bytes, timeout_s: float) -> None:
        """`data` in one write, as messages need it. Raises LinkLost when it is not taken whole within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._write(data)
        except TimeoutError as exc:
            raise LinkLost(f"{self._name} takes no data") from exc

    def close(self) -> None:
        """Never raises; whoever waits meanwhile gets LinkLost."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        if self._waiting:
            loop = asyncio.get_running_loop()
            loop.remove_reader(fd)
            loop.remove_writer(fd)
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_exception(LinkLost(f"{self._name} was closed"))
            self._waiting.clear()
        with suppress(OSError):
            os.close(fd)

    async def _write(self, data: bytes) -> None:
        while True:
            fd = self.fd
            try:
                written = os.write(fd, data)
            except OSError as exc:
                if exc.errno not in _AGAIN:
                    raise LinkLost(f"{self._name} does not take what was sent: {exc}") from exc
                loop = asyncio.get_running_loop()
                await self._ready(fd, loop.add_writer, loop.remove_writer)
                continue
            if written != len(data):
                raise LinkLost(f"{self._name} took {written} of {len(data)} bytes")
            return

    async def _ready(self, fd: int, watch: Callable[..., None], unwatch: Callable[[int], object]) -> None:
        ready = asyncio.get_running_loop().create_future()
        self._waiting.add(ready)
        try:
            watch(fd, _wake, ready)
        except OSError as exc:  # epoll takes no plain files, which a path may name by mistake
            self._waiting.discard(ready)
            raise LinkLost(f"{self._name} is no device that can be waited for: {exc}") from exc
        try:
            await ready
        finally:
            # After `close` the number may already belong to another file: it is not ours to unwatch any more.
            if ready in self._waiting:
                self._waiting.discard(ready)
                unwatch(fd)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
