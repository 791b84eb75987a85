"""What somebody with bad intent, or bad luck, would try on records and their definitions."""

from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.errors import Conflict
from cloud.kernel.chain import check_chain
from cloud.kernel.events import history
from cloud.kernel.models import Event
from cloud.objects import service
from cloud.objects.faults import Invalid
from tests.integration.object_world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


async def refused(doing: Awaitable[Any], *kinds: type[Exception]) -> None:
    with pytest.raises(kinds):
        await doing


async def logged(sessions: Sessions, kind: str = "company") -> list[tuple[str, str]]:
    async with sessions.read() as session:
        assert (await check_chain(session)).ok
        rows = await session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id))
        return [(one.ref, one.action) for one in rows]


async def test_a_savepoint_that_is_rolled_back_takes_its_own_events_along_and_no_others(
    world: World, sessions: Sessions
) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "company", {"name": "A"})
        await service.create(at, "company", {"name": "B"})
        with suppress(RuntimeError):
            async with session.begin_nested():
                await service.create(at, "company", {"name": "C"})
                with suppress(RuntimeError):
                    async with session.begin_nested():
                        await service.update(at, "company", "C-0001", {"city": "Acre"})
                        raise RuntimeError
                await service.update(at, "company", "C-0003", {"city": "Haifa"})
                raise RuntimeError
        async with session.begin_nested():
            await service.update(at, "company", "C-0002", {"city": "Haifa"})
    assert await logged(sessions) == [("C-0001", "create"), ("C-0002", "create"), ("C-0002", "change")]


async def test_a_clash_found_by_the_database_alone_leaves_the_transaction_usable(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "company", {"name": "A"}, ref="OAK")
        await refused(service.create(at, "company", {"name": "B"}, ref="OAK"), Conflict)
        await refused(service.create(at, "company", {"name": "A"}), Invalid)
        await service.create(at, "company", {"name": "C"})
    assert await logged(sessions) == [("OAK", "create"), ("C-0001", "create")]


async def test_a_transaction_that_fails_at_its_end_logs_nothing(world: World, sessions: Sessions) -> None:
    with suppress(RuntimeError):
        async with sessions.write() as session:
            await service.create(await world.caller(session), "company", {"name": "A"})
            raise RuntimeError
    async with sessions.read() as session:
        assert not await history(session, "company", "C-0001")
