"""Which entries name which files, and whether a file is here: what a record shows as "photo pending" until it is."""

import re
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.blobs.models import BlobRef, Upload
from cloud.boxes.received import Received
from cloud.db.types import BIGGEST
from cloud.errors import StepFault
from sync_protocol.entries import BlobEntry
from sync_protocol.wiretext import clean

_SHA256 = re.compile("[0-9a-f]{64}")


async def note_blob(session: AsyncSession, received: Received) -> None:
    """Keep what an entry says of a file; once per entry. Raises StepFault `bad_blob` for a name that is no SHA-256."""
    entry = received.entry
    if not isinstance(entry, BlobEntry) or await session.get(BlobRef, (received.run, received.seq)) is not None:
        return
    if not _SHA256.fullmatch(entry.sha256) or not 0 <= entry.size <= BIGGEST:
        raise StepFault("bad_blob", f"{clean(entry.sha256)} of {entry.size} bytes")
    about = {clean(key): clean(value) for key, value in entry.about.items()}
    session.add(
        BlobRef(
            run=received.run,
            seq=received.seq,
            box_id=received.box,
            sha256=entry.sha256,
            size=entry.size,
            media=clean(entry.media)[:100],
            name=clean(entry.name)[:200],
            about=about,
            job=about.get("job"),
            received_at=received.received_at,
        )
    )
    await session.flush()


async def blob_status(session: AsyncSession, sha256: str, *, box: str | None = None) -> Literal["pending", "stored"]:
    """Whether a file is here. With `box`: whether that box sent it; what another box sent is nothing that it may claim."""
    wanted = [Upload.sha256 == sha256, Upload.stored.is_(True), *([] if box is None else [Upload.box_id == box])]
    return "pending" if await session.scalar(select(Upload.id).where(*wanted).limit(1)) is None else "stored"


async def ref_of(session: AsyncSession, sha256: str) -> BlobRef | None:
    """The first entry that names a file which its own box sent; None for a file that nobody names or that is not here."""
    held = select(Upload.id).where(Upload.sha256 == sha256, Upload.box_id == BlobRef.box_id, Upload.stored.is_(True))
    return await session.scalar(
        select(BlobRef)
        .where(BlobRef.sha256 == sha256, held.exists())
        .order_by(BlobRef.received_at, BlobRef.run, BlobRef.seq)
        .limit(1)
    )


async def blobs_of_job(session: AsyncSession, job: str) -> list[tuple[BlobRef, Literal["pending", "stored"]]]:
    """The files that belong to a job, in the order in which entries named them, each with its status."""
    rows = await session.scalars(
        select(BlobRef).where(BlobRef.job == job).order_by(BlobRef.received_at, BlobRef.run, BlobRef.seq)
    )
    # An entry that was said again in another run is the same file to whoever looks.
    once = {(row.box_id, row.sha256): row for row in reversed(rows.all())}
    return [(row, await blob_status(session, row.sha256, box=row.box_id)) for row in reversed(once.values())]
