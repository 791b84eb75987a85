"""Processes that write records are killed in the middle, again and again: records and the log say the same, and no number
stands twice."""

import asyncio
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cloud.db.engine import Sessions, open_sessions
from cloud.kernel.chain import check_chain
from cloud.kernel.models import Event
from cloud.objects.models import Record

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 40.0
ROUNDS = 3
EVENTS_A_ROUND = 60

ERRAND = """
key: errand
label: {en: Errand}
plural: {en: Errands}
title: "{name}"
number: "E-{n:05}"
states: {open: open, finished: done}
transitions: {finish: {from: open, to: finished, require: [note]}}
fields:
  name: {type: text, required: true, unique: true}
  note: {type: text}
  before: {type: ref, object: errand}
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


async def logged(sessions: Sessions) -> int:
    async with sessions.read() as session:
        return await session.scalar(select(func.count()).select_from(Event)) or 0


async def test_records_and_log_agree_after_any_kill(url: str, tmp_path: Path) -> None:
    (tmp_path / "errand.yaml").write_text(ERRAND)
    dice, sessions = random.Random(9), open_sessions(url)
    try:
        for turn in range(ROUNDS):
            wanted = await logged(sessions) + EVENTS_A_ROUND
            command = (sys.executable, "-m", "tests.faults.object_process", url, str(tmp_path))
            both = [await asyncio.create_subprocess_exec(*command, f"{name}{turn}", cwd=ROOT) for name in ("ada", "ben")]
            try:
                async with asyncio.timeout(WAIT_S):
                    while await logged(sessions) < wanted:  # noqa: ASYNC110 - other processes
                        await asyncio.sleep(0.01)
                await asyncio.sleep(dice.random() * 0.05)
            finally:
                for one in both:
                    one.send_signal(signal.SIGKILL)
                    await one.wait()
        await agree(sessions)
    finally:
        await sessions.engine.dispose()


async def agree(sessions: Sessions) -> None:
    async with sessions.read() as session:
        assert (await check_chain(session)).ok
    async with sessions.read() as session:
        events = (await session.scalars(select(Event).order_by(Event.id))).all()
        records = (await session.scalars(select(Record))).all()
    by_ref: dict[str, Counter[str]] = {}
    for event in events:
        by_ref.setdefault(event.ref, Counter())[event.action] += 1
    assert set(by_ref) == {one.ref for one in records}
    assert len({one.ref for one in records}) == len({one.extra["name"] for one in records}) == len(records)
    for one in records:
        counted = by_ref[one.ref]
        assert counted["create"] == 1
        assert counted["finish"] == (one.state == "finished"), one.ref
        assert one.version == counted.total(), one.ref
        assert (one.phase == "done") is (one.state == "finished")
    pairs = {one.extra["name"] for one in records}
    assert {f"{name} too" for name in pairs if int(name.split()[1]) % 3 == 1 and "too" not in name} <= pairs
