"""Serving an application inside a running event loop: uvicorn without its signal handlers, stopped by cancellation."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

GRACE_S = 2
"""Pages hold an open event stream: when the box stops they are cut, not waited for."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the process, which runs more than one server.
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket (port 0: a free one), so that the address is known before the server runs. Raises OSError."""
    found = socket.create_server((host, port), backlog=64)
    # Connections inherit it. asyncio sets it only where a socket names TCP as its protocol, and this one does not; without it
    # each exchange of small packets waits 40 ms for a delayed acknowledgement.
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setblocking(False)
    return found


async def serve(app: FastAPI, sock: socket.socket, *, stopping: Callable[[], None]) -> None:
    """Serve until cancelled; `stopping` is called first then, to end what would be waited for."""
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_S, lifespan="on")
    server = _Server(config)
    running = asyncio.ensure_future(server.serve(sockets=[sock]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        stopping()
        server.should_exit = True
        await running
        raise
    finally:
        sock.close()
