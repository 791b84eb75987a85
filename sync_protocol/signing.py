"""ES256 (ECDSA on P-256 with SHA-256, RFC 7518 3.4) as the frame wants it: DER signatures and 16-byte key ids."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from sync_protocol.errors import SignatureFault, TextFault
from sync_protocol.frame import KEY_ID_BYTES, Sign, Verify

_ES256 = ec.ECDSA(hashes.SHA256())


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    """SubjectPublicKeyInfo, DER: how a box's key is registered and exported."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(spki_der: bytes) -> bytes:
    """First 16 bytes of SHA-256 over the SubjectPublicKeyInfo."""
    return hashlib.sha256(spki_der).digest()[:KEY_ID_BYTES]


def signer(key: ec.EllipticCurvePrivateKey) -> Sign:
    """A function that signs with this key."""
    return lambda message: key.sign(message, _ES256)


def verifier(spki_der: bytes) -> Verify:
    """A function that checks signatures of this key; raises TextFault when the bytes are no P-256 key."""
    try:
        key = load_der_public_key(spki_der)
    except ValueError as exc:
        raise TextFault("not a SubjectPublicKeyInfo") from exc
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise TextFault("boxes sign with P-256 keys only")

    def verify(signature: bytes, message: bytes) -> None:
        try:
            key.verify(signature, message, _ES256)
        except InvalidSignature as exc:
            raise SignatureFault("the signature does not match the bytes") from exc

    return verify
