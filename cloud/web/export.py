"""Lists as CSV (RFC 4180): plain values, no marks of direction, nothing that a spreadsheet would run."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from cloud.web.views import ReceiptRow
from sync_protocol.quantity import plain
from sync_protocol.wiretext import clean

COLUMNS = (
    "ref",
    "state",
    "needs_review",
    "supplier",
    "supplier_he",
    "order",
    "document",
    "station",
    "operator",
    "lines",
    "undecided",
    "typed",
    "opened_at",
    "received_at",
)

_RUNS = ("=", "+", "-", "@", "\t", "\r")
"""First characters that spreadsheets take for a formula (OWASP, CSV injection)."""


def receipts_csv(rows: Iterable[ReceiptRow]) -> bytes:
    """The receipts list. Times are UTC."""
    return csv_of(COLUMNS, (_values(row) for row in rows))


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8 with a byte order mark, without which Excel reads Hebrew as Latin letters. Amounts stay plain digits."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _values(row: ReceiptRow) -> list[object]:
    supplier = (row.supplier.en, row.supplier.he) if row.supplier else (None, None)
    return [
        row.ref,
        row.state,
        "yes" if row.needs_review else "no",
        *supplier,
        row.order,
        row.document,
        row.station,
        row.operator,
        row.lines,
        row.undecided,
        row.typed,
        row.opened_at.isoformat() if row.opened_at else None,
        row.received_at.isoformat(),
    ]


def _cell(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    text = clean("" if value is None else str(value))
    return f"'{text}" if text.startswith(_RUNS) else text
