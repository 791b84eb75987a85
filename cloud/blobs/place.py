"""Where the files of an installation lie."""

import secrets
from pathlib import Path

import structlog

from cloud.blobs.store import DirectoryStore
from cloud.blobs.uploads import Blobs
from cloud.clock import Clock
from cloud.db.engine import Sessions, database_url
from cloud.errors import SettingsFault

log = structlog.get_logger()


def blob_folder(database: str, wanted: Path | None) -> Path | None:
    """The folder that was named; else `blobs` beside a SQLite file; None where neither tells."""
    if wanted is not None:
        return wanted
    url = database_url(database)
    return Path(url.database or "").absolute().parent / "blobs" if url.get_backend_name() == "sqlite" else None


def open_blobs(sessions: Sessions, folder: Path | None, clock: Clock) -> Blobs | None:
    """What the routes of files work with; None, and a word in the log, without a folder. Raises SettingsFault."""
    if folder is None:
        log.warning("blobs_not_taken")
        return None
    try:
        return Blobs(sessions, DirectoryStore(folder), clock, secrets.token_bytes)
    except OSError as exc:
        raise SettingsFault(f"blobs: {exc}") from exc
