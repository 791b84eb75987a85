"""What a worker does around a frame: looks at entries, unpacks, takes not too many at once, and waits for its turn to write."""

import asyncio
import json
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.db.engine import Sessions
from cloud.db.turns import MAX_IN_A_ROW, Turns
from cloud.deps import SyncDeps
from cloud.ingest import intake as intake_module
from cloud.ingest.bulk import Rows, binary
from cloud.ingest.intake import Intake
from cloud.ingest.looking import look
from cloud.ingest.receive import Arriving
from sync_protocol.answers import Ack, Refused
from sync_protocol.entries import UnknownEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.packing import pack

STAMP = {"boot_id": "b", "mono_ns": 1, "wall_ns": 2, "clk": {"s": "ntp"}}
READING = STAMP | {"t": "reading", "device": "d", "driver": "x", "kind": "mass", "raw": "aGk="}
WAS = "0" * 32 + ":7"


@pytest.mark.parametrize(
    ("content", "kind", "was"),
    [
        (READING, "reading", None),
        (READING | {"was": WAS}, "reading", WAS),
        (READING | {"was": "nobody"}, "reading", None),
        (READING | {"more": [1]}, "reading", None),
        ({"t": "reading"}, "unreadable", None),
        (STAMP | {"t": "note", "name": "x"}, "note", None),
        (STAMP | {"t": "note", "name": "x", "was": WAS}, "note", WAS),
        (STAMP | {"t": "note"}, "unreadable", None),
        (STAMP | {"t": "surprise"}, "unknown", None),
        ([1], "unreadable", None),
    ],
)
def test_entry_is_known_by_its_kind_and_by_what_it_says_again(content: object, kind: str, was: str | None) -> None:
    found = look(json.dumps(content).encode())
    assert (found.kind, None if found.was is None else str(found.was)) == (kind, was)


@given(st.dictionaries(st.sampled_from(sorted(READING)), st.none(), max_size=3), st.binary(max_size=40))
def test_look_says_what_the_model_says_of_everything_that_lacks_a_field(without: dict[str, None], noise: bytes) -> None:
    content = json.dumps({name: value for name, value in READING.items() if name not in without}).encode()
    for each in (content, noise, content + noise):
        try:
            entry = parse(each)
        except TextFault:
            assert look(each).kind == "unreadable"
        else:
            assert look(each).kind == ("unknown" if isinstance(entry, UnknownEntry) else entry.t)


@pytest.mark.postgres
def test_copied_rows_come_back_as_they_were(postgres_url: str) -> None:
    at = datetime(2026, 11, 22, 8, 30, 15, 123456, tzinfo=UTC)
    contents, hashes, kinds = (
        [b"", b"\x00\xff\n", "ä".encode()],
        [bytes(32), b"\x01" * 32, b"\xff" * 32],
        ["run", "note", "run"],
    )
    rows = Rows("r" * 32, "box", (1 << 62), contents, hashes, kinds, at)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TEMP TABLE entry_copy (LIKE entry)")
        with connection.cursor().copy("COPY entry_copy FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(binary(rows))
        found = connection.execute(
            "SELECT run, seq, box_id, content, hash, kind, received_at FROM entry_copy ORDER BY seq"
        ).fetchall()
    expected = [
        ("r" * 32, (1 << 62) + place, "box", content, digest, kind, at)
        for place, (content, digest, kind) in enumerate(zip(contents, hashes, kinds, strict=True))
    ]
    assert [
        (run, seq, box, bytes(content), bytes(digest), kind, when) for run, seq, box, content, digest, kind, when in found
    ] == expected


async def test_packed_frame_is_taken_and_a_bomb_is_not(sessions: Sessions, box, clock) -> None:
    run = box.start()
    box.note()
    intake = Intake(SyncDeps(sessions, clock=clock))
    answer = await intake.take(Arriving(box.id, pack(box.frame()), packed=True), binding="https")
    assert isinstance(answer, Ack)
    assert (answer.acked, answer.hash, answer.enc) == (2, run.hash_before(2).hex(), ("zstd",))
    for noise in (b"", b"noise", pack(bytes(1 << 20)), box.frame()):
        refused = await intake.take(Arriving(box.id, noise, packed=True), binding="https")
        assert refused == Refused(err="schema", detail="broken_frame")


async def test_worker_with_too_many_frames_at_hand_asks_to_come_again(sessions: Sessions, box, clock, monkeypatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_WAITING", 3)
    box.start()
    intake = Intake(SyncDeps(sessions, clock=clock))
    together = await asyncio.gather(*(intake.take(Arriving(box.id, box.frame()), binding="https") for _ in range(5)))
    assert [type(answer) for answer in together] == [Ack, Ack, Ack, Refused, Refused]
    assert together[-1] == Refused(err="slow_down", retry_s=intake_module.RETRY_BUSY_S, detail="busy")
    assert isinstance(await intake.take(Arriving(box.id, box.frame()), binding="https"), Ack)


async def _queue(turns: Turns, said: list[str], *names: str) -> None:
    async def one(name: str) -> None:
        async with turns.take(first=name.startswith("box")):
            said.append(name)
            await asyncio.sleep(0)

    async with turns.take(first=False):
        waiting = [asyncio.create_task(one(name)) for name in names]
        await asyncio.sleep(0.01)
    await asyncio.gather(*waiting)


async def test_boxes_write_before_records_and_each_kind_in_its_order() -> None:
    said: list[str] = []
    await _queue(Turns(), said, "records 1", "box 1", "records 2", "box 2")
    assert said == ["box 1", "box 2", "records 1", "records 2"]


async def test_records_get_a_turn_however_many_boxes_wait() -> None:
    said: list[str] = []
    await _queue(Turns(), said, "records", *(f"box {number}" for number in range(2 * MAX_IN_A_ROW)))
    assert said.index("records") == MAX_IN_A_ROW


async def test_turn_of_somebody_who_gave_up_goes_to_the_next() -> None:
    turns, said = Turns(), []

    async def one(name: str) -> None:
        async with turns.take(first=True):
            said.append(name)

    async with turns.take(first=False):
        given_up, next_one = asyncio.create_task(one("given up")), asyncio.create_task(one("next"))
        await asyncio.sleep(0.01)
        given_up.cancel()
    await asyncio.gather(given_up, next_one, return_exceptions=True)
    assert said == ["next"]
    async with asyncio.timeout(5), turns.take(first=False):
        pass
