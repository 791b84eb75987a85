"""Several workers, each with a process or an engine of its own: every job is done once, and what a killed one left goes on."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cloud.clock import system_clock
from cloud.db.engine import Sessions, open_sessions
from cloud.db.settings_table import Setting
from cloud.jobs.models import Job, JobStatus
from cloud.jobs.queue import enqueue
from cloud.jobs.running import RunningJob
from cloud.jobs.worker import Pace, Worker
from cloud.kernel.actor import Actor, Taken

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0
ROWS = 60
JOBS = 200


def taken() -> Taken:
    return Taken(Actor.system("test"), system_clock())


@asynccontextmanager
async def process(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (sys.executable, "-m", "tests.integration.job_process", url)
    quiet = asyncio.subprocess.DEVNULL
    one = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=quiet, stderr=quiet)
    try:
        yield one
    finally:
        if one.returncode is None:
            one.kill()
        await one.wait()


async def rows(sessions: Sessions) -> int:
    async with sessions.read() as session:
        return await session.scalar(select(func.count()).select_from(Setting)) or 0


async def wait_for_rows(sessions: Sessions, number: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while await rows(sessions) < number:  # noqa: ASYNC110 - another process writes them
            await asyncio.sleep(0.01)


async def test_what_a_killed_worker_left_goes_on_at_its_next_row(database_url: str, sessions: Sessions) -> None:
    async with sessions.write() as session:
        job = await enqueue(session, "slow", {"rows": ROWS}, taken=taken())
    for part in (ROWS // 3, 2 * ROWS // 3):
        async with process(database_url) as one:
            await wait_for_rows(sessions, part)
            one.send_signal(signal.SIGKILL)
            await one.wait()
    async with process(database_url):
        await wait_for_rows(sessions, ROWS)
        async with asyncio.timeout(WAIT_S):
            while True:
                async with sessions.read() as session:
                    row = await session.get_one(Job, job.id)
                if row.status == JobStatus.DONE:
                    break
                await asyncio.sleep(0.01)
    assert (row.done, row.attempts, row.result) == (ROWS, 3, {"tries": 3})
    async with sessions.read() as session:
        workers = set(await session.scalars(select(Setting.value)))
    assert (await rows(sessions), len(workers)) == (ROWS, 3)


@pytest.mark.postgres
async def test_two_workers_share_the_jobs_and_do_each_once(postgres_url: str) -> None:
    done: list[tuple[str, int]] = []
    ready = asyncio.Event()

    def handler(name: str):
        async def note(job: RunningJob) -> None:
            done.append((name, job.args["n"]))
            if len(done) == JOBS:
                ready.set()
            await asyncio.sleep(0)

        return note

    async with AsyncExitStack() as stack:
        engines = [open_sessions(postgres_url) for _ in range(2)]
        for one in engines:
            stack.push_async_callback(one.engine.dispose)
        async with engines[0].write() as session:
            for number in range(JOBS):
                await enqueue(session, "note", {"n": number}, taken=taken())
        pace = Pace(lease=timedelta(seconds=60), poll_s=0.05)
        workers = [Worker(one, {"note": handler(str(at))}, name=str(at), pace=pace) for at, one in enumerate(engines)]
        tasks = [asyncio.ensure_future(one.run()) for one in workers]
        async with asyncio.timeout(WAIT_S):
            await ready.wait()
            while True:
                async with engines[0].read() as session:
                    left = await session.scalar(select(func.count()).select_from(Job).where(Job.status != JobStatus.DONE))
                if not left:
                    break
                await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(number for _, number in done) == list(range(JOBS))
    shares = Counter(name for name, _ in done)
    assert min(shares["0"], shares["1"]) > JOBS // 10
