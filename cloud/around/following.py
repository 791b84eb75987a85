"""Who wants to know about a record, and what waits for a person: followers and notices.

Whether somebody may read what they are told of is asked twice: when they are told, and when they look.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.gate import Readable, Readers, RecordRef
from cloud.around.models import Follower, Notice
from cloud.kernel.actor import Taken

MENTION, ASSIGNED, FOLLOW = "mention", "assigned", "follow"
"""Why somebody is told; the first that holds is said."""

EVENT = "event"

PAGE = 30
MAX_LOOKED = 300
"""Notices read for one page: somebody who lost a role must not make every page walk over all that they were once told."""

COUNTED = 99
"""Unread ones are counted up to here: a badge shows "99+"."""


@dataclass(frozen=True, slots=True)
class News:
    """What people are told of. `action` is the event's."""

    about: str
    action: str
    internal: bool
    about_id: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """One notice as its reader may see it."""

    notice: Notice
    title: str


@dataclass(frozen=True, slots=True)
class Feed:
    """What waits for somebody, newest first. `next`: give it back as `before` for what follows."""

    rows: tuple[Waiting, ...]
    next: int | None


async def follow(session: AsyncSession, record: RecordRef, login: str, at: datetime, *, asked: bool = True) -> None:
    """From now on this person is told. Without `asked` it is by default, and does nothing where they said no before."""
    row = await session.get(Follower, (record.kind, record.id, login))
    if row is None:
        session.add(Follower(kind=record.kind, record_id=record.id, login=login, muted=False, since=at))
    elif asked:
        row.muted = False
    await session.flush()


async def unfollow(session: AsyncSession, record: RecordRef, login: str, at: datetime) -> None:
    """Not told any more, except where mentioned or assigned."""
    await follow(session, record, login, at, asked=False)
    (await session.get_one(Follower, (record.kind, record.id, login))).muted = True
    await session.flush()


async def followers(session: AsyncSession, kind: str, record_id: int) -> list[str]:
    """Logins of those who are told, in the order of the alphabet."""
    here = (Follower.kind == kind, Follower.record_id == record_id, Follower.muted.is_(False))
    return list(await session.scalars(select(Follower.login).where(*here).order_by(Follower.login)))


async def tell(
    session: AsyncSession,
    record: RecordRef,
    news: News,
    taken: Taken,
    readers: Readers,
    *,
    mentioned: Iterable[str] = (),
    assigned: Iterable[str] = (),
) -> frozenset[str]:
    """Leave a notice for followers and for those named, but only for who may read it; gives who was told.

    Nobody is told what they did themselves. Changes of one record that somebody has not looked at yet are one notice.
    """
    why = dict.fromkeys(await followers(session, record.kind, record.id), FOLLOW)
    why |= dict.fromkeys(assigned, ASSIGNED) | dict.fromkeys(mentioned, MENTION)
    if taken.actor.kind == "user":
        why.pop(taken.actor.name, None)
    if not why:
        return frozenset()
    told = await readers(session, record, frozenset(why), internal=news.internal)
    known = await _not_seen(session, record, told) if news.about == EVENT else {}
    for login in sorted(told):
        said = {"action": news.action, "actor": taken.actor.name, "at": taken.at, "internal": news.internal}
        row = known.get(login)
        if row is None:
            place = {"kind": record.kind, "record_id": record.id, "ref": record.ref, "login": login}
            session.add(Notice(**place, **said, about=news.about, about_id=news.about_id, why=why[login]))
        else:
            for name, value in said.items():
                setattr(row, name, value)
    await session.flush()
    return told


async def _not_seen(session: AsyncSession, record: RecordRef, logins: Collection[str]) -> dict[str, Notice]:
    rows = await session.scalars(
        select(Notice).where(
            Notice.kind == record.kind,
            Notice.record_id == record.id,
            Notice.about == EVENT,
            Notice.read_at.is_(None),
            Notice.login.in_(logins),
        )
    )
    return {row.login: row for row in rows}


async def feed(
    session: AsyncSession,
    login: str,
    readable: Readable,
    *,
    before: int | None = None,
    unread: bool = False,
    limit: int = PAGE,
) -> Feed:
    """What waits for this person, of what they may read now."""
    conditions: list[ColumnElement[bool]] = [Notice.login == login, *([Notice.read_at.is_(None)] if unread else [])]
    rows: list[Waiting] = []
    looked, last, ended = 0, before, False
    while len(rows) <= limit and looked < MAX_LOOKED and not ended:
        behind = [] if last is None else [Notice.id < last]
        page = (
            await session.scalars(select(Notice).where(*conditions, *behind).order_by(Notice.id.desc()).limit(limit + 1))
        ).all()
        rows += await _readable(session, page, readable)
        looked, ended = looked + len(page), len(page) <= limit
        last = page[-1].id if page else last
    shown = rows[:limit]
    if len(rows) > limit:
        return Feed(tuple(shown), shown[-1].notice.id)
    return Feed(tuple(shown), None if ended else last)


async def _readable(session: AsyncSession, rows: Sequence[Notice], readable: Readable) -> list[Waiting]:
    places: dict[tuple[str, bool], set[int]] = {}
    for row in rows:
        places.setdefault((row.kind, row.internal), set()).add(row.record_id)
    may = {place: await readable(session, place[0], ids, internal=place[1]) for place, ids in places.items()}
    seen = [(row, may[row.kind, row.internal].get(row.record_id)) for row in rows]
    return [Waiting(row, title) for row, title in seen if title is not None]


async def unread(session: AsyncSession, login: str, readable: Readable) -> int:
    """How many notices this person has not looked at, up to COUNTED + 1."""
    found = await feed(session, login, readable, unread=True, limit=COUNTED)
    return len(found.rows) + (1 if found.next is not None else 0)


async def mark_read(session: AsyncSession, login: str, at: datetime, *, record: RecordRef | None = None) -> None:
    """This person has seen what waits for them: all of it, or what is about one record."""
    conditions = [Notice.login == login, Notice.read_at.is_(None)]
    if record is not None:
        conditions += [Notice.kind == record.kind, Notice.record_id == record.id]
    await session.execute(update(Notice).where(*conditions).values(read_at=at))
