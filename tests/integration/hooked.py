"""A program that receives webhooks: a real HTTP server on the loopback address whose answers a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Answering = Callable[["Told"], bytes | None]
"""The whole answer as bytes; None: the connection stays open and nothing is said."""

OK = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


def status(code: int, text: str = "", extra: str = "") -> bytes:
    return f"HTTP/1.1 {code} Said\r\nContent-Length: {len(text)}\r\n{extra}\r\n{text}".encode()


@dataclass(frozen=True)
class Told:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """What it was told, in the order in which it came; `answering` says what it answers."""

    url: str = ""
    told: list[Told] = field(default_factory=list)
    answering: Answering = lambda _told: OK
    open: int = 0
    most: int = 0
    """Requests at once, now and at most."""
    slow_s: float = 0.0

    def refs(self) -> list[tuple[str, str]]:
        return [(one.said["ref"], one.said["id"]) for one in self.told]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                one = Told(first.split(" ")[1], headers, body)
                self.told.append(one)
                self.open += 1
                self.most = max(self.most, self.open)
                try:
                    await asyncio.sleep(self.slow_s)
                    answer = self.answering(one)
                    if answer is None:
                        await reader.read()
                        return
                    writer.write(answer)
                    await writer.drain()
                finally:
                    self.open -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    one = Receiver()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        await one._serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield one
    finally:
        server.close()
        for writer in writers:
            writer.close()
        for writer in writers:
            try:
                await writer.wait_closed()
            except ConnectionError:
                continue
