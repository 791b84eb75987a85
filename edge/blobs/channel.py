"""tus 1.0.0 over the HTTPS way to the cloud: one request of an upload becomes one event."""

import asyncio
import ssl
from typing import Protocol

import httpx

from sync_protocol.blobs import (
    PIECE_TYPE,
    STORED,
    TUS_VERSION,
    At,
    Create,
    Created,
    Event,
    Gone,
    Lost,
    NotTaken,
    Piece,
    Request,
    Upload,
    WrongHash,
    metadata,
)
from sync_protocol.routes import BLOBS

DEADLINE_S = 150.0
"""Of one request: a piece at 20 kbit/s takes 105 s."""

NEVER = frozenset({400, 413, 415, 422})
"""What asking again would not help."""

MAX_WORD = 4096
"""Bytes read of a refusal; it is a line of JSON."""


class Channel(Protocol):
    """A way to the cloud for files."""

    async def ask(self, upload: Upload, request: Request, data: bytes) -> tuple[Event, float | None]:
        """The cloud's answer, and how long it asks to wait. Never raises for what the line or the cloud does."""
        ...


class TusChannel:
    """Uses the connections of the box's HTTPS client, which authenticates both sides."""

    def __init__(self, client: httpx.AsyncClient, *, deadline_s: float = DEADLINE_S) -> None:
        self._client = client
        self._deadline_s = deadline_s

    async def ask(self, upload: Upload, request: Request, data: bytes) -> tuple[Event, float | None]:
        """As Channel."""
        method, path, headers = _line(upload, request)
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._client.stream(method, path, content=data, headers={"Tus-Resumable": TUS_VERSION} | headers) as response,
            ):
                word = await _word(response)
                return _event(request, response, word), _retry_after(response)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError):
            return Lost(), None


def _line(upload: Upload, request: Request) -> tuple[str, str, dict[str, str]]:
    match request:
        case Create():
            return "POST", BLOBS, {"Upload-Length": str(upload.size), "Upload-Metadata": metadata(upload.sha256)}
        case Piece(url, offset):
            return "PATCH", url, {"Upload-Offset": str(offset), "Content-Type": PIECE_TYPE}
        case ask:
            return "HEAD", ask.url, {}


def _event(request: Request, response: httpx.Response, word: str) -> Event:
    status = response.status_code
    stored = response.headers.get(STORED)
    offset = _number(response.headers.get("upload-offset", ""))
    if status == 201 and isinstance(request, Create):
        url = response.headers.get("location", "")
        # An address elsewhere would carry files, and the box's certificate, to whoever answers there.
        return Created(url, offset or 0, stored) if url.startswith(f"{BLOBS}/") else Lost()
    if status in {200, 204} and not isinstance(request, Create):
        return At(offset, stored) if offset is not None else Lost()
    if status in {404, 410} and not isinstance(request, Create):
        return Gone()
    if status == 460:
        return WrongHash()
    return NotTaken(word) if status in NEVER else Lost()


async def _word(response: httpx.Response) -> str:
    """The code of a problem document, else the status."""
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_WORD:
            break
    try:
        found = httpx.Response(200, content=bytes(body[:MAX_WORD])).json()
    except ValueError:
        found = None
    code = found.get("code") if isinstance(found, dict) else None
    return code[:40] if isinstance(code, str) else f"http_{response.status_code}"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
