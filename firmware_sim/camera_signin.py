"""The camera's side of HTTP sign-in: Basic, and Digest with MD5 or SHA-256 (RFC 7616, 3.3 to 3.5)."""

import base64
import hashlib
import hmac
from urllib.request import parse_http_list, parse_keqv_list

from firmware_sim.camera import CameraOptions

REALM = "camera"
_HASHES = {"digest": ("MD5", hashlib.md5), "digest-sha256": ("SHA-256", hashlib.sha256)}


class SignIn:
    """Judges requests. A nonce is good until the camera restarts."""

    def __init__(self, options: CameraOptions, nonce: str) -> None:
        self._options = options
        self._nonce = nonce

    def challenge(self) -> str:
        """`WWW-Authenticate`."""
        if self._options.auth == "basic":
            return f'Basic realm="{REALM}"'
        algorithm, _ = _HASHES[self._options.auth]
        return f'Digest realm="{REALM}", qop="auth", algorithm={algorithm}, nonce="{self._nonce}", opaque="5ccc"'

    def lets_in(self, method: str, target: str, authorization: str) -> bool:
        """Whether the request may pass; a camera without a user lets everybody in."""
        if not self._options.user:
            return True
        scheme, _, rest = authorization.partition(" ")
        if self._options.auth == "basic":
            wanted = base64.b64encode(f"{self._options.user}:{self._options.password}".encode()).decode()
            return scheme.lower() == "basic" and hmac.compare_digest(rest.strip(), wanted)
        return scheme.lower() == "digest" and self._digest_fits(method, target, rest)

    def _digest_fits(self, method: str, target: str, rest: str) -> bool:
        try:
            said = parse_keqv_list(parse_http_list(rest))
        except (ValueError, IndexError):
            return False
        _, make = _HASHES[self._options.auth]

        def digest(*parts: str) -> str:
            return make(":".join(parts).encode()).hexdigest()

        secret = digest(self._options.user, REALM, self._options.password)
        middle = (said.get("nc", ""), said.get("cnonce", ""), said.get("qop", ""))
        wanted = digest(secret, self._nonce, *middle, digest(method, target))
        known = said.get("username") == self._options.user and said.get("nonce") == self._nonce and said.get("uri") == target
        return known and said.get("qop") == "auth" and hmac.compare_digest(said.get("response", ""), wanted)
