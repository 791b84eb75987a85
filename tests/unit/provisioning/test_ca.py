"""What the authority certifies, what it refuses, and how it starts."""

import ipaddress
import shutil
import stat
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from provisioning.box_identity import make_csr
from provisioning.ca import CSR_LIMIT, Authority, init_authority, load_authority, parse_csr
from provisioning.errors import AlreadyThere, FileFault, NotThere, ProvisioningError, RequestFault, TrustFault
from provisioning.keys import key_pem, new_key

BOX = "01J8Z3K4M5N6P7Q8R9S0T1V2W3"
Kind = TypeVar("Kind", bound=x509.ExtensionType)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def extension(certificate: x509.Certificate, kind: type[Kind]) -> Kind:
    return certificate.extensions.get_extension_for_class(kind).value


def test_root_may_sign_leaves_and_no_other_authority(authority: Authority, now: datetime) -> None:
    root = authority.certificate
    assert extension(root, x509.BasicConstraints) == x509.BasicConstraints(ca=True, path_length=0)
    usage = extension(root, x509.KeyUsage)
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    assert now + timedelta(days=3650) < root.not_valid_after_utc < now + timedelta(days=3660)
    root.verify_directly_issued_by(root)


def test_authority_files_are_private(authority: Authority) -> None:
    assert mode(authority.directory) == 0o700
    assert mode(authority.directory / "ca.key") == 0o600
    assert sorted(path.name for path in authority.directory.iterdir()) == ["ca.crt", "ca.key"]


def test_authority_is_never_written_over(authority: Authority, now: datetime) -> None:
    before = {path: path.read_bytes() for path in authority.directory.iterdir()}
    with pytest.raises(AlreadyThere):
        init_authority(authority.directory, name="Another", now=now)
    assert {path: path.read_bytes() for path in authority.directory.iterdir()} == before


def test_authority_without_its_key_is_not_replaced(authority: Authority, now: datetime) -> None:
    (authority.directory / "ca.key").unlink()
    with pytest.raises(AlreadyThere):
        init_authority(authority.directory, name="Tallybox test root", now=now)
    with pytest.raises(NotThere):
        load_authority(authority.directory)


def test_start_cut_off_after_the_key_is_completed_with_it(authority: Authority, now: datetime) -> None:
    key = (authority.directory / "ca.key").read_bytes()
    (authority.directory / "ca.crt").unlink()
    again = init_authority(authority.directory, name="Tallybox test root", now=now)
    assert (authority.directory / "ca.key").read_bytes() == key
    assert again.certificate.public_key() == authority.certificate.public_key()


def test_loaded_authority_issues_under_the_same_root(authority: Authority, now: datetime) -> None:
    loaded = load_authority(authority.directory)
    loaded.issue_box_certificate(make_csr(new_key()), BOX, "t", now).verify_directly_issued_by(authority.certificate)


def test_nothing_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotThere):
        load_authority(tmp_path)


def test_key_that_others_can_read_is_refused(authority: Authority) -> None:
    (authority.directory / "ca.key").chmod(0o640)
    with pytest.raises(FileFault, match="0600"):
        load_authority(authority.directory)


def test_directory_in_use_and_open_to_others_is_refused(tmp_path: Path, now: datetime) -> None:
    shared = tmp_path / "home"
    shared.mkdir(mode=0o755)
    (shared / "letter.txt").write_text("mine")
    with pytest.raises(FileFault, match="0700"):
        init_authority(shared, name="Root", now=now)
    assert mode(shared) == 0o755


def test_empty_directory_is_closed_to_others(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "ca").mkdir(mode=0o755)
    init_authority(tmp_path / "ca", name="Root", now=now)
    assert mode(tmp_path / "ca") == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        new_key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
        ),
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        key_pem(ec.generate_private_key(ec.SECP384R1())),
        key_pem(new_key()),
        b"x" * 100_000,
    ],
    ids=["empty", "text", "passphrase", "ed25519", "p384", "another key", "too long"],
)
def test_wrong_authority_key_is_refused(authority: Authority, content: bytes) -> None:
    (authority.directory / "ca.key").write_bytes(content)
    with pytest.raises(FileFault):
        load_authority(authority.directory)


def test_leaf_in_place_of_the_root_is_refused(authority: Authority, now: datetime) -> None:
    leaf = authority.issue_server_certificate(authority.key.public_key(), ["a.example"], now)
    (authority.directory / "ca.crt").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(FileFault, match="root"):
        load_authority(authority.directory)


