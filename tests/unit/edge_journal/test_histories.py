"""Any history of a journal, against a model of what it promised: whatever was done, and wherever it was abandoned."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Coroutine
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.journal.service import Journal
from sync_protocol import chain
from sync_protocol.entries import NoteEntry, RunEntry, StepEntry, parse
from sync_protocol.ids import EntryId, RunId
from tests.faults.journal.working import TurnClock, connect_unsynced

T = TypeVar("T")

HOUR_NS = 3600 * 1_000_000_000


class Histories(RuleBasedStateMachine):
    """`kept` is what was confirmed: id to its name. `acked` is the position last given, `ever` the highest of all."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp())
        self.path = self.folder / "journal.db"
        self.clock = TurnClock()
        self.loop = asyncio.new_event_loop()
        self.kept: dict[EntryId, str] = {}
        self.acked: dict[RunId, int] = {}
        self.ever: dict[RunId, int] = {}
        self.facts: dict[str, str] = {}
        self.commands: set[str] = set()
        self.reissued: dict[EntryId, None] = {}
        self.count = 0
        self.steps = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def open(self) -> None:
        self.context = Journal.open(self.path, clock=self.clock, firmware="0", connect=connect_unsynced)
        self.journal = self.run(self.context.__aenter__())

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.run(self.context.__aexit__(None, None, None))
        self.loop.close()
        shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 5))
    def append(self, count: int) -> None:
        names = [f"n{self.count + n}" for n in range(count)]
        self.count += count

        async def all_at_once() -> list[EntryId]:
            entries = [NoteEntry(**self.clock.stamp(), name=name) for name in names]
            return await asyncio.gather(*(self.journal.append(entry) for entry in entries))

        self.kept |= dict(zip(self.run(all_at_once()), names, strict=True))

    @rule(data=st.data())
    def append_step(self, data: st.DataObject) -> None:
        on = str(data.draw(st.sampled_from(list(self.kept)))) if self.kept else "0" * 32 + ":0"
        entry = StepEntry(
            **self.clock.stamp(), job="j", job_kind="receive", n=self.steps, step="s", station="s", by="b", readings=[on]
        )
        self.kept[self.run(self.journal.append(entry))] = f"step {self.steps}"
        self.steps += 1

    @rule()
    def fresh_run(self) -> None:
        assert self.run(self.journal.fresh_run()) == self.journal.run

    @rule(data=st.data(), durably=st.booleans())
    def ack(self, data: st.DataObject, durably: bool) -> None:
        run = data.draw(st.sampled_from(list(self.journal.tips)))
        acked = data.draw(st.integers(0, self.journal.tips[run]))
        self.journal.mark_acked(run, acked)
        self.acked[run] = acked
        self.ever[run] = max(acked, self.ever.get(run, 0))
        if durably:
            self.append(1)

    @rule(hours=st.integers(0, 60))
    def wait(self, hours: int) -> None:
        self.clock.ns += hours * HOUR_NS

    @rule(limit=st.sampled_from([1, 3, 100]))
    def prune(self, limit: int) -> None:
        assert self.run(self.journal.prune(older_than_s=86400, limit=limit)) <= limit

    @rule(key=st.sampled_from("ab"), value=st.sampled_from("xyz"))
    def know(self, key: str, value: str) -> None:
        self.run(self.journal.know(key, value))
        self.facts[key] = value

    @rule(name=st.sampled_from("AB"))
    def command(self, name: str) -> None:
        assert self.run(self.journal.begin_command(name)) == (name not in self.commands)
        self.commands.add(name)

    @precondition(lambda self: len(self.kept) > 2)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(list(self.journal.tips)))
        # What was acked with our hash is not said again.
        self.run(self.journal.reissue(run, self.acked.get(run, 0)))
        assert run != self.journal.run

    @rule()
    def restart(self) -> None:
        self.run(self.context.__aexit__(None, None, None))
        self.open()

    @rule()
    def die(self) -> None:
        """The process is gone without closing anything: the next one has the files as they are now."""
        left = Path(mkdtemp())
        for file in self.folder.glob("journal.db*"):
            shutil.copy(file, left)
        self.run(self.context.__aexit__(None, None, None))
        shutil.rmtree(self.folder)
        self.folder, self.path = left, left / "journal.db"
        # Acks are written lazily: which of the last ones are there only the file knows.
        self.open()

    @invariant()
    def the_file_holds_what_was_promised(self) -> None:
        if not hasattr(self, "journal"):
            return
        connection = sqlite3.connect(self.path)
        try:
            runs = connection.execute("SELECT run, acked FROM run ORDER BY id").fetchall()
            sql = "SELECT r.run, seq, bytes, hash, was FROM entry e JOIN run r ON r.id = e.run ORDER BY r.id, seq"
            rows = connection.execute(sql).fetchall()
        finally:
            connection.close()
        found = {EntryId(run, seq): (data, digest) for run, seq, data, digest, _ in rows}
        assert len(found) == len(rows)
        for place, name in self.kept.items():
            if place in found:
                assert self._name(found[place][0]) == name
            else:
                assert place.seq < self.ever.get(place.run, 0)
        self._check_chains(found)
        self._check_parents(runs, found)
        again = [was for *_, was in rows if was]
        assert len(set(again)) == len(again)
        assert {key: self.journal.known(key) for key in self.facts} == self.facts

    @invariant()
    def jobs_have_each_step_once(self) -> None:
        if not hasattr(self, "journal"):
            return

        async def steps() -> list[int]:
            return [entry.n async for _, entry in self.journal.steps()]

        found = self.run(steps())
        assert len(set(found)) == len(found)

    def _name(self, data: bytes) -> str:
        entry = parse(data)
        return f"step {entry.n}" if isinstance(entry, StepEntry) else str(json.loads(data).get("name"))

    def _check_chains(self, found: dict[EntryId, tuple[bytes, bytes]]) -> None:
        for place, (data, digest) in found.items():
            before = chain.seed(place.run) if place.seq == 0 else found.get(EntryId(place.run, place.seq - 1), (b"", None))[1]
            assert before is None or chain.link(before, place.seq, data) == digest

    def _check_parents(self, runs: list[tuple[RunId, int]], found: dict[EntryId, tuple[bytes, bytes]]) -> None:
        tips = {place.run: place.seq for place in found}
        for (parent, _), (run, _) in pairwise(runs):
            first = found.get(EntryId(run, 0))
            if first is None:
                continue
            entry = parse(first[0])
            assert isinstance(entry, RunEntry)
            assert entry.parent is not None
            assert (entry.parent.run, entry.parent.seq) == (parent, tips[parent])
            assert entry.parent.hash == found[EntryId(parent, tips[parent])][1].hex()


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
