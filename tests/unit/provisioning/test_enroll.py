"""Enrolment: once and again, renewed, cut off anywhere, asked of the wrong directory."""

import os
import shutil
import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from provisioning.box_identity import Identity, make_key
from provisioning.ca import Authority, init_authority, load_authority
from provisioning.enroll import enroll, enroll_server, forget_retired, retired_certificates
from provisioning.errors import Busy, FileFault, NotThere, ProvisioningError, RequestFault, TrustFault
from provisioning.files import locked
from provisioning.keys import key_id, read_certificate, read_key

BOX = "01J8Z3K4M5N6P7Q8R9S0T1V2W3"
OTHER = "01J8Z3K4M5N6P7Q8R9S0T1V2W4"


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def again(identity: Identity, authority: Authority, now: datetime, *, renew: bool = False) -> Identity:
    return enroll(identity.directory, authority, box_id=BOX, tenant="t-9", now=now, renew=renew)


def test_enrolled_box_holds_three_files(box: Identity) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in box.directory.iterdir()}
    assert modes == {"box.key": 0o600, "box.crt": 0o644, "ca.crt": 0o644}


def test_second_enrolment_changes_nothing(box: Identity, authority: Authority, now: datetime) -> None:
    before = contents(box.directory)
    assert again(box, authority, now + timedelta(days=89)).key_id == box.key_id
    assert contents(box.directory) == before


def test_boxes_differ_in_key(tmp_path: Path, authority: Authority, now: datetime) -> None:
    boxes = [enroll(tmp_path / f"box-{n}", authority, box_id=BOX, tenant="t-9", now=now) for n in range(20)]
    assert len({box.key_id for box in boxes}) == 20


def test_renewal_makes_a_new_key_and_keeps_the_old_one_for_verifying(
    box: Identity, authority: Authority, now: datetime
) -> None:
    signature = box.sign(b"waiting to be sent")
    renewed = again(box, authority, now, renew=True)
    assert renewed.key_id != box.key_id
    retired = retired_certificates(box.directory)
    assert list(retired) == [box.key_id]
    public = retired[box.key_id].public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, b"waiting to be sent", ec.ECDSA(hashes.SHA256()))


def test_old_private_key_is_gone_after_renewal(box: Identity, authority: Authority, now: datetime) -> None:
    old = (box.directory / "box.key").read_bytes()
    again(box, authority, now, renew=True)
    assert old not in contents(box.directory).values()
    assert [path.name for path in box.directory.glob("*.key")] == ["box.key"]


def test_replaced_key_is_said_so(box: Identity, authority: Authority, now: datetime) -> None:
    with capture_logs() as events:
        renewed = again(box, authority, now, renew=True)
    (event,) = [event for event in events if event["event"] == "box_key_replaced"]
    assert (event["old_key_id"], event["key_id"]) == (box.key_id.hex(), renewed.key_id.hex())


def test_retired_key_is_kept_until_told(box: Identity, authority: Authority, now: datetime) -> None:
    again(box, authority, now, renew=True)
    again(box, authority, now, renew=True)
    assert len(retired_certificates(box.directory)) == 2
    forget_retired(box.directory, box.key_id)
    assert box.key_id not in retired_certificates(box.directory)
    with pytest.raises(NotThere):
        forget_retired(box.directory, box.key_id)


def test_expired_certificate_is_replaced_with_a_new_key(box: Identity, authority: Authority, now: datetime) -> None:
    later = again(box, authority, now + timedelta(days=91))
    assert later.key_id != box.key_id
    assert later.certificate.not_valid_after_utc == now + timedelta(days=181)
    assert list(retired_certificates(box.directory)) == [box.key_id]


@pytest.mark.parametrize(("box_id", "tenant"), [(OTHER, "t-9"), (BOX, "t-8")])
def test_directory_of_another_box_is_left_alone(
    box: Identity, authority: Authority, now: datetime, box_id: str, tenant: str
) -> None:
    before = contents(box.directory)
    for renew in (False, True):
        with pytest.raises(TrustFault, match=BOX):
            enroll(box.directory, authority, box_id=box_id, tenant=tenant, now=now, renew=renew)
    assert contents(box.directory) == before