def test_box_certificate_says_who_and_for_what(authority: Authority, now: datetime) -> None:
    key = new_key()
    certificate = authority.issue_box_certificate(make_csr(key), BOX, "t-9", now)
    assert certificate.subject.rfc4514_string() == f"CN={BOX}"
    assert certificate.public_key() == key.public_key()
    names = extension(certificate, x509.SubjectAlternativeName)
    assert list(names) == [x509.UniformResourceIdentifier(f"urn:box:t-9:{BOX}"), x509.DNSName(BOX)]
    assert list(extension(certificate, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert extension(certificate, x509.KeyUsage).digital_signature
    assert not extension(certificate, x509.KeyUsage).key_cert_sign
    assert not extension(certificate, x509.BasicConstraints).ca
    assert certificate.not_valid_before_utc == now - timedelta(hours=24)
    assert certificate.not_valid_after_utc == now + timedelta(days=90)


def test_serial_numbers_are_long_and_differ(authority: Authority, now: datetime) -> None:
    csr = make_csr(new_key())
    serials = {authority.issue_box_certificate(csr, BOX, "t", now).serial_number for _ in range(50)}
    assert len(serials) == 50
    assert max(serials).bit_length() > 128


def test_names_in_the_request_are_ignored(authority: Authority, now: datetime) -> None:
    asked = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "01J00000000000000000000000")]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("cloud.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(new_key(), hashes.SHA256())
    )
    certificate = authority.issue_box_certificate(asked, BOX, "t", now)
    assert certificate.subject.rfc4514_string() == f"CN={BOX}"
    assert extension(certificate, x509.SubjectAlternativeName).get_values_for_type(x509.DNSName) == [BOX]
    assert not extension(certificate, x509.BasicConstraints).ca
    assert list(extension(certificate, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_every_flipped_bit_of_a_request_is_refused(authority: Authority, now: datetime) -> None:
    csr = make_csr(new_key())
    good = csr.public_bytes(serialization.Encoding.DER)
    # The octet before the signature counts its unused bits; a parser may drop zeros there, which changes nothing signed.
    padding = len(good) - len(csr.signature) - 1
    authority.issue_box_certificate(parse_csr(good), BOX, "t", now)
    for bit in range(len(good) * 8):
        if bit // 8 == padding:
            continue
        broken = bytearray(good)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RequestFault):
            authority.issue_box_certificate(parse_csr(bytes(broken)), BOX, "t", now)


@pytest.mark.parametrize(
    ("key", "digest"),
    [
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), hashes.SHA256()),
        (ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()),
        (ec.generate_private_key(ec.SECP256K1()), hashes.SHA256()),
        (ed25519.Ed25519PrivateKey.generate(), None),
    ],
    ids=["rsa", "p384", "secp256k1", "ed25519"],
)
def test_other_keys_than_p256_are_refused(
    authority: Authority,
    now: datetime,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    digest: hashes.SHA256 | hashes.SHA384 | None,
) -> None:
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    with pytest.raises(RequestFault, match="P-256"):
        authority.issue_box_certificate(csr, BOX, "t", now)
    with pytest.raises(RequestFault, match="P-256"):
        authority.issue_server_certificate(csr, ["a.example"], now)


def test_server_key_that_is_not_p256_is_refused(authority: Authority, now: datetime) -> None:
    with pytest.raises(RequestFault, match="P-256"):
        authority.issue_server_certificate(ec.generate_private_key(ec.SECP384R1()).public_key(), ["a.example"], now)


@pytest.mark.parametrize("box_id", ["", "box-1", BOX.lower(), BOX + "0", BOX[:-1] + "\n", "8" + BOX[1:], BOX[:-1] + "U"])
def test_bad_box_ids_are_refused(authority: Authority, now: datetime, box_id: str) -> None:
    with pytest.raises(RequestFault):
        authority.issue_box_certificate(make_csr(new_key()), box_id, "t", now)


@pytest.mark.parametrize("tenant", ["", "a:b", "a b", "-a", "t\n", "ü", "a" * 64, "../x"])
def test_bad_tenants_are_refused(authority: Authority, now: datetime, tenant: str) -> None:
    with pytest.raises(RequestFault, match="tenant"):
        authority.issue_box_certificate(make_csr(new_key()), BOX, tenant, now)


def test_time_without_a_zone_is_refused(authority: Authority, now: datetime, tmp_path: Path) -> None:
    with pytest.raises(RequestFault, match="zone"):
        authority.issue_box_certificate(make_csr(new_key()), BOX, "t", now.replace(tzinfo=None))
    with pytest.raises(RequestFault, match="zone"):
        init_authority(tmp_path / "new", name="Root", now=now.replace(tzinfo=None))


