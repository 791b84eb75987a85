"""Engine and sessions. A session either reads (one snapshot, cannot write) or writes (one transaction, committed at its end).

SQLite has no row locks and upgrades a reading transaction to a writing one only if nobody wrote meanwhile: writers therefore
begin with BEGIN IMMEDIATE and so run one after the other (SQLite manual, "Transactions", 2.2). PostgreSQL locks rows.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from cloud.db.turns import Turns
from cloud.errors import SettingsFault

BUSY_TIMEOUT_MS = 5000
"""How long a writer waits for another one on SQLite; the longest transaction, a rebuild's chunk, takes well under a second."""

LOCK_TIMEOUT_MS = 5000
"""The same on PostgreSQL: a client is told to come again rather than left hanging."""

POOL_SIZE = 5
MAX_OVERFLOW = 5
"""Ten connections a process: PostgreSQL's default of 100 then serves ten workers."""

_WRITES = "tallybox_writes"


def database_url(text: str) -> URL:
    """The URL with the async driver we use. Raises SettingsFault for another database or SQLite in memory."""
    try:
        url = make_url(text)
    except ArgumentError as exc:
        raise SettingsFault("database_url: neither sqlite:///FILE nor postgresql://...") from exc
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        raise SettingsFault(f"database_url: {url.get_backend_name()} is not supported, only sqlite and postgresql")
    if not url.database or url.database == ":memory:":
        raise SettingsFault("database_url: SQLite needs a file")
    return url.set(drivername="sqlite+aiosqlite")


def make_engine(url: str) -> AsyncEngine:
    """The engine for a database URL (`sqlite:///path` or `postgresql://...`). Raises SettingsFault."""
    target = database_url(url)
    if target.get_backend_name() == "sqlite":
        folder = Path(target.database or "").absolute().parent
        if not folder.is_dir():
            # Else the driver's thread would outlive the event loop that hears of the failure.
            raise SettingsFault(f"database_url: the folder {folder} is not there")
        engine = create_async_engine(target, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    options = f"-c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC"
    return create_async_engine(
        target, pool_size=POOL_SIZE, max_overflow=MAX_OVERFLOW, pool_pre_ping=True, connect_args={"options": options}
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: `_begin_sqlite` says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = bool(connection.get_execution_options().get(_WRITES))
    if connection.info.get(_WRITES) is not writes:
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
        connection.info[_WRITES] = writes
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@dataclass(frozen=True, slots=True)
class Sessions:
    """Makes sessions on one engine. Objects stay readable after the session has ended."""

    engine: AsyncEngine
    _readers: async_sessionmaker[AsyncSession]
    _writers: async_sessionmaker[AsyncSession]
    _turns: Turns | None
    """Of the writers of this process, where the database takes one at a time."""

    @classmethod
    def on(cls, engine: AsyncEngine) -> Self:
        postgres = engine.dialect.name == "postgresql"
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if postgres else {}
        reading = engine.execution_options(**snapshot)
        writing = engine.execution_options(**{_WRITES: True})
        return cls(
            engine,
            async_sessionmaker(reading, expire_on_commit=False),
            async_sessionmaker(writing, expire_on_commit=False),
            None if postgres else Turns(),
        )

    def marked(self, **info: object) -> "Sessions":
        """The same, with marks in every session's `info`."""
        readers, writers = self._readers.kw["bind"], self._writers.kw["bind"]
        return Sessions(
            self.engine,
            async_sessionmaker(readers, expire_on_commit=False, info=dict(info)),
            async_sessionmaker(writers, expire_on_commit=False, info=dict(info)),
            self._turns,
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one state of the database and cannot change it."""
        async with self._readers() as session:
            yield session

    @asynccontextmanager
    async def write(self, *, first: bool = False) -> AsyncIterator[AsyncSession]:
        """A session with one transaction: committed when the block ends, rolled back when it raises.

        On SQLite writers of this process wait for each other; `first` goes before those who are not.
        """
        turn = self._turns.take(first=first) if self._turns is not None else nullcontext()
        async with turn, self._writers() as session, session.begin():
            yield session


def is_sqlite(session: AsyncSession) -> bool:
    """Whether the session talks to SQLite."""
    return session.get_bind().dialect.name == "sqlite"


def open_sessions(url: str) -> Sessions:
    """Engine and sessions in one; close with `await sessions.engine.dispose()`. Raises SettingsFault.

    A SQLite file must be there: opening a mistyped path would make an empty database.
    """
    target = database_url(url)
    if target.get_backend_name() == "sqlite" and not Path(target.database or "").exists():
        raise SettingsFault(f"database_url: {target.database} is not there; `tallybox cloud migrate` makes it")
    return Sessions.on(make_engine(url))
