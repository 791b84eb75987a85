"""An exported journal proved from its file and the box's public key: what `tallybox verify --file` says."""

from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sync_protocol import export
from sync_protocol.errors import ExportFault, TextFault
from sync_protocol.frame import FindKey
from sync_protocol.signing import key_id, spki, verifier


def prove(file: Path, key: Path | None) -> tuple[bool, dict[str, Any], str]:
    """Whether the file holds, as figures and as a person reads it. Without a key only an unsigned file is looked at: then its
    chains are whole or not, and nothing says whose they are."""
    try:
        with file.open("rb") as data:
            contents = export.verify(data.read, find_key(key) if key is not None else None)
    except (ExportFault, TextFault, OSError) as exc:
        run, seq = (exc.run, exc.seq) if isinstance(exc, ExportFault) else (None, None)
        return False, {"ok": False, "reason": str(exc), "run": run, "seq": seq}, f"{file}: DOES NOT VERIFY: {exc}"
    entries = sum(part.end - part.first for part in contents.runs)
    runs = [part.model_dump(exclude_none=True) for part in contents.runs]
    found = {"ok": True, "signed": key is not None, "box": contents.box, "entries": entries, "runs": runs}
    whose = f"signed by box {contents.box}" if key is not None else "whole, but signed by nobody"
    return True, found, f"{file}: VERIFIED: {entries} entries of {len(contents.runs)} runs, {whose}"


def find_key(path: Path) -> FindKey:
    """A box's public key from a PEM file: the key itself, or its certificate. Raises TextFault or OSError."""
    pem = path.read_bytes()
    try:
        certificate = b"CERTIFICATE" in pem
        found = x509.load_pem_x509_certificate(pem).public_key() if certificate else load_pem_public_key(pem)
    except ValueError as exc:
        raise TextFault(f"{path.name} holds no public key") from exc
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise TextFault(f"{path.name}: boxes sign with P-256 keys only")
    der = spki(found)
    verify = verifier(der)
    return lambda wanted: verify if wanted == key_id(der) else None
