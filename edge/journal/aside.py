"""Setting a damaged journal aside, whole: file, log and index move into a folder of their own and nothing of them is deleted.

A marker in the folder says that the work on it is not finished. As long as it is there nobody opens the journal's file: it
could be a half moved one.
"""

import os
from pathlib import Path

from edge.errors import JournalFault

FOLDER = "journal-corrupt-"
MARKER = "unfinished"

SUFFIXES = ("-wal", "-shm", "")
"""In this order: once the file itself is in the folder, all of it is."""


def number_of(folder: Path) -> int:
    """The n of a folder's name."""
    return int(folder.name.removeprefix(FOLDER))


def folders(path: Path) -> list[Path]:
    """What was set aside of the journal at `path`, oldest first."""
    found = [each for each in path.parent.glob(f"{FOLDER}*") if each.name.removeprefix(FOLDER).isdecimal()]
    return sorted(found, key=number_of)


def unfinished(path: Path) -> Path | None:
    """The folder that a process was at work on when it ended."""
    return next((each for each in folders(path) if (each / MARKER).exists()), None)


def set_aside(path: Path) -> Path:
    """Move the journal's files into a new folder, which is marked as unfinished. Raises JournalFault."""
    numbers = [number_of(each) for each in folders(path)]
    folder = path.with_name(f"{FOLDER}{max(numbers, default=0) + 1}")
    try:
        folder.mkdir(mode=0o700)
        sync_folder(path.parent)
        (folder / MARKER).touch()
        sync_folder(folder)
    except OSError as exc:
        raise JournalFault(f"the damaged {path.name} cannot be set aside: {exc}") from exc
    move(path, folder)
    return folder


def move(path: Path, folder: Path) -> None:
    """Move what is still in place. Raises JournalFault."""
    if (folder / path.name).exists():
        return
    try:
        for suffix in SUFFIXES:
            file = path.with_name(path.name + suffix)
            if file.exists():
                file.rename(folder / file.name)
        sync_folder(folder)
        sync_folder(path.parent)
    except OSError as exc:
        raise JournalFault(f"the damaged {path.name} cannot be set aside: {exc}") from exc


def finish(folder: Path) -> None:
    """The new journal knows of it: the folder is only kept from now on."""
    (folder / MARKER).unlink(missing_ok=True)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make renamed and new files of a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
