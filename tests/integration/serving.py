"""The boxes' application served by uvicorn on a free port of the loopback address; who calls is said in a header."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from cloud.web_server import Listener, listen, serve
from sync_protocol.commands import Command, Down, parse

WAIT_S = 20.0


def named_peer(certificates: dict[str, bytes]) -> Any:
    """In place of a client certificate: the header `x-box` names whose it is."""

    def find(scope: Any) -> bytes | None:
        name = dict(scope["headers"]).get(b"x-box", b"").decode()
        return certificates.get(name)

    return find


@asynccontextmanager
async def served(app: FastAPI, *also: Any) -> AsyncIterator[str]:
    """The address; coroutines given besides run meanwhile."""
    listener = Listener(app, listen("127.0.0.1", 0))
    tasks = [asyncio.ensure_future(serve(listener)), *map(asyncio.ensure_future, also)]
    try:
        yield listener.url
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Listening:
    """One event stream, read in the background of its block."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self._lines = response.aiter_lines()
        self.comments = 0

    async def next(self) -> Down:
        async with asyncio.timeout(WAIT_S):
            async for line in self._lines:
                if line.startswith("data: "):
                    return parse(line.removeprefix("data: ").encode())
                self.comments += line.startswith(":")
        raise EOFError

    async def command(self) -> Command:
        """The next command, whatever else is said before it."""
        while not isinstance(told := await self.next(), Command):
            pass
        return told

    async def ended(self) -> bool:
        """Whether the other side ends it in time, with no command before."""
        try:
            told = await self.command()
        except (EOFError, httpx.RemoteProtocolError):
            return True
        raise AssertionError(told)


@asynccontextmanager
async def listening(client: httpx.AsyncClient, lease: int, path: str = "/sync/v1/events") -> AsyncIterator[Listening]:
    async with client.stream("GET", path, params={"lease": lease}, timeout=WAIT_S) as response:
        yield Listening(response)


async def opened(client: httpx.AsyncClient, last: int | None = None) -> int:
    """The lease of a new session."""
    response = await client.post("/sync/v1/session", params={} if last is None else {"last": last})
    assert response.status_code == 200, response.text
    return int(json.loads(response.content)["lease"])
