"""Transfers, counts and their lines as kinds of objects."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.actor import Taken
from cloud.objects.registry import Shipped
from cloud.objects.typed import BeforeSave, TypedKind
from cloud.transfers.count_rules import before_count_line, before_sheet
from cloud.transfers.counting import COUNT_SHEET, after_count_line
from cloud.transfers.machine import TRANSFER, TRANSFER_LINE
from cloud.transfers.models import CountLine, CountSheet, Transfer, TransferLine
from cloud.transfers.rules import before_line, before_transfer

FOLDER = Path(__file__).parent / "definitions"


def _asked(rule: BeforeSave) -> BeforeSave:
    """A rule that looks around before the row is written: its questions must not write it, or a constraint answers first."""

    async def ask(session: AsyncSession, row: Any, changes: Mapping[str, Any], taken: Taken) -> None:
        with session.no_autoflush:
            await rule(session, row, changes, taken)

    return ask


KINDS = (
    TypedKind("transfer", Transfer, FOLDER / "transfer.yaml", machine=TRANSFER, before_save=_asked(before_transfer)),
    TypedKind(
        "transfer_line", TransferLine, FOLDER / "transfer_line.yaml", machine=TRANSFER_LINE, before_save=_asked(before_line)
    ),
    TypedKind("count_sheet", CountSheet, FOLDER / "count_sheet.yaml", machine=COUNT_SHEET, before_save=_asked(before_sheet)),
    TypedKind(
        "count_line",
        CountLine,
        FOLDER / "count_line.yaml",
        before_save=_asked(before_count_line),
        after_save=after_count_line,
    ),
)
SHIPPED = Shipped(typed=KINDS)
