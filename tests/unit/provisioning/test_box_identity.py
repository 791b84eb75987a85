"""The box's side: its key stays its own, its files fit together or are refused."""

import base64
import hashlib
import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from provisioning.box_identity import Identity, make_csr, make_key, write_certificates
from provisioning.ca import Authority
from provisioning.enroll import enroll
from provisioning.errors import FileFault, NotThere, ProvisioningError, TrustFault
from provisioning.files import locked
from provisioning.keys import certificate_pem, new_key, spki
from sync_protocol.signing import verifier

BOX = "01J8Z3K4M5N6P7Q8R9S0T1V2W3"


def test_key_is_made_once_and_kept(tmp_path: Path) -> None:
    first = make_key(tmp_path / "box")
    assert make_key(tmp_path / "box").private_numbers() == first.private_numbers()
    assert isinstance(first.curve, ec.SECP256R1)


def test_key_file_and_directory_are_private(tmp_path: Path) -> None:
    make_key(tmp_path / "box")
    assert stat.S_IMODE((tmp_path / "box").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "box" / "box.key").stat().st_mode) == 0o600


def test_key_that_others_can_read_is_refused(box: Identity) -> None:
    (box.directory / "box.key").chmod(0o604)
    with pytest.raises(FileFault, match="0600"):
        Identity.load(box.directory)


def test_request_proves_the_key_and_names_nobody() -> None:
    key = new_key()
    csr = make_csr(key)
    assert csr.is_signature_valid
    assert csr.public_key() == key.public_key()
    assert not list(csr.subject)
    assert not list(csr.extensions)


def test_loaded_identity_is_the_enrolled_one(box: Identity) -> None:
    loaded = Identity.load(box.directory)
    assert (loaded.box_id, loaded.tenant, loaded.certificate, loaded.ca) == (BOX, "t-9", box.certificate, box.ca)
    assert loaded.key_id == box.key_id


def test_key_id_is_the_head_of_the_hash_of_the_public_key(box: Identity) -> None:
    info = box.certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert box.spki == info
    assert box.key_id == hashlib.sha256(info).digest()[:16]


def test_signature_covers_exactly_the_bytes(box: Identity) -> None:
    public = box.certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signature = box.sign(b"a batch")
    verifier(spki(box.certificate))(signature, b"a batch")
    public.verify(signature, b"a batch", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"a batcH", ec.ECDSA(hashes.SHA256()))


def test_private_key_does_not_show_in_repr(box: Identity) -> None:
    assert "key" not in repr(box).replace(str(box.directory), "")


@pytest.mark.parametrize("name", ["box.key", "box.crt", "ca.crt"])
def test_missing_file_is_named(box: Identity, name: str) -> None:
    (box.directory / name).unlink()
    with pytest.raises(NotThere, match=name):
        Identity.load(box.directory)


