"""Activities: what somebody is to do about a record, until when, and what came of it."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.following import News, follow, tell
from cloud.around.gate import Readable, Readers, RecordRef
from cloud.around.models import Activity, ActivityType
from cloud.errors import Conflict, NotFound, Refused
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.people.models import User
from sync_protocol.wiretext import clean

MAX_SUMMARY = 200
MAX_NOTE = 2_000
"""Characters, as on a card; what is longer is a message."""

MAX_OPEN = 500
"""Open activities of one person that the lists take: who has more does not read them one by one."""

PLANNED, DONE, CANCELLED = "activity_planned", "activity_done", "activity_cancelled"
REASSIGNED, MOVED = "activity_reassigned", "activity_moved"


@dataclass(frozen=True, slots=True)
class Due:
    """Until when: a whole day, or a time (aware). `zone` is the IANA name of the zone in which it was said."""

    zone: str
    on: date | None = None
    at: datetime | None = None

    def ends(self) -> datetime:
        """When it becomes overdue. Raises Refused `due_missing` or `zone_unknown`."""
        if (self.on is None) is (self.at is None) or (self.at is not None and self.at.tzinfo is None):
            raise Refused("due_missing")
        zone = _zone(self.zone)
        if self.at is not None:
            return self.at
        try:
            return datetime.combine((self.on or date.min) + timedelta(days=1), time.min, zone)
        except OverflowError as exc:
            raise Refused("due_missing") from exc


@dataclass(frozen=True, slots=True)
class NewActivity:
    """Something to be planned. `uid`: said again, it is the same activity. `source`: the rule or job that plans it."""

    type: str
    summary: str
    assignee: str
    due: Due
    note: str = ""
    source: str | None = None
    uid: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """An activity in somebody's list, with the title of the record that it is about."""

    activity: Activity
    title: str


@dataclass(frozen=True, slots=True)
class Lists:
    """What somebody has to do, each list in the order of its times."""

    overdue: tuple[Planned, ...] = ()
    today: tuple[Planned, ...] = ()
    later: tuple[Planned, ...] = ()


async def plan(session: AsyncSession, record: RecordRef, new: NewActivity, taken: Taken, readers: Readers) -> Activity:
    """Plan an activity and tell who is to do it.

    Raises Refused `summary_missing`, `activity_type_unknown`, `assignee_unknown`, `assignee_cannot_read`, `due_missing` or
    `zone_unknown`; Conflict for a uid of another record.
    """
    if new.uid is not None and (known := await _said_before(session, record, new.uid)) is not None:
        return known
    summary = clean(new.summary.strip(), MAX_SUMMARY)
    if not summary:
        raise Refused("summary_missing")
    await _type(session, new.type, offered=True)
    await _check_assignee(session, record, new.assignee, readers)
    activity = Activity(
        **({} if new.uid is None else {"uid": new.uid}),
        version=1,
        kind=record.kind,
        record_id=record.id,
        ref=record.ref,
        type=new.type,
        summary=summary,
        note=_note(new.note),
        assignee=new.assignee,
        due_on=new.due.on,
        due_at=new.due.at,
        zone=new.due.zone,
        ends_at=new.due.ends(),
        created_at=taken.at,
        created_by=taken.actor.name,
        outcome_note="",
        source=None if new.source is None else clean(new.source),
    )
    session.add(activity)
    await session.flush()
    changes = {"activity": [None, activity.id], "assignee": [None, new.assignee], "due": [None, _said(activity)]}
    await append_event(session, taken, action=PLANNED, kind=record.kind, ref=record.ref, changes=changes)
    if taken.actor.kind == "user":
        await follow(session, record, taken.actor.name, taken.at, asked=False)
    await follow(session, record, new.assignee, taken.at, asked=False)
    await tell(session, record, News("activity", PLANNED, True, activity.id), taken, readers, assigned=[new.assignee])
    return activity


async def done(
    session: AsyncSession,
    record: RecordRef,
    activity: int,
    taken: Taken,
    readers: Readers,
    *,
    outcome: str | None = None,
    note: str = "",
    version: int | None = None,
) -> Activity:
    """It was done; what came of it, where its type asks or anybody says. Raises NotFound, Conflict, and Refused
    `activity_closed`, `outcome_needed` or `outcome_unknown`."""
    row = await _open(session, record, activity, version)
    kind = await _type(session, row.type)
    known = {one["key"] for one in kind.outcomes}
    if outcome is not None and outcome not in known:
        raise Refused("outcome_unknown")
    if outcome is None and kind.needs_outcome:
        raise Refused("outcome_needed")
    row.done_at = row.closed_at = taken.at
    row.outcome, row.outcome_note = outcome, _note(note)
    return await _close(session, record, row, taken, readers, DONE, {"activity": [row.id, None], "outcome": [None, outcome]})


async def cancel(
    session: AsyncSession, record: RecordRef, activity: int, taken: Taken, readers: Readers, *, version: int | None = None
) -> Activity:
    """It will not be done; `taken.reason` says why. Raises NotFound, Conflict, and Refused `activity_closed`."""
    row = await _open(session, record, activity, version)
    row.cancelled_at = row.closed_at = taken.at
    return await _close(session, record, row, taken, readers, CANCELLED, {"activity": [row.id, None]})


