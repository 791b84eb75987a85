"""Where files lie: parts that are being uploaded, and whole files under the hash of their content.

Blobs
├── StoreBusy   the asker's: another request writes the same part now
├── StoreFull   ours: there is no room
├── StoreBroken ours: the file system fails
└── PartLost    ours: the disk has fewer bytes of a part than were confirmed
"""

import asyncio
import errno
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from cloud.errors import CloudError

READ = 256 * 1024
"""Bytes read at once, for hashing and for serving."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class BlobFault(CloudError):
    """Root of what a store of files raises."""


class StoreBusy(BlobFault):
    """Another request writes this part now."""


class StoreFull(BlobFault):
    """There is no room for these bytes; what was confirmed before is still there."""


class StoreBroken(BlobFault):
    """The file system refuses for another reason than room."""


class PartLost(BlobFault):
    """Fewer bytes of a part are here than were confirmed: it has to be sent anew."""


class Part(Protocol):
    """One upload, held by one writer."""

    async def append(self, offset: int, data: bytes) -> None:
        """Put bytes at `offset` and drop whatever lies behind them; durable when this returns. Raises StoreFull or PartLost."""
        ...

    async def finish(self, sha256: str) -> bool:
        """Keep the whole part under its hash if that is `sha256`, computed here over what lies on the disk; else False.

        Durable when this returns. True again for a part that was kept before.
        """
        ...


class BlobStore(Protocol):
    """A place for files; several workers may use it at once."""

    def writing(self, upload: str) -> AbstractAsyncContextManager[Part]:
        """The part of an upload, for one writer at a time. Raises StoreBusy."""
        ...

    async def drop(self, upload: str) -> None:
        """Throw a part away; fine when there is none."""
        ...

    async def has(self, sha256: str) -> bool: ...

    def read(self, sha256: str) -> AsyncIterator[bytes]:
        """A whole file in pieces. Raises FileNotFoundError."""
        ...

    async def parts(self) -> list[str]:
        """The uploads that have a part here."""
        ...


class DirectoryStore:
    """`parts/<upload>` and `files/<first two digits>/<hash>` in one folder of one file system."""

    def __init__(self, root: Path) -> None:
        self._parts = root / "parts"
        self._files = root / "files"
        for folder in (root, self._parts, self._files):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @asynccontextmanager
    async def writing(self, upload: str) -> AsyncIterator["DirectoryPart"]:
        path = self._parts / upload
        with _named():
            fd = await asyncio.to_thread(_locked, path)
        try:
            yield DirectoryPart(fd, path, self._files)
        finally:
            # Closing gives the lock back; a process that is killed gives it back too.
            os.close(fd)

    async def drop(self, upload: str) -> None:
        (self._parts / upload).unlink(missing_ok=True)

    async def has(self, sha256: str) -> bool:
        return _place(self._files, sha256).exists()

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(_place(self._files, sha256).open, "rb")
        try:
            while piece := await asyncio.to_thread(file.read, READ):
                yield piece
        finally:
            file.close()

    async def parts(self) -> list[str]:
        return await asyncio.to_thread(lambda: [path.name for path in self._parts.iterdir()])


class DirectoryPart:
    """A part file that is open and locked."""

    def __init__(self, fd: int, path: Path, files: Path) -> None:
        self._fd = fd
        self._path = path
        self._files = files

    async def append(self, offset: int, data: bytes) -> None:
        with _named():
            await asyncio.to_thread(self._append, offset, data)

    async def finish(self, sha256: str) -> bool:
        with _named():
            return await asyncio.to_thread(self._finish, sha256)

    def _append(self, offset: int, data: bytes) -> None:
        size = os.fstat(self._fd).st_size
        if size < offset:
            raise PartLost(f"{size} bytes are here, {offset} were confirmed")
        if size > offset:
            os.ftruncate(self._fd, offset)
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            offset, view = offset + written, view[written:]
        os.fsync(self._fd)

    def _finish(self, sha256: str) -> bool:
        place = _place(self._files, sha256)
        if os.fstat(self._fd).st_size == 0 and place.exists():
            # Kept before, and then nobody could note it: what lies there is what counts.
            kept = _hash(_pieces(place)) == sha256
            if kept:
                self._path.unlink(missing_ok=True)
            return kept
        if _hash(_pieces(self._path)) != sha256:
            return False
        if not place.parent.exists():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            _sync(self._files)
        self._path.replace(place)
        _sync(place.parent)
        _sync(self._path.parent)
        return True


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise (StoreFull if exc.errno in NO_ROOM else StoreBroken)(str(exc)) from exc


def _locked(path: Path) -> int:
    new = not path.exists()
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(fd)
        raise StoreBusy(path.name) from exc
    except BaseException:
        os.close(fd)
        raise
    if new:
        _sync(path.parent)
    return fd


def _place(files: Path, sha256: str) -> Path:
    return files / sha256[:2] / sha256


def _pieces(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while piece := file.read(READ):
            yield piece


def _hash(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
