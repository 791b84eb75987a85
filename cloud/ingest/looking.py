"""What ingest has to know of an entry's content: its kind, and of few kinds a little more. Readings, the many, are looked at
without a model; whatever such a look does not recognise at once is left to the model, so that both say the same.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from sync_protocol.entries import Entry, NoteEntry, ReadingEntry, RunEntry, UnknownEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId

_KNOWN = frozenset(ReadingEntry.model_fields)
_TEXTS = ("boot_id", "device", "driver", "kind", "raw")
_MAYBE_TEXTS = ("value", "unit", "instrument_time")
_CLOCKS = frozenset({"none", "rtc", "ntp", "cloud"})

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
    if isinstance(found, dict) and found.get("t") == "reading" and _plain_reading(found):
        return READING
    try:
        entry = parse(content)
    except TextFault:
        return UNREADABLE
    kind = "unknown" if isinstance(entry, UnknownEntry) else entry.t
    return Look(kind, _was(entry), entry if isinstance(entry, RunEntry | NoteEntry) else None)


def _plain_reading(found: dict[str, Any]) -> bool:
    """Whether these are the fields of a reading as boxes write them, nothing said again and nothing unheard of."""
    return (
        found.keys() <= _KNOWN
        and found.get("was") is None
        and all(type(found.get(name)) is str for name in _TEXTS)
        and all(type(found.get(name, "")) is str for name in _MAYBE_TEXTS)
        and type(found.get("mono_ns")) is int
        and type(found.get("wall_ns")) is int
        and _plain_clock(found.get("clk"))
        and (found.get("op", "<") == "<" or found["op"] == ">")
        and _texts_only(found.get("flags", []), found.get("details", {}))
    )


def _plain_clock(clk: object) -> bool:
    if type(clk) is not dict or not clk.keys() <= {"s", "err_ms"}:
        return False
    source = clk.get("s")
    return type(source) is str and source in _CLOCKS and type(clk.get("err_ms", 0)) is int


def _texts_only(flags: object, details: object) -> bool:
    return (
        type(flags) is list
        and type(details) is dict
        and all(type(flag) is str for flag in flags)
        and all(type(detail) is str for detail in details.values())
    )


def _was(entry: Entry) -> EntryId | None:
    if entry.was is None:
        return None
    try:
        found = EntryId.parse(entry.was)
    except TextFault:
        return None
    return found if found.seq < 1 << 63 else None
