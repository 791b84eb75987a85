"""The line between box and cloud as a TCP relay that can be told to lose what the cloud says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self

CHUNK = 65536


class FailingLine:
    """Relays bytes both ways. While `loses_answers()` is true, what comes from the cloud is swallowed and counted."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.loses_answers: Callable[[], bool] = lambda: False
        self.swallowed = asyncio.Event()
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def to(cls, target_port: int) -> AsyncIterator[Self]:
        line = cls(target_port)
        server = await asyncio.start_server(line._accept, "127.0.0.1", 0)
        line.port = server.sockets[0].getsockname()[1]
        try:
            yield line
        finally:
            server.close()
            for task in line._tasks:
                task.cancel()
            await asyncio.gather(*line._tasks, return_exceptions=True)

    async def _accept(self, box_reader: asyncio.StreamReader, box_writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            cloud_reader, cloud_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            box_writer.close()
            return
        ways = [
            asyncio.ensure_future(self._relay(box_reader, cloud_writer, from_cloud=False)),
            asyncio.ensure_future(self._relay(cloud_reader, box_writer, from_cloud=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for writer in (box_writer, cloud_writer):
                writer.transport.abort()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_cloud: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if from_cloud and self.loses_answers():
                    self.swallowed.set()
                    continue
                writer.write(data)
                await writer.drain()
