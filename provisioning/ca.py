"""The local certificate authority: one self-signed P-256 root for boxes and servers. Who may ask is not decided here."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provisioning.errors import AlreadyThere, FileFault, RequestFault, TrustFault
from provisioning.files import PUBLIC, locked, private_directory, sweep, write_new
from provisioning.keys import certificate_pem, is_p256, key_pem, new_key, read_certificate, read_key, spki
from sync_protocol.errors import TextFault
from sync_protocol.ids import box_id as checked_box_id

log = structlog.get_logger(__name__)

CA_KEY = "ca.key"
CA_CERTIFICATE = "ca.crt"

BACKDATE = timedelta(hours=24)
"""A box whose clock runs behind must still see its certificates as valid."""
ROOT_LIFE = timedelta(days=3652)
BOX_LIFE = timedelta(days=90)
SERVER_LIFE = timedelta(days=365)

CSR_LIMIT = 8 * 1024
"""Bytes. A P-256 request takes 0.5 KiB; room for a subject and extensions that we ignore."""

NAME_LIMIT = 100
"""Names in one server certificate; a server here has a handful."""

_COMMON_NAME_LIMIT = 64  # RFC 5280, appendix A.1, ub-common-name
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Authority:
    """The root's key and certificate, ready to issue."""

    directory: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def issue_box_certificate(
        self, csr: x509.CertificateSigningRequest, box_id: str, tenant: str, now: datetime
    ) -> x509.Certificate:
        """A client certificate of 90 days for the key in `csr`, named by us: the request's subject and extensions are ignored.

        Raises RequestFault for a request whose signature or key is wrong, or an id that has not the form of one.
        """
        key = _requested_key(csr)
        common_name = _box_id(box_id)
        if not _TENANT.fullmatch(tenant):
            raise RequestFault(f"a tenant is 1 to 63 letters, digits, '.', '_' and '-', not {tenant[:80]!r}")
        names = [x509.UniformResourceIdentifier(f"urn:box:{tenant}:{common_name}"), x509.DNSName(common_name)]
        return self._issue(common_name, key, names, ExtendedKeyUsageOID.CLIENT_AUTH, now, BOX_LIFE)

    def issue_server_certificate(
        self, csr_or_key: x509.CertificateSigningRequest | ec.EllipticCurvePublicKey, names: Sequence[str], now: datetime
    ) -> x509.Certificate:
        """A server certificate of one year for DNS names and IP addresses; raises RequestFault for a name that is neither."""
        if isinstance(csr_or_key, x509.CertificateSigningRequest):
            key = _requested_key(csr_or_key)
        elif is_p256(csr_or_key):
            key = csr_or_key
        else:
            raise RequestFault("only P-256 keys are certified")
        if not 1 <= len(names) <= NAME_LIMIT:
            raise RequestFault(f"a server certificate takes 1 to {NAME_LIMIT} names")
        general = [server_name(name) for name in names]
        # The names count; the common name is for people, and hosts' names may be longer than it can hold.
        return self._issue(names[0][:_COMMON_NAME_LIMIT], key, general, ExtendedKeyUsageOID.SERVER_AUTH, now, SERVER_LIFE)

    def issue_client_certificate(self, key: ec.EllipticCurvePublicKey, name: str, now: datetime) -> x509.Certificate:
        """A client certificate of one year for a process of the core; raises RequestFault for another key than P-256."""
        if not is_p256(key):
            raise RequestFault("only P-256 keys are certified")
        names = [x509.UniformResourceIdentifier(f"urn:core:{name}")]
        return self._issue(name, key, names, ExtendedKeyUsageOID.CLIENT_AUTH, now, SERVER_LIFE)

    def check_issued(self, certificate: x509.Certificate, now: datetime) -> None:
        """Raise TrustFault unless this authority signed `certificate` and `now` lies in its time."""
        if not issued_by(certificate, self.certificate):
            raise TrustFault("the certificate is not from this authority")
        if not certificate.not_valid_before_utc <= utc(now) <= certificate.not_valid_after_utc:
            raise TrustFault(f"the certificate is not valid at {now.isoformat()}")

    def _issue(
        self,
        common_name: str,
        key: ec.EllipticCurvePublicKey,
        names: Sequence[x509.GeneralName],
        usage: x509.ObjectIdentifier,
        now: datetime,
        life: timedelta,
    ) -> x509.Certificate:
        moment = utc(now)
        self.check_issued(self.certificate, moment)
        until = min(moment + life, self.certificate.not_valid_after_utc)
        builder = _builder(common_name, self.certificate.subject, key, moment, until)
        return (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_data=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )


