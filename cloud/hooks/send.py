"""One try: a request to an address that was checked, and what came back. Every failure is a value; nothing is raised."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from cloud.hooks.reach import OutOfReach, Reach
from sync_protocol.wiretext import clean

TIMEOUT_S = 15.0
"""From the first byte to the last, connecting included: receivers are meant to take a message and work later."""

CONNECT_S = 5.0

MAX_ANSWER = 500
"""Bytes of an answer that are read and kept: enough for an error's message."""

GONE = 410
"""RFC 9110, 15.5.11; the webhook specification: the receiver wants no more of them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` None: no answer came, and `text` says why. `ms`: how long it took."""

    code: int | None
    text: str
    ms: int

    @property
    def ok(self) -> bool:
        return self.code is not None and 200 <= self.code < 300


class Sender:
    """Sends over one client; used as `async with`. It follows no redirects, no proxy of the environment and no cookies."""

    def __init__(self, reach: Reach, *, timeout_s: float = TIMEOUT_S) -> None:
        self._reach = reach
        self._timeout_s = timeout_s
        limits = httpx.Limits(max_keepalive_connections=16, keepalive_expiry=5.0)
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(), trust_env=False, follow_redirects=False, limits=limits, timeout=timeout
        )

    async def __aenter__(self) -> "Sender":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._client.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send once and say what came of it."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with asyncio.timeout(self._timeout_s):
                code, text = await self._post(httpx.URL(url), headers, body)
        except TimeoutError:
            code, text = None, "timeout"
        except OutOfReach as exc:
            code, text = None, exc.code
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as exc:
            code, text = None, _reason(exc)
        return Answer(code, clean(text, MAX_ANSWER), round((loop.time() - begun) * 1000))

    async def _post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._reach.addresses(url.host, port)
        for address in addresses[:-1]:
            try:
                return await self._connect(url, address, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._connect(url, addresses[-1], headers, body)

    async def _connect(self, url: httpx.URL, address: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        # The certificate is checked against the name, whichever address of it is gone to.
        given = {**headers, "Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"}
        extensions = {"sni_hostname": url.host}
        pinned = url.copy_with(host=address)
        self._client.cookies.clear()
        async with self._client.stream("POST", pinned, content=body, headers=given, extensions=extensions) as response:
            read = b""
            async for chunk in response.aiter_raw(MAX_ANSWER):
                read += chunk
                if len(read) >= MAX_ANSWER:
                    break
            return response.status_code, read[:MAX_ANSWER].decode("utf-8", errors="replace")


def _reason(exc: Exception) -> str:
    if isinstance(exc, httpx.TimeoutException):
        return "timeout"
    return f"{type(exc).__name__}: {exc}"[:MAX_ANSWER]
