"""Bytes on their way into the store of files: capped, hashed while they are written, known by what they begin with."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog

from cloud.around.sniff import HEAD, sniff
from cloud.blobs.store import BlobFault, BlobStore, Part, PartLost, StoreBroken
from cloud.errors import Refused

log = structlog.get_logger()

MAX_FILE = 50 * 1024 * 1024
"""Bytes, where no setting says otherwise: a scanned contract of a hundred pages, a photo of any telephone."""

PIECE = 4 * 1024 * 1024
"""Bytes written at a time; each is synced to the disk, so that small ones would cost a wait apiece."""

TRIES = 2
"""The hourly sweep of unfinished uploads may take a part away while it is written; the second try has an hour."""

Source = Callable[[], AsyncIterator[bytes]]
"""Gives the whole file from its beginning, each time it is called."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that are in the store now."""

    sha256: str
    size: int
    mime: str


async def keep(store: BlobStore, source: Source, name: str, *, max_bytes: int = MAX_FILE) -> Kept:
    """Put a file into the store, before and outside any transaction. Raises BlobFault, Refused `file_empty`, `file_too_large`.

    A file that nobody notes afterwards lies there unseen; sent again it takes no more room.
    """
    for left in reversed(range(TRIES)):
        try:
            return await _keep(store, source, name, max_bytes)
        except (PartLost, StoreBroken) as exc:
            if not left:
                raise
            log.warning("file_kept_again", reason=type(exc).__name__)
    raise AssertionError  # not reached: the last try returns or raises


async def _keep(store: BlobStore, source: Source, name: str, max_bytes: int) -> Kept:
    upload = secrets.token_hex(16)
    try:
        async with store.writing(upload) as part:
            return await _write(part, source, name, max_bytes)
    except (Refused, BlobFault):
        await store.drop(upload)
        raise


async def _write(part: Part, source: Source, name: str, max_bytes: int) -> Kept:
    digest, size, head = hashlib.sha256(), 0, b""
    async for piece in _pieces(source()):
        if size + len(piece) > max_bytes:
            raise Refused("file_too_large", max=str(max_bytes // (1024 * 1024)))
        await part.append(size, piece)
        digest.update(piece)
        size += len(piece)
        head += piece[: HEAD - len(head)]
    if not size:
        raise Refused("file_empty")
    if not await part.finish(digest.hexdigest()):
        raise StoreBroken("other bytes were read back than were written")
    return Kept(digest.hexdigest(), size, sniff(head, name))


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    waiting = bytearray()
    async for data in stream:
        waiting += data
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield bytes(waiting)
