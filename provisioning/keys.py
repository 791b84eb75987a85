"""P-256 keys and certificates as files: made, read, checked, named. Nothing else than P-256 is accepted anywhere."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.errors import FileFault
from provisioning.files import read
from sync_protocol import signing


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key from the operating system's randomness."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8 PEM without a passphrase: a box starts with nobody there to type one."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in `path`; raises NotThere, or FileFault when it is open to others or no P-256 key."""
    try:
        key = serialization.load_pem_private_key(read(path, private=True), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise FileFault(path, "not a private key in PEM without a passphrase") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_p256(key.public_key()):
        raise FileFault(path, "not a P-256 key")
    return key


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate in `path`; raises NotThere or FileFault."""
    try:
        certificate = x509.load_pem_x509_certificate(read(path))
        key = certificate.public_key()
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm) as exc:
        raise FileFault(path, "not a certificate in PEM") from exc
    if not is_p256(key):
        raise FileFault(path, "a certificate of a key that is not P-256")
    return certificate


def is_p256(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def spki(holder: ec.EllipticCurvePrivateKey | x509.Certificate) -> bytes:
    """SubjectPublicKeyInfo in DER: what tells whether a key and a certificate belong together."""
    return holder.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(holder: ec.EllipticCurvePrivateKey | x509.Certificate) -> bytes:
    """The first 16 bytes of SHA-256 over the SubjectPublicKeyInfo: the name of a key in frames and logs."""
    return signing.key_id(spki(holder))
