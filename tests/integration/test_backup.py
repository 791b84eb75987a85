"""A copy made while the core works, as docs/OPERATIONS.md says, is the whole: records, log, guards, indexes and search."""

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cloud import catalogue
from cloud.around.records import find_records
from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import check_migrated, differences
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.chain import check_chain
from cloud.objects import query, service
from cloud.objects.caller import Caller, caller
from cloud.objects.changing import make_indexes, save_definition
from cloud.objects.filtering_json import index_name
from cloud.objects.query import Query
from tests.conftest import _execute, _postgres_bin
from tests.integration.object_world import NOW

PUMP = "key: x_pump\nfields:\n  name: {type: text, required: true, searchable: true}\n  speed: {type: int, indexed: true}\n"
EXTRA = {index_name("x_pump", "speed"), index_name("lead", "mail")}


@asynccontextmanager
async def core(url: str, *, write: bool) -> AsyncIterator[tuple[Sessions, Caller]]:
    sessions, registry = open_sessions(url), catalogue.registry()
    try:
        async with sessions.write() if write else sessions.read() as session:
            taken = Taken(Actor.user("root", "admin"), NOW, access=Access.all())
            yield sessions, await caller(session, registry, taken, hooks=catalogue.hooks())
    finally:
        await sessions.engine.dispose()


async def work(url: str) -> None:
    registry = catalogue.registry()
    sessions = open_sessions(url)
    taken = Taken(Actor.user("root", "admin"), NOW, access=Access.all())
    try:
        async with sessions.write() as session:
            desk = await caller(session, registry, taken, hooks=catalogue.hooks())
            await make_indexes(desk)
            await save_definition(desk, registry, PUMP)
        for number in range(20):
            async with sessions.write() as session:
                desk = await caller(session, registry, taken, hooks=catalogue.hooks())
                await service.create(desk, "x_pump", {"name": f"משאבה {number}", "speed": number})
    finally:
        await sessions.engine.dispose()


async def whole(url: str) -> None:
    """Everything of `work` that had been committed by the time of the copy is there and in order."""
    async with core(url, write=False) as (sessions, desk):
        await check_migrated(sessions)
        assert (await check_chain(desk.session)).ok
        page = await query.find(desk, "x_pump", Query(sort="speed", limit=100))
        assert [one.values["speed"] for one in page.items] == list(range(len(page.items)))
        assert len(page.items) >= 10
        hits = await find_records(desk, "משאבה 7")
        assert any(hit.kind == "x_pump" for hit in hits.rows)
        wanted = "SELECT name FROM sqlite_master WHERE type = 'index'"
        if sessions.engine.dialect.name == "postgresql":
            wanted = "SELECT indexname FROM pg_indexes"
        assert {name for (name,) in await desk.session.execute(text(wanted))} >= EXTRA
    sessions = open_sessions(url)
    try:
        assert await differences(sessions.engine) == []
        with pytest.raises(DBAPIError, match="never changed"):
            async with sessions.write() as session:
                await session.execute(text("DELETE FROM event"))
    finally:
        await sessions.engine.dispose()
    async with core(url, write=True) as (_, desk):
        made, _new = await service.create(desk, "x_pump", {"name": "after", "speed": 99})
        assert made.ref not in {one.ref for one in page.items}


async def _when_half_done(url: str, copy: asyncio.Event) -> None:
    while True:
        async with core(url, write=False) as (_, desk):
            there = "x_pump" in desk.objects.definitions and (await query.count(desk, "x_pump", Query()))[0] >= 10
        if there:
            copy.set()
            return
        await asyncio.sleep(0.02)


async def test_sqlite_is_copied_while_it_is_written(sqlite_url: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    half = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work(sqlite_url))
        tasks.create_task(_when_half_done(sqlite_url, half))
        await half.wait()
        await asyncio.to_thread(_copy, sqlite_url.removeprefix("sqlite:///"), target)
    await whole(f"sqlite:///{target}")


def _copy(source: str, target: Path) -> None:
    # What `sqlite3 FILE ".backup COPY"` does.
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


@pytest.mark.postgres
async def test_postgresql_is_dumped_while_it_is_written(postgres_url: str, postgres_server: str, tmp_path: Path) -> None:
    binaries = _postgres_bin()
    if binaries is None or not (binaries / "pg_dump").exists():
        pytest.skip("no pg_dump here")
    dump, half = tmp_path / "cloud.dump", asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work(postgres_url))
        tasks.create_task(_when_half_done(postgres_url, half))
        await half.wait()
        command = [binaries / "pg_dump", "--format=custom", f"--file={dump}", postgres_url]
        await asyncio.to_thread(subprocess.run, command, check=True)
    _execute(postgres_server, "CREATE DATABASE restored_copy")
    try:
        command = [binaries / "pg_restore", "--no-owner", "--exit-on-error", "-d", f"{postgres_server}/restored_copy", dump]
        await asyncio.to_thread(subprocess.run, command, check=True)
        await whole(f"{postgres_server}/restored_copy")
    finally:
        _execute(postgres_server, "DROP DATABASE restored_copy WITH (FORCE)")
