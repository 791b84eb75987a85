"""An exported journal: one file that anybody can verify with nothing but the box's public key.

    file = "TBXJ1" LF | item | item ...            item = uint32be length | bytes
    first item   table of contents: uint16be length of signature | signature (DER) | 16-byte key id | JSON
    other items  frames, run by run in the order of the contents, each run's from `first` to `end` without a hole

The contents are signed under a payload type of their own, so that no frame can pass for them: whoever takes away frames at the
end, or whole runs, is found out. A file without signatures is JSON lines: the contents, then for each run its part and entries.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sync_protocol import chain
from sync_protocol.entries import Position, RunEntry, parse
from sync_protocol.errors import ExportFault, FrameFault, SignatureFault, TextFault, UnknownKey
from sync_protocol.frame import KEY_ID_BYTES, MAX_FRAME, MAX_SIGNATURE, FindKey, Sign, pre_auth_encoding, unseal
from sync_protocol.ids import RunId

MAGIC = b"TBXJ1\n"

CONTENTS_TYPE = "application/vnd.tallybox.export.v1"

MAX_CONTENTS = 16 * 1024 * 1024
"""About 50,000 runs: more starts than a box makes in its life. Also what a reader may be made to hold in memory."""

MAX_LINE = 1024 * 1024
"""Of the contents' line and parts of an unsigned file; an entry is at most 64 KiB."""

Read = Callable[[int], bytes]
"""At most that many bytes of the file from where the last call ended; empty at its end."""

HEX_HASH = "^[0-9a-f]{64}$"


class Part(BaseModel):
    """What the file holds of one run: entries first..end-1. `prev` and `last` are the chain's hashes before and at the end."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: str = Field(pattern="^[0-9a-f]{32}$")
    first: int = Field(ge=0, lt=1 << 63)
    end: int = Field(ge=0, lt=1 << 63)
    prev: str = Field(pattern=HEX_HASH)
    last: str = Field(pattern=HEX_HASH)
    parent: Position | None = None
    """As entry 0 names it; absent where there is none or entry 0 is not in the file."""


class Contents(BaseModel):
    """What is in the file, oldest run first. `wall_ns` is the box's wall clock when it was made: a hint."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: int = Field(default=1, ge=1, le=1)
    box: str | None = None
    wall_ns: int
    runs: tuple[Part, ...]


def item(data: bytes) -> bytes:
    """One item as it stands in the file."""
    return len(data).to_bytes(4, "big") + data


def seal_contents(contents: Contents, *, key_id: bytes, sign: Sign) -> bytes:
    """The first item of a signed file. Raises ExportFault when there are too many runs for one file."""
    body = contents.model_dump_json(exclude_none=True).encode()
    if len(body) > MAX_CONTENTS:
        raise ExportFault(f"a table of contents of {len(body)} bytes is above the limit of {MAX_CONTENTS}")
    signature = sign(pre_auth_encoding(body, CONTENTS_TYPE))
    return len(signature).to_bytes(2, "big") + signature + key_id + body


def plain_line(contents: Contents | Part) -> bytes:
    """A line of an unsigned file that is no entry."""
    return contents.model_dump_json(exclude_none=True).encode() + b"\n"


@dataclass(slots=True)
class _Walk:
    """What was seen so far: hashes at the places that later runs name as their parents."""

    wanted: frozenset[tuple[str, int]]
    hashes: dict[tuple[str, int], str] = field(default_factory=dict)

    @classmethod
    def over(cls, contents: Contents) -> "_Walk":
        return cls(frozenset((part.parent.run, part.parent.seq) for part in contents.runs if part.parent))

    def saw(self, run: str, first: int, hashes: Sequence[bytes]) -> None:
        for seq, digest in enumerate(hashes, first):
            if (run, seq) in self.wanted:
                self.hashes[run, seq] = digest.hex()

    def begin(self, part: Part) -> None:
        """Raises ExportFault when the part cannot be what it says."""
        run = RunId(part.run)
        if part.first >= part.end:
            raise ExportFault("the contents name a run without entries", run, part.first)
        if part.first == 0 and bytes.fromhex(part.prev) != chain.seed(run):
            raise ExportFault("the run does not start from its own seed", run, 0)

    def opened(self, part: Part, entry: bytes) -> None:
        """Entry 0 of a run: it must be a run's first entry and its parent must be what the file holds of it."""
        if part.first:
            return
        try:
            found = parse(entry)
        except TextFault as exc:
            raise ExportFault(str(exc), part.run, 0) from exc
        if not isinstance(found, RunEntry):
            raise ExportFault(f"a run begins with an entry of kind {found.t!r}", part.run, 0)
        if found.parent != part.parent:
            raise ExportFault("the run names another parent than the contents do", part.run, 0)
        if found.parent is not None:
            held = self.hashes.get((found.parent.run, found.parent.seq))
            if held is not None and held != found.parent.hash:
                raise ExportFault("the parent in this file has another hash at that entry", part.run, 0)


