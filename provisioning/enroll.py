"""Enrolment where box or server and authority share a machine; every step leaves what the next call can repair.

A box's directory holds `box.key`, `box.crt`, `ca.crt`; while keys are switched `next.key` and `next.crt`; and
`verify-<key id>.crt` for each earlier key, whose signatures may still have to be verified and which can sign no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import structlog
from cryptography import x509

from provisioning.box_identity import (
    CA,
    CERTIFICATE,
    KEY,
    NEXT_CERTIFICATE,
    NEXT_KEY,
    Identity,
    make_csr,
    make_key,
    names_in,
    write_certificates,
)
from provisioning.ca import Authority, issued_by, server_name, utc
from provisioning.errors import NotThere, TrustFault
from provisioning.files import locked, move_over, private_directory, remove, sweep, write_over
from provisioning.keys import certificate_pem, key_id, read_certificate, read_key, spki

log = structlog.get_logger(__name__)

SERVER_KEY = "server.key"
SERVER_CERTIFICATE = "server.crt"


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Where a server's key, certificate and the root for its clients lie: the arguments of `tls.server_ssl_context`."""

    certificate: Path
    key: Path
    ca: Path

    @classmethod
    def within(cls, directory: Path) -> Self:
        """The files that `enroll_server` makes in a directory. Raises NotThere when one is missing."""
        files = cls(directory / SERVER_CERTIFICATE, directory / SERVER_KEY, directory / CA)
        for path in (files.certificate, files.key, files.ca):
            if not path.exists():
                raise NotThere(path)
        return files


def enroll(
    box_directory: Path, authority: Authority, *, box_id: str, tenant: str, now: datetime, renew: bool = False
) -> Identity:
    """Give the box a key and a certificate, or what it already has while that is good.

    A new key is made at first, with `renew`, and in place of an expired certificate; an earlier certificate stays for
    verifying. Each call first completes what an earlier one left half done. Raises TrustFault when the directory belongs to
    another box or trusts another authority, RequestFault for a bad id, Busy when another enrolment runs there.
    """
    moment = utc(now)
    private_directory(box_directory)
    with locked(box_directory):
        sweep(box_directory)
        _check_owner(box_directory, authority, box_id, tenant)
        if not _has_pair(box_directory):
            _certify_key(box_directory, authority, box_id, tenant, moment)
            remove(box_directory / NEXT_KEY)  # a switch was begun and has lost its ground; that key has signed nothing
        elif renew or (box_directory / NEXT_KEY).exists() or _expired(box_directory, moment):
            _switch_key(box_directory, authority, box_id, tenant, moment)
        if not (box_directory / CA).exists():
            write_over(box_directory / CA, certificate_pem(authority.certificate))
        remove(box_directory / NEXT_CERTIFICATE)
    return Identity.load(box_directory)


def retired_certificates(box_directory: Path) -> Mapping[bytes, x509.Certificate]:
    """Certificates of earlier keys by key id: for verifying what those keys signed."""
    found = (read_certificate(path) for path in sorted(box_directory.glob("verify-*.crt")))
    return {key_id(certificate): certificate for certificate in found}


def forget_retired(box_directory: Path, retired: bytes) -> None:
    """Nothing signed by that key is waiting any more; raises NotThere for a key that is not kept."""
    path = _retired_path(box_directory, retired)
    if not path.exists():
        raise NotThere(path)
    remove(path)
    log.info("retired_key_forgotten", key_id=retired.hex())


def enroll_server(directory: Path, authority: Authority, *, names: Sequence[str], now: datetime) -> ServerFiles:
    """A server's key and certificate for `names`, or what is there while it names the same and is not yet due for renewal."""
    private_directory(directory)
    files = ServerFiles(directory / SERVER_CERTIFICATE, directory / SERVER_KEY, directory / CA)
    with locked(directory):
        sweep(directory)
        key = make_key(directory, SERVER_KEY)
        write_over(files.ca, certificate_pem(authority.certificate))
        if files.certificate.exists() and _still_serves(read_certificate(files.certificate), authority, spki(key), names, now):
            return files
        certificate = authority.issue_server_certificate(key.public_key(), names, now)
        write_over(files.certificate, certificate_pem(certificate))
    log.info("server_enrolled", names=list(names), until=certificate.not_valid_after_utc.isoformat())
    return files


def _check_owner(directory: Path, authority: Authority, box_id: str, tenant: str) -> None:
    pinned = directory / CA
    if pinned.exists() and read_certificate(pinned) != authority.certificate:
        raise TrustFault(f"{pinned} is another authority: a box changes its authority only after its identity is removed")
    path = directory / CERTIFICATE
    if path.exists():
        certificate = read_certificate(path)
        if not issued_by(certificate, authority.certificate):
            raise TrustFault(f"{path} is from another authority")
        owner = names_in(certificate, path)
        if owner != (box_id, tenant):
            raise TrustFault(f"{directory} is the identity of box {owner[0]} of {owner[1]}")


def _has_pair(directory: Path) -> bool:
    key, certificate = directory / KEY, directory / CERTIFICATE
    return key.exists() and certificate.exists() and spki(read_key(key)) == spki(read_certificate(certificate))


def _expired(directory: Path, now: datetime) -> bool:
    return now > read_certificate(directory / CERTIFICATE).not_valid_after_utc


def _certify_key(directory: Path, authority: Authority, box_id: str, tenant: str, now: datetime) -> None:
    """First enrolment, a lost file, or a switch cut off between its renames: a certificate for the key that is there."""
    _retire_certificate(directory)
    key = make_key(directory)
    certificate = authority.issue_box_certificate(make_csr(key), box_id, tenant, now)
    write_certificates(directory, certificate, authority.certificate)
    log.info("box_enrolled", box_id=box_id, key_id=key_id(key).hex(), until=certificate.not_valid_after_utc.isoformat())


def _switch_key(directory: Path, authority: Authority, box_id: str, tenant: str, now: datetime) -> None:
    """A new key beside the old one, certified first; the renames at the end are the moment of change."""
    key = make_key(directory, NEXT_KEY)
    certificate = authority.issue_box_certificate(make_csr(key), box_id, tenant, now)
    write_over(directory / NEXT_CERTIFICATE, certificate_pem(certificate))
    _retire_certificate(directory)
    old = key_id(read_key(directory / KEY))
    move_over(directory / NEXT_KEY, directory / KEY)
    move_over(directory / NEXT_CERTIFICATE, directory / CERTIFICATE)
    log.info("box_key_replaced", box_id=box_id, old_key_id=old.hex(), key_id=key_id(key).hex())


def _retire_certificate(directory: Path) -> None:
    current = directory / CERTIFICATE
    if current.exists():
        certificate = read_certificate(current)
        write_over(_retired_path(directory, key_id(certificate)), certificate_pem(certificate))


def _retired_path(directory: Path, retired: bytes) -> Path:
    return directory / f"verify-{retired.hex()}.crt"


def _still_serves(certificate: x509.Certificate, authority: Authority, key: bytes, names: Sequence[str], now: datetime) -> bool:
    try:
        authority.check_issued(certificate, now)
    except TrustFault:
        return False
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    held = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    return spki(certificate) == key and held == [server_name(name) for name in names] and now < start + (end - start) * 2 / 3
