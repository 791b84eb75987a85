"""A connected socket for a library that wants one: plain or TLS, the handshake done, without holding up the event loop."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import overload


@overload
async def connected(host: str, port: int, tls: ssl.SSLContext) -> ssl.SSLSocket: ...


@overload
async def connected(host: str, port: int, tls: None) -> socket.socket: ...


@overload
async def connected(host: str, port: int, tls: ssl.SSLContext | None) -> socket.socket: ...


async def connected(host: str, port: int, tls: ssl.SSLContext | None) -> socket.socket:
    """A non-blocking socket; with `tls` the peer has proved to be `host`. Raises OSError (ssl.SSLError is one)."""
    loop = asyncio.get_running_loop()
    last: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
            # Without it an exchange waits for delayed acknowledgements: measured, a factor of twenty.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock if tls is None else await _secured(sock, tls, host)
        except OSError as exc:
            sock.close()
            last = exc
        except BaseException:
            sock.close()
            raise
    raise last


async def _secured(plain: socket.socket, tls: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    secured = tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await _ready(secured, loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _ready(secured, loop.add_writer, loop.remove_writer)
            else:
                return secured
    except BaseException:
        secured.close()
        raise


async def _ready(sock: socket.socket, watch: Callable[..., None], unwatch: Callable[[socket.socket], object]) -> None:
    ready = asyncio.get_running_loop().create_future()
    watch(sock, _wake, ready)
    try:
        await ready
    finally:
        unwatch(sock)


def _wake(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
