"""Servers that do what a test says, and a camera that asks them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from drivers.cameras.api import Still, Surroundings
from drivers.cameras.offered import make_camera

SECRET = "ge:h@im/1"
SURROUNDINGS = Surroundings(environ={"TALLYBOX_SECRET_CAM": SECRET, "TALLYBOX_SECRET_WRONG": "another"})

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """A server that does what the test says; gives host:port."""
    busy: set[asyncio.Task[Any]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the box closes what it no longer wants
        finally:
            busy.discard(task)
            writer.transport.abort()

    listening = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in [*busy]:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


def answering(answer: bytes) -> tuple[Serve, list[bytes]]:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()

    return serve, heard


async def taking(address: str, kind: str = "http", **settings: object) -> Still:
    login = {"user": "viewer", "password_env": "CAM", "timeout_s": 5} | settings
    return await make_camera(kind, {"address": address} | login, SURROUNDINGS).take()
