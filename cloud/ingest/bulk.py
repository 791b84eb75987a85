"""Many entries into the table at once: COPY on PostgreSQL, one prepared statement on SQLite.

Both go past the mapper, which takes several times as long as the database itself. COPY's binary form is described in the
PostgreSQL manual, "COPY", "Binary Format".
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite

_COLUMNS = "run, seq, box_id, content, hash, kind, received_at"
_COPY = f"COPY entry ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
_INSERT = f"INSERT INTO entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants

_COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_END = b"\xff\xff"
_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive entries of one run, of which `contents`, `hashes` and `kinds` have one each."""

    run: str
    box: str
    first: int
    contents: Sequence[bytes]
    hashes: Sequence[bytes]
    kinds: Sequence[str]
    received_at: datetime


async def insert_entries(session: AsyncSession, rows: Rows) -> None:
    """Store the rows in the session's transaction. Raises what SQLAlchemy raises, IntegrityError where an entry is there."""
    connection = await session.connection()
    if is_sqlite(session):
        # As SQLAlchemy itself writes a time there.
        at = rows.received_at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        numbered = enumerate(zip(rows.contents, rows.hashes, rows.kinds, strict=True), rows.first)
        await connection.exec_driver_sql(
            _INSERT, [(rows.run, seq, rows.box, content, digest, kind, at) for seq, (content, digest, kind) in numbered]
        )
        return
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, psycopg.AsyncConnection):
        raise TypeError(f"COPY needs psycopg, not {type(driver).__name__}")
    try:
        async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            await copy.write(binary(rows))
    except psycopg.Error as exc:
        raise DBAPIError.instance(_COPY, None, exc, psycopg.Error, dialect=connection.dialect) from exc


def binary(rows: Rows) -> bytes:
    """The rows as COPY reads them: per row the number of fields, per field its length and bytes, numbers big-endian."""
    micros = (rows.received_at - _POSTGRES_EPOCH) // _MICROSECOND
    before = struct.pack(">h", 7) + _field(rows.run.encode()) + struct.pack(">i", 8)
    box, at = _field(rows.box.encode()), _field(struct.pack(">q", micros))
    kinds = {kind: _field(kind.encode()) for kind in set(rows.kinds)}
    parts = [_COPY_HEADER]
    for seq, (content, digest, kind) in enumerate(zip(rows.contents, rows.hashes, rows.kinds, strict=True), rows.first):
        parts += (before, seq.to_bytes(8, "big"), box, _field(content), _field(digest), kinds[kind], at)
    return b"".join([*parts, _COPY_END])


def _field(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
