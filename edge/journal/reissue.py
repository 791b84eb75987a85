"""Writing entries again that the cloud does not take under their old id: what changes in their bytes, and in what order.

An entry that is said again names its old id in `was`. A step rests on readings by their ids: where those are said again too, it
names the new ones, so a chunk ends before an entry that rests on another entry of it.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_protocol.entries import MAX_ENTRY_BYTES

CHUNK = 500
"""Entries that are prepared and written together: one frame of them, half a megabyte at the most common sizes."""

_ID = re.compile(r"[0-9a-f]{32}:(?:0|[1-9][0-9]{0,18})")

NewNames = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""Ids of old entries to the ids under which they stand now, as far as they were said again."""


@dataclass(frozen=True, slots=True)
class Old:
    """An entry as it was: its id, kind and bytes."""

    id: str
    kind: str
    data: bytes


Again = tuple[str, bytes, str]
"""Kind, bytes, old id."""

PlaceDurably = Callable[[Sequence[Again]], Awaitable[None]]
"""Writes entries behind each other; returns when they are durable."""


def references(value: object) -> Iterator[str]:
    """Every string in a JSON value that has the form of an entry's id."""
    match value:
        case str() if _ID.fullmatch(value):
            yield value
        case dict():
            for item in value.values():
                yield from references(item)
        case list() | tuple():
            for item in value:
                yield from references(item)


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The same JSON value with new ids for old."""
    match value:
        case str():
            return names.get(value, value)
        case dict():
            return {key: renamed(item, names) for key, item in value.items()}
        case list() | tuple():
            return [renamed(item, names) for item in value]
        case _:
            return value


def content_of(data: bytes) -> dict[str, Any] | None:
    """The entry's JSON object; None when the bytes are none."""
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def said_again(content: Mapping[str, Any], was: str, names: Mapping[str, str]) -> bytes | None:
    """The bytes of an entry that is written again; None when they are more than an entry may have."""
    # What the entry itself was before stays to be found by its old id: each re-issue names the one before.
    value = {key: renamed(item, names) for key, item in content.items() if key != "was"} | {"was": was}
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return data if len(data) <= MAX_ENTRY_BYTES else None


class Reissuer:
    """Writes old entries again through the writer. `skipped` are ids of entries that cannot be said again."""

    def __init__(self, place: PlaceDurably, renamed_durably: NewNames) -> None:
        self._place = place
        self._renamed_durably = renamed_durably
        self.skipped: list[str] = []
        self.written = 0
        self.has_devices = False

    async def write(self, olds: Iterable[Old]) -> None:
        """Place old entries in their order, and return when they are durable."""
        wanted: list[tuple[Old, dict[str, Any]]] = []
        for old in olds:
            content = content_of(old.data)
            if content is None:
                self.skipped.append(old.id)
                continue
            here = {earlier.id for earlier, _ in wanted}
            if not here.isdisjoint(references(content)):
                await self._write_chunk(wanted)
                wanted = []
            wanted.append((old, content))
        await self._write_chunk(wanted)

    async def _write_chunk(self, wanted: Sequence[tuple[Old, dict[str, Any]]]) -> None:
        asked = sorted({name for _, content in wanted for name in references(content)})
        names = await self._renamed_durably(asked) if asked else {}
        ready: list[Again] = []
        for old, content in wanted:
            data = said_again(content, old.id, names)
            if data is None:
                self.skipped.append(old.id)
            else:
                ready.append((old.kind, data, old.id))
        if ready:
            await self._place(ready)
        self.written += len(ready)
        self.has_devices |= any(kind == "device" for kind, _, _ in ready)
