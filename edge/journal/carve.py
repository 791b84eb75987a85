"""Rows out of the pages of a damaged SQLite file and its log, without asking SQLite, which gives up at the first bad page.

Reads what is written in the b-tree pages as they lie there: journal rows are never changed, so that any version of a page that
holds one holds the right one; whether it does is for the chain to say. Source: SQLite database file format, 1.6 "B-tree pages"
and 2.1 "Record format", 4.1 "WAL file format" (sqlite.org/fileformat2.html).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PAGE_SIZES = frozenset(1 << power for power in range(9, 17))
USUAL_PAGE_SIZE = 4096
"""What SQLite makes, and this program has always made; used where the header that says so cannot be read."""

WAL_HEADER, WAL_FRAME_HEADER = 32, 24
FILE_HEADER = 100
"""Page 1 begins with it; its b-tree header comes behind."""

INDEX_INTERIOR, INDEX_LEAF, TABLE_LEAF = 0x02, 0x0A, 0x0D
"""Page types with whole records: a table WITHOUT ROWID is an index, whose inner pages hold rows too."""

MAX_PAYLOAD = 1 << 20
"""Bytes of one record: an entry has at most 64 KiB, and a damaged length must not make us read on for ever."""

_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

Value = int | bytes | str | None
Record = tuple[Value, ...]
_Cell = tuple[int | None, bytes | None]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the pages lie."""

    data: BinaryIO
    log: BinaryIO | None
    page: int

    def of_file(self, number: int) -> bytes:
        self.data.seek((number - 1) * self.page)
        return self.data.read(self.page)


def records(database: Path) -> Iterator[Record]:
    """Every record in the pages of a database file, then in those of its log, in the order in which they were written there."""
    log = database.with_name(database.name + "-wal")
    with database.open("rb") as data:
        if not log.exists():
            yield from _records(_Layout(data, None, _page_size(data, None)))
            return
        with log.open("rb") as written:
            yield from _records(_Layout(data, written, _page_size(data, written)))


def logged_records(database: Path) -> Iterator[Record]:
    """Every record in the frames of the log, whether SQLite finds them or not: it stops reading at the first frame that is not
    whole."""
    log = database.with_name(database.name + "-wal")
    with database.open("rb") as data, log.open("rb") as written:
        layout = _Layout(data, written, _page_size(data, written))
        frames = _frames(layout)
        newest = dict(frames)
        for number, offset in frames:
            yield from _of_page(layout, number, _logged(layout, offset), newest)


def _page_size(data: BinaryIO, log: BinaryIO | None) -> int:
    header = data.read(18)
    said = [int.from_bytes(header[16:18], "big")]
    if log is not None:
        said.append(int.from_bytes(log.read(12)[8:12], "big"))
    # 65536 does not fit two bytes and is written as 1.
    sizes = (65536 if size == 1 else size for size in said)
    return next((size for size in sizes if size in PAGE_SIZES), USUAL_PAGE_SIZE)