@pytest.mark.parametrize("name", ["box.key", "box.crt", "ca.crt"])
@pytest.mark.parametrize(
    "spoil",
    [lambda _: b"", lambda data: data[: len(data) // 2], lambda _: b"\x00\xff" * 40, lambda _: b"x" * 100_000],
    ids=["empty", "cut", "binary", "long"],
)
def test_broken_file_is_named(box: Identity, name: str, spoil: Callable[[bytes], bytes]) -> None:
    path = box.directory / name
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(FileFault, match=name):
        Identity.load(box.directory)


@pytest.mark.filterwarnings("ignore:Parsed a serial number:DeprecationWarning", "ignore:Parsed a serial number:UserWarning")
def test_every_flipped_bit_of_the_certificate_is_refused(box: Identity, tmp_path: Path) -> None:
    good = box.certificate.public_bytes(serialization.Encoding.DER)
    # The octet before the signature counts its unused bits; a parser may drop zeros there, which changes nothing signed.
    padding = len(good) - len(box.certificate.signature) - 1
    path = box.directory / "box.crt"
    for bit in range(len(good) * 8):
        if bit // 8 == padding:
            continue
        broken = bytearray(good)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(pem(bytes(broken)))
        with pytest.raises(ProvisioningError):
            Identity.load(box.directory)


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def test_certificate_of_another_key_is_refused(box: Identity, authority: Authority, now: datetime) -> None:
    other = authority.issue_box_certificate(make_csr(new_key()), BOX, "t-9", now)
    (box.directory / "box.crt").write_bytes(certificate_pem(other))
    with pytest.raises(FileFault, match="another key"):
        Identity.load(box.directory)


def test_certificate_of_another_authority_is_refused(box: Identity, foreign: Authority, now: datetime) -> None:
    other = foreign.issue_box_certificate(make_csr(box.key), BOX, "t-9", now)
    (box.directory / "box.crt").write_bytes(certificate_pem(other))
    with pytest.raises(TrustFault):
        Identity.load(box.directory)


def test_server_certificate_is_no_identity_of_a_box(box: Identity, authority: Authority, now: datetime) -> None:
    other = authority.issue_server_certificate(box.key.public_key(), ["cloud.example"], now)
    (box.directory / "box.crt").write_bytes(certificate_pem(other))
    with pytest.raises(FileFault, match="not the certificate of a box"):
        Identity.load(box.directory)


def test_server_certificate_named_like_a_box_is_no_identity(box: Identity, authority: Authority, now: datetime) -> None:
    other = authority.issue_server_certificate(box.key.public_key(), [BOX], now)
    (box.directory / "box.crt").write_bytes(certificate_pem(other))
    with pytest.raises(FileFault, match="not the certificate of a box"):
        Identity.load(box.directory)


@pytest.mark.parametrize("urn", [f"urn:box:t-9:{BOX[:-1]}4", f"urn:box:t-9:x:{BOX}", f"urn:uuid:t-9:{BOX}", BOX])
def test_names_that_disagree_are_no_identity(box: Identity, authority: Authority, now: datetime, urn: str) -> None:
    usage = ExtendedKeyUsageOID.CLIENT_AUTH
    names = [x509.UniformResourceIdentifier(urn)]
    other = authority._issue(BOX, box.key.public_key(), names, usage, now, timedelta(days=1))
    (box.directory / "box.crt").write_bytes(certificate_pem(other))
    with pytest.raises(FileFault, match="agree"):
        Identity.load(box.directory)


def test_certificates_are_written_for_the_own_key_only(
    box: Identity, authority: Authority, foreign: Authority, now: datetime
) -> None:
    before = (box.directory / "box.crt").read_bytes()
    other_key = authority.issue_box_certificate(make_csr(new_key()), BOX, "t-9", now)
    with pytest.raises(TrustFault, match="another key"):
        write_certificates(box.directory, other_key, authority.certificate)
    other_root = foreign.issue_box_certificate(make_csr(box.key), BOX, "t-9", now)
    with pytest.raises(TrustFault, match="authority"):
        write_certificates(box.directory, other_root, authority.certificate)
    assert (box.directory / "box.crt").read_bytes() == before


def test_certificates_brought_from_elsewhere_make_an_identity(tmp_path: Path, authority: Authority, now: datetime) -> None:
    key = make_key(tmp_path / "new")
    certificate = authority.issue_box_certificate(make_csr(key), BOX, "t-9", now)
    write_certificates(tmp_path / "new", certificate, authority.certificate)
    assert Identity.load(tmp_path / "new").certificate == certificate


def test_renewal_is_due_after_two_thirds_of_the_life(box: Identity) -> None:
    life = timedelta(days=91)  # 90 days and the day it is dated back
    due = box.certificate.not_valid_before_utc + life * 2 / 3
    assert not box.renewal_due(due - timedelta(seconds=1))
    assert box.renewal_due(due)


def test_replaced_key_is_noticed_before_a_connection_is_made(box: Identity, authority: Authority, now: datetime) -> None:
    enroll(box.directory, authority, box_id=BOX, tenant="t-9", now=now, renew=True)
    with pytest.raises(FileFault, match="load the identity again"):
        box.client_ssl_context()
    Identity.load(box.directory).client_ssl_context()


def test_readers_do_not_keep_each_other_out(box: Identity) -> None:
    with locked(box.directory, shared=True):
        assert Identity.load(box.directory).key_id == box.key_id
