"""What waits for a person's decision, oldest first: receipts with open questions, and what else was marked for a look."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.objects.caller import Caller
from cloud.objects.definition import Label
from cloud.objects.query import Query, find
from cloud.receiving.models import Receipt, ReceiptException
from cloud.web.reach import Reach
from cloud.web.reads.listing import GROUP
from cloud.web.reads.receipt_parts import name_of
from cloud.web.views import Name
from sync_protocol.receiving.settings import Severity

SHOWN = 50
"""Entries of each kind: what comes behind them comes up as these are done."""

RECEIPT = "receipt"

ASKING = (
    ("transfer_line", "state == 'needs_review'", "review_code"),
    ("count_sheet", "state == 'review'", "review_reason"),
    ("container_event", "state == 'needs_review'", "review_reason"),
)
"""Kinds beside receipts whose records ask for a look, when they do, and the field whose code says why."""

REASONS = 4
"""How many reasons are offered for one click."""

DEFAULT_REASONS = ("seen_and_right", "agreed_with_supplier", "weighed_again")
"""Translation keys below `quick.`, offered until people have used words of their own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that waits. `at` is its place in the address; `why` are codes: checks of a receipt, else reasons of a look."""

    kind: str
    ref: str
    title: Name | Label | str
    why: tuple[str, ...]
    since: dt.datetime | None
    undecided: int = 0

    @property
    def at(self) -> str:
        return f"{self.kind}/{self.ref}"


async def receipts_waiting(session: AsyncSession, reach: Reach) -> list[Entry]:
    """Receipts that wait, the longest waiting first."""
    rows = list(
        await session.scalars(
            select(Receipt)
            .where(GROUP["review"], reach.where(Receipt.site_id))
            .order_by(func.coalesce(Receipt.finished_received_at, Receipt.opened_received_at), Receipt.id)
            .limit(SHOWN)
        )
    )
    return [_entry(row) for row in rows]


def _entry(row: Receipt) -> Entry:
    open_ones = [one for one in row.exceptions if one.severity != Severity.INFO and one.decision is None]
    why = tuple(dict.fromkeys(one.check for one in open_ones)) or ((row.review_reason,) if row.review_reason else ())
    title = name_of(row.supplier or row.owner) or row.station_code
    undecided = sum(1 for one in open_ones if one.severity == Severity.DECISION)
    return Entry(RECEIPT, row.ref, title, why, row.finished_received_at or row.opened_received_at, undecided)


async def others_waiting(caller: Caller) -> list[Entry]:
    """Other records that ask for a look, as far as the caller may read them."""
    found: list[Entry] = []
    for kind, condition, reason in ASKING:
        if kind not in caller.objects.definitions:
            continue
        try:
            page = await find(caller, kind, Query(condition, "created_at", limit=SHOWN))
        except Refused:
            continue
        for item in page.items:
            code = item.values.get(reason) if reason else None
            found.append(Entry(kind, item.ref, item.title, (str(code),) if code else (), item.created_at))
    return found


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """The longest waiting first; what has no time comes last."""
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    return sorted(entries, key=lambda one: (one.since or last, one.at))


async def used_reasons(session: AsyncSession, checks: Sequence[str]) -> dict[str, list[str]]:
    """By check, the reasons that people gave most often of late, since words are typed again and again; then ready ones."""
    found: dict[str, list[str]] = {}
    for check in dict.fromkeys(checks):
        rows = await session.scalars(
            select(ReceiptException.reason)
            .where(
                ReceiptException.check == check, ReceiptException.decision.is_not(None), ReceiptException.reason.is_not(None)
            )
            .order_by(ReceiptException.decided_at.desc())
            .limit(100)
        )
        counted = Counter(text for text in rows if text)
        used = [text for text, _ in counted.most_common(REASONS)]
        found[check] = [*used, *(one for one in DEFAULT_REASONS if one not in used)][:REASONS]
    return found
