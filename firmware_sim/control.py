"""The control port: one JSON object a line in, one a line out, on the loopback address only.

`{"device": "scale-1", "action": "put", "grams": "12340"}` is answered by `{"ok": true}`, with what there is to tell beside it;
a refusal by `{"ok": false, "error": ...}`. `{"action": "list"}` tells of all devices. An `id` is sent back as it came.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from firmware_sim.errors import SimError, WireTaken

MAX_REQUEST = 1 << 20
"""Bytes of one request: a thousand labels of a kilobyte."""

Perform = Callable[[Mapping[str, object]], Awaitable[Mapping[str, object]]]


@asynccontextmanager
async def serve_control(perform: Perform, port: int | None) -> AsyncIterator[int | None]:
    """Serve while the block runs; gives the real port, or None when no port is asked for. Raises WireTaken."""
    if port is None:
        yield None
        return
    writers: set[asyncio.StreamWriter] = set()
    idle = asyncio.Event()
    idle.set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        idle.clear()
        try:
            with suppress(ConnectionError):
                await _converse(reader, writer, perform)
        finally:
            writers.discard(writer)
            writer.close()
            if not writers:
                idle.set()

    try:
        server = await asyncio.start_server(converse, "127.0.0.1", port, limit=MAX_REQUEST)
    except OSError as exc:
        raise WireTaken(f"the control port {port} cannot be listened on: {exc.strerror or exc}") from exc
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in [*writers]:
            writer.transport.abort()
        await idle.wait()


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, perform: Perform) -> None:
    too_long = False
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as exc:
            await reader.readexactly(exc.consumed)
            too_long = True
            continue
        except asyncio.IncompleteReadError:
            return
        refusal = {"ok": False, "error": f"a request has at most {MAX_REQUEST} bytes"}
        writer.write(_line(refusal if too_long else await answer(line, perform)))
        too_long = False
        await writer.drain()


async def answer(line: bytes, perform: Perform) -> Mapping[str, object]:
    """The answer to one request; never raises for what the request says."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return {"ok": False, "error": "not a JSON object"}
    if not isinstance(request, dict):
        return {"ok": False, "error": "not a JSON object"}
    echo = {"id": request.pop("id")} if "id" in request else {}
    try:
        told = await perform(request)
    except SimError as exc:
        return {**echo, "ok": False, "error": str(exc)}
    return {**echo, "ok": True, **told}


def _line(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"