@pytest.mark.parametrize("missing", [[], ["ca.crt"]])
def test_box_does_not_change_its_authority(box: Identity, foreign: Authority, now: datetime, missing: list[str]) -> None:
    for name in missing:
        (box.directory / name).unlink()
    before = contents(box.directory)
    with pytest.raises(TrustFault, match="another authority"):
        again(box, foreign, now, renew=True)
    assert contents(box.directory) == before


def test_bad_id_leaves_no_certificate(tmp_path: Path, authority: Authority, now: datetime) -> None:
    with pytest.raises(RequestFault):
        enroll(tmp_path / "box", authority, box_id="box-1", tenant="t-9", now=now)
    assert not (tmp_path / "box" / "box.crt").exists()


def test_time_without_a_zone_is_refused(tmp_path: Path, authority: Authority, now: datetime) -> None:
    with pytest.raises(RequestFault, match="zone"):
        enroll(tmp_path / "box", authority, box_id=BOX, tenant="t-9", now=now.replace(tzinfo=None))
    with pytest.raises(RequestFault, match="zone"):
        enroll_server(tmp_path / "server", authority, names=["a.example"], now=now.replace(tzinfo=None))


def test_two_enrolments_at_once_are_refused(box: Identity, authority: Authority, now: datetime) -> None:
    with locked(box.directory), pytest.raises(Busy):
        again(box, authority, now)
    with locked(box.directory, shared=True), pytest.raises(Busy):
        again(box, authority, now)
    again(box, authority, now)


def test_key_made_before_enrolment_is_the_one_certified(tmp_path: Path, authority: Authority, now: datetime) -> None:
    key = make_key(tmp_path / "box")
    assert enroll(tmp_path / "box", authority, box_id=BOX, tenant="t-9", now=now).key_id == key_id(key)


def test_unreadable_key_is_not_replaced(box: Identity, authority: Authority, now: datetime) -> None:
    (box.directory / "box.key").write_bytes(b"rubbish")
    with pytest.raises(FileFault):
        again(box, authority, now, renew=True)
    assert (box.directory / "box.key").read_bytes() == b"rubbish"


@pytest.mark.parametrize("lost", [["box.key"], ["box.crt"], ["ca.crt"], ["box.key", "ca.crt"], ["box.crt", "ca.crt"]])
def test_lost_file_is_repaired_by_the_next_enrolment(
    box: Identity, authority: Authority, now: datetime, lost: list[str]
) -> None:
    for name in lost:
        (box.directory / name).unlink()
    repaired = again(box, authority, now)
    authority.check_issued(repaired.certificate, now)
    if "box.key" in lost:
        assert repaired.key_id != box.key_id
        assert list(retired_certificates(box.directory)) == [box.key_id]
    else:
        assert repaired.key_id == box.key_id
    assert contents(box.directory) == contents(again(box, authority, now).directory)


