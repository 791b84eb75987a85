"""Everything around one record goes over to another: a merge of two parties, a lead that became a deal."""

from collections.abc import Iterable

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.following import follow, unfollow
from cloud.around.gate import RecordRef
from cloud.around.index import RECORD
from cloud.around.models import Activity, Attachment, Follower, Message, Notice, SearchDoc
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event

MOVED_HERE, MOVED_AWAY = "moved_here", "moved_away"


async def move_around(session: AsyncSession, source: RecordRef, target: RecordRef, taken: Taken) -> None:
    """Messages, activities, files, followers and notices of `source` are `target`'s from now on, as they are: nothing becomes
    more visible. Both records' logs say so; events stay where they happened."""
    place = {"kind": target.kind, "record_id": target.id, "ref": target.ref}
    for table in (Message, Activity, Attachment, Notice):
        here = (table.kind == source.kind, table.record_id == source.id)
        await session.execute(update(table).where(*here).values(place))
    parts = (SearchDoc.kind == source.kind, SearchDoc.record_id == source.id, SearchDoc.part != RECORD)
    await session.execute(update(SearchDoc).where(*parts).values(place))
    following = (Follower.kind == source.kind, Follower.record_id == source.id)
    rows = (await session.execute(select(Follower.login, Follower.muted).where(*following))).all()
    await session.execute(delete(Follower).where(*following))
    await _follow(session, target, rows, taken)
    for record, action, other in ((source, MOVED_AWAY, target), (target, MOVED_HERE, source)):
        changes = {"record": [None, f"{other.kind}:{other.ref}"]}
        await append_event(session, taken, action=action, kind=record.kind, ref=record.ref, changes=changes)


async def _follow(session: AsyncSession, target: RecordRef, rows: Iterable[Row[str, bool]], taken: Taken) -> None:
    for login, muted in rows:
        if not muted:
            await follow(session, target, login, taken.at, asked=False)
        elif await session.get(Follower, (target.kind, target.id, login)) is None:
            # Who said no to one of the two hears of the other only if they follow that one.
            await unfollow(session, target, login, taken.at)
