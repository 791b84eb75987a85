"""Decisions about exceptions against the log of who did what, and that log's chain at the receipt's own rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.chain import START, link, waiting
from cloud.kernel.models import Event
from cloud.receiving.models import Receipt, ReceiptException

KIND = "receipt"
DECIDE = frozenset({"decide", "undecide"})
"""What is done about an exception; the second takes the first back."""
FOUND = "found"
"""Key of an event's changes: the exceptions that came up with it, as `found_list` writes them."""

MOVES = "moves"
"""Key of the posting's event: the digest of its moves (evidence.ledger)."""

POST = "post"
FINISH, RECHECK, REVERIFY = "finish", "recheck", "reverify"


def found_list(rows: Iterable[ReceiptException]) -> list[list[Any]]:
    """Exceptions as the log keeps them: what it says later about a decision must be about this."""
    return [[row.check, row.line_number, str(row.severity), row.expected, row.found] for row in rows]


async def receipt_events(session: AsyncSession, receipt: Receipt) -> list[tuple[Event, str | None]]:
    """The receipt's events with the hash of the row before each, oldest first; those of this transaction, which have no hash
    yet, with None."""
    rows = (await session.scalars(select(Event).where(Event.kind == KIND, Event.ref == receipt.ref).order_by(Event.id))).all()
    links = await session.execute(select(Event.id, Event.hash).where(Event.id.in_([row.id - 1 for row in rows])))
    before = {row.id: row.hash for row in links}
    stored: list[tuple[Event, str | None]] = [(row, START if row.id == 1 else before.get(row.id - 1, "")) for row in rows]
    fresh = [row for row in waiting(session) if (row.kind, row.ref) == (KIND, receipt.ref)]
    return [*stored, *((row, None) for row in fresh)]


def moves_problems(events: Sequence[tuple[Event, str | None]], digest: str) -> list[str]:
    """`moves_differ_from_log` where the posting's moves say something else now than when they were written."""
    logged = [row.changes[MOVES] for row, _ in events if row.action == POST and MOVES in row.changes]
    return ["moves_differ_from_log"] if logged and _new(logged[-1]) != digest else []


def judge_decisions(receipt: Receipt, events: Sequence[tuple[Event, str | None]]) -> list[str]:
    """`event_changed:<id>`, `decision_not_logged:<check>`, `decision_differs:<check>`, `exception_differs:<check>`,
    `exception_missing:<check>`. Each event comes with the hash before it (None: it has no place in the log yet)."""
    problems = [f"event_changed:{row.id}" for row, before in events if before is not None and link(before, row) != row.hash]
    problems += [f"{code}:{row.check}" for row in receipt.exceptions for code in _decided(row, [row for row, _ in events])]
    found = _last_found([row for row, _ in events])
    return problems + list(_against_found(receipt, found))


def _decided(row: ReceiptException, events: Sequence[Event]) -> Iterator[str]:
    """What staff decided is the log's last word about it; what was decided at a box is a signed step and compared with that."""
    if row.via is not None:
        return
    about = [each for each in _since_asked(row, events) if each.action in DECIDE and _is_about(each.changes, row)]
    if not about:
        if row.decision is not None:
            yield "decision_not_logged"
        return
    last = about[-1]
    if _new(last.changes.get("decision")) is None and row.decision is None:
        return  # taken back
    said = (_new(last.changes.get("decision")), last.actor, last.reason, last.at)
    if said != (row.decision, row.by, row.reason, row.decided_at):
        yield "decision_differs"


def _since_asked(row: ReceiptException, events: Sequence[Event]) -> Sequence[Event]:
    """Events after the one that last said what was found there: what was decided before was about something else."""
    place = [row.check, row.line_number]
    asked = [n for n, each in enumerate(events) if any(one[:2] == place for one in _found_in(each))]
    return events[asked[-1] + 1 :] if asked else events


def _is_about(changes: Mapping[str, Any], row: ReceiptException) -> bool:
    return (changes.get("check"), changes.get("line")) == (row.check, row.line_number)


def _new(change: Any) -> Any:
    return change[1] if isinstance(change, list) and len(change) == 2 else None


def _found_in(event: Event) -> list[list[Any]]:
    """What an event says that was found: rows of check, line, severity, expected and found."""
    listed = event.changes.get(FOUND) if event.action in {FINISH, RECHECK, REVERIFY} else None
    return [one for one in listed if isinstance(one, list) and len(one) == 5] if isinstance(listed, list) else []


def _last_found(events: Sequence[Event]) -> list[list[Any]]:
    """The last word about each place: it may be asked about again when it says something else."""
    return list({(one[0], one[1]): one for each in events for one in _found_in(each)}.values())


def _against_found(receipt: Receipt, found: Sequence[list[Any]]) -> Iterator[str]:
    """What came up when the receipt was checked still stands there as it was."""
    rows = found_list(receipt.exceptions)
    places = {(one[0], one[1]) for one in rows}
    for one in found:
        if one not in rows:
            yield f"exception_{'differs' if (one[0], one[1]) in places else 'missing'}:{one[0]}"
