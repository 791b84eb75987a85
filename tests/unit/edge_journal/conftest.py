"""A journal on a real file, and looks into it that do not go through its own code."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.clock import StampFields
from edge.journal.service import Journal
from sync_protocol import chain
from sync_protocol.entries import Clk, NoteEntry, StepEntry, parse
from sync_protocol.ids import RunId

SECOND = 1_000_000_000


@dataclass
class TurnClock:
    """Stands still until it is turned. The wall clock is a thing of its own, as in life."""

    ns: int = 1_000 * SECOND
    wall: int = 0

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return self.wall

    def stamp(self) -> StampFields:
        return {"boot_id": "boot", "mono_ns": self.ns, "wall_ns": self.wall, "clk": Clk(s="none")}

    def turn(self, *, hours: float) -> None:
        self.ns += round(hours * 3600 * SECOND)


@pytest.fixture
def clock() -> TurnClock:
    return TurnClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def opened(path: Path, clock: TurnClock) -> Callable[..., AbstractAsyncContextManager[Journal]]:
    """`async with opened() as journal`, at the same path each time."""
    return lambda **more: Journal.open(path, clock=clock, firmware="0", **more)


@pytest.fixture
def note(clock: TurnClock) -> Callable[[str], NoteEntry]:
    return lambda name: NoteEntry(**clock.stamp(), name=name)


@pytest.fixture
def step(clock: TurnClock) -> Callable[..., StepEntry]:
    def make(n: int, *readings: str, job: str = "job") -> StepEntry:
        data = {"weight": {"value": "1", "reading": readings[0]}} if readings else {}
        stamp = clock.stamp()
        return StepEntry(
            **stamp, job=job, job_kind="receive", n=n, step="item", station="s", by="dana", data=data, readings=list(readings)
        )

    return make


class Contents:
    """What lies in the file."""

    def __init__(self, path: Path) -> None:
        connection = sqlite3.connect(path)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            self.runs = connection.execute("SELECT run, acked, stopped FROM run ORDER BY id").fetchall()
            self.rows = connection.execute(
                "SELECT r.run, seq, kind, bytes, hash, was FROM entry e JOIN run r ON r.id = e.run ORDER BY r.id, seq"
            ).fetchall()
        finally:
            connection.close()

    def of(self, run: RunId) -> list[Any]:
        """The entries of one run, read."""
        return [parse(data) for name, _, _, data, _, _ in self.rows if name == run]

    def names(self, run: RunId) -> list[str]:
        """The names of its notes, the kinds of its other entries."""
        return [getattr(entry, "name", entry.t) for entry in self.of(run)]

    def check_chains(self) -> None:
        """Every hash follows from the one before; a run that was pruned begins with the first that is left."""
        last: dict[str, tuple[int, bytes]] = {}
        for run, seq, _, data, digest, _ in self.rows:
            before = last.get(run, (-1, chain.seed(run)))
            if run in last or seq == 0:
                assert seq == before[0] + 1
                assert digest == chain.link(before[1], seq, data)
            last[run] = (seq, digest)


@pytest.fixture
def contents(path: Path) -> Callable[[], Contents]:
    """Looks into the file; asserts that SQLite finds no fault with it."""
    return lambda: Contents(path)
