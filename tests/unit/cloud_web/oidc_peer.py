"""A small OpenID provider on a free port of 127.0.0.1: real keys, PKCE, client secret; told by the test how to lie."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.integration.conftest import TurnedClock

CLIENT, SECRET = "tallybox", "s3cret/with+signs"
Twist = Callable[[dict[str, Any]], None]


class Peer:
    """`person` is who signs in there; `twist` changes the claims before they are signed."""

    def __init__(self, clock: TurnedClock) -> None:
        self.clock = clock
        self.issuer = ""
        self.person: dict[str, Any] = {"sub": "u-1", "email": "Noa@Galil.example", "email_verified": True}
        self.twist: Twist = lambda _: None
        self.discovery: dict[str, Any] = {}
        self.forge: Callable[[dict[str, Any]], str] | None = None
        self.key = RSAKey.generate_key(2048, {"kid": "a"}, private=True)
        self.signs_with: Any = self.key
        self.refuses = False
        self.status = 200
        self._codes: dict[str, dict[str, str]] = {}
        self.asked: list[dict[str, str]] = []

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    async def _configuration(self, _: Request) -> Response:
        known = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }
        return JSONResponse({**known, **self.discovery}, self.status)

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        back = asked["redirect_uri"]
        if self.refuses:
            return RedirectResponse(f"{back}?{urlencode({'error': 'access_denied', 'state': asked['state']})}", 302)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{back}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}", 302)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self._codes.pop(form.get("code", ""), None)
        made = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        expected = "Basic " + base64.b64encode(f"{CLIENT}:s3cret%2Fwith%2Bsigns".encode()).decode()
        if (
            asked is None
            or asked["code_challenge"] != made
            or form["redirect_uri"] != asked["redirect_uri"]
            or request.headers.get("authorization") != expected
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(self.clock.now.timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.person}
        self.twist(claims)
        token = self.forge(claims) if self.forge else jwt.encode({"alg": "RS256", "kid": "a"}, claims, self.signs_with)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})

    async def _jwks(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


def public_key_as_secret(peer: Peer) -> Callable[[dict[str, Any]], str]:
    """What an attacker without any key has: the published one, used as if it were a shared secret."""

    def sign(claims: dict[str, Any]) -> str:
        parts = [json.dumps(each).encode() for each in ({"alg": "HS256", "kid": "a"}, claims)]
        signed = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        mark = hmac.new(peer.key.as_pem(private=False), signed.encode(), "sha256").digest()
        return f"{signed}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"

    return sign


@asynccontextmanager
async def peer_running(clock: TurnedClock) -> AsyncIterator[Peer]:
    peer = Peer(clock)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer.issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(peer.app(), log_level="error", timeout_graceful_shutdown=2))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn gives no event for it
            await asyncio.sleep(0.01)
        try:
            yield peer
        finally:
            server.should_exit = True
            await serving
