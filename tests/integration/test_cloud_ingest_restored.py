"""The cloud's database is put back to a backup: the box hears of it and sends again what is missing, and nothing else."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import select

from cloud.db.engine import open_sessions
from cloud.db.settings_table import EPOCH, Setting
from cloud.ingest.models import JournalEntry
from cloud.ingest.receive import receive_frame
from cloud.kernel.models import Event
from sync_protocol.outbox import Outbox, grown, next_send, on_answer
from tests.integration.running import command

MAX_EXCHANGES = 200


def _backup(url: str, target: Path) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


async def _drain(url: str, box, outbox: Outbox, most: int) -> tuple[Outbox, list[tuple[str, int, int]]]:
    """Exchange until nothing waits; what was sent as (run, first, entries)."""
    sessions, sent = open_sessions(url), []
    runs = {run.run: run for run in box.runs}
    try:
        for run in box.runs:
            outbox = grown(outbox, run.run, len(run.entries))
        for _ in range(MAX_EXCHANGES):
            send = next_send(outbox)
            if send is None:
                return outbox, sent
            frame = box.frame(send.first, most, runs[send.run])
            sent.append((send.run, send.first, min(most, len(runs[send.run].entries) - send.first)))
            answer = await receive_frame(sessions, box=box.id, frame=frame, now=box.clock.now)
            outbox, _effects = on_answer(outbox, send, answer, lambda run, seq: runs[run].hash_before(seq + 1))
    finally:
        await sessions.engine.dispose()
    raise AssertionError("the conversation does not end")


async def test_restored_cloud_gets_what_it_lost_and_nothing_else(sqlite_url: str, tmp_path: Path, make_box) -> None:
    box = make_box(1)
    sessions = open_sessions(sqlite_url)
    await box.register(sessions)
    await sessions.engine.dispose()
    first = box.start()
    for _ in range(19):
        box.note()
    outbox, _ = await _drain(sqlite_url, box, Outbox(()), 5)
    _backup(sqlite_url, tmp_path / "backup.db")
    for _ in range(10):
        box.note()
    second = box.start((first, 29))
    for _ in range(9):
        box.note()
    outbox, _ = await _drain(sqlite_url, box, outbox, 5)
    assert [state.acked for state in outbox.runs] == [30, 10]

    restored = f"sqlite:///{tmp_path / 'backup.db'}"
    code, output, errors = await command("cloud", "restored", "--db", restored)
    assert (code, errors) == (0, b"")
    assert b'"generation": ' in output
    box.note()
    outbox, sent = await _drain(restored, box, outbox, 5)

    # Two frames find out where the restored cloud is; then what it lost, once and in order.
    asked = [(second.run, 10, 1), (first.run, 29, 1)]
    lost = [(first.run, 20, 5), (first.run, 25, 5), (second.run, 0, 5), (second.run, 5, 5), (second.run, 10, 1)]
    assert sent == asked + lost
    assert [state.acked for state in outbox.runs] == [30, 11]
    sessions = open_sessions(restored)
    try:
        async with sessions.read() as session:
            rows = await session.execute(
                select(JournalEntry.run, JournalEntry.content).order_by(JournalEntry.run, JournalEntry.seq)
            )
            stored: dict[str, list[bytes]] = {}
            for run, content in rows:
                stored.setdefault(run, []).append(content)
            said = list(await session.scalars(select(Event.action).where(Event.kind == "database")))
            epoch = await session.scalar(select(Setting.value).where(Setting.key == EPOCH))
    finally:
        await sessions.engine.dispose()
    assert stored == {first.run: first.entries, second.run: second.entries}
    assert (said, bool(epoch)) == (["restored"], True)
