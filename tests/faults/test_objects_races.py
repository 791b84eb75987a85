"""Several writers at once: nothing twice, nothing lost, and whoever loses is told."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.errors import Conflict, GuardFailed, WrongState
from cloud.kernel.chain import check_chain
from cloud.kernel.models import Event
from cloud.objects import service
from cloud.objects.changing import make_indexes
from cloud.objects.faults import Invalid
from cloud.objects.models import Record
from tests.integration.object_world import World, make_world

UID = "01930000-0000-7000-8000-000000000001"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


async def at_once(*doing: Any) -> Counter[str]:
    done = await asyncio.gather(*doing, return_exceptions=True)
    return Counter(type(one).__name__ if isinstance(one, BaseException) else "done" for one in done)


async def make(world: World, sessions: Sessions, name: str, uid: str | None = None) -> bool:
    async with sessions.write() as session:
        _, made = await service.create(await world.caller(session), "company", {"name": name}, uid=uid)
        return made


async def test_the_same_request_twice_at_once_makes_one_record(world: World, sessions: Sessions) -> None:
    made = await asyncio.gather(*(make(world, sessions, "A", UID) for _ in range(4)), return_exceptions=True)
    assert Counter(map(str, made)) == {"True": 1, "False": 3}


async def test_of_those_who_take_one_value_at_once_one_has_it(world: World, sessions: Sessions) -> None:
    counted = await at_once(*(make(world, sessions, "A") for _ in range(4)))
    assert counted["done"] == 1
    assert counted[Conflict.__name__] + counted[Invalid.__name__] == 3


async def test_of_two_who_move_a_record_on_at_once_one_does(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        await service.create(await world.caller(session), "visit", {"subject": "x", "on": "2026-11-22"})

    async def hold() -> None:
        async with sessions.write() as session:
            await service.do(await world.caller(session), "visit", "V-2026-0001", "hold")

    async def change(score: int) -> None:
        async with sessions.write() as session:
            await service.update(await world.caller(session), "visit", "V-2026-0001", {"score": score}, version=1)

    counted = await at_once(hold(), hold(), change(1), change(2))
    assert counted["done"] in {1, 2}
    assert counted["done"] + counted[WrongState.__name__] + counted[Conflict.__name__] + counted[GuardFailed.__name__] == 4
    async with sessions.read() as session:
        item = await service.get(await world.caller(session), "visit", "V-2026-0001")
        assert item.version == 1 + counted["done"]
        assert (await check_chain(session)).ok


async def test_many_writers_of_several_records_neither_wait_for_each_other_for_ever_nor_leave_gaps(
    world: World, sessions: Sessions
) -> None:
    async def write(name: str) -> None:
        for number in range(12):
            async with sessions.write() as session:
                at = await world.caller(session)
                for part in range(3):
                    await service.create(at, "company", {"name": f"{name} {number} {part}"})
                await service.update(at, "company", (await session.scalars(select(Record.ref))).all()[-1], {"city": "Haifa"})

    counted = await at_once(*(write(name) for name in ("a", "b", "c", "d")))
    assert counted == {"done": 4}
    async with sessions.read() as session:
        assert (await check_chain(session)).ok
    async with sessions.read() as session:
        refs = (await session.scalars(select(Record.ref))).all()
        assert sorted(refs) == [f"C-{number:04}" for number in range(1, 145)]
        created = (await session.scalars(select(Event.ref).where(Event.action == "create"))).all()
        assert sorted(created) == sorted(refs)


async def test_two_processes_that_start_at_once_make_each_index_once(world: World, sessions: Sessions) -> None:
    async def start() -> int:
        async with sessions.write() as session:
            return await make_indexes(await world.caller(session))

    made = await asyncio.gather(start(), start(), return_exceptions=True)
    assert sorted(made, key=str) == [0, max(one for one in made if isinstance(one, int))], made
