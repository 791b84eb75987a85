"""A real Mosquitto with the configuration that `tallybox provision broker` writes, on a free port of the loopback address.

`with mosquitto(authority, now) as broker:` skips by name where there is no Mosquitto. Boxes are whoever the same authority
enrolled; `broker.worker("ingest")` are the files of the core's own client.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from provisioning.broker import ClientFiles, Listening, write_broker
from provisioning.ca import Authority

START_S = 20.0


@dataclass
class Broker:
    """A broker of the test; `kill` is a power cut for it, `start` brings it back on the same port."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    host: str = "127.0.0.1"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def worker(self, name: str) -> ClientFiles:
        """Certificate, key and root of one of the core's workers."""
        return ClientFiles.within(self.folder / "workers" / name)

    def start(self) -> None:
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [_program(), "-c", self.folder / "mosquitto.conf"],
                stdout=log,
                stderr=log,
                user=_unprivileged(),
                cwd=self.folder,
            )
        deadline = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None, self.log
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """SIGKILL: nothing is said to anyone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


@contextmanager
def mosquitto(authority: Authority, now: datetime, *, workers: Sequence[str] = ("ingest",)) -> Iterator[Broker]:
    """A running broker that trusts `authority`; gone with its folder at the end."""
    if not Path(_program()).exists():
        pytest.skip("Mosquitto is not installed")
    folder = Path(tempfile.mkdtemp(prefix="tallybox-broker-"))
    port = _free_port()
    listening = Listening(host="127.0.0.1", port=port, user=_unprivileged())
    write_broker(folder, authority, names=["127.0.0.1", "localhost"], workers=workers, now=now, listening=listening)
    _give_away(folder)
    broker = Broker(folder, port)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _program() -> str:
    return shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _unprivileged() -> str | None:
    """A broker that anyone may knock at does not run as root, in tests neither."""
    if os.geteuid() != 0:
        return None
    return next((one.pw_name for one in pwd.getpwall() if one.pw_name in {"nobody", "daemon"}), None)


def _give_away(folder: Path) -> None:
    user = _unprivileged()
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
