"""Free pages of the journal's file: how much room they are, and giving them back to the file system in short steps."""

from typing import Final

from edge.disk.levels import MIB
from edge.journal.store import Connection, number

PAGES: Final = 256
"""Pages given back in one short transaction: a megabyte."""

LOG_LIMIT: Final = 8 * MIB
"""Of the journal's write-ahead log after a long reader let it grow; twice what it has by itself."""

INCREMENTAL: Final = 2
"""`PRAGMA auto_vacuum` of a file whose free pages can be returned (https://sqlite.org/pragma.html#pragma_auto_vacuum)."""


def reusable_bytes(connection: Connection) -> int:
    """Room inside the file: pages that were freed and that new entries take before the file grows."""
    return number(connection.execute("PRAGMA freelist_count")) * number(connection.execute("PRAGMA page_size"))


def give_back_pages(connection: Connection) -> bool:
    """Return some free pages to the file system; whether there were any. A file made without `auto_vacuum` keeps them."""
    free = number(connection.execute("PRAGMA freelist_count"))
    if not free or number(connection.execute("PRAGMA auto_vacuum")) != INCREMENTAL:
        return False
    # Every row is one page that was moved; without reading them all the work is left undone.
    connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
    return True


def checkpoint(connection: Connection) -> None:
    """Move the log into the file, which is cut to its new length then. Passive: it waits for no reader."""
    connection.execute(f"PRAGMA journal_size_limit={LOG_LIMIT}").fetchall()
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