def _records(layout: _Layout) -> Iterator[Record]:
    logged = _frames(layout)
    newest = dict(logged)
    size = layout.data.seek(0, 2)
    for number in range(1, -(-size // layout.page) + 1):
        yield from _of_page(layout, number, layout.of_file(number), newest)
    for number, offset in logged:
        yield from _of_page(layout, number, _logged(layout, offset), newest)


def _frames(layout: _Layout) -> list[tuple[int, int]]:
    """Page number and offset of every frame of the log, those last that were written since it was last begun anew."""
    if layout.log is None:
        return []
    layout.log.seek(16)
    salts = [layout.log.read(8)]
    frames = []
    size = layout.log.seek(0, 2)
    for offset in range(WAL_HEADER, size - WAL_FRAME_HEADER, WAL_FRAME_HEADER + layout.page):
        layout.log.seek(offset)
        header = layout.log.read(16)
        salts.append(header[8:])
        frames.append((int.from_bytes(header[:4], "big"), offset + WAL_FRAME_HEADER))
    # The log is begun anew at its start, with another salt in its header; where that is damaged the first frames tell.
    current = next((salt for salt in salts[:4] if salts.count(salt) > 1), salts[0])
    newer = [frame for frame, salt in zip(frames, salts[1:], strict=True) if salt == current]
    return [frame for frame, salt in zip(frames, salts[1:], strict=True) if salt != current] + newer


def _logged(layout: _Layout, offset: int) -> bytes:
    if layout.log is None:
        return b""
    layout.log.seek(offset)
    return layout.log.read(layout.page)


def _of_page(layout: _Layout, number: int, page: bytes, newest: dict[int, int]) -> Iterator[Record]:
    start = FILE_HEADER if number == 1 else 0
    if len(page) < start + 12 or page[start] not in (INDEX_INTERIOR, INDEX_LEAF, TABLE_LEAF):
        return
    kind = page[start]
    pointers = start + (12 if kind == INDEX_INTERIOR else 8)
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    for at in range(pointers, min(pointers + 2 * count, len(page) - 1), 2):
        cell = int.from_bytes(page[at : at + 2], "big")
        if not pointers < cell < len(page):
            continue
        rowid, payload = _payload(layout, page, cell, kind, newest)
        record = _record(payload) if payload is not None else None
        if record:
            # An INTEGER PRIMARY KEY is stored as the cell's row id, and as NULL in the record.
            yield record if rowid is None or record[0] is not None else (rowid, *record[1:])


def _payload(layout: _Layout, page: bytes, cell: int, kind: int, newest: dict[int, int]) -> _Cell:
    """Row id, where the page has such, and the record's bytes, None where they are not whole."""
    length, at = _varint(page, cell + 4 if kind == INDEX_INTERIOR else cell)
    rowid = None
    if kind == TABLE_LEAF:
        rowid, at = _varint(page, at)
    if not 0 < length <= MAX_PAYLOAD:
        return rowid, None
    usable = layout.page
    most = usable - 35 if kind == TABLE_LEAF else (usable - 12) * 64 // 255 - 23
    if length <= most:
        return rowid, page[at : at + length]
    least = (usable - 12) * 32 // 255 - 23
    local = least + (length - least) % (usable - 4)
    local = local if local <= most else least
    following = int.from_bytes(page[at + local : at + local + 4], "big")
    rest = _overflow(layout, following, length - local, newest)
    return rowid, None if rest is None else page[at : at + local] + rest


def _overflow(layout: _Layout, following: int, left: int, newest: dict[int, int]) -> bytes | None:
    parts: list[bytes] = []
    while left > 0 and following:
        overflow = _logged(layout, newest[following]) if following in newest else layout.of_file(following)
        if len(overflow) < 4:
            return None
        parts.append(overflow[4 : 4 + left])
        left -= len(parts[-1])
        following = int.from_bytes(overflow[:4], "big")
    return b"".join(parts) if left == 0 else None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Value and the place behind it; a cut one is 0."""
    value = 0
    for count, byte in enumerate(data[at : at + 9]):
        if count == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + count + 1
    return 0, len(data)


def _record(payload: bytes) -> Record | None:
    end, at = _varint(payload, 0)
    body = end
    values: list[Value] = []
    while at < end <= len(payload):
        code, at = _varint(payload, at)
        size = _size(code)
        if size is None or body + size > len(payload):
            return None
        values.append(_value(code, payload[body : body + size]))
        body += size
    return tuple(values) if body == len(payload) else None


def _size(code: int) -> int | None:
    if code in _INTEGER_BYTES:
        return _INTEGER_BYTES[code]
    if code in (0, 8, 9):
        return 0
    # 7 is a real number, 10 and 11 are nobody's: the journal has none of them.
    return (code - 12) // 2 if code >= 12 else None


def _value(code: int, data: bytes) -> Value:
    if code == 0:
        return None
    if code in (8, 9):
        return code - 8
    if code in _INTEGER_BYTES:
        return int.from_bytes(data, "big", signed=True)
    return data if code % 2 == 0 else data.decode("utf-8", "replace")
