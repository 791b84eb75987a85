"""The box's own side: its key, its certificate and the root that it trusts, as files in one private directory."""

import ssl
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from provisioning.ca import issued_by
from provisioning.errors import AlreadyThere, FileFault, NotThere, TrustFault
from provisioning.files import locked, private_directory, write_new, write_over
from provisioning.keys import certificate_pem, key_id, key_pem, new_key, read_certificate, read_key, spki
from provisioning.tls import client_ssl_context
from sync_protocol.errors import TextFault
from sync_protocol.ids import BoxId
from sync_protocol.ids import box_id as checked_box_id
from sync_protocol.signing import signer

KEY = "box.key"
CERTIFICATE = "box.crt"
CA = "ca.crt"
NEXT_KEY = "next.key"
NEXT_CERTIFICATE = "next.crt"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the box is. Holds the private key in memory; `repr` does not show it."""

    directory: Path
    box_id: BoxId
    tenant: str
    certificate: x509.Certificate = field(repr=False)
    ca: x509.Certificate = field(repr=False)
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate_path: Path = field(repr=False)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """What the directory holds. Raises NotThere before enrolment, FileFault or TrustFault when files do not fit together.

        Dates are not checked: a box with a wrong clock is still itself, and the handshake judges the time.
        """
        with locked(directory, shared=True):
            key = read_key(directory / KEY)
            ca = read_certificate(directory / CA)
            path = certificate_path(directory, key)
            certificate = read_certificate(path)
        if not issued_by(certificate, ca):
            raise TrustFault(f"{path} is not from the authority in {CA}")
        box, tenant = names_in(certificate, path)
        return cls(directory, box, tenant, certificate, ca, key, path)

    @property
    def key_id(self) -> bytes:
        """16 bytes: how frames name this box's key."""
        return key_id(self.key)

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo in DER: how a box's key is registered."""
        return spki(self.certificate)

    def sign(self, data: bytes) -> bytes:
        """An ES256 signature over `data`, in DER (RFC 3279, 2.2.3)."""
        return signer(self.key)(data)

    def client_ssl_context(self) -> ssl.SSLContext:
        """For connections to the cloud: our root only, host name checked, our certificate shown.

        Raises FileFault when the box was given another key since `load`: frames and handshake would name different keys.
        """
        if spki(read_key(self.directory / KEY)) != spki(self.key):
            raise FileFault(self.directory / KEY, "the key has been replaced: load the identity again")
        return client_ssl_context(ca=self.directory / CA, certificate=self.certificate_path, key=self.directory / KEY)

    def renewal_due(self, now: datetime) -> bool:
        """Whether two thirds of the certificate's life have passed."""
        start, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        return now >= start + (end - start) * 2 / 3


def make_key(directory: Path, name: str = KEY) -> ec.EllipticCurvePrivateKey:
    """The box's P-256 key: the one that is there, else a new one (0600, synced). Never replaces a key."""
    private_directory(directory)
    path = directory / name
    if not path.exists():
        try:
            write_new(path, key_pem(new_key()))
        except AlreadyThere:  # another process was first; its key counts
            return read_key(path)
    return read_key(path)


def make_csr(key: ec.EllipticCurvePrivateKey) -> x509.CertificateSigningRequest:
    """A request that proves possession of `key` and names nobody: the authority knows whom it is talking to."""
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())


def write_certificates(directory: Path, certificate: x509.Certificate, ca: x509.Certificate) -> None:
    """Put the root and then the certificate in place, each whole; refused when the certificate is not for this box's key."""
    if spki(certificate) != spki(read_key(directory / KEY)):
        raise TrustFault(f"the certificate is for another key than {KEY}")
    if not issued_by(certificate, ca):
        raise TrustFault("the certificate is not from the authority that came with it")
    write_over(directory / CA, certificate_pem(ca))
    write_over(directory / CERTIFICATE, certificate_pem(certificate))


def certificate_path(directory: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    """Where the certificate of `key` lies: `box.crt`, or `next.crt` when a switch of keys was cut off between two renames."""
    for path in (directory / CERTIFICATE, directory / NEXT_CERTIFICATE):
        if path.exists() and spki(read_certificate(path)) == spki(key):
            return path
    if not (directory / CERTIFICATE).exists():
        raise NotThere(directory / CERTIFICATE)
    raise FileFault(directory / CERTIFICATE, f"the certificate is for another key than {KEY}: enrol again")


def names_in(certificate: x509.Certificate, path: Path) -> tuple[BoxId, str]:
    """Box and tenant of a box certificate (common name, `urn:box:<tenant>:<box>`); raises FileFault when it is not one."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        box = checked_box_id(str(common[0].value))
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        urn = alternative.get_values_for_type(x509.UniformResourceIdentifier)[0].split(":")
    except (IndexError, TextFault, x509.ExtensionNotFound, ValueError) as exc:
        raise FileFault(path, "not the certificate of a box") from exc
    if len(urn) != 4 or urn[:2] != ["urn", "box"] or urn[3] != box:
        raise FileFault(path, "its names do not agree with each other")
    return box, urn[2]
