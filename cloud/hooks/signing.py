"""Secrets and signatures as the Standard Webhooks specification 1.0 has them, so that receivers can use a library for it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification asks for 24 to 64."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def new_secret(draw: Callable[[int], bytes]) -> str:
    """A secret as receivers are given it; `draw` gives that many random bytes."""
    return PREFIX + base64.b64encode(draw(SECRET_BYTES)).decode()


def headers(secrets: Sequence[str], *, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one try. With several secrets each signs, and a receiver needs to know one of them."""
    content = f"{message}.{timestamp}.".encode() + body
    signatures = (hmac.new(_key(secret), content, hashlib.sha256).digest() for secret in secrets)
    signed = " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in signatures)
    return {ID: message, TIMESTAMP: str(timestamp), SIGNATURE: signed}


def _key(secret: str) -> bytes:
    text = secret.removeprefix(PREFIX)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        # Somebody wrote it into the table by hand: sign with what is there rather than not at all.
        return text.encode()
