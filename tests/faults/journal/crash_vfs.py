"""A disk that loses power: SQLite's own file operations on real files, and what of them would have been left.

What was synced is there. Of each write behind the last sync, each sector of 512 bytes is there or not, with a chance drawn for
the write. An unlink that no sync followed may not have happened; with `lazy_unlinks` it never has unless SQLite asked for it to
be made durable. At the operation of the cut, and at each one after it, SQLite gets an error.
"""

import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
CHANCES = (0.0, 0.5, 0.9, 1.0)
"""How likely a sector of one unsynced write is on the medium."""

_numbers = iter(range(1_000_000))


@dataclass
class _File:
    """What of a file would be there, and what was done to it since."""

    durable: bytes | None = None
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Offset and bytes of a write; the size and None of a truncation."""


class PowerCut(Exception):
    """The power is gone."""


class Disk:
    """Counts operations, cuts the power at one of them, and says what was left."""

    def __init__(self, *, cut_at: int, lazy_unlinks: bool = False) -> None:
        self.name = f"crash-{next(_numbers)}"
        self.operations = 0
        self.syncs = 0
        self._cut_at = cut_at
        self._lazy_unlinks = lazy_unlinks
        self._files: dict[str, _File] = {}
        self._unlinked: dict[str, _File] = {}
        """Files whose unlinking is not durable, as they were."""
        self._vfs = _Vfs(self)

    @property
    def off(self) -> bool:
        return self.operations >= self._cut_at

    def cut(self) -> None:
        """Pull the plug now."""
        self._cut_at = self.operations

    def operate(self) -> None:
        self.operations += not self.off
        if self.off:
            raise PowerCut

    def file(self, path: str) -> _File:
        return self._files.setdefault(path, _File())

    def synced(self, path: str) -> None:
        self.syncs += 1
        self._files[path] = _File(Path(path).read_bytes())
        if not self._lazy_unlinks:
            # As ext4 does it: the journal's commit that a sync forces takes the metadata before it along.
            self._unlinked.clear()

    def unlinked(self, path: str, *, durably: bool) -> None:
        was = self._files.pop(path, None)
        if durably:
            self._unlinked.pop(path, None)
        elif was is not None and was.durable is not None:
            self._unlinked[path] = was

    def leave(self, folder: Path, random_: random.Random) -> None:
        """Write what is on the medium into a folder."""
        # Inodes, not names: where an unlink did not happen, a newer file of that name is gone with the directory's entry.
        undone = {path: file for path, file in self._unlinked.items() if self._lazy_unlinks or random_.random() < 0.5}
        left = self._files | undone
        for path, file in left.items():
            content = _survived(file, random_)
            if content is not None and not path.endswith("-shm"):
                (folder / Path(path).name).write_bytes(content)

    def connect(self, path: Path) -> "Connection":
        """As `edge.journal.store.connect_sqlite`, on this disk."""
        return Connection(path, self)

    def close(self) -> None:
        self._vfs.unregister()


def _survived(file: _File, random_: random.Random) -> bytes | None:
    if file.durable is None and not file.pending:
        return None
    content = bytearray(file.durable or b"")
    for offset, data in file.pending:
        chance = random_.choice(CHANCES)
        if data is None:
            if random_.random() < chance:
                del content[offset:]
            continue
        for start in range(0, len(data), SECTOR):
            if random_.random() < chance:
                sector = data[start : start + SECTOR]
                content.extend(bytes(max(offset + start + len(sector) - len(content), 0)))
                content[offset + start : offset + start + len(sector)] = sector
    return bytes(content)


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.name, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return _OpenFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self._disk.operate()
        super().xDelete(filename, syncdir)
        self._disk.unlinked(filename, durably=bool(syncdir))


class _OpenFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.operate()
        super().xWrite(data, offset)
        self._disk.file(self._path).pending.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.operate()
        super().xTruncate(newsize)
        self._disk.file(self._path).pending.append((newsize, None))

    def xSync(self, _flags: int) -> None:  # noqa: N802
        # The real disk need not be asked: what would be left is written down here.
        self._disk.operate()
        self._disk.synced(self._path)


class Connection:
    """What the journal uses of a connection; errors are those of sqlite3. `pragmas` replaces some of them, to see what they are
    for."""

    pragmas: dict[str, str] = {}  # noqa: RUF012 - set by a test for its own time

    def __init__(self, path: Path, disk: Disk) -> None:
        self._real = apsw.Connection(str(path), vfs=disk.name)
        # Checkpoints come often, so that many cuts hit one.
        self._real.execute("PRAGMA wal_autocheckpoint=12")

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> apsw.Cursor:
        try:
            return self._real.execute(self.pragmas.get(sql, sql), parameters)
        except (apsw.Error, PowerCut) as exc:
            raise _as_sqlite3(exc) from exc

    def executemany(self, sql: str, parameters: Sequence[Any], /) -> apsw.Cursor:
        try:
            return self._real.executemany(sql, parameters)
        except (apsw.Error, PowerCut) as exc:
            raise _as_sqlite3(exc) from exc

    def close(self) -> None:
        try:
            self._real.close(force=True)
        except (apsw.Error, PowerCut) as exc:
            raise _as_sqlite3(exc) from exc


def _as_sqlite3(exc: Exception) -> sqlite3.Error:
    kind = sqlite3.IntegrityError if isinstance(exc, apsw.ConstraintError) else sqlite3.OperationalError
    error = kind(str(exc) or type(exc).__name__)
    error.sqlite_errorcode = getattr(exc, "result", sqlite3.SQLITE_IOERR)
    return error
