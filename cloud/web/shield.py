"""What stands before every route: the names we answer to, a cap on bodies, and the headers that bind the browser."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.web.errors import TooLarge

MAX_BODY = 64 * 1024
"""The largest form is a reason of 256 characters; this leaves room for every encoding of it and keeps floods out of memory."""

MAX_FORM = 2 * 1024 * 1024
"""Forms of records and definitions: 200,000 characters, each six bytes in a form's encoding, and what is around them."""

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
TRANSPORT = "max-age=31536000"


class Shield:
    """ASGI middleware; wraps the whole application, so that errors and files get the headers too. Bodies of routes below one of
    `capped_itself` are theirs to count; `larger` says of the beginnings of other paths how many bytes they take."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str],
        capped_itself: tuple[str, ...] = (),
        larger: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._capped_itself = capped_itself
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        dressed = _dressed(send, https=scope["scheme"] == "https")
        cap = next((size for path, size in self._larger.items() if scope["path"].startswith(path)), MAX_BODY)
        if host_name(headers.get("host", "")) not in self._hosts:
            await _plain(dressed, 421, b"unknown host\n")
        elif scope["path"].startswith(self._capped_itself):
            await self._app(scope, receive, dressed)
        elif _announced(headers, cap) > cap:
            await _plain(dressed, 413, b"too large\n")
        else:
            await self._app(scope, _capped(receive, cap), dressed)


def host_name(host: str) -> str:
    """The name in a Host header, lower case, without port; IPv6 keeps its brackets."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


def _announced(headers: Headers, cap: int) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else cap + 1


def _capped(receive: Receive, cap: int) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > cap:
            raise TooLarge
        return message

    return bounded


def _dressed(send: Send, *, https: bool) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
            if https:
                headers["Strict-Transport-Security"] = TRANSPORT
        await send(message)

    return dressed


async def _plain(send: Send, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain; charset=utf-8")]})
    await send({"type": "http.response.body", "body": body})