def init_authority(directory: Path, *, name: str, now: datetime) -> Authority:
    """Make the root in `directory` (0700; key 0600). Raises AlreadyThere when one is complete there.

    A start that was cut off between key and certificate is completed with the same key. A certificate without its key is
    refused: a new key would silently cut off everyone who trusts that root.
    """
    if not name.strip() or len(name) > _COMMON_NAME_LIMIT:
        raise RequestFault(f"an authority's name has 1 to {_COMMON_NAME_LIMIT} characters")
    moment = utc(now)
    private_directory(directory)
    with locked(directory):
        sweep(directory)
        if (directory / CA_CERTIFICATE).exists():
            raise AlreadyThere(directory / CA_CERTIFICATE)
        if not (directory / CA_KEY).exists():
            write_new(directory / CA_KEY, key_pem(new_key()))
        key = read_key(directory / CA_KEY)
        certificate = _self_signed(key, name, moment)
        write_new(directory / CA_CERTIFICATE, certificate_pem(certificate), PUBLIC)
    log.info("authority_created", name=name, until=certificate.not_valid_after_utc.isoformat())
    return Authority(directory, certificate, key)


def load_authority(directory: Path) -> Authority:
    """The authority in `directory`; raises NotThere, or FileFault when key and certificate do not make one."""
    certificate = read_certificate(directory / CA_CERTIFICATE)
    key = read_key(directory / CA_KEY)
    if spki(key) != spki(certificate):
        raise FileFault(directory / CA_KEY, f"the key does not belong to {CA_CERTIFICATE}")
    if not issued_by(certificate, certificate):
        raise FileFault(directory / CA_CERTIFICATE, "not a self-signed root")
    return Authority(directory, certificate, key)


def parse_csr(data: bytes) -> x509.CertificateSigningRequest:
    """A PKCS#10 request in PEM or DER; its signature is checked when a certificate is issued. Raises RequestFault."""
    if len(data) > CSR_LIMIT:
        raise RequestFault(f"a certificate request takes at most {CSR_LIMIT} bytes")
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_csr(data)
        return x509.load_der_x509_csr(data)
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm) as exc:
        raise RequestFault("not a PKCS#10 certificate request") from exc


def server_name(name: str) -> x509.DNSName | x509.IPAddress:
    """A host's name or address as a certificate names it; raises RequestFault. Wildcards are refused."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not _DNS.fullmatch(name):
            raise RequestFault(f"neither a host name nor an IP address: {name[:80]!r}") from None
    return x509.DNSName(name)


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer`'s key signed `certificate` under its name. Dates are not looked at."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _box_id(text: str) -> str:
    try:
        return checked_box_id(text)
    except TextFault as exc:
        raise RequestFault(str(exc)) from exc


def _requested_key(csr: x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    try:
        key = csr.public_key()
        signed = csr.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise RequestFault("the request's key or signature cannot be read") from exc
    if not isinstance(key, ec.EllipticCurvePublicKey) or not is_p256(key):
        raise RequestFault("only P-256 keys are certified")
    if not signed:
        raise RequestFault("the request is not signed by the key that it names")
    return key


def _self_signed(key: ec.EllipticCurvePrivateKey, name: str, now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _builder(name, subject, key.public_key(), now, now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_data=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(
    common_name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_data: bool) -> x509.KeyUsage:
    """A leaf signs data, the root signs certificates and revocation lists; nobody does both (RFC 5280, 4.2.1.3)."""
    return x509.KeyUsage(
        digital_signature=signs_data,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signs_data,
        crl_sign=not signs_data,
        encipher_only=False,
        decipher_only=False,
    )


def utc(now: datetime) -> datetime:
    """`now` in UTC; raises RequestFault for a time without a zone."""
    if now.tzinfo is None:
        raise RequestFault("a time without a zone says nothing about when")
    return now.astimezone(UTC)
