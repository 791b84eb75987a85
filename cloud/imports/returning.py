"""Faulty rows as a workbook to be mended and sent again: the file's own columns, with the reason beside each row."""

import io
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.imports.cells import FORMULA, Cell
from cloud.imports.heads import COMMENT
from cloud.imports.models import ImportJob, ImportRow, Outcome
from cloud.imports.steps import rows_of
from cloud.imports.workbook import MAX_CELL, NAMES, SHADE, text_cell

ROW_HEAD, REASON_HEAD = f"{COMMENT}row", f"{COMMENT}reason"
PAGE = 500

Tell = Callable[[Mapping[str, Any]], str]
"""A fault in words, for whoever mends the file."""


async def faulty_rows(session: AsyncSession, row: ImportJob) -> AsyncIterator[ImportRow]:
    """All faulty rows in the file's order."""
    after = 0
    while page := await rows_of(session, row.id, outcome=Outcome.FAULTY, after=after, limit=PAGE):
        for one in page:
            yield one
        after = page[-1].number
        session.expunge_all()


async def faults_workbook(session: AsyncSession, row: ImportJob, tell: Tell, locale: str) -> bytes:
    """The faulty rows as XLSX. Columns whose name begins with COMMENT are not read when it comes back."""
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet(row.kind[:31])
    sheet.sheet_view.rightToLeft = locale == "he"
    sheet.freeze_panes = "C2"
    names = [ROW_HEAD, REASON_HEAD, *(one for one in row.head if one not in {ROW_HEAD, REASON_HEAD})]
    kept = [number for number, one in enumerate(row.head) if one not in {ROW_HEAD, REASON_HEAD}]
    sheet.append([text_cell(sheet, one, NAMES, SHADE) for one in names])
    async for one in faulty_rows(session, row):
        reasons = "\n".join(dict.fromkeys(tell(fault) for fault in one.faults))
        cells = [one.raw[number] if number < len(one.raw) else None for number in kept]
        beyond = one.raw[len(row.head) :]
        sheet.append([one.number, _cell(sheet, reasons), *(_cell(sheet, each) for each in [*cells, *beyond])])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _cell(sheet: Any, value: Cell) -> Any:
    if isinstance(value, dict):
        value = value.get(FORMULA)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return WriteOnlyCell(sheet, value)
    return text_cell(sheet, str(value)[:MAX_CELL])
