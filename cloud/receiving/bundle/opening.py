"""A bundle proved from its file and the box's public key alone: no database, nothing that its maker says is believed.

What the box signed is checked against its signatures; what the core says beside (moves, decisions, the log) is checked against
itself and against what the box signed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509.oid import NameOID

from cloud.clock import EPOCH
from cloud.ingest.models import JournalEntry
from cloud.kernel.models import Event
from cloud.receiving.bundle.reading import read_buckets, read_events, read_moves, read_receipt, read_steps
from cloud.receiving.evidence.deciding import judge_decisions, moves_problems
from cloud.receiving.evidence.fields import used_twice
from cloud.receiving.evidence.ledger import POSTED, compare_ledger, moves_digest
from cloud.receiving.evidence.policy import policy_problems
from cloud.receiving.origin import Devices, parsed
from cloud.receiving.proof import EntryProof
from cloud.receiving.verify import Case, VerifyReport, judge
from sync_protocol.bundle import form
from sync_protocol.bundle.form import Bundle, unpack
from sync_protocol.bundle.journal import Journal, read_journal
from sync_protocol.entries import DeviceEntry
from sync_protocol.errors import BundleFault, TextFault
from sync_protocol.frame import FindKey, Verify
from sync_protocol.ids import EntryId, RunId
from sync_protocol.signing import key_id, spki, verifier


@dataclass(frozen=True, slots=True)
class Proved:
    """What came of a bundle. `report` as of the database; `missing` are pictures that are not in the file."""

    report: VerifyReport
    box: str
    made_at: str
    entries: int
    missing: tuple[str, ...]


def prove_bundle(file: IO[bytes], keys: Iterable[bytes]) -> Proved:
    """Open a bundle and prove it with these keys: PEM of the box's public key, its certificate, or its authority's.

    Raises BundleFault for a file that is cut, changed or of another form, TextFault for a key that cannot be read. What does
    not hold beyond that is in the report, named as in the database.
    """
    bundle = unpack(file)
    journal = read_journal(bundle, find_keys(keys, bundle))
    said = _mapping(bundle.json(form.RECEIPT))
    receipt = read_receipt(said)
    _demand_head(bundle, receipt.uid, receipt.ref, receipt.box_id)
    events = read_events(_mapping(bundle.json(form.AUDIT)))
    case = Case(
        receipt,
        read_steps(said),
        _Prover(journal, bundle.manifest.box, _received(said)),
        _faults(said),
        used_twice(receipt.evidence),
        _devices(journal),
        None,
    )
    moves = read_moves(said, receipt)
    more = [*journal.faults, *compare_ledger(receipt, moves, read_buckets(said))]
    more += [*judge_decisions(receipt, events), *_log(bundle, events), *_pictures(bundle)]
    if receipt.state in POSTED:
        more += [*policy_problems(receipt), *moves_problems(events, moves_digest(moves))]
    here = {name for name, _ in bundle.under(form.BLOBS)}
    missing = tuple(sorted({photo.sha256 for photo in receipt.photos} - here))
    return Proved(judge(case, more), bundle.manifest.box, bundle.manifest.made_at, len(journal.entries), missing)


def find_keys(pems: Iterable[bytes], bundle: Bundle) -> FindKey:
    """By key id, the keys that these PEM files name: directly, or as the authority of certificates that are in the bundle."""
    found: dict[bytes, Verify] = {}
    authorities: list[x509.Certificate] = []
    for pem in pems:
        try:
            certificate = x509.load_pem_x509_certificate(pem) if b"CERTIFICATE" in pem else None
            key = certificate.public_key() if certificate is not None else load_pem_public_key(pem)
        except ValueError as exc:
            raise TextFault("a file given as key holds no public key") from exc
        if certificate is not None and _is_authority(certificate):
            authorities.append(certificate)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            found[key_id(spki(key))] = verifier(spki(key))
        else:
            raise TextFault("boxes sign with P-256 keys only")
    for name, data in bundle.under(form.CERTIFICATES):
        key_of_box = _certified(name, data, bundle.manifest.box, authorities)
        if key_of_box is not None:
            found[key_id(key_of_box)] = verifier(key_of_box)
    if authorities and not found:
        raise TextFault(
            f"the authority issued none of the certificates in the bundle to box {bundle.manifest.box}: "
            "give the box's own certificate, or have the bundle made with it (--certificate)"
        )
    return found.get


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _certified(name: str, data: bytes, box: str, authorities: Iterable[x509.Certificate]) -> bytes | None:
    """The key of a certificate in the bundle that one of the authorities issued to the box. Its dates do not count: what was
    signed while it was in force stays signed."""
    try:
        certificate = x509.load_pem_x509_certificate(data)
    except ValueError as exc:
        raise BundleFault("is no certificate", form.CERTIFICATES + name) from exc
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    key = certificate.public_key()
    if [one.value for one in names] != [box] or not isinstance(key, ec.EllipticCurvePublicKey):
        return None
    return spki(key) if any(_issued(certificate, by) for by in authorities) else None


def _issued(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


@dataclass(slots=True)
class _Prover:
    """What the frames prove, in the words of the database's prover."""

    journal: Journal
    box: str
    received: Mapping[EntryId, datetime]
    _rows: dict[EntryId, JournalEntry] = field(default_factory=dict)

    def stored(self, at: EntryId) -> JournalEntry | None:
        shown = self.journal.entries.get(at)
        if shown is None:
            return None
        if at not in self._rows:
            received = self.received.get(at, EPOCH)
            self._rows[at] = JournalEntry(
                run=at.run, seq=at.seq, box_id=self.box, content=shown.content, hash=shown.digest, received_at=received
            )
        return self._rows[at]

    def prove(self, at: EntryId) -> EntryProof:
        shown = self.journal.entries.get(at)
        if shown is None:
            return EntryProof(None, "missing", "missing", "no_such_entry")
        return EntryProof(self.stored(at), shown.signature, shown.chain, shown.detail)


