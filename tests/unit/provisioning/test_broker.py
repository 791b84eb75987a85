"""What is written for Mosquitto: whoever is refused at the TLS door or by the access list is proved against the real one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provisioning.broker import ClientFiles, Listening, access_list, configuration, enroll_worker, write_broker
from provisioning.ca import Authority, init_authority
from provisioning.errors import FileFault, NotThere, RequestFault, TrustFault
from provisioning.keys import read_certificate, read_key, spki
from sync_protocol.frame import MAX_FRAME

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return init_authority(tmp_path / "ca", name="Test root", now=NOW)


def options(text: str) -> dict[str, str]:
    pairs = (line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, value in pairs if name != "log_type"}


def test_every_rule_of_the_configuration_is_there(tmp_path: Path) -> None:
    found = options(configuration(tmp_path, Listening(host="127.0.0.1", port=1883)))
    assert found["listener"] == "1883 127.0.0.1"
    for name in ("require_certificate", "use_identity_as_username", "use_username_as_clientid", "set_tcp_nodelay"):
        assert found[name] == "true"
    for name in ("allow_anonymous", "persistence", "retain_available"):
        assert found[name] == "false"
    assert found["acl_file"] == f"{tmp_path}/acl"
    assert MAX_FRAME < int(found["max_packet_size"]) < 2 * MAX_FRAME
    assert "crlfile" not in found
    assert "user" not in found


def test_list_of_the_revoked_and_user_are_named_where_given(tmp_path: Path) -> None:
    found = options(configuration(tmp_path, Listening(user="nobody", crl=tmp_path / "crl.pem")))
    assert (found["user"], found["crlfile"]) == ("nobody", f"{tmp_path}/crl.pem")


def test_a_path_or_host_cannot_bring_options_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileFault):
        configuration(tmp_path / "a\nallow_anonymous true", Listening())
    with pytest.raises(RequestFault):
        configuration(tmp_path, Listening(host="127.0.0.1\nallow_anonymous true"))


def test_a_box_has_its_own_topics_and_a_worker_those_of_all() -> None:
    patterns, first, second = access_list(["ingest-1", "ingest-2"]).split("\n\n")
    assert patterns.splitlines() == [
        "pattern write v1/%u/up",
        "pattern write v1/%u/will",
        "pattern read v1/%u/ack",
        "pattern read v1/%u/down",
    ]
    assert first.splitlines()[0] == "user ingest-1"
    assert first.splitlines()[1:] == second.splitlines()[1:] == [
        "topic read v1/+/up",
        "topic read v1/+/will",
        "topic write v1/+/ack",
        "topic write v1/+/down",
    ]  # fmt: skip


def test_a_worker_is_a_client_and_nothing_else(tmp_path: Path, authority: Authority) -> None:
    files = enroll_worker(tmp_path / "ingest", authority, name="ingest", now=NOW)
    certificate = read_certificate(files.certificate)
    assert [part.value for part in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["ingest"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert spki(read_key(files.key)) == spki(certificate)
    assert files == ClientFiles.within(tmp_path / "ingest")


def test_a_workers_certificate_stays_until_it_is_due(tmp_path: Path, authority: Authority) -> None:
    first = enroll_worker(tmp_path / "w", authority, name="w", now=NOW).certificate.read_bytes()
    assert enroll_worker(tmp_path / "w", authority, name="w", now=NOW + timedelta(days=200)).certificate.read_bytes() == first
    assert enroll_worker(tmp_path / "w", authority, name="w", now=NOW + timedelta(days=300)).certificate.read_bytes() != first


@pytest.mark.parametrize("name", ["", "Ingest", "01J8Z3K4M5N6P7Q8R9S0T1V2W3", "a/b", "+", "#", "a b", "a" * 64])
def test_no_worker_can_be_named_as_a_box_or_a_wildcard(tmp_path: Path, authority: Authority, name: str) -> None:
    with pytest.raises(RequestFault):
        enroll_worker(tmp_path / "w", authority, name=name, now=NOW)


def test_a_folder_stays_with_its_worker(tmp_path: Path, authority: Authority) -> None:
    enroll_worker(tmp_path / "w", authority, name="one", now=NOW)
    with pytest.raises(TrustFault):
        enroll_worker(tmp_path / "w", authority, name="two", now=NOW)
    with pytest.raises(NotThere):
        ClientFiles.within(tmp_path)


def test_a_broker_is_written_whole_and_again(tmp_path: Path, authority: Authority) -> None:
    for _ in range(2):
        path = write_broker(tmp_path / "broker", authority, names=["127.0.0.1"], workers=["a", "b"], now=NOW)
    found = options(path.read_text())
    for name in ("cafile", "certfile", "keyfile", "acl_file"):
        assert Path(found[name]).stat().st_size
    assert (Path(found["acl_file"]).stat().st_mode & 0o777, Path(found["keyfile"]).stat().st_mode & 0o777) == (0o600, 0o600)
    assert {path.name for path in (tmp_path / "broker" / "workers").iterdir()} == {"a", "b"}
    with pytest.raises(RequestFault):
        write_broker(tmp_path / "broker", authority, names=["127.0.0.1"], workers=["a", "a"], now=NOW)
