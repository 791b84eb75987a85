"""Writes that survive a power cut, and never write over a key: whole files by link or rename, synced with their directory."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioning.errors import AlreadyThere, Busy, FileFault, NotThere

PRIVATE = 0o600
PUBLIC = 0o644

READ_LIMIT = 64 * 1024
"""Bytes. A key or certificate in PEM takes about 1 KiB; what is larger is some other file."""

_TEMPORARY = ".tallybox-"


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise NotThere(path) from exc
    except OSError as exc:
        raise FileFault(path, exc.strerror or str(exc)) from exc


def private_directory(path: Path) -> None:
    """Make `path` with mode 0700, or check that it has it; an empty one is closed, a used one that stands open is refused."""
    with _faults(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(path.stat().st_mode) == 0o700:
            return
        # Somebody's home or /tmp, named by mistake, must not change its mode under them.
        if any(path.iterdir()):
            raise FileFault(path, "the directory is in use and open to others: set its mode to 0700, or choose another")
        path.chmod(0o700)


@contextmanager
def locked(directory: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the directory: alone (raises Busy at once when anyone else has it), or together with other readers (waits)."""
    with _faults(directory):
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise Busy(directory) from exc
        yield
    finally:
        os.close(held)


def sweep(directory: Path) -> None:
    """Remove what a write that was cut off left behind. Only while the directory is held alone."""
    with _faults(directory):
        for leftover in directory.glob(f"{_TEMPORARY}*"):
            leftover.unlink()


def write_new(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Make `path` with `data`, whole and synced; raises AlreadyThere instead of touching a file of that name."""
    with _written(path, data, mode) as temporary:
        try:
            os.link(temporary, path)  # fails on an existing name, where a rename would replace it
        except FileExistsError as exc:
            raise AlreadyThere(path) from exc


def write_over(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Put `data` in place of whatever `path` holds: the old content or the new one, never a mixture."""
    with _written(path, data, mode) as temporary:
        temporary.replace(path)


def move_over(source: Path, target: Path) -> None:
    """Rename within one directory, synced."""
    with _faults(target):
        source.replace(target)
        _sync_directory(target.parent)


def remove(path: Path) -> None:
    """Unlink, synced; a file that is not there is fine."""
    with _faults(path):
        path.unlink(missing_ok=True)
        _sync_directory(path.parent)


def read(path: Path, *, private: bool = False) -> bytes:
    """All of a small file. With `private`, a file that others may read or write is refused."""
    with _faults(path), path.open("rb") as file:
        if private and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise FileFault(path, "a private key that others can reach: set its mode to 0600, and replace it if it was exposed")
        data = file.read(READ_LIMIT + 1)
    if len(data) > READ_LIMIT:
        raise FileFault(path, f"longer than {READ_LIMIT} bytes")
    return data


@contextmanager
def _written(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    with _faults(path):
        # mkstemp opens with O_EXCL and 0600: no moment at which another user can open a key.
        descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
