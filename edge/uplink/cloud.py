"""The HTTPS binding: a frame up, a patch down, over mutual TLS with one kept-alive connection."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from sync_protocol import answers, mirror, routes
from sync_protocol.answers import Answer
from sync_protocol.errors import PatchFault, TextFault
from sync_protocol.mirror import Patch

TIMEOUT_S = 20.0
"""Of silence. A full frame over a slow mobile link takes seconds; proxies cut idle connections at thirty."""

DEADLINE_S = 120.0
"""Of a whole exchange: a frame at 20 kbit/s. Without it a peer that trickles a byte now and then would hold the uplink."""

MAX_ANSWER = 4 * 1024 * 1024
"""A full patch page of a thousand rows is some hundred kilobytes; more than this comes from no cloud of ours."""


class CloudAway(Exception):
    """The cloud could not be reached or did not answer as the cloud does; `retry_s` when it asked to wait."""

    def __init__(self, reason: str, retry_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_s = retry_s


@dataclass(slots=True)
class Cloud:
    """One cloud, spoken to as this box. Methods raise CloudAway and nothing else."""

    client: httpx.AsyncClient
    deadline_s: float = DEADLINE_S

    @classmethod
    def at(cls, url: str, tls: ssl.SSLContext, *, timeout_s: float = TIMEOUT_S, deadline_s: float = DEADLINE_S) -> "Cloud":
        """Not connected yet; close it with `aclose`."""
        limits = httpx.Limits(max_connections=2, max_keepalive_connections=2)
        # Compressed answers would make the cap on their size a cap on nothing.
        headers = {"accept-encoding": "identity"}
        client = httpx.AsyncClient(base_url=url, verify=tls, timeout=timeout_s, limits=limits, headers=headers, trust_env=False)
        return cls(client, deadline_s)

    async def post(self, frame: bytes) -> Answer:
        """Send one frame; the cloud's answer."""
        response = await self._ask("POST", routes.BATCHES, content=frame, headers={"content-type": routes.FRAME_TYPE})
        try:
            return answers.parse(response.body)
        except TextFault as exc:
            raise CloudAway(f"HTTP {response.status} without an answer", response.retry_s) from exc

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
            raise CloudAway(f"no whole answer in {self.deadline_s:g} s") from exc
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as exc:
            raise CloudAway(f"{type(exc).__name__}: {exc}") from exc


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes
    retry_s: float | None


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
