"""Lists as people keep them: their own and those that others share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import QueryParams

from cloud.errors import NotFound, Refused
from cloud.objects.caller import Caller
from cloud.objects.models import SavedView
from cloud.web.objects.address import ListAddress
from cloud.web.objects.entry import place
from sync_protocol.wiretext import clean

EVERYTHING = "all"
"""As a view: the plain list, also for somebody whose list begins with another."""

MAX_NAME = 60
MAX_VIEWS = 50
"""Of one person and kind: more are not tabs any more."""


@dataclass(frozen=True, slots=True)
class View:
    """A tab above a list. `mine`: whether the visitor may change it; `first`: whether their list begins with it."""

    uid: str
    name: str
    shared: bool
    mine: bool
    first: bool
    url: str


async def views_of(caller: Caller, kind: str) -> list[View]:
    """The caller's own views and shared ones, by name."""
    rows = await _rows(caller.session, caller.login, kind)
    return [
        View(
            row.uid,
            row.name,
            row.shared,
            row.owner == caller.login,
            row.owner == caller.login and bool(row.query.get("first")),
            place(kind, view=row.uid),
        )
        for row in rows
    ]


async def _rows(session: AsyncSession, login: str, kind: str) -> Sequence[SavedView]:
    query = (
        select(SavedView)
        .where(SavedView.kind == kind, or_(SavedView.owner == login, SavedView.shared.is_(True)))
        .order_by(SavedView.name, SavedView.id)
        .limit(2 * MAX_VIEWS)
    )
    return (await session.scalars(query)).all()


async def address_of(caller: Caller, kind: str, params: QueryParams, path: str = "") -> ListAddress:
    """What an address asks for; where it only names a view, or nothing, what that view or the person's first one keeps."""
    address = ListAddress.of(kind, params, path)
    if set(params) - {"view", "after"}:
        return address
    wanted = params.get("view", "")
    if wanted == EVERYTHING:
        return address
    for row in await _rows(caller.session, caller.login, kind):
        if row.uid == wanted or (not wanted and row.owner == caller.login and row.query.get("first")):
            return replace(ListAddress.kept_as(kind, row.query, row.uid), after=address.after, path=path)
    return replace(address, view="")


async def save_view(caller: Caller, address: ListAddress, name: str, *, shared: bool, first: bool) -> SavedView:
    """Keep a list under a name; an own view of that name becomes this one. Raises Refused `view_name`, `too_many_views`."""
    name = clean(name.strip(), MAX_NAME)
    if not name:
        raise Refused("view_name")
    mine = [row for row in await _rows(caller.session, caller.login, address.kind) if row.owner == caller.login]
    row = next((one for one in mine if one.name == name), None)
    if row is None:
        if len(mine) >= MAX_VIEWS:
            raise Refused("too_many_views", max=str(MAX_VIEWS))
        row = SavedView(kind=address.kind, owner=caller.login, name=name, created_at=caller.taken.at)
        caller.session.add(row)
    row.shared, row.query = shared, {**address.said(), "first": first}
    if first:
        for other in mine:
            if other is not row and other.query.get("first"):
                other.query = {**other.query, "first": False}
    await caller.session.flush()
    return row


async def drop_view(caller: Caller, kind: str, uid: str) -> None:
    """Forget an own view. Raises NotFound."""
    query = select(SavedView).where(SavedView.kind == kind, SavedView.uid == uid, SavedView.owner == caller.login)
    row = await caller.session.scalar(query)
    if row is None:
        raise NotFound("view", uid)
    await caller.session.delete(row)
