"""Who gets through a handshake: each refusal beside a control that differs in one thing and gets in."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from provisioning.box_identity import Identity
from provisioning.ca import Authority, init_authority
from provisioning.enroll import ServerFiles, enroll, enroll_server
from provisioning.errors import FileFault, NotThere
from provisioning.tls import client_ssl_context, server_ssl_context

BOX = "01J8Z3K4M5N6P7Q8R9S0T1V2W3"
ROUNDS = 10  # a handshake takes at most five flights


@dataclass(frozen=True, slots=True)
class Shaken:
    """How a handshake ended: both sides, after one byte each way."""

    version: str | None
    cipher: str
    peer: bytes | None


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "127.0.0.1") -> Shaken:
    """A whole TLS conversation in memory; raises ssl.SSLError as the side that refuses does."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for side in [near, far] * ROUNDS:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    near.write(b"?")
    assert far.read(1) == b"?"
    far.write(b"!")
    assert near.read(1) == b"!"
    cipher = near.cipher()
    assert cipher is not None
    return Shaken(near.version(), cipher[0], far.getpeercert(binary_form=True))


def listening(files: ServerFiles, *, require_client: bool = True) -> ssl.SSLContext:
    return server_ssl_context(files.certificate, files.key, files.ca, require_client)


def test_box_and_server_meet_in_tls_1_3(box: Identity, server: ServerFiles) -> None:
    met = shake(listening(server), box.client_ssl_context())
    assert met.version == "TLSv1.3"
    assert met.peer is not None
    assert ssl.DER_cert_to_PEM_cert(met.peer).encode() == (box.directory / "box.crt").read_bytes()


def test_tls_1_2_is_spoken_with_authenticated_encryption(box: Identity, server: ServerFiles) -> None:
    client = box.client_ssl_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    met = shake(listening(server), client)
    assert met.version == "TLSv1.2"
    assert "GCM" in met.cipher or "CHACHA20" in met.cipher


@pytest.mark.parametrize("end", ["box", "server"])
def test_only_authenticated_encryption_with_forward_secrecy_is_offered(box: Identity, server: ServerFiles, end: str) -> None:
    context = box.client_ssl_context() if end == "box" else listening(server)
    suites = context.get_ciphers()
    assert {suite["protocol"] for suite in suites} == {"TLSv1.2", "TLSv1.3"}
    for suite in suites:
        assert suite["aead"], suite
        assert suite["protocol"] == "TLSv1.3" or suite["kea"] == "kx-ecdhe", suite
        assert suite["auth"] != "auth-null", suite
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


CBC = "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384"


def old_protocol(context: ssl.SSLContext) -> None:
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # TLS 1.1 signs with SHA-1, which level 1 already forbids
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1


def old_suites(context: ssl.SSLContext) -> None:
    context.set_ciphers(CBC)
    context.maximum_version = ssl.TLSVersion.TLSv1_2


Weaken = Callable[[ssl.SSLContext], None]


@pytest.mark.parametrize("weaken", [old_protocol, old_suites])
def test_weak_client_is_refused(box: Identity, server: ServerFiles, weaken: Weaken) -> None:
    client, lax = box.client_ssl_context(), listening(server)
    weaken(client)
    weaken(lax)
    assert shake(lax, client).version in {"TLSv1.1", "TLSv1.2"}  # the client can do it; ours refuses
    with pytest.raises(ssl.SSLError):
        shake(listening(server), client)


@pytest.mark.parametrize("weaken", [old_protocol, old_suites])
def test_weak_server_is_refused(box: Identity, server: ServerFiles, weaken: Weaken) -> None:
    lax = listening(server)
    weaken(lax)
    with pytest.raises(ssl.SSLError):
        shake(lax, box.client_ssl_context())


def nobody(server: ServerFiles) -> ssl.SSLContext:
    """A client that trusts the right root and shows no certificate."""
    return ssl.create_default_context(cafile=server.ca)


def test_client_without_certificate_is_refused_where_one_is_required(server: ServerFiles) -> None:
    assert shake(listening(server, require_client=False), nobody(server)).peer is None
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN"):
        shake(listening(server), nobody(server))


def client_of(identity: Identity, ca: Path) -> ssl.SSLContext:
    return client_ssl_context(ca=ca, certificate=identity.certificate_path, key=identity.directory / "box.key")


@pytest.mark.parametrize("require_client", [True, False])
def test_certificate_of_another_root_of_the_same_name_is_refused(
    tmp_path: Path, foreign: Authority, server: ServerFiles, now: datetime, require_client: bool
) -> None:
    stranger = enroll(tmp_path / "stranger", foreign, box_id=BOX, tenant="t-9", now=now)
    with pytest.raises(ssl.SSLError, match=r"(?i)verify failed|unknown ca"):
        shake(listening(server, require_client=require_client), client_of(stranger, server.ca))


