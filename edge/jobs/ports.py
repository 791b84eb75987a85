"""What jobs need from the rest of the box: a journal that keeps steps, and a place for inputs that are no step yet."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from sync_protocol.entries import Entry, StepEntry
from sync_protocol.ids import EntryId


class JobJournal(Protocol):
    """The journal as jobs see it."""

    async def append(self, entry: Entry) -> EntryId:
        """Write one entry; returns when it is durable. Raises JournalFault."""
        ...

    def steps(self) -> AsyncIterator[tuple[EntryId, StepEntry]]:
        """Every step entry of this box, oldest first. Raises JournalFault."""
        ...


class DraftStore(Protocol):
    """Inputs that wait for the rest of their step (an order without its delivery note, an item without its lot).

    They prove nothing and may be lost; kept, they spare the operator a second scan after a power cut.
    """

    async def load_drafts(self) -> Mapping[str, str]:
        """Job id to the text that was saved."""
        ...

    async def save_draft(self, job: str, text: str | None, /) -> None:
        """Replace the job's draft; None removes it."""
        ...


class NoDrafts:
    """Keeps nothing: a restart asks again for what was no step yet."""

    async def load_drafts(self) -> Mapping[str, str]:
        return {}

    async def save_draft(self, _job: str, _text: str | None, /) -> None:
        return None


class NumberStore(Protocol):
    """The highest number of the box's own papers by prefix, so that none is given twice when the journal's old entries go."""

    async def load_numbers(self) -> Mapping[str, int]:
        """Prefix to the highest count that was given."""
        ...

    async def save_number(self, prefix: str, count: int, /) -> None:
        """Remember a count; a lower one changes nothing."""
        ...


class NoNumbers:
    """Keeps nothing: what the journal still has decides alone."""

    async def load_numbers(self) -> Mapping[str, int]:
        return {}

    async def save_number(self, _prefix: str, _count: int, /) -> None:
        return None
