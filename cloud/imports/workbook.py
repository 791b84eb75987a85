"""Exports as XLSX: written row by row, so that memory does not grow with them."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from cloud.imports.cells import escaped, text_of
from cloud.imports.faults import ExportRefused
from cloud.imports.heads import Head
from cloud.objects.definition import FieldDef

MAX_ROWS = 1_048_576
"""Rows of a sheet, and MAX_CELL characters of a cell: Excel specifications and limits."""
MAX_CELL = 32_767
DIGITS = 15
"""Decimal digits that a binary float keeps, and that Excel shows."""
FIRST_DAY = date(1900, 3, 1)
"""Before it Excel and the calendar count days differently: Excel has a 29 February 1900."""

TEXT, DAY = "@", "yyyy-mm-dd"
SHEET_NAME = 31
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document has (XML 1.0, 2.2): one of them makes a whole workbook unreadable."""
KEYS, NAMES = Font(color="808080", size=8), Font(bold=True)
SHADE = PatternFill("solid", fgColor="DDE6F0")
WIDTH = 18


class Book:
    """One sheet with heads, then rows. `add` and `save` may run in a thread, one after the other; `close` frees its files."""

    def __init__(self, name: str, heads: Sequence[Head], locale: str, zone: ZoneInfo) -> None:
        self._book = Workbook(write_only=True)
        self._sheet: Any = self._book.create_sheet(name[:SHEET_NAME])
        self._heads, self._zone, self._rows, self._saved = heads, zone, 2, False
        self._sheet.sheet_view.rightToLeft = locale == "he"
        self._sheet.freeze_panes = "A3"
        for number in range(1, len(heads) + 1):
            self._sheet.column_dimensions[get_column_letter(number)].width = WIDTH
        self._sheet.append([text_cell(self._sheet, one.key, KEYS) for one in heads])
        self._sheet.append([text_cell(self._sheet, one.label.in_(locale), NAMES, SHADE) for one in heads])

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Rows of values as Item has them, in the order of the heads. Raises ExportRefused beyond what a sheet holds."""
        for row in rows:
            self._rows += 1
            if self._rows > MAX_ROWS:
                raise ExportRefused("export_rows", max=str(MAX_ROWS - 2))
            self._sheet.append([self._cell(head, value) for head, value in zip(self._heads, row, strict=True)])

    def save(self, file: IO[bytes]) -> None:
        """Write the file; nothing more can be added."""
        self._saved = True
        self._book.save(file)

    def close(self) -> None:
        """Throw away what was not saved."""
        if not self._saved:
            self._sheet.close()
            self._book.close()

    def _cell(self, head: Head, value: Any) -> Any:
        if value is None or value == []:
            return None
        if head.field is None:
            return text_cell(self._sheet, str(value))
        native = native_of(head.field, value)
        if native is None:
            return text_cell(self._sheet, text_of(head.field, value, self._zone))
        cell = WriteOnlyCell(self._sheet, native)
        if isinstance(native, date):
            cell.number_format = DAY
        elif isinstance(value, Decimal):
            cell.number_format = f"0.{'0' * head.field.decimals}" if head.field.decimals else "0"
        return cell


def native_of(one: FieldDef, value: Any) -> Any | None:
    """The value in a sheet's own type, where that holds it exactly; else None: then it is a text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal) and one.type in {"int", "decimal", "money"}:
        number = Decimal(value)
        exact = len(number.normalize().as_tuple().digits) <= DIGITS and Decimal(repr(float(number))) == number
        return (int(number) if number == number.to_integral_value() else float(number)) if exact else None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value if value >= FIRST_DAY else None
    return None


def text_cell(sheet: Any, text: str, font: Font | None = None, fill: PatternFill | None = None) -> Any:
    """A cell that is a text whatever it looks like, also once somebody edits it. Raises ExportRefused where it is too long."""
    if len(text) > MAX_CELL:
        raise ExportRefused("export_cell", max=str(MAX_CELL))
    cell = WriteOnlyCell(sheet, _NO_XML.sub("\ufffd", text))
    cell.data_type = "s"
    cell.number_format = TEXT
    cell.quotePrefix = escaped(text) != text
    if font is not None:
        cell.font = font
    if fill is not None:
        cell.fill = fill
    return cell
