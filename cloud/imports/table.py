"""A file as rows of cells, whatever its format, and the caps of what is read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Literal

from cloud.imports.cells import Cell
from cloud.imports.faults import FileRefused

FileFormat = Literal["csv", "xlsx", "jsonl"]

MAX_BYTES = 50 * 1024 * 1024
"""Of a file: 200,000 rows of 20 columns are about half of it."""
MAX_ROWS = 200_000
"""A larger stock of records comes in several files; a check of this many takes some minutes."""
MAX_COLUMNS = 500
MAX_CELL = 300_000
"""Characters: the longest value that a field takes (cloud.objects.values) with room for its quotes."""


TITLES = 10
"""Rows above the head that have one text each."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row and its number as the sender's program shows it."""

    number: int
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """What a file holds. `lines` can be gone through once and reads as it goes: it raises FileRefused where the file breaks."""

    format: FileFormat
    head: Sequence[str]
    lines: Iterator[Line]
    reading: dict[str, Any] = field(default_factory=dict)


def table_of(format_: FileFormat, lines: Iterable[Line], reading: dict[str, Any]) -> Table:
    """A table whose head is the first row that says something; a title above it is passed over. Raises FileRefused."""
    found = (one for one in lines if any(cell not in (None, "") for cell in one.cells))
    begin = list(islice(found, TITLES + 1))
    if not begin:
        raise FileRefused("import_empty")
    place = next((number for number, one in enumerate(begin) if len(_said(one)) > 1), 0)
    head = [str(cell).strip()[:200] if cell is not None else "" for cell in trimmed(begin[place].cells)]
    return Table(format_, head, _capped(chain(begin[place + 1 :], found)), reading)


def _said(line: Line) -> set[str]:
    """What stands in a row, each thing once: a title over several columns is one."""
    return {str(cell) for cell in line.cells if cell not in (None, "")}


def trimmed(cells: Sequence[Cell]) -> list[Cell]:
    """Without the empty cells at the end. Raises FileRefused for more columns than are read."""
    length = len(cells)
    while length and cells[length - 1] in (None, ""):
        length -= 1
    if length > MAX_COLUMNS:
        raise FileRefused("import_columns", max=str(MAX_COLUMNS))
    return list(cells[:length])


def _capped(lines: Iterable[Line]) -> Iterator[Line]:
    for count, one in enumerate(lines, 1):
        if count > MAX_ROWS:
            raise FileRefused("import_rows", max=str(MAX_ROWS))
        yield Line(one.number, trimmed(one.cells))
