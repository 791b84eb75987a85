"""What waits for the disk, in the order of the chain: places are given at once, groups are taken by the writer's thread."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edge.clock import Clock
from edge.journal.reissue import Old, content_of, said_again
from edge.journal.rows import Tail
from edge.journal.store import Row
from sync_protocol import chain
from sync_protocol.entries import Entry, Position, RunEntry, encode
from sync_protocol.ids import RunId, run_id

MAX_GROUP = 4_000
"""Entries of one commit: keeps a commit after a stall under half a second, so that live readings are not held up by it."""


class Place(NamedTuple):
    """Where an entry stands. `ticket` counts all entries of the process: what was placed before is durable before."""

    run: RunId
    seq: int
    ticket: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run begins with: the clocks, the program's version, the medium, randomness for its name, and the entries that must
    stand before all others (`preamble`, called in any thread)."""

    clock: Clock
    firmware: str
    entropy: Callable[[int], bytes] = secrets.token_bytes
    preamble: Callable[[], Sequence[Entry]] = tuple
    medium: str | None = None

    def new_run(self) -> RunId:
        """A name that no other run has."""
        return run_id(self.entropy(16).hex())

    def first_entry(self, parent: Tail | None) -> RunEntry:
        """Entry 0 of a run behind `parent`."""
        position = Position(run=parent.run, seq=parent.tip - 1, hash=parent.hash.hex()) if parent and parent.tip else None
        return RunEntry(**self.clock.stamp(), parent=position, fw=self.firmware, medium=self.medium)


@dataclass(slots=True)
class Group:
    """One commit: runs that begin in it, entries, positions of the cloud, small facts, and commands with their states."""

    runs: list[tuple[int, RunId]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    acks: dict[RunId, int] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)


class Queue:
    """Not thread-safe: its owner holds the lock."""

    def __init__(self, tail: Tail) -> None:
        self.rows: list[Row] = []
        self.acks: dict[RunId, int] = {}
        self.placed = 0
        """Tickets given."""
        self.names: dict[int, RunId] = {}
        """Runs of this process by their row id."""
        self._runs: list[tuple[int, RunId]] = []
        self._begin_at(tail)

    def _begin_at(self, tail: Tail) -> None:
        self.run = tail.run
        self._row = tail.row
        self._next = tail.tip
        self._hash = tail.hash

    @property
    def tail(self) -> Tail:
        """Where the chain ends, entries that wait included."""
        return Tail(self._row, self.run, self._next, self._hash)

    def place(self, kind: str, data: bytes, was: str | None = None) -> Place:
        """Give an entry its place behind all others."""
        seq = self._next
        self._hash = digest = chain.link(self._hash, seq, data)
        self._next = seq + 1
        self.placed += 1
        self.rows.append((self._row, seq, kind, data, digest, was))
        return Place(self.run, seq, self.placed)

    def begin_run(self, origin: Origin, then: Sequence[Entry] = ()) -> Place:
        """Go on in a new run behind the last entry; the place of the last entry that it begins with. `then` follow entry 0."""
        parent = self.tail
        run = origin.new_run()
        opening = [origin.first_entry(parent), *then, *origin.preamble()]
        data = [(entry.t, encode(entry)) for entry in opening]
        self._begin_at(Tail(parent.row + 1, run, 0, chain.seed(run)))
        self._runs.append((self._row, run))
        self.names[self._row] = run
        return [self.place(kind, content) for kind, content in data][-1]

    def say_again(self, olds: Sequence[Old]) -> None:
        """Place entries that were in the journal before, with the names that they and those they rest on have now."""
        names: dict[str, str] = {}
        for old in olds:
            data = said_again(content_of(old.data) or {}, old.id, names)
            if data is not None:
                place = self.place(old.kind, data, old.id)
                names[old.id] = f"{place.run}:{place.seq}"

    def take(self, limit: int = MAX_GROUP) -> Group:
        """The next commit; what is in it waits no more."""
        rows, self.rows = self.rows[:limit], self.rows[limit:]
        last = rows[-1][0] if rows else 0
        runs = [pair for pair in self._runs if pair[0] <= last]
        self._runs = [pair for pair in self._runs if pair[0] > last]
        acks, self.acks = self.acks, {}
        return Group(runs, rows, acks)

    def forget(self, tail: Tail) -> None:
        """Let go of all that waits: it stood behind entries that could not be written. The chain ends at `tail` again."""
        self.rows.clear()
        self._runs.clear()
        self._begin_at(tail)
