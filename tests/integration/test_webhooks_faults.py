"""Webhooks under faults: a sender that is killed, and receivers that fail at random. Nothing is lost and the order is kept."""

import asyncio
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from cloud.clock import system_clock
from cloud.db.engine import Sessions, open_sessions
from cloud.hooks import endpoints
from cloud.hooks.delivering import PAUSES
from cloud.hooks.models import Delivery, Outcome
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event
from tests.integration import hook_process
from tests.integration.hooked import OK, Told, receiving, status

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0
EVENTS = 24
RECORDS = 4


@pytest.fixture
async def lone(sqlite_url: str) -> AsyncIterator[Sessions]:
    sessions = open_sessions(sqlite_url)
    yield sessions
    await sessions.engine.dispose()


@asynccontextmanager
async def process(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    quiet = asyncio.subprocess.DEVNULL
    command = (sys.executable, "-m", "tests.integration.hook_process", url)
    one = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=quiet, stderr=quiet)
    try:
        yield one
    finally:
        if one.returncode is None:
            one.kill()
        await one.wait()


async def fill(sessions: Sessions, url: str, events: int) -> None:
    taken = Taken(Actor.user("noa", "admin"), system_clock())
    async with sessions.write() as session:
        await endpoints.create_endpoint(session, endpoints.Target("ERP", url, ["deal.*"], "noa"), taken, draw=bytes)
    for number in range(events):
        async with sessions.write() as session:
            await append_event(session, taken, action="change", kind="deal", ref=f"D-{number % RECORDS}", changes={})


async def ended(sessions: Sessions) -> bool:
    async with sessions.read() as session:
        rows = (await session.scalars(select(Delivery.status))).all()
    return len(rows) == EVENTS and Outcome.WAITING not in rows


async def test_message_of_a_killed_sender_comes_again_under_the_same_id(sqlite_url: str, lone: Sessions) -> None:
    asked = asyncio.Event()

    def answer(_told: Told) -> bytes | None:
        asked.set()
        return None if len(one.told) == 1 else OK

    async with receiving() as one, asyncio.timeout(WAIT_S):
        one.answering = answer
        await fill(lone, one.url, 1)
        async with process(sqlite_url) as sender:
            await asked.wait()
            sender.send_signal(signal.SIGKILL)
            await sender.wait()
        async with process(sqlite_url):
            while True:
                async with lone.read() as session:
                    row = (await session.scalars(select(Delivery))).one()
                if row.status == Outcome.DELIVERED:
                    break
                await asyncio.sleep(0.02)
    assert [told.headers["webhook-id"] for told in one.told] == [f"evt_{row.event_id}"] * 2
    assert row.tries == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_a_receiver_answers_each_record_is_told_in_its_order(
    lone: Sessions, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    taken: dict[str, list[int]] = defaultdict(list)
    tried: dict[str, list[int]] = defaultdict(list)

    def answer(told: Told) -> bytes:
        ref, number = told.said["ref"], int(told.said["id"].removeprefix("evt_"))
        tried[ref].append(number)
        if random.random() < 0.4:
            return status(random.choice([302, 429, 500]))
        taken[ref].append(number)
        return OK

    monkeypatch.setattr("cloud.hooks.delivering.PAUSES", tuple(pause / 1e9 for pause in PAUSES))
    follower = hook_process.Follower(
        hook_process.sight(hook_process.everything), lambda: hook_process.Sender(hook_process.LOOPBACK), hook_process.Pace(0.01)
    )
    worker = hook_process.Worker(lone, {endpoints.FOLLOW: follower}, name="test", pace=hook_process.PACE)
    async with receiving() as one, asyncio.timeout(WAIT_S):
        one.answering = answer
        await fill(lone, one.url, EVENTS)
        task = asyncio.ensure_future(worker.run())
        while not await ended(lone):  # noqa: ASYNC110 - the database has no event for it
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with lone.read() as session:
        rows = {row.event_id: row for row in await session.scalars(select(Delivery))}
    assert sorted(number for numbers in taken.values() for number in numbers) == sorted(
        number for number, row in rows.items() if row.status == Outcome.DELIVERED
    )
    for numbers in (*taken.values(), *tried.values()):
        assert numbers == sorted(numbers)
    assert all(row.tries <= len(PAUSES) + 1 for row in rows.values())
