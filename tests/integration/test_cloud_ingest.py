"""Frames are stored once, in order, whatever is repeated, lost, forged or sent at the same time by several workers."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from cloud.boxes.models import BoxStatus
from cloud.boxes.registry import set_status
from cloud.clock import EPOCH
from cloud.db.engine import Sessions, open_sessions
from cloud.db.settings_table import start_generation
from cloud.ingest import receive
from cloud.ingest.models import JournalEntry, QuarantinedFrame, RunState, StoredBatch
from cloud.ingest.receive import receive_frame
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import MAX_REFUSALS, REFUSAL_WINDOW
from cloud.kernel.models import Event
from sync_protocol import signing
from sync_protocol.answers import Ack, Need, Refused
from sync_protocol.frame import MAX_FRAME


async def _contents(sessions: Sessions, run: str) -> list[bytes]:
    async with sessions.read() as session:
        rows = await session.execute(
            select(JournalEntry.seq, JournalEntry.content).where(JournalEntry.run == run).order_by(JournalEntry.seq)
        )
        found = rows.all()
    assert [seq for seq, _ in found] == list(range(len(found)))
    return [content for _, content in found]


async def _events(sessions: Sessions) -> list[str]:
    async with sessions.read() as session:
        rows = await session.scalars(select(Event.action).where(Event.kind != "user").order_by(Event.id))
        return [action for action in rows if action not in {"register", "register_again"}]


async def _count(sessions: Sessions, table: type) -> int:
    async with sessions.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


def _journal(box, notes: int):
    run = box.start()
    for _ in range(notes):
        box.note()
    return run


async def test_first_batch_is_stored_as_sent_and_acked_with_its_hash(sessions, box) -> None:
    run = _journal(box, 3)
    answer = await box.send(sessions)
    assert isinstance(answer, Ack)
    assert (answer.run, answer.acked, answer.hash, answer.gen) == (run.run, 4, run.hash_before(4).hex(), 0)
    assert await _contents(sessions, run.run) == run.entries
    assert await _events(sessions) == []


async def test_batches_follow_each_other(sessions, box) -> None:
    run = _journal(box, 9)
    for first in (0, 3, 6, 9):
        answer = await receive_frame(sessions, box=box.id, frame=box.frame(first, 3), now=box.clock.now)
    assert isinstance(answer, Ack)
    assert answer.acked == 10
    assert await _contents(sessions, run.run) == run.entries
    assert await _count(sessions, StoredBatch) == 4


async def test_replayed_batch_changes_nothing_and_leaves_an_event(sessions, box) -> None:
    run = _journal(box, 3)
    first = await box.send(sessions)
    again = await box.send(sessions)
    assert again == first
    assert await _contents(sessions, run.run) == run.entries
    assert await _count(sessions, StoredBatch) == 1
    assert await _events(sessions) == ["batch_again"]


async def test_answer_lost_after_the_commit_is_given_again_for_an_older_part_too(sessions, box) -> None:
    run = _journal(box, 5)
    await box.send(sessions)
    answer = await receive_frame(sessions, box=box.id, frame=box.frame(1, 2), now=box.clock.now)
    assert isinstance(answer, Ack)
    assert (answer.acked, answer.hash) == (6, run.hash_before(6).hex())


async def test_overlapping_batch_adds_only_its_rest(sessions, box) -> None:
    run = _journal(box, 3)
    await box.send(sessions)
    box.note()
    box.note()
    answer = await receive_frame(sessions, box=box.id, frame=box.frame(2), now=box.clock.now)
    assert isinstance(answer, Ack)
    assert answer.acked == 6
    assert await _contents(sessions, run.run) == run.entries


@pytest.mark.parametrize("held", [0, 2])
async def test_gap_is_asked_for_and_nothing_of_the_batch_stored(sessions, box, held: int) -> None:
    run = _journal(box, 5)
    if held:
        await receive_frame(sessions, box=box.id, frame=box.frame(0, held), now=box.clock.now)
    answer = await receive_frame(sessions, box=box.id, frame=box.frame(held + 1), now=box.clock.now)
    assert answer == Need(run=run.run, need=held, hash=run.hash_before(held).hex(), gen=0, enc=("zstd",))
    assert await _contents(sessions, run.run) == run.entries[:held]
    assert await _count(sessions, RunState) == (1 if held else 0)


@pytest.mark.parametrize("first", [0, 2, 3])
async def test_fork_is_set_aside_and_the_stored_prefix_stays(sessions, box, first: int) -> None:
    run = _journal(box, 3)
    await box.send(sessions)
    before = list(run.entries)
    run.entries[min(first, 2)] = run.entries[min(first, 2)].replace(b'"noted"', b'"other"').replace(b'"test"', b'"tset"')
    box.note()
    for _ in range(2):
        answer = await receive_frame(sessions, box=box.id, frame=box.frame(first), now=box.clock.now)
        assert answer == Refused(err="fork", detail="fork", gen=0)
    assert await _contents(sessions, run.run) == before
    async with sessions.read() as session:
        kept = list(await session.scalars(select(QuarantinedFrame)))
    # Signed anew each time, so the frames differ; what they say is the same and is kept once.
    assert [frame.reason for frame in kept] == ["fork"]
    assert await _events(sessions) == ["frame_fork", "frame_fork"]


async def test_the_same_frame_is_set_aside_once(sessions, box) -> None:
    run = _journal(box, 1)
    await box.send(sessions)
    run.entries[1] = run.entries[1].replace(b'"noted"', b'"other"')
    frame = box.frame()
    for _ in range(3):
        await receive_frame(sessions, box=box.id, frame=frame, now=box.clock.now)
    assert await _count(sessions, QuarantinedFrame) == 1


async def test_no_more_than_the_cap_is_set_aside(sessions, box, monkeypatch) -> None:
    monkeypatch.setattr(receive, "MAX_QUARANTINED", 2)
    run = _journal(box, 1)
    await box.send(sessions)
    run.entries[1] = run.entries[1].replace(b'"noted"', b'"other"')
    for _ in range(4):
        box.note()
        assert isinstance(await box.send(sessions), Refused)
    assert await _count(sessions, QuarantinedFrame) == 2


async def test_frame_of_another_box_is_refused_whichever_of_the_two_sends_it(sessions, box, make_box) -> None:
    other = make_box(2)
    await other.register(sessions)
    _journal(box, 2)
    answer = await receive_frame(sessions, box=other.id, frame=box.frame(), now=box.clock.now)
    assert answer == Refused(err="sig", detail="unknown_key")
    signed_by_other = box.frame(key_id=signing.key_id(other.spki), sign=signing.signer(other.key))
    answer = await receive_frame(sessions, box=other.id, frame=signed_by_other, now=box.clock.now)
    assert answer == Refused(err="sig", detail="foreign_box")
    assert await _count(sessions, JournalEntry) == 0
    assert await _events(sessions) == ["unknown_key", "foreign_box"]


async def test_run_of_another_box_cannot_be_continued(sessions, box, make_box) -> None:
    run = _journal(box, 1)
    await box.send(sessions)
    other = make_box(2)
    await other.register(sessions)
    box.note()
    stolen = box.frame(2, box=other.id, key_id=signing.key_id(other.spki), sign=signing.signer(other.key))
    answer = await receive_frame(sessions, box=other.id, frame=stolen, now=box.clock.now)
    assert answer == Refused(err="fork", detail="foreign_run")
    assert len(await _contents(sessions, run.run)) == 2
    assert await _events(sessions) == ["frame_foreign_run"]


@pytest.mark.parametrize("place", ["signature", "key", "header", "entry", "end"])
async def test_one_changed_byte_is_refused(sessions, box, place: str) -> None:
    _journal(box, 2)
    frame = bytearray(box.frame())
    length = int.from_bytes(frame[:2], "big")
    at = {"signature": 2 + length - 3, "key": 2 + length + 4, "header": 2 + length + 16 + 30, "entry": -40, "end": -1}[place]
    frame[at] ^= 1
    answer = await receive_frame(sessions, box=box.id, frame=bytes(frame), now=box.clock.now)
    assert isinstance(answer, Refused)
    assert answer.err == "sig"
    assert await _count(sessions, JournalEntry) == 0
    assert len(await _events(sessions)) == 1


@pytest.mark.parametrize("frame", [b"", b"\x00\x46", b"GET / HTTP/1.1\r\n", bytes(MAX_FRAME + 1)])
async def test_what_is_no_frame_is_refused(sessions, box, frame: bytes) -> None:
    answer = await receive_frame(sessions, box=box.id, frame=frame, now=box.clock.now)
    assert isinstance(answer, Refused)
    assert answer.err == "schema"
    assert await _events(sessions) == ["broken_frame"]


@pytest.mark.parametrize(("status", "err", "kept"), [(BoxStatus.SUSPENDED, "quarantine", 1), (BoxStatus.REVOKED, "revoked", 0)])
async def test_box_that_is_not_active_is_refused_and_let_in_again(sessions, box, status, err: str, kept: int) -> None:
    run = _journal(box, 2)
    taken = Taken(Actor.user("root", "admin"), box.clock.now, "lost")
    async with sessions.write() as session:
        await set_status(session, box=box.id, status=status, taken=taken)
    answer = await box.send(sessions)
    assert isinstance(answer, Refused)
    assert answer.err == err
    assert (await _count(sessions, JournalEntry), await _count(sessions, QuarantinedFrame)) == (0, kept)
    async with sessions.write() as session:
        await set_status(session, box=box.id, status=BoxStatus.ACTIVE, taken=taken)
    assert isinstance(await box.send(sessions), Ack)
    assert await _contents(sessions, run.run) == run.entries


async def test_unknown_box_is_revoked(sessions, make_box) -> None:
    stranger = make_box(9)
    _journal(stranger, 1)
    answer = await stranger.send(sessions)
    assert isinstance(answer, Refused)
    assert answer.err == "revoked"


async def test_answers_carry_the_generation(sessions, box) -> None:
    _journal(box, 1)
    async with sessions.write() as session:
        await start_generation(session, "epoch", now=EPOCH)
    answer = await box.send(sessions)
    assert isinstance(answer, Ack)
    assert answer.gen == 1


async def test_two_children_of_one_run_are_reported(sessions, box) -> None:
    parent = _journal(box, 2)
    await box.send(sessions)
    first, second = box.start((parent, 2)), box.start((parent, 1))
    for run in (first, second):
        assert isinstance(await box.send(sessions, run), Ack)
    assert await _events(sessions) == ["sibling_run"]
    async with sessions.read() as session:
        states = {row.run: (row.parent_run, row.parent_seq) for row in await session.scalars(select(RunState))}
    assert states == {parent.run: (None, None), first.run: (parent.run, 2), second.run: (parent.run, 1)}


async def test_flood_of_refusals_stops_being_logged_and_starts_again_later(sessions, box, clock) -> None:
    for _ in range(MAX_REFUSALS + 5):
        await receive_frame(sessions, box=box.id, frame=b"noise", now=clock.go(seconds=1))
    events = await _events(sessions)
    assert events == ["broken_frame"] * MAX_REFUSALS
    async with sessions.read() as session:
        last = (await session.scalars(select(Event).order_by(Event.id.desc()).limit(1))).one()
    assert last.changes["more_are_not_logged_for_s"] == REFUSAL_WINDOW.total_seconds()
    await receive_frame(sessions, box=box.id, frame=b"noise", now=clock.now + REFUSAL_WINDOW + timedelta(seconds=1))
    assert len(await _events(sessions)) == MAX_REFUSALS + 1


async def test_entries_that_cannot_be_read_are_stored_like_all_others(sessions, box) -> None:
    run = box.start()
    for content in (b"not json", b'{"t":"surprise"}', b"\xff\x00\xfe", b'{"t":"reading"}'):
        box.write_bytes(content)
    box.write_bytes(box.run.entries[0].replace(b'"t":"run"', b'"t":"later"'))
    assert isinstance(await box.send(sessions), Ack)
    assert await _contents(sessions, run.run) == run.entries
    async with sessions.read() as session:
        kinds = list(await session.scalars(select(JournalEntry.kind).order_by(JournalEntry.seq)))
    assert kinds == ["run", "unreadable", "unreadable", "unreadable", "unreadable", "unknown"]


async def test_stored_entries_cannot_be_changed(sessions, box) -> None:
    _journal(box, 1)
    await box.send(sessions)
    for statement in ("UPDATE entry SET kind = 'x'", "DELETE FROM batch"):
        with pytest.raises(DBAPIError, match="never changed"):
            async with sessions.write() as session:
                await session.execute(text(statement))


async def test_two_workers_with_the_same_batches_store_them_once(database_url: str, sessions, box) -> None:
    run = _journal(box, 60)
    frames = [box.frame(first, 10) for first in range(0, 60, 10)]
    workers = [open_sessions(database_url) for _ in range(2)]

    async def post(worker: Sessions) -> list[object]:
        return [await receive_frame(worker, box=box.id, frame=frame, now=box.clock.now) for frame in frames]

    try:
        answers = await asyncio.gather(*(post(worker) for worker in workers))
    finally:
        for worker in workers:
            await worker.engine.dispose()
    # One worker may be ahead of the other: that one then hears the newer position, never an older one.
    for heard in answers:
        positions = [answer.acked for answer in heard if isinstance(answer, Ack)]
        assert len(positions) == len(frames)
        assert all(acked >= 10 * (index + 1) for index, acked in enumerate(positions))
    assert await _contents(sessions, run.run) == run.entries[:60]
    assert await _count(sessions, StoredBatch) == len(frames)


async def test_two_workers_with_a_new_run_and_a_fork_of_it_keep_one_content(database_url: str, sessions, box) -> None:
    run = _journal(box, 1)
    frame = box.frame()
    run.entries[1] = run.entries[1].replace(b'"noted"', b'"other"')
    forked = box.frame()
    workers = [open_sessions(database_url) for _ in range(2)]
    try:
        answers = await asyncio.gather(
            *(
                receive_frame(worker, box=box.id, frame=each, now=box.clock.now)
                for worker, each in zip(workers, (frame, forked), strict=True)
            )
        )
    finally:
        for worker in workers:
            await worker.engine.dispose()
    assert sorted(type(answer).__name__ for answer in answers) == ["Ack", "Refused"]
    assert len(await _contents(sessions, run.run)) == 2


async def test_worker_that_comes_while_another_stores_waits_for_it(database_url: str, sessions, box, monkeypatch) -> None:
    run = _journal(box, 9)
    await receive_frame(sessions, box=box.id, frame=box.frame(0, 5), now=box.clock.now)
    store = receive._store

    async def slowly(*args: object) -> object:
        await asyncio.sleep(0.3)  # long enough for the other worker to read the position, if nothing keeps it from that
        return await store(*args)

    monkeypatch.setattr(receive, "_store", slowly)
    other = open_sessions(database_url)
    try:
        frame = box.frame(5, 5)
        first, second = await asyncio.gather(
            *(receive_frame(worker, box=box.id, frame=frame, now=box.clock.now) for worker in (sessions, other))
        )
    finally:
        await other.engine.dispose()
    assert first == second
    assert await _contents(sessions, run.run) == run.entries
    assert await _events(sessions) == ["batch_again"]
