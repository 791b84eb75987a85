"""What ingest has to know of an entry's content: its kind, and of few kinds a little more.

Readings, the many, are known by the names of their fields alone: their model takes five times as long, and whoever makes
something of a reading reads it by the model anyway. All others are left to their models.
"""

from dataclasses import dataclass

import orjson

from sync_protocol.entries import Entry, NoteEntry, ReadingEntry, RunEntry, UnknownEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId

_NEEDED = frozenset(name for name, field in ReadingEntry.model_fields.items() if field.is_required()) | {"t"}

JOURNAL_LOST = "journal_lost"
"""Name of the note with which a box says that it had to begin its journal anew."""


@dataclass(frozen=True, slots=True)
class Look:
    """An entry's kind as it is stored (`JournalEntry.kind`), and what ingest acts on."""

    kind: str
    was: EntryId | None = None
    """The entry that this one says again."""
    entry: RunEntry | NoteEntry | None = None


READING = Look("reading")
UNREADABLE = Look("unreadable")


def look(content: bytes) -> Look:
    """What an entry is, whatever its bytes are."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    if type(found) is dict and found.get("t") == "reading" and "was" not in found and found.keys() >= _NEEDED:
        return READING
    try:
        entry = parse(content)
    except TextFault:
        return UNREADABLE
    kind = "unknown" if isinstance(entry, UnknownEntry) else entry.t
    return Look(kind, _was(entry), entry if isinstance(entry, RunEntry | NoteEntry) else None)


def _was(entry: Entry) -> EntryId | None:
    if entry.was is None:
        return None
    try:
        found = EntryId.parse(entry.was)
    except TextFault:
        return None
    return found if found.seq < 1 << 63 else None