@pytest.mark.parametrize("name", ["", "  ", "x" * 65])
def test_authority_needs_a_name(tmp_path: Path, now: datetime, name: str) -> None:
    with pytest.raises(RequestFault, match="name"):
        init_authority(tmp_path / "new", name=name, now=now)


def test_server_certificate_carries_names_and_addresses(authority: Authority, now: datetime) -> None:
    names = ["cloud.example", "127.0.0.1", "::1", "localhost"]
    for source in (new_key().public_key(), make_csr(new_key())):
        certificate = authority.issue_server_certificate(source, names, now)
        assert list(extension(certificate, x509.SubjectAlternativeName)) == [
            x509.DNSName("cloud.example"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
            x509.DNSName("localhost"),
        ]
        assert list(extension(certificate, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.SERVER_AUTH]
        assert certificate.not_valid_after_utc == now + timedelta(days=365)


@pytest.mark.parametrize(
    "name",
    ["", "*.example", "a b", "-a.example", "a..b", "a.", "a_b.example", "x" * 64, "a." * 127 + "a", "a\n", "a\0b", "ü.example"],
)
def test_bad_server_names_are_refused(authority: Authority, now: datetime, name: str) -> None:
    with pytest.raises(RequestFault):
        authority.issue_server_certificate(new_key().public_key(), [name], now)


@pytest.mark.parametrize("count", [0, 101])
def test_number_of_server_names_is_bounded(authority: Authority, now: datetime, count: int) -> None:
    with pytest.raises(RequestFault, match="names"):
        authority.issue_server_certificate(new_key().public_key(), ["a.example"] * count, now)


def test_long_host_name_is_certified(authority: Authority, now: datetime) -> None:
    name = ".".join(["a" * 60] * 4)
    certificate = authority.issue_server_certificate(new_key().public_key(), [name], now)
    assert extension(certificate, x509.SubjectAlternativeName).get_values_for_type(x509.DNSName) == [name]


def test_leaf_never_outlives_its_root(authority: Authority, now: datetime) -> None:
    late = authority.certificate.not_valid_after_utc - timedelta(days=10)
    certificate = authority.issue_box_certificate(make_csr(new_key()), BOX, "t", late)
    assert certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


@pytest.mark.parametrize("days", [-2, 3660])
def test_root_out_of_its_time_issues_nothing(authority: Authority, now: datetime, days: int) -> None:
    with pytest.raises(TrustFault):
        authority.issue_box_certificate(make_csr(new_key()), BOX, "t", now + timedelta(days=days))


def test_certificate_of_a_root_with_the_same_name_is_foreign(authority: Authority, foreign: Authority, now: datetime) -> None:
    with pytest.raises(TrustFault, match="not from"):
        authority.check_issued(foreign.issue_box_certificate(make_csr(new_key()), BOX, "t", now), now)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"-----BEGIN CERTIFICATE REQUEST-----\n" + tail))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    with pytest.raises(RequestFault):
        parse_csr(data)


def test_request_is_read_from_pem_and_der_and_bounded() -> None:
    csr = make_csr(new_key())
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        assert parse_csr(csr.public_bytes(encoding)) == csr
    with pytest.raises(RequestFault, match=str(CSR_LIMIT)):
        parse_csr(b"\x30" * (CSR_LIMIT + 1))


def test_private_key_does_not_show_in_repr(authority: Authority) -> None:
    assert "key=" not in repr(authority)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_openssl_accepts_the_chain_for_its_purpose_only(authority: Authority, now: datetime, tmp_path: Path) -> None:
    leaves = {
        "sslclient": authority.issue_box_certificate(make_csr(new_key()), BOX, "t", now),
        "sslserver": authority.issue_server_certificate(new_key().public_key(), ["a.example"], now),
    }
    for purpose in leaves:
        for usage, certificate in leaves.items():
            path = tmp_path / f"{usage}.crt"
            path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
            command: list[str | Path] = [
                "openssl",
                "verify",
                "-x509_strict",
                "-purpose",
                purpose,
                "-CAfile",
                authority.directory / "ca.crt",
                path,
            ]
            result = subprocess.run(command, capture_output=True, check=False, timeout=30)
            assert (result.returncode == 0) == (purpose == usage), result.stderr


def test_each_error_says_what_it_means() -> None:
    kinds = ProvisioningError.__subclasses__()
    assert len(kinds) == 6
    assert all(kind.__doc__ for kind in kinds)
