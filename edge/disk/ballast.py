"""The ballast: a file of real blocks that is given away when the medium is full, because then even deleting takes room."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.disk.levels import MIB, Usage

NAME: Final = "ballast.bin"

SIZE: Final = 16 * MIB
"""SQLite's log of a deletion is as large as the pages that it touches: enough for several thousand entries at a time."""

_ZEROS: Final = bytes(MIB)

Allocate = Callable[[int, int, int], None]
"""`os.posix_fallocate`: descriptor, offset, length."""


def usage_of(folder: Path) -> Usage:
    """The file system that holds `folder`. Blocks kept for root are not there for the box (statvfs(3): f_bavail)."""
    found = os.statvfs(folder)
    held_back = found.f_bfree - found.f_bavail
    return Usage(total=(found.f_blocks - held_back) * found.f_frsize, free=found.f_bavail * found.f_frsize)


class Ballast:
    """`size` bytes beside the journal; 0 means that there is none."""

    def __init__(self, folder: Path, size: int = SIZE, *, allocate: Allocate = os.posix_fallocate) -> None:
        self.size = size
        self._path = folder / NAME
        self._allocate = allocate

    @property
    def missing(self) -> int:
        """Bytes that it lacks of its size."""
        return 0 if not self.size or self._there() else self.size

    def _there(self) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        # A file without blocks holds no room: a sparse copy, or one that a power cut left behind.
        return found.st_size == self.size and found.st_blocks * 512 >= self.size

    def make(self) -> bool:
        """Put it in place; False when there is no room after all. Raises OSError for anything else."""
        if not self.missing:
            return True
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._fill(fd)
            os.fsync(fd)
        except OSError as exc:
            self.release()
            if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
                return False
            raise
        finally:
            os.close(fd)
        return True

    def _fill(self, fd: int) -> None:
        try:
            self._allocate(fd, 0, self.size)
        except OSError as exc:
            if exc.errno not in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:
                raise
            # A file system that cannot promise blocks: take them.
            left = self.size
            while left:
                left -= os.write(fd, _ZEROS[:left])

    def release(self) -> bool:
        """Give it away; whether there was one."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True


def make_room_to_start(folder: Path, ballast: Ballast) -> bool:
    """Before the journal is opened: a box on a full medium must at least be able to say so. Whether the ballast was given."""
    return usage_of(folder).free < ballast.size // 4 and ballast.release()