def in_a_child_killed_before_step(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a fork that vanishes before its nth change of the disk; whether it was killed."""
    child = os.fork()
    if child == 0:
        left = step
        real = {name: getattr(os, name) for name in ("fsync", "link", "replace", "rename", "unlink", "mkdir", "fchmod")}

        def counted(name: str) -> Callable[..., object]:
            def call(*args: object, **kwargs: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return real[name](*args, **kwargs)

            return call

        for name in real:
            setattr(os, name, counted(name))
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, 9}
    return code == 9


pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def test_enrolment_killed_anywhere_is_completed_by_the_next(tmp_path: Path, authority: Authority, now: datetime) -> None:
    directory, step = tmp_path / "box", 0
    while in_a_child_killed_before_step(step, lambda: enroll(directory, authority, box_id=BOX, tenant="t-9", now=now)):
        made = key_id(read_key(directory / "box.key")) if (directory / "box.key").exists() else None
        identity = enroll(directory, authority, box_id=BOX, tenant="t-9", now=now)
        authority.check_issued(identity.certificate, now)
        assert made in {None, identity.key_id}
        assert sorted(contents(directory)) == ["box.crt", "box.key", "ca.crt"]
        shutil.rmtree(directory)
        step += 1
    assert step > 10


def test_renewal_killed_anywhere_leaves_a_working_box(
    tmp_path: Path, box: Identity, authority: Authority, now: datetime
) -> None:
    step = 0
    directory = tmp_path / "copy"
    while True:
        shutil.copytree(box.directory, directory)
        if not in_a_child_killed_before_step(
            step, lambda: enroll(directory, authority, box_id=BOX, tenant="t-9", now=now, renew=True)
        ):
            break
        between = Identity.load(directory)  # works without repair, with one key or the other
        between.client_ssl_context()
        repaired = enroll(directory, authority, box_id=BOX, tenant="t-9", now=now)
        assert between.key_id in {box.key_id, repaired.key_id}
        kept = {"verify-" + box.key_id.hex() + ".crt"} if repaired.key_id != box.key_id else set()
        assert set(contents(directory)) - kept == {"box.crt", "box.key", "ca.crt"}
        shutil.rmtree(directory)
        step += 1
    assert step > 10


@pytest.mark.parametrize("lost", ["box.key", "box.crt", "ca.crt", "next.key", "next.crt"])
@pytest.mark.parametrize("step", range(0, 24, 2))
def test_file_lost_in_the_middle_of_a_renewal_is_repaired(
    box: Identity, authority: Authority, now: datetime, lost: str, step: int
) -> None:
    in_a_child_killed_before_step(step, lambda: again(box, authority, now, renew=True))
    (box.directory / lost).unlink(missing_ok=True)
    repaired = again(box, authority, now)
    authority.check_issued(repaired.certificate, now)
    left = [name for name in contents(box.directory) if not name.startswith("verify-")]
    assert sorted(left) == ["box.crt", "box.key", "ca.crt"]
    assert repaired.key_id == box.key_id or box.key_id in retired_certificates(box.directory)


def test_authority_killed_anywhere_while_it_is_made_is_completed(tmp_path: Path, now: datetime) -> None:
    directory, step = tmp_path / "ca", 0
    while in_a_child_killed_before_step(step, lambda: init_authority(directory, name="Root", now=now)):
        complete = (directory / "ca.crt").exists()
        if not complete:
            init_authority(directory, name="Root", now=now)
        enroll(tmp_path / f"box-{step}", load_authority(directory), box_id=BOX, tenant="t-9", now=now)
        shutil.rmtree(directory)
        step += 1
    assert step > 6


def test_server_enrolment_is_kept_while_it_serves(tmp_path: Path, authority: Authority, now: datetime) -> None:
    files = enroll_server(tmp_path / "server", authority, names=["a.example", "127.0.0.1"], now=now)
    before = contents(tmp_path / "server")
    assert enroll_server(tmp_path / "server", authority, names=["a.example", "127.0.0.1"], now=now) == files
    assert contents(tmp_path / "server") == before
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("names", "days"), [(["b.example"], 0), (["a.example", "b.example"], 0), (["a.example"], 244), (["a.example"], 400)]
)
def test_server_certificate_is_replaced_for_other_names_or_age(
    tmp_path: Path, authority: Authority, now: datetime, names: list[str], days: int
) -> None:
    files = enroll_server(tmp_path / "server", authority, names=["a.example"], now=now)
    first, key = read_certificate(files.certificate), files.key.read_bytes()
    enroll_server(tmp_path / "server", authority, names=names, now=now + timedelta(days=days))
    assert read_certificate(files.certificate).serial_number != first.serial_number
    assert files.key.read_bytes() == key


@pytest.mark.parametrize("lost", ["server.key", "server.crt", "ca.crt"])
def test_lost_server_file_is_repaired(tmp_path: Path, authority: Authority, now: datetime, lost: str) -> None:
    files = enroll_server(tmp_path / "server", authority, names=["a.example"], now=now)
    (tmp_path / "server" / lost).unlink()
    enroll_server(tmp_path / "server", authority, names=["a.example"], now=now)
    assert read_certificate(files.certificate).public_key() == read_key(files.key).public_key()
    assert read_certificate(files.ca) == authority.certificate


def test_only_declared_errors_come_from_a_broken_disk(tmp_path: Path, authority: Authority, now: datetime) -> None:
    (tmp_path / "file").write_bytes(b"")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ProvisioningError):
            enroll(directory, authority, box_id=BOX, tenant="t-9", now=now)
