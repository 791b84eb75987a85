"""The audit log's chain: every row's hash covers the row and the hash before it, so that a changed, removed or moved row shows.

`id` counts without gaps because it is given out under the lock of the one row in `event_head`, as the last thing before the
commit. Cutting off the end together with `event_head` shows only to somebody who noted an earlier head.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from cloud.kernel.models import Event, EventHead

START = hashlib.sha256(b"tallybox audit log 1").hexdigest()
"""Stands before the first row."""

WAITING = "events_waiting"
"""Key of `session.info`: events of this transaction that have no place in the chain yet."""

_MARKS = "events_waiting_before"
"""Key of `session.info`: how many there were when each open savepoint began."""

CHUNK = 1000
"""Rows read at a time while checking."""


def link(before: str, row: Event) -> str:
    """The hash of a row that comes after `before`: SHA-256 of that hash, a line feed, and the row as JSON (keys sorted, no
    spaces, UTF-8, times as ISO 8601 in UTC with microseconds)."""
    content = {
        "id": row.id,
        "at": _time(row.at),
        "actor_kind": row.actor_kind,
        "actor": row.actor,
        "via": row.via,
        "action": row.action,
        "kind": row.kind,
        "ref": row.ref,
        "changes": row.changes,
        "reason": row.reason,
        "request_id": row.request_id,
        "chain": row.chain,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def wait_for_place(session: AsyncSession, row: Event) -> None:
    """Leave a row for the commit of its transaction, which gives it its place."""
    session.sync_session.info.setdefault(WAITING, []).append(row)


def waiting(session: AsyncSession) -> list[Event]:
    """Rows of this transaction without a place."""
    found: list[Event] = session.sync_session.info.get(WAITING, [])
    return found


@event.listens_for(Session, "before_commit")
def _give_places(session: Session) -> None:
    if session.in_nested_transaction():
        # The end of a savepoint: who holds the head now would make others wait while more work comes, and could wait for them.
        return
    rows: list[Event] = session.info.pop(WAITING, [])
    if not rows:
        return
    # All other work first: the head is locked last and for as short as can be, since every writer of events needs it.
    session.flush()
    head = session.scalars(select(EventHead).with_for_update().execution_options(populate_existing=True)).one()
    last, before = head.last, head.hash
    for row in rows:
        last += 1
        row.id = last
        row.hash = before = link(before, row)
    head.last, head.hash = last, before
    session.add_all(rows)


@event.listens_for(Session, "after_transaction_create")
def _mark(session: Session, begun: SessionTransaction) -> None:
    if begun.nested:
        session.info.setdefault(_MARKS, WeakKeyDictionary())[begun] = len(session.info.get(WAITING, []))


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, ended: SessionTransaction) -> None:
    """What was logged since the savepoint that is rolled back, or in the whole transaction."""
    if ended.nested:
        del session.info.get(WAITING, [])[session.info[_MARKS][ended] :]
    elif ended.parent is None:
        session.info.pop(WAITING, None)


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """`faults` name rows (`id`) and what is wrong: `changed`, `missing` (this and up to the next found), `beyond_head`,
    `head`. `head` is the hash to note down."""

    events: int
    head: str
    faults: tuple[tuple[int, str], ...]

    @property
    def ok(self) -> bool:
        return not self.faults


MAX_FAULTS = 100


async def check_chain(session: AsyncSession, *, noted: str | None = None) -> ChainCheck:
    """Work the whole chain out anew. `noted` is a head that somebody kept: fault `noted` at 0 where no row has it any more."""
    head = (await session.scalars(select(EventHead))).one()
    faults: list[tuple[int, str]] = []
    before, expected, count, seen = START, 1, 0, noted is None or noted == START
    async for row in _rows(session):
        if row.id != expected:
            faults.append((expected, "missing"))
        if link(before, row) != row.hash:
            faults.append((row.id, "changed"))
        if row.id > head.last:
            faults.append((row.id, "beyond_head"))
        before, expected, count = row.hash, row.id + 1, count + 1
        seen = seen or row.hash == noted
        if len(faults) >= MAX_FAULTS:
            break
    else:
        if expected <= head.last:
            faults.append((expected, "missing"))
        elif before != head.hash:
            faults.append((head.last, "head"))
        if not seen:
            faults.append((0, "noted"))
    return ChainCheck(count, head.hash, tuple(faults[:MAX_FAULTS]))


async def _rows(session: AsyncSession) -> AsyncIterator[Event]:
    after = 0
    while True:
        rows = (await session.scalars(select(Event).where(Event.id > after).order_by(Event.id).limit(CHUNK))).all()
        for row in rows:
            yield row
        if len(rows) < CHUNK:
            return
        after = rows[-1].id
        session.expunge_all()