@pytest.fixture
def aged(tmp_path: Path, now: datetime) -> Authority:
    """A root that is two years old: what it issued may have expired while it has not."""
    return init_authority(tmp_path / "aged", name="Old root", now=now - timedelta(days=730))


@pytest.mark.parametrize("require_client", [True, False])
@pytest.mark.parametrize(("shift", "good"), [(-91, False), (-89, True), (0, True), (2, False)])
def test_client_certificate_counts_only_in_its_time(
    tmp_path: Path, aged: Authority, now: datetime, shift: int, good: bool, require_client: bool
) -> None:
    files = enroll_server(tmp_path / "aged-server", aged, names=["127.0.0.1"], now=now)
    box = enroll(tmp_path / "aged-box", aged, box_id=BOX, tenant="t-9", now=now + timedelta(days=shift))
    if good:
        shake(listening(files, require_client=require_client), box.client_ssl_context())
        return
    with pytest.raises(ssl.SSLError, match=r"expired|not yet valid"):
        shake(listening(files, require_client=require_client), box.client_ssl_context())


@pytest.mark.parametrize(("shift", "good"), [(-366, False), (-364, True), (2, False)])
def test_server_certificate_counts_only_in_its_time(
    tmp_path: Path, aged: Authority, now: datetime, shift: int, good: bool
) -> None:
    files = enroll_server(tmp_path / "aged-server", aged, names=["127.0.0.1"], now=now + timedelta(days=shift))
    box = enroll(tmp_path / "aged-box", aged, box_id=BOX, tenant="t-9", now=now)
    if good:
        shake(listening(files), box.client_ssl_context())
        return
    with pytest.raises(ssl.SSLCertVerificationError, match=r"expired|not yet valid"):
        shake(listening(files), box.client_ssl_context())


@pytest.mark.parametrize("name", ["localhost", "127.0.0.2", "cloud.example", BOX])
def test_server_of_another_name_is_refused(box: Identity, server: ServerFiles, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|doesn't match|not valid for"):
        shake(listening(server), box.client_ssl_context(), name)


def test_each_certified_name_is_good_for_the_server(tmp_path: Path, authority: Authority, box: Identity, now: datetime) -> None:
    files = enroll_server(tmp_path / "s2", authority, names=["first.example", "second.example"], now=now)
    for name in ("first.example", "second.example"):
        shake(listening(files), box.client_ssl_context(), name)


def test_server_of_another_root_of_the_same_name_is_refused(
    tmp_path: Path, foreign: Authority, box: Identity, now: datetime
) -> None:
    files = enroll_server(tmp_path / "impostor", foreign, names=["127.0.0.1"], now=now)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(listening(files, require_client=False), box.client_ssl_context())


def test_box_cannot_pose_as_a_server(box: Identity, server: ServerFiles) -> None:
    posing = ServerFiles(box.certificate_path, box.directory / "box.key", box.directory / "ca.crt")
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shake(listening(posing), box.client_ssl_context(), BOX)


def test_server_cannot_pose_as_a_box(server: ServerFiles) -> None:
    client = client_ssl_context(ca=server.ca, certificate=server.certificate, key=server.key)
    with pytest.raises(ssl.SSLError, match=r"purpose|verify failed"):
        shake(listening(server), client)


def test_system_roots_are_not_trusted(box: Identity, server: ServerFiles) -> None:
    for context in (box.client_ssl_context(), listening(server)):
        assert context.cert_store_stats()["x509"] == 1


def test_sessions_are_not_resumed(box: Identity, server: ServerFiles) -> None:
    context = listening(server)
    assert context.num_tickets == 0
    assert context.options & ssl.OP_NO_TICKET


@pytest.mark.parametrize("lost", ["certificate", "key", "ca"])
def test_missing_server_file_is_named(server: ServerFiles, lost: str) -> None:
    path: Path = getattr(server, lost)
    path.unlink()
    with pytest.raises(NotThere, match=path.name):
        listening(server)


@pytest.mark.parametrize("broken", ["certificate", "key", "ca"])
def test_broken_server_file_is_refused(server: ServerFiles, broken: str) -> None:
    path: Path = getattr(server, broken)
    path.write_bytes(b"rubbish")
    with pytest.raises(FileFault):
        listening(server)


def test_key_of_another_certificate_is_refused(box: Identity, server: ServerFiles) -> None:
    with pytest.raises(FileFault, match="pair"):
        server_ssl_context(server.certificate, box.directory / "box.key", server.ca, True)
