"""The box's files, each under the SHA-256 of its content; beside it, as `<hash>.json`, how far its upload is.

A file is durable before its name is given out, so that the journal never names one that a power cut takes away.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from edge.errors import EdgeError
from sync_protocol.blobs import MAX_BLOB

READ = 256 * 1024
"""Bytes read at once."""

MARK = ".json"
DRAFT = ".draft-"


class BlobFault(EdgeError):
    """A file cannot be kept or given."""


class BlobTooLong(BlobFault):
    """The file is longer than what the cloud takes."""


class BlobChanged(BlobFault):
    """What lies under a hash has another one by now."""


class BlobNeeded(BlobFault):
    """The cloud is not known to hold the file yet."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One file. `url` is the address of its upload; `fault` says why it is not sent any more."""

    sha256: str
    size: int
    url: str | None = None
    uploaded: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class BlobFields:
    """What `sync_protocol.entries.BlobEntry` holds beside its stamp: `BlobEntry(**clock.stamp(), **fields.json())`."""

    sha256: str
    size: int
    media: str
    name: str
    about: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "size": self.size, "media": self.media, "name": self.name, "about": dict(self.about)}


class BlobStore:
    """One folder. Every method reads or writes the disk: call it in a thread where the event loop must not wait."""

    def __init__(self, root: Path, *, max_bytes: int = MAX_BLOB) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root
        self._max = max_bytes
        for draft in root.glob(f"{DRAFT}*"):
            draft.unlink()  # of a process that ended while it wrote

    @property
    def root(self) -> Path:
        """The folder: a file lies in it under its hash."""
        return self._root

    def path(self, sha256: str) -> Path:
        """Where the file lies."""
        return self._root / sha256

    def put(self, pieces: Iterable[bytes], *, media: str, name: str, about: Mapping[str, str]) -> BlobFields:
        """Keep a file; durable when this returns. Journal what it gives.

        Raises BlobTooLong, or OSError when the disk refuses.
        """
        fd, draft = tempfile.mkstemp(dir=self._root, prefix=DRAFT)
        try:
            with os.fdopen(fd, "wb") as file:
                sha256, size = self._copy(pieces, file, name)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(self.path(sha256))
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        self._sync()
        return BlobFields(sha256, size, media, name, dict(about))

    def _copy(self, pieces: Iterable[bytes], file: IO[bytes], name: str) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            if size > self._max:
                raise BlobTooLong(f"{name[:80]}: more than {self._max} bytes")
            file.write(piece)
        return digest.hexdigest(), size

    def put_file(
        self, path: Path, *, media: str, name: str | None = None, about: Mapping[str, str] | None = None
    ) -> BlobFields:
        """Keep a copy of a file. Raises as `put`."""
        with path.open("rb") as file:
            return self.put(_pieces(file), media=media, name=name or path.name, about=about or {})

    def waiting(self) -> list[Kept]:
        """Files that have not gone up and may still, oldest first."""
        return [one for one in self._all() if not one.uploaded and one.fault is None]

    def prunable(self) -> list[Kept]:
        """Files that the cloud holds, oldest first: what may be dropped."""
        return [one for one in self._all() if one.uploaded]

    def get(self, sha256: str) -> Kept:
        """Raises FileNotFoundError."""
        return self._of(sha256, self.path(sha256).stat().st_size)

    def note(self, kept: Kept) -> None:
        """Remember how far an upload is; durable when this returns."""
        content = {"url": kept.url, "uploaded": kept.uploaded, "fault": kept.fault}
        fd, draft = tempfile.mkstemp(dir=self._root, prefix=DRAFT)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(self._mark(kept.sha256))
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        self._sync()

    def ask_again(self) -> None:
        """The cloud was put back to an earlier state: every file has to be proved to be there once more."""
        for kept in self.prunable():
            self.note(replace(kept, uploaded=False))

    def check(self, sha256: str) -> None:
        """Whether the file still is what its name says. Raises BlobChanged; FileNotFoundError when it is gone."""
        with self.path(sha256).open("rb") as file:
            digest = hashlib.sha256()
            for piece in _pieces(file):
                digest.update(piece)
        if digest.hexdigest() != sha256:
            raise BlobChanged(f"{sha256} has the hash {digest.hexdigest()} by now")

    def piece(self, sha256: str, offset: int, length: int) -> bytes:
        """Bytes of a file. Raises FileNotFoundError."""
        with self.path(sha256).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def drop(self, sha256: str) -> int:
        """Delete a file that the cloud holds; how many bytes that gives back. Raises BlobNeeded for another one."""
        try:
            kept = self.get(sha256)
        except FileNotFoundError:
            return 0
        if not kept.uploaded:
            raise BlobNeeded(sha256)
        # The mark last: a file without one would be sent again, a mark without file is swept up with it.
        self.path(sha256).unlink(missing_ok=True)
        self._mark(sha256).unlink(missing_ok=True)
        self._sync()
        return kept.size

    def _all(self) -> list[Kept]:
        found = []
        for path in self._root.iterdir():
            if path.suffix == MARK or path.name.startswith("."):
                continue
            status = path.stat()
            found.append((status.st_mtime_ns, path.name, status.st_size))
        return [self._of(name, size) for _, name, size in sorted(found)]

    def _of(self, sha256: str, size: int) -> Kept:
        try:
            content = json.loads(self._mark(sha256).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            # None yet, or one that the disk spoiled: the cloud knows how far it is.
            return Kept(sha256, size)
        url, fault = content.get("url"), content.get("fault")
        return Kept(sha256, size, url, content.get("uploaded") is True, fault)

    def _mark(self, sha256: str) -> Path:
        return self._root / f"{sha256}{MARK}"

    def _sync(self) -> None:
        fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(READ):
        yield piece
