"""The box's outbox and the cloud's ingest on a real database, over a network that loses, doubles and reorders: converging."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from cloud.db.engine import Sessions, open_sessions
from cloud.ingest.models import JournalEntry, QuarantinedFrame, RunState
from cloud.ingest.receive import receive_frame
from sync_protocol.outbox import Moved, Outbox, Send, grown, next_send, on_answer

MAX_DRAIN = 400
"""Far more exchanges than any example leaves entries."""


def _machine(template: Path, make_box) -> type[RuleBasedStateMachine]:
    class BoxAndCloud(RuleBasedStateMachine):
        """Frames wait in `up`, answers in `down`; rules pick any of them, keep a copy, or let it fall."""

        def __init__(self) -> None:
            super().__init__()
            self.folder = Path(tempfile.mkdtemp(prefix="tallybox-hyp-"))
            shutil.copyfile(template, self.folder / "cloud.db")
            self.loop = asyncio.new_event_loop()
            self.sessions = self.open()
            self.box = make_box(1)
            self.outbox = Outbox(())
            self.up: list[tuple[Send, bytes]] = []
            self.down: list[tuple[Send, object]] = []
            self.acked: dict[str, int] = {}

        def open(self) -> Sessions:
            return open_sessions(f"sqlite:///{self.folder / 'cloud.db'}")

        def wait(self, coroutine):
            return self.loop.run_until_complete(coroutine)

        @initialize()
        def begin(self) -> None:
            self.wait(self.box.register(self.sessions))
            self.box.start()

        @rule(count=st.integers(1, 4))
        def write(self, count: int) -> None:
            for _ in range(count):
                self.box.note()

        @precondition(lambda self: len(self.box.runs) < 4)
        @rule()
        def restart_the_box(self) -> None:
            last = self.box.run
            self.box.start((last, len(last.entries) - 1))
            # How far the cloud was is forgotten by the box; what is on its way is not forgotten by the network.
            self.outbox = Outbox((), self.outbox.gen)

        @rule(most=st.integers(1, 5))
        def send(self, most: int) -> None:
            self.notice_growth()
            send = next_send(self.outbox)
            if send is not None:
                self.up.append((send, self.frame(send, most)))

        @precondition(lambda self: self.up)
        @rule(which=st.integers(0, 99), copy=st.booleans(), answered=st.booleans())
        def frame_arrives(self, which: int, copy: bool, answered: bool) -> None:
            place = which % len(self.up)
            send, frame = self.up[place] if copy else self.up.pop(place)
            answer = self.wait(receive_frame(self.sessions, box=self.box.id, frame=frame, now=self.box.clock.now))
            if answered:
                self.down.append((send, answer))

        @precondition(lambda self: self.down)
        @rule(which=st.integers(0, 99), copy=st.booleans())
        def answer_arrives(self, which: int, copy: bool) -> None:
            place = which % len(self.down)
            self.hear(*(self.down[place] if copy else self.down.pop(place)))

        @precondition(lambda self: self.up)
        @rule(which=st.integers(0, 99))
        def frame_is_lost(self, which: int) -> None:
            self.up.pop(which % len(self.up))

        @rule()
        def restart_the_cloud(self) -> None:
            self.wait(self.sessions.engine.dispose())
            self.sessions = self.open()

        def notice_growth(self) -> None:
            for run in self.box.runs:
                self.outbox = grown(self.outbox, run.run, len(run.entries))

        def frame(self, send: Send, most: int) -> bytes:
            run = next(run for run in self.box.runs if run.run == send.run)
            return self.box.frame(send.first, most, run)

        def hear(self, send: Send, answer) -> None:
            self.notice_growth()
            hashes = {run.run: run for run in self.box.runs}
            self.outbox, effects = on_answer(self.outbox, send, answer, lambda run, seq: hashes[run].hash_before(seq + 1))
            for effect in effects:
                if isinstance(effect, Moved):
                    self.acked[effect.run] = max(effect.acked, self.acked.get(effect.run, 0))

        async def stored(self) -> dict[str, list[bytes]]:
            async with self.sessions.read() as session:
                rows = await session.execute(
                    select(JournalEntry.run, JournalEntry.content).order_by(JournalEntry.run, JournalEntry.seq)
                )
                found: dict[str, list[bytes]] = {}
                for run, content in rows:
                    found.setdefault(run, []).append(content)
                states = await session.execute(select(RunState.run, RunState.acked))
                assert {run: len(contents) for run, contents in found.items()} == dict(states.all())
                assert await session.scalar(select(QuarantinedFrame.id).limit(1)) is None
            return found

        @invariant()
        def cloud_holds_a_prefix_and_all_that_was_acked(self) -> None:
            if not self.box.runs:
                return
            stored = self.wait(self.stored())
            for run in self.box.runs:
                contents = stored.get(run.run, [])
                assert contents == run.entries[: len(contents)]
                assert self.acked.get(run.run, 0) <= len(contents)
            assert all(state.stopped is None for state in self.outbox.runs)

        def teardown(self) -> None:
            try:
                self.drain()
            finally:
                self.wait(self.sessions.engine.dispose())
                self.loop.close()
                shutil.rmtree(self.folder)

        def drain(self) -> None:
            for _ in range(MAX_DRAIN):
                self.notice_growth()
                send = next_send(self.outbox)
                if send is None:
                    break
                frame = self.frame(send, 50)
                self.hear(send, self.wait(receive_frame(self.sessions, box=self.box.id, frame=frame, now=self.box.clock.now)))
            stored = self.wait(self.stored())
            assert stored == {run.run: run.entries for run in self.box.runs}

    return BoxAndCloud


@pytest.mark.parametrize("depth", [pytest.param(12), pytest.param(150, marks=pytest.mark.deep)])
def test_box_and_cloud_converge_whatever_the_network_does(sqlite_template: Path, make_box, depth: int) -> None:
    run_state_machine_as_test(
        _machine(sqlite_template, make_box),
        settings=settings(
            max_examples=depth,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
