"""A receipt is handed over as one file, and a stranger proves it with the box's public key and nothing else."""

import io
import json
import zipfile

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud.db.engine import Sessions
from cloud.receiving.bundle.making import Wish, export_receipt
from cloud.receiving.bundle.opening import Proved, prove_bundle
from cloud.receiving.projection import project_all
from sync_protocol.bundle.form import MANIFEST, canonical, digest_of
from sync_protocol.errors import BundleFault, TextFault

REF = "GR-2026-000001"


def pem(box) -> bytes:
    return box.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


async def exported(sessions: Sessions, clock, **wish) -> bytes:
    file = io.BytesIO()
    async with sessions.read() as session:
        await export_receipt(session, REF, file, Wish(clock.now, **wish))
    return file.getvalue()


@pytest.fixture
async def bundle(sessions, box, demo, story, clock) -> bytes:
    """Of a clean receipt in the second of three batches."""
    box.start()
    box.anchor()
    for _ in range(3):
        box.note()
    await box.deliver(sessions)
    box.device("scale-1", "mt-sics", "a scale")
    story.whole("12.340")
    await box.deliver(sessions)
    box.note()
    await box.deliver(sessions)
    await project_all(sessions)
    return await exported(sessions, clock)


def changed(data: bytes, member: str, change, *, honest: bool = False) -> bytes:
    """The bundle with one member changed; `honest`: with a manifest that was made anew over it, as a forger would."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    members[member] = change(members[member])
    if honest:
        import hashlib

        manifest = json.loads(members[MANIFEST])
        named = {"bytes": len(members[member]), "sha256": hashlib.sha256(members[member]).hexdigest()}
        manifest["members"][member] = named
        manifest["digest"] = digest_of(manifest)
        members[MANIFEST] = canonical(manifest)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return file.getvalue()


def proved(data: bytes, *keys: bytes) -> Proved:
    return prove_bundle(io.BytesIO(data), keys)


async def test_stranger_proves_every_field(bundle, box) -> None:
    found = proved(bundle, pem(box))
    assert found.report.problems == []
    assert [(one.line, one.field, one.problems) for one in found.report.fields if one.problems] == []
    assert {one.field for one in found.report.fields} >= {"order", "document", "identity", "lot", "expiry", "quantity"}
    assert (found.report.ok, found.report.ref, found.box) == (True, REF, box.id)


async def test_same_receipt_is_the_same_file(sessions, bundle, clock) -> None:
    assert await exported(sessions, clock) == bundle


async def test_another_boxs_key_proves_nothing(bundle, make_box) -> None:
    found = proved(bundle, pem(make_box(2)))
    assert not found.report.ok
    assert {one.signature for one in found.report.fields} == {"missing"}
    assert any(problem.startswith("frame_of_unknown_key") for problem in found.report.problems)


async def test_no_key_is_no_key(bundle) -> None:
    with pytest.raises(TextFault):
        proved(bundle, b"not a key")
    assert not proved(bundle).report.ok
