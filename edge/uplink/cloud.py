"""The HTTPS binding: a frame up, a patch down, events as they come, over mutual TLS with connections that are kept."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import structlog
from pydantic import ValidationError

from edge.uplink.binding import BindingName, CloudAway
from edge.uplink.sse import EventReader
from sync_protocol import answers, commands, mirror, routes
from sync_protocol.answers import Answer
from sync_protocol.commands import Changed, Down, Session
from sync_protocol.errors import PatchFault, TextFault
from sync_protocol.mirror import Patch

log = structlog.get_logger()

TIMEOUT_S = 20.0
"""Of silence. A full frame over a slow mobile link takes seconds; proxies cut idle connections at thirty."""

DEADLINE_S = 120.0
"""Of a whole exchange: a frame at 20 kbit/s. Without it a peer that trickles a byte now and then would hold the uplink."""

EVENTS_TIMEOUT_S = 45.0
"""Of silence on a stream of events, where the cloud gives a sign of life every fifteen seconds."""

MAX_ANSWER = 4 * 1024 * 1024
"""A full patch page of a thousand rows is some hundred kilobytes; more than this comes from no cloud of ours."""

CONNECTIONS = 6
"""Frames, the mirror, a file, the stream of events: one each, and two that are just ending."""

NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""Without it the small packets of an exchange wait for each other's delayed acknowledgement, 40 ms a time."""


@dataclass(slots=True)
class Cloud:
    """One cloud, spoken to as this box. Methods raise CloudAway and nothing else."""

    client: httpx.AsyncClient
    deadline_s: float = DEADLINE_S
    events_timeout_s: float = EVENTS_TIMEOUT_S

    @classmethod
    def at(cls, url: str, tls: ssl.SSLContext, *, timeout_s: float = TIMEOUT_S, deadline_s: float = DEADLINE_S) -> "Cloud":
        """Not connected yet; close it with `aclose`."""
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        transport = httpx.AsyncHTTPTransport(verify=tls, limits=limits, trust_env=False, socket_options=[NO_DELAY])
        # Compressed answers would make the cap on their size a cap on nothing.
        headers = {"accept-encoding": "identity"}
        client = httpx.AsyncClient(base_url=url, transport=transport, timeout=timeout_s, headers=headers)
        for name in ("accept", "connection", "user-agent"):
            # Nobody reads them, and on a mobile line every frame would carry them.
            del client.headers[name]
        return cls(client, deadline_s)

    @property
    def name(self) -> BindingName:
        return "https"

    async def post(self, frame: bytes, *, packed: bool = False) -> Answer:
        """Send one frame; the cloud's answer."""
        kind = routes.FRAME_ZSTD_TYPE if packed else routes.FRAME_TYPE
        response = await self._ask("POST", routes.BATCHES, content=frame, headers={"content-type": kind})
        try:
            return answers.parse(response.body)
        except TextFault as exc:
            raise CloudAway(f"HTTP {response.status} without an answer", response.retry_s) from exc

    async def open_session(self, last: int) -> Session:
        """A new lease for this box, which has seen `last`."""
        response = await self._ask("POST", routes.SESSION, params={"last": last})
        if response.status != httpx.codes.OK:
            raise CloudAway(f"HTTP {response.status} for a session", response.retry_s)
        try:
            return Session.model_validate_json(response.body)
        except ValidationError as exc:
            raise CloudAway("a session that cannot be read") from exc

    async def events(self, lease: int) -> AsyncGenerator[Down, None]:
        """What the cloud says by itself; raises CloudAway when the stream ends, as it does when a newer lease was given."""
        reader = EventReader()
        usual = self.client.timeout
        patience = httpx.Timeout(connect=usual.connect, write=usual.write, pool=usual.pool, read=self.events_timeout_s)
        try:
            async with self.client.stream("GET", routes.EVENTS, params={"lease": lease}, timeout=patience) as response:
                if response.status_code != httpx.codes.OK:
                    raise CloudAway(f"HTTP {response.status_code} for events", _retry_after(response))
                yield Changed()
                async for piece in response.aiter_raw():
                    for data in reader.receive(piece):
                        message = _message(data)
                        if message is not None:
                            yield message
        except TextFault as exc:
            raise CloudAway(str(exc)) from exc
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as exc:
            raise CloudAway(f"{type(exc).__name__}: {exc}") from exc
        raise CloudAway("the stream of events ended")

    async def probe(self) -> None:
        """Whether a cloud is there that lets this box's certificate in."""
        response = await self._ask("GET", "/health")
        if response.status != httpx.codes.OK:
            raise CloudAway(f"HTTP {response.status} for its health", response.retry_s)

    async def pull(self, scope: str, cookie: str) -> Patch:
        """The patch of a station since `cookie`."""
        response = await self._ask("GET", routes.down(quote(scope, safe="")), params={"cookie": cookie})
        if response.status != httpx.codes.OK:
            raise CloudAway(f"HTTP {response.status} for the mirror", response.retry_s)
        try:
            return mirror.parse(response.body)
        except PatchFault as exc:
            raise CloudAway(str(exc)) from exc

    async def aclose(self) -> None:
        await self.client.aclose()

    async def _ask(self, method: str, path: str, **more: Any) -> "_Response":
        try:
            async with asyncio.timeout(self.deadline_s), self.client.stream(method, path, **more) as response:
                body = bytearray()
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > MAX_ANSWER:
                        raise CloudAway(f"an answer of more than {MAX_ANSWER} bytes")
                return _Response(response.status_code, bytes(body), _retry_after(response))
        except TimeoutError as exc:
            raise CloudAway(f"no whole answer in {self.deadline_s:g} s", unanswered=True) from exc
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as exc:
            silent = isinstance(exc, httpx.ReadTimeout | httpx.WriteTimeout)
            raise CloudAway(f"{type(exc).__name__}: {exc}", unanswered=silent) from exc


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes
    retry_s: float | None


def _message(data: bytes) -> Down | None:
    try:
        return commands.parse(data)
    except TextFault as exc:
        log.warning("message_not_understood", reason=str(exc))
        return None


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
