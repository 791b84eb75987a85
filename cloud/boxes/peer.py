"""Who is at the other end of a request: reads the client certificate that the server verified, and finds its box."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import Request

from cloud.boxes.models import Box
from cloud.boxes.registry import box_by_certificate
from cloud.clock import Clock
from cloud.db.engine import Sessions
from cloud.errors import BoxFault
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import UNKNOWN_ACTOR, record_refusal

TLS_EXTENSION = "tls"
CLIENT_CERTIFICATE = "client_cert_der"
"""The server's protocol class puts the verified certificate (DER) into `scope["extensions"]["tls"]["client_cert_der"]`."""

PeerCertificate = Callable[[Mapping[str, Any]], bytes | None]
"""From an ASGI scope to the DER of the client's verified certificate, None when it showed none."""


def certificate_in_scope(scope: Mapping[str, Any]) -> bytes | None:
    """The certificate as the TLS server left it."""
    found = scope.get("extensions", {}).get(TLS_EXTENSION, {}).get(CLIENT_CERTIFICATE)
    return found if isinstance(found, bytes) else None


async def calling_box(request: Request, sessions: Sessions, clock: Clock, peer_certificate: PeerCertificate) -> Box:
    """The box that sent the request. Raises BoxFault after logging the refusal as an event."""
    der = peer_certificate(request.scope)
    try:
        async with sessions.read() as session:
            return await box_by_certificate(session, der)
    except BoxFault as fault:
        await turned_away(sessions, fault, clock())
        raise


async def turned_away(sessions: Sessions, fault: BoxFault, now: datetime) -> None:
    """Log that somebody was no box that we know."""
    async with sessions.write() as session:
        await record_refusal(
            session,
            Taken(Actor("box", UNKNOWN_ACTOR, ""), now),
            action=fault.code,
            kind="box",
            ref=fault.subject,
            found=str(fault),
        )
