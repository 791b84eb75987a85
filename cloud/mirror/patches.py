"""From a cookie to the patch that brings a station's mirror up to date.

Every change of a row takes the scope's next number, which is also the row's revision. A cookie is `<epoch>.<number>`:
everything up to that number is known to whoever holds it. The epoch changes when the database was restored.
"""

import secrets
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions, is_sqlite
from cloud.db.settings_table import EPOCH, Setting
from cloud.mirror.models import MirrorRow, MirrorScope
from cloud.mirror.rows import desired_rows
from cloud.mirror.work import give_ranges, without_range
from sync_protocol.mirror import MAX_OPS, Clear, Del, Key, Patch, Put, checksum

MAX_COOKIE = 64
"""Characters: 16 of epoch, a dot, 19 digits."""

DrawEpoch = Callable[[], str]


def _draw_epoch() -> str:
    return secrets.token_hex(8)


async def pull(sessions: Sessions, *, scope: str, cookie: str, draw_epoch: DrawEpoch = _draw_epoch) -> Patch:
    """The next patch for whoever holds `cookie`; an empty, foreign or impossible cookie gets everything anew.

    What changed meanwhile is looked for with the last page: a first mirror of twenty pages would else compare all of it twenty
    times.
    """
    async with sessions.read() as session:
        known = await _known(session, scope, cookie)
    if known is not None and known.more:
        return known
    await refresh(sessions, scope, draw_epoch)
    async with sessions.read() as session:
        epoch = await session.scalar(select(Setting.value).where(Setting.key == EPOCH))
        return await _patch(session, scope, cookie, epoch or "")


async def _known(session: AsyncSession, scope: str, cookie: str) -> Patch | None:
    """The next patch by what is numbered already, of a mirror that somebody is in the middle of."""
    epoch = await session.scalar(select(Setting.value).where(Setting.key == EPOCH))
    newest = await session.scalar(select(MirrorScope.seq).where(MirrorScope.scope == scope)) or 0
    since = _since(cookie, epoch or "", newest)
    if since is None or newest - since <= MAX_OPS:
        return None
    return await _patch(session, scope, cookie, epoch or "")


async def refresh(sessions: Sessions, scope: str, draw_epoch: DrawEpoch = _draw_epoch) -> None:
    """Number what changed in a scope's master data since it was looked at last; writes only where there is something."""
    async with sessions.read() as session:
        epoch = await session.scalar(select(Setting.value).where(Setting.key == EPOCH))
        if epoch is not None and not await without_range(session, scope) and not await _changes(session, scope):
            return
    async with sessions.write() as session:
        await _epoch(session, draw_epoch)
        await give_ranges(session, scope)
        await _refresh(session, scope)


async def positions(session: AsyncSession, scopes: Collection[str]) -> dict[str, int]:
    """The newest change of each scope; one that nobody pulled yet is missing."""
    rows = await session.execute(select(MirrorScope.scope, MirrorScope.seq).where(MirrorScope.scope.in_(scopes)))
    return {row.scope: row.seq for row in rows}


async def _epoch(session: AsyncSession, draw_epoch: DrawEpoch) -> None:
    await session.execute(
        (sqlite.insert(Setting) if is_sqlite(session) else postgresql.insert(Setting))
        .values(key=EPOCH, value=draw_epoch())
        .on_conflict_do_nothing(index_elements=["key"])
    )


async def _changes(session: AsyncSession, scope: str) -> dict[Key, dict[str, Any] | None]:
    """Rows whose value is not the stored one; None for those that are to go."""
    desired = await desired_rows(session, scope)
    columns = (MirrorRow.t, MirrorRow.k, MirrorRow.v)
    stored = {
        (t, k): v
        for t, k, v in await session.execute(select(*columns).where(MirrorRow.scope == scope, MirrorRow.deleted.is_(False)))
    }
    changed: dict[Key, dict[str, Any] | None] = {key: value for key, value in desired.items() if stored.get(key) != value}
    changed.update(dict.fromkeys(stored.keys() - desired.keys()))
    return changed


async def _refresh(session: AsyncSession, scope: str) -> None:
    upsert = sqlite.insert(MirrorScope) if is_sqlite(session) else postgresql.insert(MirrorScope)
    await session.execute(upsert.values(scope=scope, seq=0).on_conflict_do_nothing(index_elements=["scope"]))
    counter = (await session.scalars(select(MirrorScope).where(MirrorScope.scope == scope).with_for_update())).one()
    # Compared again under the lock: another worker may have numbered the same changes meanwhile.
    changed = sorted((await _changes(session, scope)).items())
    values = [
        {
            "scope": scope,
            "t": table,
            "k": key,
            "rev": counter.seq + number,
            "seq": counter.seq + number,
            "v": value or {},
            "deleted": value is None,
        }
        for number, ((table, key), value) in enumerate(changed, 1)
    ]
    counter.seq += len(values)
    await session.flush()
    if values:
        made = sqlite.insert(MirrorRow) if is_sqlite(session) else postgresql.insert(MirrorRow)
        renewed = {name: made.excluded[name] for name in ("rev", "seq", "v", "deleted")}
        # One statement, prepared once, for all of them: a station's first mirror has tens of thousands of rows.
        await session.execute(made.on_conflict_do_update(index_elements=["scope", "t", "k"], set_=renewed), values)


async def _patch(session: AsyncSession, scope: str, cookie: str, epoch: str) -> Patch:
    newest = await session.scalar(select(MirrorScope.seq).where(MirrorScope.scope == scope)) or 0
    since = _since(cookie, epoch, newest)
    wanted = [MirrorRow.scope == scope, MirrorRow.seq > (since or 0)]
    if since is None:
        wanted.append(MirrorRow.deleted.is_(False))
    room = MAX_OPS if since is not None else MAX_OPS - 1
    rows = list(await session.scalars(select(MirrorRow).where(*wanted).order_by(MirrorRow.seq).limit(room + 1)))
    more = len(rows) > room
    rows = rows[:room]
    ops: list[Clear | Put | Del] = [] if since is not None else [Clear()]
    ops += [Del(t=row.t, k=row.k) if row.deleted else Put(t=row.t, k=row.k, rev=row.rev, v=row.v) for row in rows]
    reached = rows[-1].seq if more else newest
    total = None if more else await _sum(session, scope)
    return Patch.model_validate({"from": cookie, "cookie": f"{epoch}.{reached}", "patch": ops, "sum": total, "more": more})


async def _sum(session: AsyncSession, scope: str) -> str:
    rows = await session.execute(
        select(MirrorRow.t, MirrorRow.k, MirrorRow.rev).where(MirrorRow.scope == scope, MirrorRow.deleted.is_(False))
    )
    return checksum((t, k, rev) for t, k, rev in rows)


def _since(cookie: str, epoch: str, newest: int) -> int | None:
    theirs, dot, digits = cookie.partition(".")
    if theirs != epoch or not dot or not digits.isascii() or not digits.isdigit() or len(cookie) > MAX_COOKIE:
        return None
    return int(digits) if int(digits) <= newest else None
