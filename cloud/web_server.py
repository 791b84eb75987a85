"""Serving the core's applications inside one event loop: the staff's and, over mutual TLS, the boxes'."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI

GRACE_S = 3
"""A frame is stored in milliseconds; a connection that is still busy after this is cut, and its box asks again."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where one application is served. `tls` and `protocol` (a uvicorn HTTP protocol class) go together for the boxes' side."""

    app: FastAPI
    sock: socket.socket
    tls: ssl.SSLContext | None = None
    protocol: Any = "h11"

    @property
    def url(self) -> str:
        host, port = self.sock.getsockname()[:2]
        return f"{'https' if self.tls else 'http'}://{host}:{port}"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the process, which runs two servers and a projector.
        yield


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket (port 0: a free one), so that the address is known before the server runs. Raises OSError.

    `shared`: several processes may listen on the port, and the system gives each connection to one of them (SO_REUSEPORT).
    """
    found = socket.create_server((host, port), backlog=256, reuse_port=shared)
    # Connections inherit it. asyncio sets it only where a socket names TCP as its protocol, and this one does not; without it
    # each exchange of small packets waits 40 ms for a delayed acknowledgement.
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setblocking(False)
    return found


async def serve(listener: Listener) -> None:
    """Serve until cancelled."""
    tls = listener.tls
    config = uvicorn.Config(
        listener.app,
        http=listener.protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        # A box reads the time in the answer itself; what it pays for on a mobile line should say something.
        date_header=listener.tls is None,
        timeout_graceful_shutdown=GRACE_S,
        # uvicorn otherwise builds a context of its own from files; ours is stricter.
        ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
    )
    server = _Server(config)
    running = asyncio.ensure_future(server.serve(sockets=[listener.sock]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        await running
        raise
    finally:
        listener.sock.close()
