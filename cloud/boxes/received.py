"""An entry as whoever makes something of it gets it, and who that is, by kind of entry.

A taker is called once per entry, in the order of its run, in the transaction that moves the projection's cursor. What it
raises as CloudError, or what the database refuses of it, becomes a fault of that entry and holds nothing up.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from sync_protocol.entries import Entry, StepEntry


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


class JobTaker(Protocol):
    """What makes records of the steps of one kind of job. Steps of one job come to it in the order of their numbers, each once
    (a step that was said again with the same content is not given a second time only where its job knows its number)."""

    async def awaited(self, session: AsyncSession, received: Received, step: StepEntry, /) -> int:
        """The number of the step that the job awaits, 0 where there is no such job yet. Raises StepFault."""
        ...

    async def take(self, session: AsyncSession, received: Received, step: StepEntry, /) -> None:
        """Work one step in. Raises StepFault, and then nothing of it is kept; what a person has to look at is no fault: it is
        kept in the record with its reason."""
        ...


JobTakers = Mapping[str, JobTaker]
"""By job kind, beside receipts, which have their own way."""
