"""Brings a database to this program's schema by running the Alembic migrations beside this module."""

import warnings
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from cloud.db import tables
from cloud.db.engine import Sessions, make_engine
from cloud.errors import DatabaseNewer, SettingsFault

_MIGRATIONS = Path(__file__).parent / "migrations"

_FULL_TEXT = "search_fts"
"""Begins the names of what only a migration can make: a virtual table on SQLite, generated columns on PostgreSQL."""


async def migrate(url: str) -> str:
    """Migrate to head and give its revision. Raises DatabaseNewer when the database is ahead of this program."""
    engine = make_engine(url)
    try:
        return await migrate_engine(engine)
    finally:
        await engine.dispose()


async def migrate_engine(engine: AsyncEngine) -> str:
    """As `migrate`, on an engine that is open already."""
    async with Sessions.on(engine).write() as session:
        connection = await session.connection()
        return await connection.run_sync(_upgrade)


async def check_migrated(sessions: Sessions) -> None:
    """Raises SettingsFault when the database is not at this program's schema, DatabaseNewer when it is ahead of it."""
    async with sessions.read() as session:
        current, head = await (await session.connection()).run_sync(_revisions)
    if current != head:
        raise SettingsFault(f"the database is at revision {current or 'none'}, not at {head}: run `tallybox cloud migrate`")


async def differences(engine: AsyncEngine) -> list[object]:
    """What the tables in code have that the database has not, and the other way round: empty when migrations are complete."""
    async with engine.connect() as connection:
        return await connection.run_sync(_compare)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> str:
    _, head = _revisions(connection)
    command.upgrade(_config(connection), "head")
    return head


def _revisions(connection: Connection) -> tuple[str | None, str]:
    """The database's revision and this program's. Raises DatabaseNewer."""
    scripts = ScriptDirectory.from_config(_config(connection))
    known = {script.revision for script in scripts.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise DatabaseNewer(f"the database is at revision {current}, which this program does not know: use the newer program")
    return current, scripts.get_current_head() or ""


def _compare(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _is_in_code})
    with warnings.catch_warnings():
        # Indexes on expressions are definitions' own; on SQLite they cannot even be read.
        warnings.filterwarnings("ignore", message="Skipped unsupported reflection of expression-based index")
        found = compare_metadata(context, tables.METADATA)
    return [one for one in found if not _of_a_definition(one)]


def _of_a_definition(difference: Any) -> bool:
    """Indexes of fields are made and removed by definitions (cloud.objects.changing), not by migrations."""
    return difference[0] == "remove_index" and str(difference[1].name).startswith("ix_record_")


def _is_in_code(name: str | None, _type: str, _parents: object) -> bool:
    return name is None or not name.startswith(_FULL_TEXT)
