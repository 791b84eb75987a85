"""The HTTPS binding: a frame up, a patch down, over mutual TLS with one kept-alive connection."""

import ssl
from dataclasses import dataclass

import httpx

from sync_protocol import answers, mirror, routes
from sync_protocol.answers import Answer
from sync_protocol.errors import PatchFault, TextFault
from sync_protocol.mirror import Patch

TIMEOUT_S = 20.0
"""A full frame over a slow mobile link takes seconds; proxies cut idle connections at thirty."""

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

    @classmethod
    def at(cls, url: str, tls: ssl.SSLContext) -> "Cloud":
        """Not connected yet; close it with `aclose`."""
        limits = httpx.Limits(max_connections=2, max_keepalive_connections=2)
        return cls(httpx.AsyncClient(base_url=url, verify=tls, timeout=TIMEOUT_S, limits=limits, trust_env=False))

    async def post(self, frame: bytes) -> Answer:
        """Send one frame; the cloud's answer."""
        response = await self._ask("POST", routes.BATCHES, content=frame, headers={"content-type": routes.FRAME_TYPE})
        try:
            return answers.parse(response.content)
        except TextFault as exc:
            raise CloudAway(f"HTTP {response.status_code} without an answer", _retry_after(response)) from exc

    async def pull(self, scope: str, cookie: str) -> Patch:
        """The patch of a station since `cookie`."""
        response = await self._ask("GET", routes.down(scope), params={"cookie": cookie})
        if response.status_code != httpx.codes.OK:
            raise CloudAway(f"HTTP {response.status_code} for the mirror", _retry_after(response))
        try:
            return mirror.parse(response.content)
        except PatchFault as exc:
            raise CloudAway(str(exc)) from exc

    async def aclose(self) -> None:
        await self.client.aclose()

    async def _ask(self, method: str, path: str, **more: object) -> httpx.Response:
        try:
            response = await self.client.request(method, path, **more)  # type: ignore[arg-type]
        except (httpx.HTTPError, ssl.SSLError, OSError) as exc:
            raise CloudAway(f"{type(exc).__name__}: {exc}") from exc
        if len(response.content) > MAX_ANSWER:
            raise CloudAway(f"an answer of {len(response.content)} bytes")
        return response


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() else None
