"""XLSX as rows of cells: the values that the sender sees, with merged cells filled and hidden sheets left out.

A workbook is a ZIP of XML: what it unpacks to is capped, and parts that declare entities are refused.
"""

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.utils.cell import range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from cloud.imports.cells import FORMULA, Cell
from cloud.imports.faults import FileRefused
from cloud.imports.table import MAX_CELL, MAX_COLUMNS, Line, Table, table_of

MAX_UNPACKED = 600 * 1024 * 1024
"""Of all parts: 200,000 rows of 20 columns unpack to about 200 MiB. A part never gives more than its directory entry says."""
MAX_STRINGS = 150 * 1024 * 1024
"""Of the table of texts, the only part that is held in memory, at several times its size."""
MAX_PARTS = 2000
MAX_MERGED = 10_000
MAX_FILLED = 1_000_000
"""Cells below one merged range: a range over whole columns is decoration."""

PIECE = 1 << 16
OVERLAP = 512

_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell [^>]*?ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')

BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, InvalidFileException, ParseError, UnicodeError),
    *(KeyError, IndexError, ValueError, TypeError, AttributeError, NotImplementedError, RuntimeError, OSError),
)
"""What reading a workbook that is none, or is broken, is known to raise."""


@dataclass
class _Seen:
    """What a sheet says only behind its rows."""

    formulas: bool = False
    merged: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """Cell to the cell that holds its value, rows and columns from 1."""


def read_xlsx(path: Path, sheet: str = "", kinds: tuple[str, ...] = ()) -> Table:
    """The rows of one sheet: the named one, else the first visible one whose name ends with one of `kinds`, else the first
    visible one. Raises FileRefused."""
    _bounded(path)
    try:
        with _book(path) as book:
            visible = [one.title for one in book.worksheets if one.sheet_state == "visible"]
    except BROKEN as exc:
        raise FileRefused("import_xlsx", why=type(exc).__name__) from exc
    if not visible or (sheet and sheet not in visible):
        raise FileRefused("import_sheet", found=sheet[:60], sheets=", ".join(visible)[:200])
    name = sheet or next((one for one in visible if one.strip().casefold().endswith(kinds)), visible[0])
    return table_of("xlsx", _lines(path, name), {"sheet": name, "sheets": visible})


@contextmanager
def _book(path: Path, *, formulas: bool = False) -> Iterator[Workbook]:
    # Given a path the library goes by the name's ending.
    with path.open("rb") as file, closing(load_workbook(file, read_only=True, data_only=not formulas)) as book:
        yield book


def _bounded(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            strings = sum(one.file_size for one in parts if one.filename.endswith("sharedStrings.xml"))
            if len(parts) > MAX_PARTS or sum(one.file_size for one in parts) > MAX_UNPACKED or strings > MAX_STRINGS:
                raise FileRefused("import_unpacked")
            for one in parts:
                if one.filename.endswith((".xml", ".rels")):
                    with archive.open(one) as part:
                        if b"<!DOCTYPE" in part.read(4096).replace(b"\0", b""):
                            raise FileRefused("import_xlsx", why="DOCTYPE")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError) as exc:
        raise FileRefused("import_xlsx", why=type(exc).__name__) from exc


def _lines(path: Path, name: str) -> Iterator[Line]:
    try:
        yield from _read(path, name)
    except FileRefused:
        raise
    except BROKEN as exc:
        raise FileRefused("import_xlsx", why=type(exc).__name__) from exc


def _read(path: Path, name: str) -> Iterator[Line]:
    with _book(path) as book:
        sheet = book[name]
        sheet.reset_dimensions()
        seen = _scan(path, sheet)
        values = sheet.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True)
        if not seen.formulas:
            yield from _filled(((number, [_cell(one) for one in row]) for number, row in enumerate(values, 1)), seen.merged)
            return
        # A formula that no spreadsheet program worked out has no value: an empty cell must not be made of it.
        with _book(path, formulas=True) as other:
            formulas = other[name]
            formulas.reset_dimensions()
            pairs = zip(values, formulas.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True), strict=True)
            rows = ((number, [_cell(*pair) for pair in zip(*both, strict=True)]) for number, both in enumerate(pairs, 1))
            yield from _filled(rows, seen.merged)


def _scan(path: Path, sheet: Any) -> _Seen:
    """Go through the sheet's XML once, without taking it apart."""
    seen = _Seen()
    part = sheet._worksheet_path  # noqa: SLF001 - the library names the part nowhere else
    with zipfile.ZipFile(path) as archive, archive.open(part) as file:
        before, ranges = b"", set()
        while piece := file.read(PIECE):
            text = before + piece
            seen.formulas = seen.formulas or _FORMULA.search(text) is not None
            ranges.update(_MERGED.findall(text))
            if len(ranges) > MAX_MERGED:
                raise FileRefused("import_merged", max=str(MAX_MERGED))
            before = text[-OVERLAP:]
    for one in ranges:
        left, top, right, bottom = (int(edge or 0) for edge in range_boundaries(one.decode()))
        if (right - left + 1) * (bottom - top + 1) > MAX_FILLED or len(seen.merged) > MAX_FILLED:
            raise FileRefused("import_merged", max=str(MAX_MERGED))
        inside = ((row, column) for row in range(top, bottom + 1) for column in range(left, right + 1))
        seen.merged.update(dict.fromkeys(inside, (top, left)))
    return seen


def _filled(rows: Iterator[tuple[int, list[Cell]]], merged: Mapping[tuple[int, int], tuple[int, int]]) -> Iterator[Line]:
    anchors: dict[tuple[int, int], Cell] = {}
    wanted = set(merged.values())
    for number, cells in rows:
        if merged:
            for column in range(1, len(cells) + 1):
                if (number, column) in wanted:
                    anchors[number, column] = cells[column - 1]
                elif (number, column) in merged:
                    cells[column - 1] = anchors.get(merged[number, column])
        yield Line(number, cells)


def _cell(value: Any, formula: Any = None) -> Cell:
    """A value as JSON holds it: days and times as ISO 8601."""
    if value is None:
        found = getattr(formula, "text", formula)
        return {FORMULA: str(found)[:200]} if isinstance(found, str) and found.startswith("=") else None
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    if len(text) > MAX_CELL:
        raise FileRefused("import_cell", max=str(MAX_CELL))
    return text
