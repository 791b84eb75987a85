"""Records as a file: CSV or XLSX, as the caller may see and take them, page after page."""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from cloud.errors import Forbidden
from cloud.imports.cells import NUMERIC, escaped, text_of
from cloud.imports.heads import REF, STATE, Head, export_heads
from cloud.imports.workbook import Book
from cloud.kernel.access import EXPORT
from cloud.objects.caller import Caller
from cloud.objects.permits import reach
from cloud.objects.query import Query, find
from cloud.objects.service import Item

Format = Literal["csv", "xlsx"]
BOM = b"\xef\xbb\xbf"
"""Without it Excel reads Hebrew as Latin letters."""
PAGE = 500
PIECE = 1 << 16

_WRITTEN = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


def media_type(fmt: Format) -> str:
    """For the header of an answer."""
    return _WRITTEN[fmt]


async def export_rows(caller: Caller, kind: str, query: Query, fmt: Format, locale: str) -> AsyncIterator[bytes]:
    """The records of a list as a file, in pieces. The session is the export's as long as it goes on.

    Row 1 has the fields' keys; XLSX says their names in row 2. Imported again as it is, the file changes nothing. Raises
    NotFound, Forbidden without the grant `export`, BadQuery, ExportRefused.
    """
    definition = caller.rows(kind).definition
    if not caller.access.may(kind, EXPORT):
        raise Forbidden("forbidden", action=EXPORT, role=caller.taken.actor.role)
    heads = export_heads(caller, definition)
    pages = _pages(caller, kind, query)
    written = _csv(caller, heads, pages) if fmt == "csv" else _xlsx(caller, heads, pages, kind, locale)
    async for piece in written:
        yield piece


async def _pages(caller: Caller, kind: str, query: Query) -> AsyncIterator[list[tuple[Item, frozenset[str]]]]:
    """Records with the fields of each that may be taken away."""
    after = query.after
    while True:
        # What was read for a page is forgotten with it: a million records do not fit into memory.
        caller = replace(caller)
        page = await find(caller, kind, replace(query, limit=PAGE, after=after))
        rows, found = caller.rows(kind), []
        for item in page.items:
            taking = await reach(caller, rows, item.row, EXPORT)
            if taking:
                found.append((item, frozenset(key for key in item.values if taking.allows(key))))
        yield found
        if not page.next:
            return
        after = page.next
        caller.session.expunge_all()


def _value(head: Head, item: Item, open_: frozenset[str]) -> Any:
    if head.field is not None:
        return item.values[head.key] if head.key in open_ else None
    return {REF: item.ref, STATE: item.state}[head.key]


async def _csv(
    caller: Caller, heads: Sequence[Head], pages: AsyncIterator[list[tuple[Item, frozenset[str]]]]
) -> AsyncIterator[bytes]:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([one.key for one in heads])
    yield BOM
    async for page in pages:
        for item, open_ in page:
            writer.writerow([_csv_cell(caller, head, _value(head, item, open_)) for head in heads])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _csv_cell(caller: Caller, head: Head, value: Any) -> str:
    if head.field is None:
        return escaped(value or "")
    return escaped(text_of(head.field, value, caller.zone), number=head.field.type in NUMERIC)


async def _xlsx(
    caller: Caller,
    heads: Sequence[Head],
    pages: AsyncIterator[list[tuple[Item, frozenset[str]]]],
    kind: str,
    locale: str,
) -> AsyncIterator[bytes]:
    book = Book(kind, heads, locale, caller.zone)
    try:
        async for page in pages:
            rows = [[_value(head, item, open_) for head in heads] for item, open_ in page]
            # Compressing takes the processor for as long as reading the page did.
            await asyncio.to_thread(book.add, rows)
        with tempfile.TemporaryFile() as file:
            await asyncio.to_thread(book.save, file)
            file.seek(0)
            while piece := file.read(PIECE):
                yield piece
    finally:
        book.close()
