"""An entry as whoever makes something of it gets it, and who that is, by kind of entry.

A taker is called once per entry, in the order of its run, in the transaction that moves the projection's cursor. What it
raises as CloudError, or what the database refuses of it, becomes a fault of that entry and holds nothing up.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from sync_protocol.entries import Entry


@dataclass(frozen=True, slots=True)
class Received:
    """One entry of a box's journal and where it stands."""

    box: str
    run: str
    seq: int
    entry: Entry
    received_at: datetime


Taker = Callable[[AsyncSession, Received], Awaitable[None]]

Takers = Mapping[str, Sequence[Taker]]
"""By `t` of the entry. Steps are not among them: jobs have their own way."""
