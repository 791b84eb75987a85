"""A TLS connection for a library that wants a plain socket: connected and shaken hands without holding up the event loop."""

import asyncio
import socket
import ssl
from collections.abc import Callable


async def connect(host: str, port: int, tls: ssl.SSLContext) -> ssl.SSLSocket:
    """A non-blocking socket, TCP_NODELAY set, whose peer proved to be `host`. Raises OSError (ssl.SSLError is one)."""
    loop = asyncio.get_running_loop()
    last: OSError = OSError(f"{host} has no address")
    for family, kind, proto, _name, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        plain = socket.socket(family, kind, proto)
        try:
            plain.setblocking(False)
            await loop.sock_connect(plain, address)
            # Without it an exchange waits for delayed acknowledgements: measured, a factor of twenty.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        except OSError as exc:
            plain.close()
            last = exc
            continue
        except BaseException:
            plain.close()
            raise
        return await _shaken(loop, secured)
    raise last


async def _shaken(loop: asyncio.AbstractEventLoop, secured: ssl.SSLSocket) -> ssl.SSLSocket:
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


async def _ready(sock: ssl.SSLSocket, add: Callable[..., None], remove: Callable[[ssl.SSLSocket], bool]) -> None:
    woken = asyncio.Event()
    add(sock, woken.set)
    try:
        await woken.wait()
    finally:
        remove(sock)
