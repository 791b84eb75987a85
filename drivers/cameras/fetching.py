"""HTTP as cameras need it: Digest or Basic sign-in, bounded answers, redirects within the same camera only.

The client's transport is used directly: the client itself writes every address into a log, and some hold a password.
"""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

from drivers.api import DeviceRefused, LinkLost, NoAnswer, WireFault
from drivers.cameras.api import Surroundings
from drivers.cameras.login import HttpSettings, filled, password, public, trust
from drivers.cameras.pictures import MAX_PICTURE

MAX_REFUSAL = 64 * 1024
"""Bytes read of an answer that asks to sign in, so that the connection can be used again; longer ones are cut off."""

MAX_REDIRECTS = 3
"""A camera sends from http to https, or from / to its page; more is a circle."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})

HEADERS = {"accept": "image/jpeg, image/png, multipart/x-mixed-replace, */*;q=0.1", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer and its body as it comes."""

    address: str
    content_type: str
    body: AsyncIterator[bytes]

    async def whole(self, cap: int = MAX_PICTURE) -> bytes:
        """The body. Raises WireFault above `cap`."""
        found = bytearray()
        async for piece in self.body:
            found += piece
            if len(found) > cap:
                raise WireFault(f"an answer of more than {cap} bytes")
        return bytes(found)


class Fetcher:
    """One sign-in to one camera, for the time of one picture: `async with Fetcher.of(settings, surroundings) as fetch`."""

    def __init__(self, transport: httpx.AsyncBaseTransport, auth: httpx.Auth | None, fill: Callable[[str], str]) -> None:
        self._transport = transport
        self._auth = auth
        self._fill = fill

    @classmethod
    def of(cls, settings: HttpSettings, surroundings: Surroundings) -> Self:
        """Raises SettingsFault for a password or certificate that is not there."""
        secret = password(settings, surroundings.environ)
        kind = httpx.BasicAuth if settings.auth == "basic" else httpx.DigestAuth
        auth = kind(settings.user, secret) if settings.user else None
        # Reading the system's authorities takes 20 ms, which a camera without https need not wait for.
        context = trust(settings) if settings.address.startswith("https") or settings.certificate_file else False
        transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False, retries=0)
        return cls(transport, auth, lambda address: filled(address, settings.user, secret))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(httpx.HTTPError):
            await self._transport.aclose()

    @contextlib.asynccontextmanager
    async def get(self, address: str) -> AsyncGenerator[Answer, None]:
        """The answer to a GET, sent on within the same host. Raises LinkLost, NoAnswer, DeviceRefused or WireFault."""
        at = address
        for _ in range(MAX_REDIRECTS + 1):
            async with self._exchange(_request("GET", self._fill(at), HEADERS)) as response:
                if response.status_code not in REDIRECTS:
                    yield self._answer(response, at)
                    return
                at = self._sent_on(at, response)
        raise WireFault(f"{public(address)} sends on in a circle")

    async def post(self, address: str, body: bytes, *, content_type: str, cap: int) -> tuple[int, bytes]:
        """Status and body of the answer to a POST; it is not sent on. Raises as `get`, and not for 400 or 500."""
        headers = HEADERS | {"content-type": content_type}
        async with self._exchange(_request("POST", self._fill(address), headers, body)) as response:
            if response.status_code in {400, 500}:  # SOAP tells its faults so (SOAP 1.2 part 2, 7.5.1.2)
                return response.status_code, await Answer(address, "", response.aiter_raw()).whole(cap)
            return response.status_code, await self._answer(response, address).whole(cap)

    def _sent_on(self, address: str, response: httpx.Response) -> str:
        try:
            there = urljoin(self._fill(address), response.headers.get("location", ""))
            before, after = urlsplit(self._fill(address)), urlsplit(there)
        except ValueError:
            raise WireFault(f"{public(address)} sends on to what is no address") from None
        if after.hostname != before.hostname or after.scheme not in {before.scheme, "https"}:
            # Whoever stands there would be handed the sign-in.
            raise DeviceRefused(f"{public(address)} sends on to another host", code="redirect")
        return str(there)

    def _answer(self, response: httpx.Response, address: str) -> Answer:
        status = response.status_code
        if status != httpx.codes.OK:
            meaning = "sign-in refused" if status in {401, 403} else "refused"
            raise DeviceRefused(f"{public(address)}: {meaning}, HTTP {status}", code=str(status))
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            # A packed answer of a kilobyte can unpack to a gigabyte, and pictures are packed already.
            raise WireFault(f"{public(address)}: the answer is packed, which was not asked for")
        return Answer(address, response.headers.get("content-type", ""), response.aiter_raw())

    @contextlib.asynccontextmanager
    async def _exchange(self, request: httpx.Request) -> AsyncGenerator[httpx.Response, None]:
        where = public(str(request.url))
        try:
            response = await self._signed(request)
            try:
                yield response
            finally:
                await response.aclose()
        except httpx.TimeoutException:
            raise NoAnswer(f"{where}: no answer in time") from None
        except (httpx.TransportError, httpx.StreamError, httpx.InvalidURL) as exc:
            raise LinkLost(f"{where}: {type(exc).__name__}") from None

    async def _signed(self, request: httpx.Request) -> httpx.Response:
        if self._auth is None:
            return await self._send(request)
        flow = self._auth.auth_flow(request)
        response = await self._send(next(flow))
        while True:
            try:
                following = flow.send(response)
            except StopIteration:
                return response
            except (KeyError, ValueError, NotImplementedError):
                # What the client makes of an algorithm that it does not have, or of a challenge that is none.
                raise DeviceRefused("the camera asks to sign in in a way that is not known", code="401") from None
            finally:
                if response.status_code == httpx.codes.UNAUTHORIZED:
                    await _spend(response)
            response = await self._send(following)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        response.request = request
        return response


def _request(method: str, address: str, headers: Mapping[str, str], content: bytes | None = None) -> httpx.Request:
    """Raises WireFault for an address that nothing can be asked at; only a camera names one, ours are checked before."""
    try:
        # The port is looked at here because `public` reads it: httpx would take some that are none.
        _ = urlsplit(address).port
        return httpx.Request(method, address, headers=headers, content=content)
    except (httpx.InvalidURL, ValueError):
        raise WireFault("the camera names an address that is none") from None


async def _spend(response: httpx.Response) -> None:
    """Read what is left of an answer that nobody wants, as far as it is short, and close it."""
    read = 0
    async for piece in response.aiter_raw():
        read += len(piece)
        if read > MAX_REFUSAL:
            break
    await response.aclose()