def _demand_head(bundle: Bundle, uid: str, ref: str, box: str) -> None:
    manifest = bundle.manifest
    if (manifest.uid, manifest.receipt, manifest.box) != (uid, ref, box):
        raise BundleFault("is of another receipt than the manifest", form.RECEIPT)


def _mapping(said: Any) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise BundleFault("a member has another form than it must")
    return said


def _received(said: Mapping[str, Any]) -> dict[EntryId, datetime]:
    found: dict[EntryId, datetime] = {}
    try:
        for one in said.get("received", []):
            found[EntryId(RunId(one["run"]), one["seq"])] = datetime.fromisoformat(one["received_at"])
    except (KeyError, TypeError, ValueError) as exc:
        raise BundleFault("has another form at received", form.RECEIPT) from exc
    return found


def _faults(said: Mapping[str, Any]) -> frozenset[int]:
    found = said.get("faults", [])
    if not isinstance(found, list) or not all(isinstance(one, int) for one in found):
        raise BundleFault("has another form at faults", form.RECEIPT)
    return frozenset(found)


def _devices(journal: Journal) -> Devices:
    described: dict[RunId, list[tuple[int, DeviceEntry]]] = {}
    for at in sorted(journal.entries, reverse=True):
        entry = parsed(JournalEntry(content=journal.entries[at].content))
        if isinstance(entry, DeviceEntry):
            described.setdefault(at.run, []).append((at.seq, entry))
    return Devices(described)


def _log(bundle: Bundle, events: Iterable[tuple[Event, str | None]]) -> Iterable[str]:
    """`log_order:<id>` where events go backwards, `log_head` where the head is before the last of them."""
    head = _mapping(_mapping(bundle.json(form.AUDIT)).get("head"))
    last, digest = 0, None
    for row, _ in events:
        if row.id <= last:
            yield f"log_order:{row.id}"
        last, digest = row.id, row.hash
    if not isinstance(head.get("last"), int) or head["last"] < last or (head["last"] == last and head.get("hash") != digest):
        yield "log_head"


def _pictures(bundle: Bundle) -> Iterable[str]:
    """`key_name:<name>` for keys under another name than their id's: a reader that takes them by name would be misled."""
    for name, data in bundle.under(form.KEYS):
        if name != f"{key_id(data).hex()}.der":
            yield f"key_name:{name[:60]}"


def read_keys(paths: Iterable[Path]) -> list[bytes]:
    """The content of PEM files. Raises OSError."""
    return [path.read_bytes() for path in paths]