def verify(read: Read, find_key: FindKey | None) -> Contents:
    """Read the whole file and check all of it: signatures, contents, every run's chain, parents.

    Without `find_key` only a file without signatures is taken. Raises ExportFault with the first bad run and seq.
    """
    start = read(len(MAGIC))
    if start == MAGIC:
        return _verify_signed(_items(read), find_key)
    if find_key is not None:
        raise ExportFault(
            "the file holds no signatures, so no key can prove it" if start[:1] == b"{" else "not an exported journal"
        )
    return _verify_plain(_lines(start, read))


def _items(read: Read) -> Iterator[bytes]:
    limit = MAX_CONTENTS + 2 + MAX_SIGNATURE + KEY_ID_BYTES
    while head := read(4):
        length = int.from_bytes(head, "big")
        if len(head) < 4 or length > limit:
            raise ExportFault("the file is cut or damaged at the length of an item")
        data = read(length)
        if len(data) < length:
            raise ExportFault("the file is cut inside an item")
        yield data
        limit = MAX_FRAME


def _verify_signed(items: Iterator[bytes], find_key: FindKey | None) -> Contents:
    if find_key is None:
        raise ExportFault("the file is signed: give the box's public key")
    contents = _contents(next(items, b""), find_key)
    walk = _Walk.over(contents)
    for part in contents.runs:
        _verify_part(part, contents, items, find_key, walk)
    if next(items, None) is not None:
        raise ExportFault("the file holds more than its contents name")
    return contents


def _contents(data: bytes, find_key: FindKey) -> Contents:
    length = int.from_bytes(data[:2], "big")
    if not 8 <= length <= MAX_SIGNATURE or len(data) < 2 + length + KEY_ID_BYTES:
        raise ExportFault("the table of contents is cut or damaged")
    key_id, body = data[2 + length : 2 + length + KEY_ID_BYTES], data[2 + length + KEY_ID_BYTES :]
    verify_signature = find_key(key_id)
    if verify_signature is None:
        raise ExportFault(f"the file is signed with another key, {key_id.hex()}")
    try:
        verify_signature(data[2 : 2 + length], pre_auth_encoding(body, CONTENTS_TYPE))
        return Contents.model_validate_json(body)
    except (SignatureFault, ValidationError) as exc:
        raise ExportFault(f"the table of contents: {str(exc).splitlines()[0]}") from exc


def _verify_part(part: Part, contents: Contents, items: Iterator[bytes], find_key: FindKey, walk: _Walk) -> None:
    walk.begin(part)
    at, before = part.first, bytes.fromhex(part.prev)
    while at < part.end:
        try:
            data = next(items, None)
        except ExportFault as exc:
            raise ExportFault(exc.reason, part.run, at) from exc
        if data is None:
            raise ExportFault("the file ends before its contents do", part.run, at)
        try:
            batch = unseal(data, find_key)
        except UnknownKey as exc:
            raise ExportFault("a frame is signed with another key", part.run, at) from exc
        except (FrameFault, SignatureFault) as exc:
            raise ExportFault(str(exc), part.run, at) from exc
        if (batch.box, batch.run, batch.first, batch.prev) != (contents.box, part.run, at, before) or batch.end > part.end:
            raise ExportFault("a frame is not the one that belongs here", part.run, at)
        if at == part.first:
            walk.opened(part, batch.entries[0])
        walk.saw(part.run, at, batch.hashes)
        at, before = batch.end, batch.hashes[-1]
    _ends(part, before)


def _ends(part: Part, digest: bytes) -> None:
    if digest.hex() != part.last:
        raise ExportFault("the run does not end at the hash that the contents name", part.run, part.end - 1)


def _lines(start: bytes, read: Read) -> Iterator[bytes]:
    kept = start
    while True:
        *whole, kept = kept.split(b"\n")
        yield from whole
        more = read(MAX_LINE)
        if not more:
            break
        kept += more
        if len(kept) > MAX_CONTENTS + MAX_LINE:
            raise ExportFault("not an exported journal: no line ends where one must")
    if kept:
        raise ExportFault("the file is cut inside a line")


def _verify_plain(lines: Iterator[bytes]) -> Contents:
    try:
        contents = Contents.model_validate_json(next(lines, b""))
    except ValidationError as exc:
        raise ExportFault("not an exported journal") from exc
    walk = _Walk.over(contents)
    for part in contents.runs:
        walk.begin(part)
        if _json(next(lines, b"")) != json.loads(plain_line(part)):
            raise ExportFault("the run's part is not what the contents name", part.run, part.first)
        digest = bytes.fromhex(part.prev)
        for seq in range(part.first, part.end):
            entry = next(lines, None)
            if entry is None:
                raise ExportFault("the file ends before its contents do", part.run, seq)
            if seq == part.first:
                walk.opened(part, entry)
            digest = chain.link(digest, seq, entry)
            walk.saw(part.run, seq, [digest])
        _ends(part, digest)
    if next(lines, None) is not None:
        raise ExportFault("the file holds more than its contents name")
    return contents


def _json(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None
