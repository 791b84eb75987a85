"""What a program is told of records that only a scope, a site or a mask opens to its owner."""

from pathlib import Path

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.hooks.records import by_records
from cloud.hooks.sight import sight
from cloud.kernel.access import Access
from cloud.kernel.models import Event
from cloud.objects import service
from tests.integration.object_world import NOW, ZONE, World, access, make_world


@pytest.fixture
async def world(tmp_path: Path, sessions: Sessions) -> World:
    made = make_world(tmp_path)
    async with sessions.write() as session:
        at = await made.caller(session)
        for name, city, site in (("A", "Haifa", "north"), ("B", "Eilat", "south")):
            await service.create(at, "company", {"name": name, "city": city, "credit": "5", "site_code": site})
    return made


async def seen(world: World, sessions: Sessions, owner: Access) -> dict[str, set[str]]:
    """Which fields of which record's event somebody is told."""

    async def access_of(_session: object, _login: str) -> Access:
        return owner

    async with sessions.read() as session:
        see = await sight(access_of, by_records(world.registry, lambda: NOW, ZONE))(session, "dan")
        found = {event.ref: await see(event) for event in await session.scalars(select(Event).where(Event.action == "create"))}
    return {ref: set(changes) for ref, changes in found.items() if changes is not None}


ALL = {"name", "city", "credit", "site_code"}


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (access(("company", "read")), {"C-0001": ALL, "C-0002": ALL}),
        (access(("company", "read", "city == 'Haifa'")), {"C-0001": ALL}),
        (access(("company", "read"), site="south"), {"C-0002": ALL}),
        (access(("company", "read", "", "-credit")), {"C-0001": ALL - {"credit"}, "C-0002": ALL - {"credit"}}),
        (access(("company", "read", "city == 'Haifa'"), ("company", "read", "", "name")), {"C-0001": {"name"}}),
        (access(("company", "read", "no_such_field == 1")), {}),
        (access(("visit", "read")), {}),
        (Access(), {}),
    ],
    ids=["all", "scope", "site", "mask", "narrowed", "broken", "other", "none"],
)
async def test_owner_is_told_of_records_that_they_may_read(
    world: World, sessions: Sessions, owner: Access, expected: dict[str, set[str]]
) -> None:
    assert await seen(world, sessions, owner) == expected