async def reassign(
    session: AsyncSession,
    record: RecordRef,
    activity: int,
    assignee: str,
    taken: Taken,
    readers: Readers,
    *,
    version: int | None = None,
) -> Activity:
    """Somebody else is to do it. Raises as `plan` does of the assignee, and as `cancel`."""
    row = await _open(session, record, activity, version)
    await _check_assignee(session, record, assignee, readers)
    changes = {"activity": [row.id, row.id], "assignee": [row.assignee, assignee]}
    row.assignee, row.version = assignee, row.version + 1
    await append_event(session, taken, action=REASSIGNED, kind=record.kind, ref=record.ref, changes=changes)
    await follow(session, record, assignee, taken.at, asked=False)
    await tell(session, record, News("activity", REASSIGNED, True, row.id), taken, readers, assigned=[assignee])
    return row


async def move(
    session: AsyncSession, record: RecordRef, activity: int, due: Due, taken: Taken, *, version: int | None = None
) -> Activity:
    """Until another day or time. Raises as `plan` does of the due time, and as `cancel`."""
    row = await _open(session, record, activity, version)
    before, ends = _said(row), due.ends()
    row.due_on, row.due_at, row.zone, row.ends_at, row.version = due.on, due.at, due.zone, ends, row.version + 1
    changes = {"activity": [row.id, row.id], "due": [before, _said(row)]}
    await append_event(session, taken, action=MOVED, kind=record.kind, ref=record.ref, changes=changes)
    await session.flush()
    return row


async def activities_of(session: AsyncSession, login: str, now: datetime, *, zone: str, readable: Readable) -> Lists:
    """What this person has to do, of records that they may read. `zone` says where their day begins and ends."""
    local = _zone(zone)
    today = now.astimezone(local).date()
    mine = (Activity.assignee == login, Activity.closed_at.is_(None))
    rows = (await session.scalars(select(Activity).where(*mine).order_by(Activity.ends_at, Activity.id).limit(MAX_OPEN))).all()
    ids: dict[str, set[int]] = {}
    for row in rows:
        ids.setdefault(row.kind, set()).add(row.record_id)
    may = {kind: await readable(session, kind, found, internal=True) for kind, found in ids.items()}
    lists: dict[str, list[Planned]] = {"overdue": [], "today": [], "later": []}
    for row in rows:
        title = may[row.kind].get(row.record_id)
        if title is None:
            continue
        day = row.due_on if row.due_at is None else row.due_at.astimezone(local).date()
        name = "overdue" if now >= row.ends_at else "today" if day is not None and day <= today else "later"
        lists[name].append(Planned(row, title))
    return Lists(**{name: tuple(found) for name, found in lists.items()})


async def open_activities(session: AsyncSession, kind: str, record_id: int) -> list[Activity]:
    """What is still to be done about one record."""
    here = (Activity.kind == kind, Activity.record_id == record_id, Activity.closed_at.is_(None))
    return list(await session.scalars(select(Activity).where(*here).order_by(Activity.ends_at, Activity.id)))


async def activity_types(session: AsyncSession) -> list[ActivityType]:
    """The types that can be chosen."""
    rows = await session.scalars(
        select(ActivityType).where(ActivityType.archived.is_(False)).order_by(ActivityType.position, ActivityType.key)
    )
    return list(rows)


async def find_activity(session: AsyncSession, record: RecordRef, activity: int, *, lock: bool = False) -> Activity:
    """An activity at this record; activities are internal. Raises NotFound."""
    wanted = select(Activity).where(Activity.id == activity, Activity.kind == record.kind, Activity.record_id == record.id)
    row = await session.scalar(wanted.with_for_update().execution_options(populate_existing=True) if lock else wanted)
    if row is None or not record.internal:
        raise NotFound("activity", str(activity))
    return row


async def _open(session: AsyncSession, record: RecordRef, activity: int, version: int | None) -> Activity:
    row = await find_activity(session, record, activity, lock=True)
    if row.closed_at is not None:
        raise Refused("activity_closed")
    if version is not None and version != row.version:
        raise Conflict("conflict", ref=record.ref, seen=str(version), now=str(row.version))
    return row


async def _close(
    session: AsyncSession,
    record: RecordRef,
    row: Activity,
    taken: Taken,
    readers: Readers,
    action: str,
    changes: dict[str, list[object]],
) -> Activity:
    row.closed_by, row.version = taken.actor.name, row.version + 1
    await append_event(session, taken, action=action, kind=record.kind, ref=record.ref, changes=changes)
    await tell(session, record, News("activity", action, True, row.id), taken, readers)
    return row


async def _type(session: AsyncSession, key: str, *, offered: bool = False) -> ActivityType:
    row = await session.get(ActivityType, key)
    if row is None or (offered and row.archived):
        raise Refused("activity_type_unknown")
    return row


async def _check_assignee(session: AsyncSession, record: RecordRef, login: str, readers: Readers) -> None:
    if await session.scalar(select(User.login).where(User.login == login, User.active.is_(True))) is None:
        raise Refused("assignee_unknown", login=clean(login, 64))
    if login not in await readers(session, record, [login], internal=True):
        raise Refused("assignee_cannot_read", login=login)


async def _said_before(session: AsyncSession, record: RecordRef, uid: str) -> Activity | None:
    row = await session.scalar(select(Activity).where(Activity.uid == uid))
    if row is not None and (row.kind, row.record_id) != (record.kind, record.id):
        raise Conflict("uid_taken", ref=record.ref)
    return row


def _said(row: Activity) -> str:
    return row.due_at.isoformat() if row.due_at is not None else str(row.due_on)


def _note(text: str) -> str:
    return "\n".join(clean(line.rstrip(), MAX_NOTE) for line in text.strip().splitlines())[:MAX_NOTE]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise Refused("zone_unknown", zone=clean(name, 64)) from exc
