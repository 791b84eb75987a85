"""Makes a receipt's bundle: its rows, the signed frames behind them, the log, the calibrations and the pictures."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.blobs.store import BlobStore
from cloud.clocks.best import Clocks
from cloud.ingest.models import StoredBatch
from cloud.receiving.bundle.readme import README_TEXT
from cloud.receiving.bundle.telling import received_of, tell_audit, tell_receipt
from cloud.receiving.decisions import receipt_by_ref
from cloud.receiving.evidence.fields import reading_of, step_of
from cloud.receiving.models import LearnedCode, ProjectionFault, Receipt, ReceiptPhoto, ReceiptStep
from cloud.receiving.origin import Devices, parsed
from cloud.receiving.proof import Prover
from cloud.receiving.verify import verify
from sync_protocol.bundle import form
from sync_protocol.bundle.form import Manifest, Packing
from sync_protocol.bundle.journal import chain_name, frame_name
from sync_protocol.entries import ReadingEntry
from sync_protocol.ids import EntryId, RunId


@dataclass(frozen=True, slots=True)
class Wish:
    """How a bundle is wanted. `pictures`: where files lie, None to leave them out; `certificates`: PEM, of the box."""

    made_at: datetime
    pictures: BlobStore | None = None
    certificates: Sequence[bytes] = ()


async def export_receipt(session: AsyncSession, ref: str, file: IO[bytes], wish: Wish) -> Manifest:
    """Write the bundle of the receipt of this number. Raises NotFound, and BundleFault where it would be too large.

    A receipt that does not verify is handed over as well: the bundle shows what is wrong with it.
    """
    receipt = await receipt_by_ref(session, ref)
    report = await verify(session, receipt, times=True)
    steps = (
        await session.scalars(select(ReceiptStep).where(ReceiptStep.receipt_id == receipt.id).order_by(ReceiptStep.id))
    ).all()
    prover = Prover(session, receipt.box_id)
    batches = await _needed(session, prover, receipt, steps)
    received = [received_of(at, row.received_at) for at in _entries(batches) if (row := prover.stored(at)) is not None]
    said = await tell_receipt(session, receipt, steps, report, received)
    faults = await session.scalars(
        select(ProjectionFault.n).where(ProjectionFault.job == receipt.uid, ProjectionFault.box_id == receipt.box_id)
    )
    said["faults"] = sorted(n for n in faults if n is not None)
    with Packing(file) as packing:
        packing.add(form.RECEIPT, form.canonical(said))
        packing.add(form.AUDIT, form.canonical(await tell_audit(session, receipt)))
        packing.add(form.README, README_TEXT.encode())
        for name, data in _journal(prover, batches):
            packing.add(name, data)
        for certificate in wish.certificates:
            packing.add(f"{form.CERTIFICATES}{hashlib.sha256(certificate).hexdigest()[:16]}.pem", certificate)
        if wish.pictures is not None:
            await _pictures(packing, receipt, wish.pictures)
        return packing.finish(
            receipt=receipt.ref, uid=receipt.uid, box=receipt.box_id, made_at=wish.made_at.isoformat(timespec="seconds")
        )


async def _needed(session: AsyncSession, prover: Prover, receipt: Receipt, steps: Sequence[ReceiptStep]) -> list[StoredBatch]:
    """The batches of everything that the receipt rests on: steps, readings, the devices behind them, and what tells times."""
    rows: list[ReceiptPhoto | LearnedCode] = [*receipt.photos, *receipt.learned]
    named = [EntryId(RunId(row.run), row.seq) for row in rows if row.run is not None and row.seq is not None]
    readings = [at for row in receipt.evidence if (at := reading_of(row)) is not None]
    wanted = [*(EntryId(RunId(row.run), row.seq) for row in steps), *map(step_of, receipt.evidence), *readings, *named]
    await prover.load(wanted)
    devices = await Devices.load(session, readings)
    described = [place for at in readings if (place := _described(devices, at, prover)) is not None]
    stored = {at: entry for at in wanted if (entry := parsed(prover.stored(at))) is not None}
    clocks = await Clocks.load(session, prover.box, stored)
    all_wanted = [*wanted, *described, *clocks.rests_on]
    await prover.load(all_wanted)
    found = {batch.id: batch for at in all_wanted if (batch := prover.batch(at)) is not None}
    for at in _overlapped(prover, found.values()):
        await prover.load([at])
        if (batch := prover.batch(at)) is not None:
            found[batch.id] = batch
    return sorted(found.values(), key=lambda batch: (batch.run, batch.until))


def _described(devices: Devices, at: EntryId, prover: Prover) -> EntryId | None:
    """Where the device of a reading said what it is."""
    entry = parsed(prover.stored(at))
    if not isinstance(entry, ReadingEntry):
        return None
    rows = devices.described.get(at.run, [])
    return next((EntryId(at.run, seq) for seq, said in rows if seq < at.seq and said.device == entry.device), None)


def _overlapped(prover: Prover, batches: Iterable[StoredBatch]) -> Iterator[EntryId]:
    """Entries before batches that begin inside an earlier one: only that one's frame shows the hash at which they begin."""
    last: dict[str, int] = {}
    for batch in batches:
        last[batch.run] = max(batch.until, last.get(batch.run, 0))
    for run, until in last.items():
        ended = 0
        for batch in prover.batches(RunId(run)):
            if batch.until > until:
                break
            if 0 < batch.first < ended:
                yield EntryId(RunId(run), batch.first - 1)
            ended = batch.until


def _entries(batches: Iterable[StoredBatch]) -> Iterator[EntryId]:
    for batch in batches:
        for seq in range(batch.first, batch.until):
            yield EntryId(RunId(batch.run), seq)


def _journal(prover: Prover, batches: Sequence[StoredBatch]) -> Iterator[tuple[str, bytes]]:
    """Frames, the header lines up to the last of them, and the public keys that signed them."""
    until: dict[str, int] = {}
    for batch in batches:
        yield frame_name(batch.run, batch.first, batch.until), prover.frame(batch)
        until[batch.run] = max(batch.until, until.get(batch.run, 0))
        spki = prover.key(batch.key_id)
        if spki is not None:
            yield f"{form.KEYS}{batch.key_id.hex()}.der", spki
    for run, end in sorted(until.items()):
        lines = [batch.header_line for batch in prover.batches(RunId(run)) if batch.until <= end]
        yield chain_name(run), b"".join(line + b"\n" for line in lines)


async def _pictures(packing: Packing, receipt: Receipt, pictures: BlobStore) -> None:
    """The files that are here; one that a box has not sent yet is missing, and shows so."""
    for sha256 in sorted({photo.sha256 for photo in receipt.photos}):
        if await pictures.has(sha256):
            packing.add(f"{form.BLOBS}{sha256}", b"".join([piece async for piece in pictures.read(sha256)]))
