"""Signing in at the firm's own provider: OpenID Connect Core 1.0, code flow with PKCE (RFC 7636), state and nonce."""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cloud.errors import SettingsFault, SignInRefused

TIMEOUT_S = 10.0
MAX_ANSWER = 1 << 20
"""Bytes of a provider's answer: a large firm's key set is some tens of kilobytes."""

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Only public keys sign: never `none`, and no HMAC, which would take a published key for a secret (RFC 8725, 2.1, 3.1)."""

LEEWAY_S = 60
"""How far the provider's clock may be off ours."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Provider:
    """Where people sign in. Raises SettingsFault for an issuer without TLS, but for one on this machine."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    """Empty for a public client, which PKCE alone protects."""

    def __post_init__(self) -> None:
        if not _safe(self.issuer) or not self.client_id:
            raise SettingsFault("oidc_issuer: an https address and a client id are needed")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in on its way: where to send the browser, and what to remember until it comes back."""

    url: str
    state: str
    kept: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Claimed:
    """What the provider says, checked: who this is there, a mail address if it was verified, and when they last proved it."""

    issuer: str
    subject: str
    mail: str | None
    proved_at: int | None


async def begin(provider: Provider, callback: str, *, again: bool = False) -> Begun:
    """Start a sign-in; with `again` the person has to show there anew who they are. Raises SignInRefused `provider_away`."""
    async with _client() as client:
        found = await _discovered(client, provider)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": callback,
        "scope": "openid email profile",
        "state": state,
        "nonce": nonce,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
        **({"prompt": "login", "max_age": "0"} if again else {}),
    }
    target = found["authorization_endpoint"]
    url = f"{target}{'&' if urlsplit(target).query else '?'}{urlencode(asked)}"
    return Begun(url, state, {"nonce": nonce, "verifier": verifier, "callback": callback})


async def finish(provider: Provider, kept: Mapping[str, str], answer: Mapping[str, str], now: datetime) -> Claimed:
    """What the provider says of who came back. Raises SignInRefused `provider_refused` where it said no, `provider_away`, or
    `provider_wrong` for an answer that does not prove what it says."""
    if "error" in answer or not answer.get("code"):
        raise SignInRefused("provider_refused")
    if answer.get("iss", provider.issuer) != provider.issuer:
        # The answer of one provider must not be taken to another (RFC 9207, 2.4).
        raise SignInRefused("provider_wrong")
    async with _client() as client:
        found = await _discovered(client, provider)
        tokens = await _tokens(client, provider, found["token_endpoint"], kept, answer["code"])
        keys = await _json(client, found["jwks_uri"])
    return _claims(provider, tokens, keys, kept["nonce"], now)


def _claims(provider: Provider, tokens: Mapping[str, Any], keys: Mapping[str, Any], nonce: str, now: datetime) -> Claimed:
    try:
        token = jwt.decode(str(tokens.get("id_token", "")), KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
        options = {
            "iss": {"essential": True, "value": provider.issuer},
            "aud": {"essential": True, "value": provider.client_id},
        }
        params = {"client_id": provider.client_id, "access_token": tokens.get("access_token"), "nonce": nonce}
        claims = CodeIDToken(token.claims, token.header, options, params)
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_S)
    except (JoseError, ValueError, KeyError, TypeError) as exc:
        raise SignInRefused("provider_wrong") from exc
    subject, mail, proved = claims["sub"], claims.get("email"), claims.get("auth_time")
    if (
        not isinstance(subject, str)
        or not subject
        or not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode())
    ):
        raise SignInRefused("provider_wrong")
    verified = claims.get("email_verified") is True and isinstance(mail, str)
    return Claimed(provider.issuer, subject, mail.strip().lower() if verified else None, int(proved) if proved else None)


def _client() -> httpx.AsyncClient:
    # No environment: a proxy setting of the machine must not see codes and secrets. No redirects: addresses are as announced.
    return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)


async def _discovered(client: httpx.AsyncClient, provider: Provider) -> Mapping[str, str]:
    """The provider's addresses (OpenID Connect Discovery 1.0, 4): asked anew each time, so that a changed key is no outage."""
    found = await _json(client, f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if found.get("issuer") != provider.issuer or not all(_safe(found.get(name)) for name in wanted):
        raise SignInRefused("provider_wrong")
    return {name: found[name] for name in wanted}


async def _tokens(
    client: httpx.AsyncClient, provider: Provider, endpoint: str, kept: Mapping[str, str], code: str
) -> Mapping[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": kept["callback"],
        "code_verifier": kept["verifier"],
        "client_id": provider.client_id,
    }
    # Both halves are form-encoded before they are joined (RFC 6749, 2.3.1).
    secret = (quote(provider.client_id, safe=""), quote(provider.client_secret, safe=""))
    return await _json(client, endpoint, form=form, auth=httpx.BasicAuth(*secret) if provider.client_secret else None)


async def _json(
    client: httpx.AsyncClient, url: str, *, form: Mapping[str, str] | None = None, auth: httpx.BasicAuth | None = None
) -> Mapping[str, Any]:
    data = bytearray()
    try:
        request = client.build_request(
            "GET" if form is None else "POST", url, data=form, headers={"accept": "application/json"}
        )
        response = await client.send(request, auth=auth, stream=True)
        try:
            async for part in response.aiter_bytes():
                data += part
                if len(data) > MAX_ANSWER:
                    raise SignInRefused("provider_wrong")
        finally:
            await response.aclose()
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise SignInRefused("provider_away") from exc
    if response.status_code != httpx.codes.OK:
        raise SignInRefused("provider_away" if response.status_code >= 500 else "provider_refused")
    try:
        found = json.loads(bytes(data))
    except ValueError as exc:
        raise SignInRefused("provider_wrong") from exc
    if not isinstance(found, dict):
        raise SignInRefused("provider_wrong")
    return found


def _safe(url: object) -> bool:
    parts = urlsplit(url) if isinstance(url, str) else None
    return parts is not None and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK))
