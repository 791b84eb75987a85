"""CSV in the encodings and with the delimiters that people send, and JSON lines."""

import codecs
import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cloud.imports.faults import FileRefused
from cloud.imports.table import MAX_CELL, MAX_COLUMNS, MAX_ROWS, Line, Table, table_of

DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 20
"""Rows from which the delimiter is known."""

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
ENCODINGS = ("utf-8", "cp1255")
"""Tried in this order: hardly any Hebrew text in code page 1255 is valid UTF-8."""
PIECE = 1 << 20


def read_csv(path: Path, encoding: str = "", delimiter: str = "") -> Table:
    """A CSV file (RFC 4180, quoted line breaks too). Raises FileRefused."""
    encoding = encoding or encoding_of(path)
    delimiter = delimiter or _delimiter(path, encoding)
    reading = {"encoding": encoding, "delimiter": delimiter}
    return table_of("csv", _csv_lines(path, encoding, delimiter), reading)


def encoding_of(path: Path) -> str:
    """The first encoding in which the whole file can be read. Raises FileRefused with the place where none goes on."""
    with path.open("rb") as file:
        begin = file.read(4096)
    for mark, name in MARKS:
        if begin.startswith(mark):
            return name
    if b"\0" in begin:
        raise FileRefused("import_not_text")
    for name in ENCODINGS:
        place = _breaks(path, name)
        if place is None:
            return name
    raise FileRefused("import_encoding", byte=str(place))


def _breaks(path: Path, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    place = 0
    with path.open("rb") as file:
        while True:
            piece = file.read(PIECE)
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as exc:
                return place + exc.start
            if not piece:
                return None
            place += len(piece)


def _delimiter(path: Path, encoding: str) -> str:
    """The one with which the first rows have the most columns, all rows alike before rows that differ."""
    with path.open("rb") as file:
        begin = file.read(1 << 16).decode(encoding, "replace")
    found = {}
    for one in DELIMITERS:
        try:
            rows = [row for _, row in zip(range(SAMPLE), csv.reader(io.StringIO(begin), delimiter=one), strict=False) if row]
        except csv.Error:
            continue
        widths = [len(row) for row in rows[:-1] or rows]
        if widths:
            found[one] = (widths[0] > 1 and len(set(widths)) == 1, widths[0])
    return max(found, key=lambda one: found[one], default=",")


def _csv_lines(path: Path, encoding: str, delimiter: str) -> Iterator[Line]:
    csv.field_size_limit(MAX_CELL)
    number = 0
    try:
        with path.open(encoding=encoding, newline="") as file:
            for number, cells in enumerate(csv.reader(file, delimiter=delimiter, strict=True), 1):
                yield Line(number, list(cells))
    except csv.Error as exc:
        raise FileRefused("import_csv", row=str(number + 1), why=str(exc)) from exc
    except UnicodeError as exc:
        raise FileRefused("import_encoding", byte="?") from exc
    except LookupError as exc:
        raise FileRefused("import_encoding_unknown", found=encoding[:40]) from exc


def read_jsonl(path: Path) -> Table:
    """One JSON object a line; the head is the union of their keys. Decimals keep their digits. Raises FileRefused."""
    head: dict[str, None] = {}
    for _, row in _objects(path):
        head |= dict.fromkeys(row)
        if len(head) > MAX_COLUMNS:
            raise FileRefused("import_columns", max=str(MAX_COLUMNS))
    if not head:
        raise FileRefused("import_empty")
    names = list(head)
    return Table("jsonl", names, _jsonl_lines(path, names), {"encoding": "utf-8"})


def _jsonl_lines(path: Path, names: Sequence[str]) -> Iterator[Line]:
    for number, row in _objects(path):
        if number > MAX_ROWS:
            raise FileRefused("import_rows", max=str(MAX_ROWS))
        yield Line(number, [_cell(row.get(name)) for name in names])


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, json_object(line, number)
    except UnicodeDecodeError as exc:
        raise FileRefused("import_encoding", byte=str(exc.start)) from exc


def json_object(line: str, number: int) -> dict[str, Any]:
    """One object. Raises FileRefused."""
    try:
        found = json.loads(line, parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise FileRefused("import_json", row=str(number)) from exc
    if not isinstance(found, dict):
        raise FileRefused("import_json", row=str(number))
    return found


def _no_number(name: str) -> str:
    raise ValueError(name)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
