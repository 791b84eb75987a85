"""One story of a record: events, messages, activities and files, newest first, in pages that stay in step while it grows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from cloud.around import activities, files, messages, moving
from cloud.around.gate import INTERNAL
from cloud.around.models import Activity, Attachment, Message
from cloud.errors import Refused
from cloud.kernel.models import Event

PAGE = 30
MAX_PAGE = 200

EVENT, MESSAGE, ACTIVITY, FILE = "event", "message", "activity", "file"
_RANK = {EVENT: 0, MESSAGE: 1, ACTIVITY: 2, FILE: 3}
"""What comes first of what happened in the same instant, read from the newest: a file stands above the event beside it."""

_SAID = (messages.POSTED, activities.PLANNED, files.ADDED)
"""Events whose message, activity or file stands in the story itself."""

_INSIDE = (messages.WITHDRAWN, activities.DONE, activities.CANCELLED, activities.REASSIGNED, activities.MOVED)
"""Events about something that may be internal while the record is not."""

_OURS = frozenset({*_SAID, *_INSIDE, files.ARCHIVED, files.CHANGED, moving.MOVED_HERE, moving.MOVED_AWAY})
"""Events of this package: what they have in `changes` are no fields of the record."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field that an event changed."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in the story; of the last three one is set where `source` says so. `actor_kind`: `user`, `party`, `box`,
    `system`."""

    source: str
    id: int
    at: datetime
    actor_kind: str
    actor: str
    via: str | None
    action: str
    reason: str | None = None
    changes: tuple[Change, ...] = ()
    message: Message | None = None
    activity: Activity | None = None
    file: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A page, newest first. `next`: give it back as `before` for what follows; None at the beginning of the record."""

    items: tuple[Item, ...]
    next: str | None


async def timeline(
    session: AsyncSession,
    kind: str,
    record_id: int,
    ref: str,
    *,
    allowed: Callable[[str], bool],
    internal: bool,
    before: str | None = None,
    limit: int = PAGE,
) -> Story:
    """A page of the record's story, without fields that `allowed` refuses; without `internal` as the portal may see it.

    Raises Refused `page_unknown` for a `before` that no page gave.
    """
    place = _parse(before)
    limit = min(limit, MAX_PAGE)
    found = await _events(session, kind, ref, place, limit, internal=internal)
    found += await _messages(session, kind, record_id, place, limit, internal=internal)
    found += await _files(session, kind, record_id, place, limit, internal=internal)
    if internal:
        found += await _activities(session, kind, record_id, place, limit)
    found.sort(key=_order, reverse=True)
    page = found[:limit]
    following = _render(page[-1]) if len(found) > limit else None
    return Story(tuple(item for one in page if (item := _seen(one, allowed)) is not None), following)


def _seen(item: Item, allowed: Callable[[str], bool]) -> Item | None:
    """Without masked fields; None for a change of nothing else."""
    if item.source != EVENT or item.action in _OURS or not item.changes:
        return item
    changes = tuple(change for change in item.changes if allowed(change.field))
    if not changes and item.action == "change":
        return None
    return Item(EVENT, item.id, item.at, item.actor_kind, item.actor, item.via, item.action, item.reason, changes)


_Place = tuple[datetime, int, int]


def _order(item: Item) -> _Place:
    return item.at, _RANK[item.source], item.id


def _render(item: Item) -> str:
    return f"{item.at.isoformat()}~{item.source}~{item.id}"


def _parse(text: str | None) -> _Place | None:
    if not text:
        return None
    try:
        at, source, number = text.split("~")
        when = datetime.fromisoformat(at)
        place = when, _RANK[source], int(number)
    except (ValueError, KeyError) as exc:
        raise Refused("page_unknown") from exc
    if when.tzinfo is None or not -(1 << 63) <= place[2] < (1 << 63):
        raise Refused("page_unknown")
    return place


def _behind(
    source: str, at: InstrumentedAttribute[datetime], number: InstrumentedAttribute[int], place: _Place | None
) -> Iterable[ColumnElement[bool]]:
    """What of one source comes after a place."""
    if place is None:
        return []
    when, rank, last = place
    own = _RANK[source]
    same = at == when if own < rank else and_(at == when, number < last) if own == rank else false()
    return [or_(at < when, same)]


async def _events(
    session: AsyncSession, kind: str, ref: str, place: _Place | None, limit: int, *, internal: bool
) -> list[Item]:
    left_out = _SAID if internal else (*_SAID, *_INSIDE, files.ARCHIVED, files.CHANGED)
    behind = _behind(EVENT, Event.at, Event.id, place)
    wanted = select(Event).where(Event.kind == kind, Event.ref == ref, Event.action.not_in(left_out), *behind)
    rows = await session.scalars(wanted.order_by(Event.at.desc(), Event.id.desc()).limit(limit + 1))
    return [
        Item(
            EVENT, row.id, row.at, row.actor_kind, row.actor, row.via, row.action, row.reason,
            tuple(_changes(row.changes)),
        )
        for row in rows
    ]  # fmt: skip


def _changes(changes: dict[str, Any]) -> Iterable[Change]:
    for name, value in sorted(changes.items()):
        if isinstance(value, list) and len(value) == 2:
            yield Change(name, value[0], value[1])
        else:
            yield Change(name, None, value)


async def _messages(
    session: AsyncSession, kind: str, record_id: int, place: _Place | None, limit: int, *, internal: bool
) -> list[Item]:
    wanted = select(Message).where(Message.kind == kind, Message.record_id == record_id)
    if not internal:
        wanted = wanted.where(Message.visibility != INTERNAL)
    wanted = wanted.where(*_behind(MESSAGE, Message.created_at, Message.id, place))
    rows = await session.scalars(wanted.order_by(Message.created_at.desc(), Message.id.desc()).limit(limit + 1))
    return [
        Item(MESSAGE, row.id, row.created_at, row.author_kind, row.author, None, messages.POSTED, message=row) for row in rows
    ]


async def _activities(session: AsyncSession, kind: str, record_id: int, place: _Place | None, limit: int) -> list[Item]:
    wanted = select(Activity).where(Activity.kind == kind, Activity.record_id == record_id)
    wanted = wanted.where(*_behind(ACTIVITY, Activity.created_at, Activity.id, place))
    rows = await session.scalars(wanted.order_by(Activity.created_at.desc(), Activity.id.desc()).limit(limit + 1))
    return [
        Item(
            ACTIVITY, row.id, row.created_at, "system" if row.source else "user", row.created_by, None, activities.PLANNED,
            activity=row,
        )
        for row in rows
    ]  # fmt: skip


async def _files(
    session: AsyncSession, kind: str, record_id: int, place: _Place | None, limit: int, *, internal: bool
) -> list[Item]:
    wanted = select(Attachment).where(Attachment.kind == kind, Attachment.record_id == record_id)
    if not internal:
        wanted = wanted.where(Attachment.visibility != INTERNAL)
    wanted = wanted.where(*_behind(FILE, Attachment.uploaded_at, Attachment.id, place))
    rows = await session.scalars(wanted.order_by(Attachment.uploaded_at.desc(), Attachment.id.desc()).limit(limit + 1))
    return [Item(FILE, row.id, row.uploaded_at, "user", row.uploaded_by, None, files.ADDED, file=row) for row in rows]
