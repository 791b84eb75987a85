"""Uploads: begun, continued and finished, each only by the box that began it; and those that nobody continues swept away.

The bytes that count are those that are on the disk and noted in the database, in this order. Whatever lies on the disk beyond
is overwritten by the next piece.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.blobs.models import Blob, Upload
from cloud.blobs.store import BlobFault, BlobStore, Part, PartLost
from cloud.clock import Clock
from cloud.db.engine import Sessions, is_sqlite
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event, record_refusal
from sync_protocol.blobs import MAX_BLOB

log = structlog.get_logger()

KIND = "blob"

MAX_OPEN = 8
"""Unfinished uploads of one box; it sends one after the other, and with MAX_BLOB this bounds what it can fill."""

KEPT_OPEN = timedelta(days=7)
"""A box that was away for a week goes on where it was; after that it begins anew, as after any loss."""

SWEEP_EVERY_S = 3600.0


class NoUpload(BlobFault):
    """There is no such upload of this box."""


class TooLong(BlobFault):
    """The file is larger than what is taken."""


class TooMany(BlobFault):
    """The box has too many unfinished uploads."""


class SizeDiffers(BlobFault):
    """The same hash was announced with another size."""


class WrongPlace(BlobFault):
    """The piece does not begin where the part ends."""


class WrongHash(BlobFault):
    """All bytes were here, and they were others than the name says."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a box may send."""

    max_bytes: int = MAX_BLOB
    max_open: int = MAX_OPEN


@dataclass(frozen=True, slots=True)
class Blobs:
    """What the routes of files work with."""

    sessions: Sessions
    store: BlobStore
    clock: Clock
    entropy: Callable[[int], bytes]
    limits: Limits = Limits()

    async def begin(self, box: str, sha256: str, size: int) -> Upload:
        """The box's upload of a file, where it stands; a new one where there is none.

        Raises TooLong, TooMany or SizeDiffers. What another box sent does not count: a hash is no proof of having the file.
        """
        if not 0 <= size <= self.limits.max_bytes:
            raise TooLong(f"{size} bytes")
        now = self.clock()
        async with self.sessions.write() as session:
            await _insert(session, Upload(id=self.entropy(16).hex(), box_id=box, sha256=sha256, size=size), now)
            mine = select(Upload).where(Upload.box_id == box, Upload.sha256 == sha256).with_for_update()
            row = (await session.scalars(mine)).one()
            if row.size != size:
                raise SizeDiffers(f"{size} bytes, {row.size} were announced")
            row.touched_at = now
            unfinished = select(func.count(Upload.id)).where(Upload.box_id == box, Upload.stored.is_(False))
            if not row.stored and (await session.scalar(unfinished) or 0) > self.limits.max_open:
                raise TooMany(box)
        return row

    async def find(self, box: str, upload: str) -> Upload:
        """Raises NoUpload, also for another box's."""
        async with self.sessions.read() as session:
            row = await session.get(Upload, upload)
        if row is None or row.box_id != box:
            raise NoUpload(upload)
        return row

    async def take(self, box: str, upload: str, offset: int, data: bytes) -> Upload:
        """Put a piece where the part ends, and finish the file when that was the last byte.

        Raises NoUpload, WrongPlace, TooLong, WrongHash, StoreBusy, StoreFull or PartLost.
        """
        await self.find(box, upload)
        async with self.store.writing(upload) as part:
            # Looked at again behind the lock: another request may have moved or removed it.
            row = await self.find(box, upload)
            if row.stored or offset != row.received:
                raise WrongPlace(f"{offset}, the part ends at {row.received}")
            if offset + len(data) > row.size:
                raise TooLong(f"{offset + len(data)} bytes of {row.size}")
            if data:
                await self._append(part, row, data)
            if row.received == row.size:
                await self._finish(part, row)
        return row

    async def _append(self, part: Part, row: Upload, data: bytes) -> None:
        try:
            await part.append(row.received, data)
        except PartLost:
            await self._note(row, 0)
            raise
        row.received += len(data)
        await self._note(row, row.received)

    async def _finish(self, part: Part, row: Upload) -> None:
        right = await part.finish(row.sha256)
        taken = Taken(Actor.box(row.box_id), self.clock())
        async with self.sessions.write() as session:
            if not right:
                await session.execute(delete(Upload).where(Upload.id == row.id))
                await record_refusal(session, taken, action="wrong_hash", kind=KIND, ref=row.sha256)
            else:
                await session.execute(update(Upload).where(Upload.id == row.id).values(stored=True))
                upsert = sqlite.insert(Blob) if is_sqlite(session) else postgresql.insert(Blob)
                values = {"sha256": row.sha256, "size": row.size, "stored_at": taken.at}
                await session.execute(upsert.values(values).on_conflict_do_nothing(index_elements=["sha256"]))
                await append_event(session, taken, action="store", kind=KIND, ref=row.sha256, changes={"size": row.size})
        if not right:
            await self.store.drop(row.id)
            raise WrongHash(row.sha256)
        row.stored = True

    async def _note(self, row: Upload, received: int) -> None:
        async with self.sessions.write() as session:
            values = {"received": received, "touched_at": self.clock()}
            await session.execute(update(Upload).where(Upload.id == row.id).values(values))

    async def sweep(self) -> int:
        """Forget unfinished uploads that nobody continued, and parts that belong to none; how many uploads it were."""
        async with self.sessions.write() as session:
            old = Upload.touched_at < self.clock() - KEPT_OPEN
            ids = list(await session.scalars(select(Upload.id).where(Upload.stored.is_(False), old)))
            await session.execute(delete(Upload).where(Upload.id.in_(ids)))
        for part in await self.store.parts():
            async with self.sessions.read() as session:
                row = await session.get(Upload, part)
            if row is None or row.stored:
                await self.store.drop(part)
        if ids:
            log.info("uploads_forgotten", count=len(ids))
        return len(ids)

    async def sweep_forever(self) -> None:
        """Sweep now and every hour, until cancelled."""
        while True:
            try:
                await self.sweep()
            except (OperationalError, InterfaceError, PoolTimeout, OSError) as exc:
                log.warning("sweep_postponed", reason=type(exc).__name__)
            await asyncio.sleep(SWEEP_EVERY_S)


async def _insert(session: AsyncSession, row: Upload, now: datetime) -> None:
    values = {"id": row.id, "box_id": row.box_id, "sha256": row.sha256, "size": row.size}
    values |= {"received": 0, "stored": False, "created_at": now, "touched_at": now}
    upsert = sqlite.insert(Upload) if is_sqlite(session) else postgresql.insert(Upload)
    await session.execute(upsert.values(values).on_conflict_do_nothing(index_elements=["box_id", "sha256"]))
