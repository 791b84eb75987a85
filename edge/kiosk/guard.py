"""What every request must pass before a route sees it, and the headers every answer carries."""

from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.kiosk.photos import MAX_PHOTO

MAX_BODY: Final = 16 * 1024
"""Bytes of a request body: the longest form holds a few typed words."""

MAX_PHOTO_BODY: Final = MAX_PHOTO + MAX_BODY
"""Bytes of a form that carries one picture; only addresses that end in PHOTO take one."""
PHOTO: Final = "/photo"

# Pages carry data blocks but no inline script or style; everything comes from the box itself.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Refuses foreign host names, cross-site posts and large bodies; sets security headers."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        most = MAX_PHOTO_BODY if scope["path"].endswith(PHOTO) else MAX_BODY
        refusal = self._refusal(scope["method"], Headers(scope=scope), most)
        if refusal is None:
            await self._app(scope, receive, with_headers)
            return
        status, code = refusal
        await JSONResponse({"code": code, "title": code.replace("_", " "), "values": {}}, status)(scope, receive, with_headers)

    def _refusal(self, method: str, headers: Headers, most: int) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if _name_of(host) not in self._hosts:
            return 421, "wrong_host"
        if method in {"GET", "HEAD"}:
            return None
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return 403, "cross_site"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return 403, "cross_site"
        length = headers.get("content-length", "")
        # Without a length the body could go on for ever; no browser sends a form that way.
        if not length.isdigit() or int(length) > most:
            return 413, "too_large"
        return None


def _name_of(host: str) -> str:
    return host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
