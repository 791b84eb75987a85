"""Lets a uvicorn application see the client's certificate: uvicorn verifies it in the handshake and tells nobody.

Hand `TlsPeerProtocol` to uvicorn as `http=`. Each request over TLS then has `scope["extensions"]["tls"]["client_cert_der"]`:
DER bytes of the verified certificate, or None when the client showed none. Plain HTTP has no `tls` extension.
WebSockets do not pass here and never have it.
"""

import asyncio
import ssl
from dataclasses import dataclass

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

EXTENSION = "tls"
CLIENT_CERTIFICATE = "client_cert_der"


@dataclass(frozen=True, slots=True)
class _WithPeer:
    """The application, told who is at the other end of this one connection."""

    app: ASGI3Application
    der: bytes | None

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http":
            extensions = scope.setdefault("extensions", {})
            extensions[EXTENSION] = {CLIENT_CERTIFICATE: self.der}
        await self.app(scope, receive, send)


class TlsPeerProtocol(H11Protocol):
    """uvicorn's h11 protocol plus the peer's certificate. Works with the `http=` setting of uvicorn 0.54."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            # Verified already: a context that verifies nothing asks for no certificate, so there is none to read here.
            self.app = _WithPeer(self.app, tls.getpeercert(binary_form=True))
