"""A receipt that is handed over: made, exported, changed, proved."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud.db.engine import Sessions
from cloud.receiving.bundle.making import Wish, export_receipt
from cloud.receiving.bundle.opening import Proved, prove_bundle
from sync_protocol.bundle.form import MANIFEST, canonical, digest_of

REF = "GR-2026-000001"


def pem(box: Any) -> bytes:
    """The box's public key, as its owner gives it."""
    found: bytes = box.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


async def exported(sessions: Sessions, clock: Callable[[], Any], ref: str = REF, **wish: Any) -> bytes:
    file = io.BytesIO()
    async with sessions.read() as session:
        await export_receipt(session, ref, file, Wish(clock(), **wish))
    return file.getvalue()


def proved(data: bytes, *keys: bytes) -> Proved:
    return prove_bundle(io.BytesIO(data), keys)


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def packed(members: dict[str, bytes], *, honest: bool = False) -> bytes:
    """A file of these members; `honest`: with a manifest made anew over them, as a forger would."""
    if honest:
        manifest = json.loads(members[MANIFEST])
        manifest["members"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
            if name != MANIFEST
        }
        manifest["digest"] = digest_of(manifest)
        members = members | {MANIFEST: canonical(manifest)}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()
