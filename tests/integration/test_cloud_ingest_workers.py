"""Several processes of the core on one PostgreSQL: the same frame to two at once, one port for both, records made once."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from cloud.db.engine import Sessions, open_sessions
from cloud.ingest.models import JournalEntry, StoredBatch
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.masters.demo import load_demo
from cloud.receiving.models import Receipt, ReceiptStep
from provisioning.ca import Authority, init_authority
from provisioning.enroll import enroll, enroll_server
from sync_protocol import answers
from sync_protocol.answers import Ack, Answer
from sync_protocol.routes import BATCHES, FRAME_TYPE

pytestmark = pytest.mark.postgres

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
TIMES = 200


@pytest.fixture(scope="module")
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Authority:
    return init_authority(tmp_path_factory.mktemp("workers") / "authority", name="Test root", now=now)


@pytest.fixture
def server(tmp_path: Path, authority: Authority, now: datetime) -> Path:
    enroll_server(tmp_path / "server", authority, names=["127.0.0.1"], now=now)
    return tmp_path / "server"


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Sessions]:
    opened = open_sessions(postgres_url)
    yield opened
    await opened.engine.dispose()


Start = Callable[..., Awaitable["Worker"]]


class Worker:
    """One process of the core."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@pytest.fixture
async def start(postgres_url: str, server: Path, tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def run(*more: str) -> Worker:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tallybox", "cloud", "run", "--db", postgres_url, "--server", str(server),
                "--staff-port", "0", "--blobs", str(tmp_path / "blobs"), *more,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=ROOT,
            )  # fmt: skip
            assert process.stdout is not None
            async with asyncio.timeout(DEADLINE_S):
                line = await process.stdout.readline()
                while line and not line.startswith(b"{"):
                    line = await process.stdout.readline()
            worker = Worker(process, json.loads(line)["sync"])
            # Read on: a process whose output nobody takes stops.
            reading = asyncio.create_task(process.stdout.read())
            stack.push_async_callback(asyncio.wait_for, reading, DEADLINE_S)
            stack.push_async_callback(worker.kill)
            return worker

        yield run


@pytest.fixture
async def sender(pool: Sessions, make_box, authority: Authority, tmp_path: Path, now: datetime) -> AsyncIterator[Any]:
    """A box with a certificate, and `post(worker, frame)`."""
    box = make_box(1)
    identity = enroll(tmp_path / "box", authority, box_id=box.id, tenant="t", now=now)
    box.spki = identity.spki
    signed = box.frame
    box.frame = lambda *args, **more: signed(*args, **{"sign": identity.sign} | more)
    await box.register(pool)

    @asynccontextmanager
    async def client(url: str) -> AsyncIterator[Callable[[bytes], Awaitable[Answer]]]:
        async with httpx.AsyncClient(verify=identity.client_ssl_context(), base_url=url, timeout=DEADLINE_S) as http:

            async def post(frame: bytes) -> Answer:
                response = await http.post(BATCHES, content=frame, headers={"content-type": FRAME_TYPE})
                assert response.status_code == 200, response.text
                return answers.parse(response.content)

            yield post

    box.client = client
    return box


async def _stored(pool: Sessions, run: str) -> list[bytes]:
    async with pool.read() as session:
        rows = await session.scalars(select(JournalEntry.content).where(JournalEntry.run == run).order_by(JournalEntry.seq))
        return list(rows)


async def test_same_frame_to_two_processes_at_once_is_stored_once_and_acked_by_both(
    pool: Sessions, start: Start, sender: Any
) -> None:
    workers = await asyncio.gather(start("--sync-port", "0"), start("--sync-port", "0"))
    run = sender.start()
    for _ in range(3 * TIMES - 1):
        sender.note()
    async with sender.client(workers[0].url) as one, sender.client(workers[1].url) as other:
        for first in range(0, 3 * TIMES, 3):
            heard = await asyncio.gather(*(post(sender.frame(first, 3)) for post in (one, other)))
            assert all(isinstance(answer, Ack) and answer.acked == first + 3 for answer in heard), heard
            assert {answer.hash for answer in heard} == {run.hash_before(first + 3).hex()}
    assert await _stored(pool, run.run) == run.entries
    async with pool.read() as session:
        assert await session.scalar(select(func.count()).select_from(StoredBatch)) == TIMES


async def test_two_processes_make_every_record_once(
    pool: Sessions, start: Start, sender: Any, make_story: Any, clock: Any
) -> None:
    async with pool.write() as session:
        await load_demo(session, Taken(Actor.user("root", "admin"), clock.now), pins={})
    workers = await asyncio.gather(start("--sync-port", "0"), start("--sync-port", "0"))
    story, count = make_story(sender), 12
    for number in range(count):
        if number % 4 == 3:
            last = sender.run
            sender.start((last, len(last.entries) - 1))
        story.whole(f"{number + 1}.000", f"DN-{number}")
    async with sender.client(workers[0].url) as one, sender.client(workers[1].url) as other:
        for run in sender.runs:
            for place, first in enumerate(range(0, len(run.entries), 5)):
                answer = await (one, other)[place % 2](sender.frame(first, 5, run))
                assert isinstance(answer, Ack), answer
        async with asyncio.timeout(DEADLINE_S):
            while await _posted(pool) < count:  # noqa: ASYNC110 - other processes, which wake nobody here
                await asyncio.sleep(0.05)
    async with pool.read() as session:
        steps = [tuple(row) for row in await session.execute(select(ReceiptStep.receipt_id, ReceiptStep.n))]
        events = [tuple(row) for row in await session.execute(select(Event.ref, Event.action).where(Event.kind == "receipt"))]
    assert len(steps) == len(set(steps))
    assert len(events) == len(set(events)) == 4 * count


async def _posted(pool: Sessions) -> int:
    async with pool.read() as session:
        return await session.scalar(select(func.count()).where(Receipt.state == "posted")) or 0


async def test_one_port_is_served_by_two_processes_and_by_the_one_that_is_left(
    pool: Sessions, start: Start, sender: Any
) -> None:
    first = await start("--sync-port", "0", "--reuse-port")
    port = first.url.rpartition(":")[2]
    second = await start("--sync-port", port, "--reuse-port")
    assert second.url == first.url
    run = sender.start()
    for place, worker in enumerate((first, second)):
        for _ in range(6):
            sender.note()
            async with sender.client(first.url) as post:
                answer = await post(sender.frame(len(run.entries) - (1 if len(run.entries) > 2 else 2)))
                assert isinstance(answer, Ack), answer
        if place == 0:
            await worker.kill()
    assert await _stored(pool, run.run) == run.entries
