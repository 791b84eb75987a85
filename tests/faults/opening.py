"""Opens the box's real journal, as the box does."""

import secrets
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from edge.clock import BoxClock
from edge.journal.service import Journal
from sync_protocol.ids import run_id

CLOCK = BoxClock.of_this_machine()


def open_journal(path: Path) -> AbstractAsyncContextManager[Journal]:
    """A new run on the journal at `path`."""
    return Journal.open(path, clock=CLOCK, run=run_id(secrets.token_hex(16)), firmware="faults")
