"""What waits for one person among the records: things to do, what they were told, and what they look after."""

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from cloud.around.activities import Lists, Planned, activities_of
from cloud.around.following import feed
from cloud.around.records import readable_by
from cloud.errors import Refused
from cloud.kernel.access import READ
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef, Phase
from cloud.objects.permits import quoted
from cloud.objects.query import Query, find
from cloud.objects.service import Item
from cloud.web.objects.entry import place
from cloud.web.objects.values import Shower

PENDING: tuple[Phase, ...] = ("open", "active", "waiting")
SHOWN = 10
"""Of each part: the front page is read standing."""


@dataclass(frozen=True, slots=True)
class Mine:
    """A record that the person looks after."""

    definition: ObjectDef
    item: Item
    title: Markup
    state: Markup


@dataclass(frozen=True, slots=True)
class Todo:
    """Something to do, with the address of its record; `when` is one of `overdue`, `today`, `later`."""

    planned: Planned
    href: str
    when: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The person's part of the front page. `unread`: notices, "9+"-like where there are more than are counted."""

    todo: tuple[Todo, ...]
    todo_all: int
    mine: tuple[Mine, ...]
    unread: int
    more_unread: bool


async def waiting_for(caller: Caller, show: Shower, now: datetime, zone: str) -> Waiting:
    """Read for whoever calls."""
    readable = readable_by(caller, show.locale)
    lists = await activities_of(caller.session, caller.login, now, zone=zone, readable=readable)
    told = await feed(caller.session, caller.login, readable, unread=True, limit=SHOWN)
    every = [one for name in ("overdue", "today", "later") for one in _todo(lists, name)]
    return Waiting(
        todo=tuple(every[:SHOWN]),
        todo_all=len(every),
        mine=tuple(await _mine(caller, show)),
        unread=len(told.rows),
        more_unread=told.next is not None,
    )


def _todo(lists: Lists, name: str) -> list[Todo]:
    planned: tuple[Planned, ...] = getattr(lists, name)
    return [Todo(one, place(one.activity.kind, one.activity.ref), name) for one in planned]


async def _mine(caller: Caller, show: Shower) -> list[Mine]:
    """Newest change first."""
    text = f"owner == {quoted(caller.login)} and phase in [{', '.join(quoted(one) for one in PENDING)}]"
    found: list[Mine] = []
    for one in caller.objects.definitions.values():
        if one.typed or one.archived or not one.states or not caller.access.may(one.key, READ):
            continue
        try:
            page = await find(caller, one.key, Query(text, "-updated_at", limit=SHOWN, only=frozenset()))
        except Refused:
            continue
        found += [Mine(one, item, show.label(item.title), show.state(one, item.state)) for item in page.items]
    found.sort(key=lambda one: one.item.updated_at or datetime.min.replace(tzinfo=caller.zone), reverse=True)
    return found[:SHOWN]
