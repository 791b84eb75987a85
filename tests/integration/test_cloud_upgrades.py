"""A database of any earlier release comes to this one's schema, with what it held, and back."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cloud.db import migrate as migrating
from cloud.db.engine import Sessions, make_engine
from cloud.db.migrate import differences, migrate_engine
from cloud.kernel.chain import check_chain

BEFORE_CHAIN = "r0007"


def revisions() -> list[str]:
    """Oldest first."""
    folder = ScriptDirectory(str(migrating._MIGRATIONS))
    return [one.revision for one in reversed(list(folder.walk_revisions()))]


def to(connection: Connection, revision: str) -> None:
    command.upgrade(migrating._config(connection), revision)


def back_to(connection: Connection, revision: str) -> None:
    command.downgrade(migrating._config(connection), revision)


async def run(engine: AsyncEngine, work: Callable[[Connection, str], None], revision: str) -> None:
    async with Sessions.on(engine).write() as session:
        connection = await session.connection()
        await connection.run_sync(work, revision)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def bare(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A database without any table."""
    url = f"sqlite:///{tmp_path / 'bare.db'}"
    server = request.getfixturevalue("postgres_server") if request.param == "postgres" else None
    name = f"bare_{request.node.name.split('[')[0][-40:]}"
    if server is not None:
        _execute(server, f"CREATE DATABASE {name}")
        url = f"{server}/{name}"
    engine = make_engine(url)
    yield engine
    await engine.dispose()
    if server is not None:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: str, statement: LiteralString) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(statement)


async def test_every_earlier_schema_comes_to_this_one(bare: AsyncEngine) -> None:
    known = revisions()
    for revision in known:
        await run(bare, to, revision)
        async with Sessions.on(bare).write() as session:
            await fill(await session.connection(), revision)
    assert await differences(bare) == []
    async with Sessions.on(bare).read() as session:
        found = await check_chain(session)
        assert found.ok
        assert found.events == 3


async def fill(connection: AsyncConnection, revision: str) -> None:
    """Three events of a program that knew no chain, with a gap between their numbers."""
    if revision != BEFORE_CHAIN:
        return
    insert = text(
        "INSERT INTO event (id, at, actor_kind, actor, action, kind, ref, changes)"
        " VALUES (:id, :at, 'user', 'noa', 'post', 'receipt', 'GR-1', :changes)"
    )
    postgres = connection.dialect.name == "postgresql"
    at: object = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC) if postgres else "2026-01-02 03:04:05.000678"
    for number in (1, 2, 5):
        changes = '{"state": ["check", "posted"], "name": [null, "נועה"]}'
        await connection.execute(insert, {"id": number, "at": at, "changes": changes})


async def test_back_to_the_first_schema_and_here_again(bare: AsyncEngine) -> None:
    await migrate_engine(bare)
    await run(bare, back_to, "base")
    await migrate_engine(bare)
    assert await differences(bare) == []
