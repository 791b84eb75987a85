"""Background work: asked for once, carried out under a lease, tried again, stopped, and scheduled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from cloud.db.engine import Sessions, open_sessions
from cloud.db.settings_table import Setting
from cloud.errors import NotFound, WrongState
from cloud.jobs import settling, sweep
from cloud.jobs.faults import GiveUp, LeaseLost
from cloud.jobs.models import Job, JobStatus, Schedule
from cloud.jobs.queue import How, cancel, enqueue, job_of, try_again
from cloud.jobs.running import Handler, RunningJob
from cloud.jobs.schedules import Plan, put_due, run_now, save_plan, switch
from cloud.jobs.worker import Pace, Worker
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import history
from tests.integration.conftest import TurnedClock

QUICK = Pace(lease=timedelta(seconds=30), beat_s=0.02, poll_s=0.02, retry_s=0.02)
WAIT_S = 20.0
ROWS = 5
DAILY = Plan("report", "count", "30 8 * * *", "Asia/Jerusalem", {"rows": 2})


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def lone(sqlite_url: str) -> AsyncIterator[Sessions]:
    """For rules in which the database has no part."""
    opened = open_sessions(sqlite_url)
    yield opened
    await opened.engine.dispose()


def by(clock: TurnedClock, **more: Any) -> Taken:
    return Taken(Actor.user("noa", "supervisor"), clock.now, **more)


async def put(sessions: Sessions, clock: TurnedClock, kind: str = "count", **more: Any) -> str:
    async with sessions.write() as session:
        return (await enqueue(session, kind, {"rows": ROWS}, taken=by(clock), **more)).uid


async def look(sessions: Sessions, uid: str) -> Job:
    async with sessions.read() as session:
        return await job_of(session, uid)


async def written(sessions: Sessions) -> list[str]:
    async with sessions.read() as session:
        return list(await session.scalars(select(Setting.key).order_by(Setting.key)))


async def count(job: RunningJob) -> dict[str, int]:
    """Writes one row a step; goes on where the step before ended."""
    for number in range(job.place or 0, job.args["rows"]):
        async with job.sessions.write() as session, job.step(session) as step:
            session.add(Setting(key=f"{job.uid}:{number}", value="x"))
            step.advance, step.place, step.total = 1, number + 1, job.args["rows"]
    return {"rows": job.done}


def worker(sessions: Sessions, clock: TurnedClock, pace: Pace = QUICK, **handlers: Handler) -> Worker:
    return Worker(sessions, {"count": count, **handlers}, name="test", clock=clock, pace=pace)


@asynccontextmanager
async def working(one: Worker) -> AsyncIterator[None]:
    task = asyncio.ensure_future(one.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(sessions: Sessions, uid: str, *statuses: JobStatus) -> Job:
    async with asyncio.timeout(WAIT_S):
        while (job := await look(sessions, uid)).status not in statuses:  # noqa: ASYNC110 - another process may change it
            await asyncio.sleep(0.01)
    return job


async def test_job_is_carried_out_and_keeps_what_came_of_it(sessions: Sessions, clock: TurnedClock) -> None:
    uid = await put(sessions, clock)
    assert await worker(sessions, clock).run_due() == 1
    job = await look(sessions, uid)
    assert (job.status, job.result, job.done, job.total) == (JobStatus.DONE, {"rows": ROWS}, ROWS, ROWS)
    assert (job.created_by, job.chain, job.lease_until, job.error) == ("noa", uid, None, None)
    assert len(await written(sessions)) == ROWS


async def test_job_is_not_there_when_the_askers_transaction_fails(sessions: Sessions, clock: TurnedClock) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is the statement
        async with sessions.write() as session:
            await enqueue(session, "count", {"rows": 1}, taken=by(clock))
            raise ZeroDivisionError
    assert await worker(sessions, clock).run_due() == 0


async def test_two_of_the_same_key_are_one_while_one_is_open(sessions: Sessions, clock: TurnedClock) -> None:
    first = await put(sessions, clock, key="a")
    assert await put(sessions, clock, key="a") == first
    assert await put(sessions, clock, kind="other", key="a") != first
    assert await put(sessions, clock, key="b") != first
    await worker(sessions, clock).run_due()
    assert await put(sessions, clock, key="a") != first


async def test_many_who_ask_for_the_same_at_once_get_one_job(sessions: Sessions, clock: TurnedClock) -> None:
    found = await asyncio.gather(*(put(sessions, clock, key="a") for _ in range(8)))
    assert len(set(found)) == 1


async def test_what_is_asked_for_while_it_runs_runs_once_more(sessions: Sessions, clock: TurnedClock) -> None:
    asked: list[int] = []

    async def follow(job: RunningJob) -> None:
        if not asked:
            async with sessions.write() as session:
                again = await enqueue(session, "follow", {}, key="f", taken=by(clock), how=How(again=True))
            assert again.uid == job.uid
        asked.append(job.attempt)

    await put(sessions, clock, kind="follow", key="f")
    assert await worker(sessions, clock, follow=follow).run_due() == 2
    assert asked == [1, 1]


async def test_job_for_later_waits_and_urgent_ones_go_first(lone: Sessions, clock: TurnedClock) -> None:
    order: list[str] = []

    async def note(job: RunningJob) -> None:
        order.append(job.uid)

    later = await put(lone, clock, kind="note", how=How(run_at=clock.now + timedelta(minutes=5)))
    low, high = [await put(lone, clock, kind="note", how=How(priority=urgent)) for urgent in (0, 9)]
    one = worker(lone, clock, note=note)
    await one.run_due()
    assert order == [high, low]
    clock.go(minutes=5)
    await one.run_due()
    assert order == [high, low, later]


async def test_failing_job_is_tried_again_in_growing_pauses_and_then_given_up(lone: Sessions, clock: TurnedClock) -> None:
    async def fail(job: RunningJob) -> None:
        raise KeyError(job.attempt)

    uid = await put(lone, clock, kind="fail")
    one = worker(lone, clock, fail=fail)
    for attempt, pause in enumerate(settling.PAUSES[:4], 1):
        assert await one.run_due() == 1
        job = await look(lone, uid)
        assert (job.status, job.attempts, job.run_at) == (JobStatus.WAITING, attempt, clock.now + pause)
        assert await one.run_due() == 0
        clock.now = job.run_at
    await one.run_due()
    job = await look(lone, uid)
    assert job.status == JobStatus.FAILED
    assert (job.error or "").startswith("KeyError: 5 (in fail, test_jobs.py:")


async def test_job_that_says_so_is_not_tried_again(lone: Sessions, clock: TurnedClock) -> None:
    async def fail(_job: RunningJob) -> None:
        raise GiveUp("no such file")

    uid = await put(lone, clock, kind="fail")
    assert await worker(lone, clock, fail=fail).run_due() == 1
    assert (await look(lone, uid)).status == JobStatus.FAILED


async def test_next_try_goes_on_behind_the_last_step(lone: Sessions, clock: TurnedClock) -> None:
    async def stumble(job: RunningJob) -> dict[str, int]:
        return await count(RunningJobThatFailsAt(job, 3) if job.attempt == 1 else job)  # type: ignore[arg-type]

    uid = await put(lone, clock, kind="stumble")
    one = worker(lone, clock, stumble=stumble)
    await one.run_due()
    assert ((await look(lone, uid)).done, len(await written(lone))) == (3, 3)
    clock.go(hours=1)
    await one.run_due()
    job = await look(lone, uid)
    assert (job.status, job.done, len(await written(lone))) == (JobStatus.DONE, ROWS, ROWS)


class RunningJobThatFailsAt:
    """Raises within the step after so many, when its work is done and not committed."""

    def __init__(self, job: RunningJob, steps: int) -> None:
        self._job, self._left = job, steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    @asynccontextmanager
    async def step(self, session: Any) -> AsyncIterator[Any]:
        async with self._job.step(session) as step:
            yield step
            if not self._left:
                await session.flush()
                raise OSError("the disk")
            self._left -= 1


async def test_step_of_a_lost_lease_writes_nothing(sessions: Sessions, clock: TurnedClock) -> None:
    """Another worker takes the job over within a step; what the first one did in it is rolled back."""
    uid = await put(sessions, clock)
    async with sessions.write() as session:
        row = await settling.claim(session, ["count"], worker="slow", now=clock.now, lease=QUICK.lease)
        assert row is not None
        slow = RunningJob.of(row, sessions, clock, QUICK.lease)
    clock.go(seconds=31)
    async with sessions.write() as session:
        assert await settling.claim(session, ["count"], worker="quick", now=clock.now, lease=QUICK.lease) is not None
    with pytest.raises(LeaseLost):
        await count(slow)
    with pytest.raises(LeaseLost):  # noqa: PT012 - the transaction is the statement
        async with sessions.write() as session:
            session.add(Setting(key="late", value="x"))
            await session.flush()
            await slow.hold(session)
    async with sessions.write() as session:
        assert await settling.put_down(session, slow, None, {}) is None
        assert await settling.beat(session, slow) is None
    assert await written(sessions) == []
    assert (await look(sessions, uid)).worker == "quick"


async def test_worker_that_loses_its_lease_stops_the_work(sessions: Sessions, clock: TurnedClock) -> None:
    stopped = asyncio.Event()

    async def hang(_job: RunningJob) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    uid = await put(sessions, clock, kind="hang")
    async with working(worker(sessions, clock, hang=hang)):
        await until(sessions, uid, JobStatus.RUNNING)
        async with sessions.write() as session:
            (await job_of(session, uid, lock=True)).lease_no += 1
        async with asyncio.timeout(WAIT_S):
            await stopped.wait()
    assert (await look(sessions, uid)).status == JobStatus.RUNNING


async def test_heartbeat_keeps_a_long_job(lone: Sessions, clock: TurnedClock) -> None:
    go = asyncio.Event()

    async def long(_job: RunningJob) -> None:
        await go.wait()

    uid = await put(lone, clock, kind="long")
    async with working(worker(lone, clock, long=long)):
        first = await until(lone, uid, JobStatus.RUNNING)
        clock.go(seconds=20)
        async with asyncio.timeout(WAIT_S):
            while (await look(lone, uid)).lease_until == first.lease_until:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        clock.go(seconds=20)
        go.set()
        job = await until(lone, uid, JobStatus.DONE)
    assert job.attempts == 1


async def test_clock_that_is_set_forward_does_not_make_a_worker_take_its_own_job_over(
    lone: Sessions, clock: TurnedClock
) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def long(_job: RunningJob) -> None:
        begun.set()
        await go.wait()

    uid = await put(lone, clock, kind="long")
    seldom = Pace(lease=timedelta(seconds=30), beat_s=3600.0, poll_s=0.02)
    async with working(worker(lone, clock, seldom, long=long)):
        await begun.wait()
        clock.go(days=1)
        await until(lone, await put(lone, clock), JobStatus.DONE)
        go.set()
        assert (await until(lone, uid, JobStatus.DONE)).attempts == 1


async def test_job_of_a_worker_that_ends_in_order_is_given_back_at_once(sessions: Sessions, clock: TurnedClock) -> None:
    async def hang(_job: RunningJob) -> None:
        await asyncio.Event().wait()

    uid = await put(sessions, clock, kind="hang")
    async with working(worker(sessions, clock, hang=hang)):
        await until(sessions, uid, JobStatus.RUNNING)
    job = await look(sessions, uid)
    assert (job.status, job.attempts, job.worker) == (JobStatus.WAITING, 0, None)


async def test_job_that_ends_its_workers_is_given_up(lone: Sessions, clock: TurnedClock) -> None:
    uid = await put(lone, clock, how=How(max_attempts=3))
    for _ in range(3):
        async with lone.write() as session:
            assert await settling.claim(session, ["count"], worker="w", now=clock.now, lease=QUICK.lease) is not None
        clock.go(seconds=31)
    assert await worker(lone, clock).run_due() == 0
    job = await look(lone, uid)
    assert (job.status, job.error) == (JobStatus.FAILED, settling.WORKER_LOST)


async def test_running_job_stops_at_its_next_step_when_asked_to(sessions: Sessions, clock: TurnedClock) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def slow(job: RunningJob) -> None:
        async with sessions.write() as session, job.step(session) as step:
            step.advance = 1
        started.set()
        await go.wait()
        await count(job)

    uid = await put(sessions, clock, kind="slow")
    async with working(worker(sessions, clock, slow=slow)):
        await started.wait()
        async with sessions.write() as session:
            await cancel(session, uid, by(clock, reason="a wrong file"))
        go.set()
        job = await until(sessions, uid, JobStatus.CANCELLED)
    assert job.done == 1
    assert await written(sessions) == []
    async with sessions.read() as session:
        (event,) = await history(session, "job", uid)
    assert (event.action, event.actor, event.reason) == ("cancel", "noa", "a wrong file")


async def test_waiting_job_is_cancelled_at_once_and_can_be_opened_again(sessions: Sessions, clock: TurnedClock) -> None:
    uid = await put(sessions, clock, key="a")
    async with sessions.write() as session:
        await cancel(session, uid, by(clock))
    with pytest.raises(WrongState):
        async with sessions.write() as session:
            await cancel(session, uid, by(clock))
    other = await put(sessions, clock, key="a")
    with pytest.raises(WrongState):
        async with sessions.write() as session:
            await try_again(session, uid, by(clock))
    async with sessions.write() as session:
        await cancel(session, other, by(clock))
        await try_again(session, uid, by(clock))
    await worker(sessions, clock).run_due()
    assert (await look(sessions, uid)).status == JobStatus.DONE
    with pytest.raises(NotFound):
        await look(sessions, "none")


async def test_work_of_this_process_begins_without_waiting_for_the_next_look(sqlite_url: str, clock: TurnedClock) -> None:
    sessions = open_sessions(sqlite_url)
    seldom = Pace(poll_s=3600.0)
    async with working(worker(sessions, clock, seldom)):
        first = await put(sessions, clock)
        await until(sessions, first, JobStatus.DONE)
        await until(sessions, await put(sessions, clock), JobStatus.DONE)
    await sessions.engine.dispose()


async def test_missed_times_are_made_up_for_once(sessions: Sessions, clock: TurnedClock) -> None:
    async with sessions.write() as session:
        row = await save_plan(session, DAILY, by(clock))
        assert row.next_at is not None
        assert row.next_at.isoformat() == "2026-11-23T06:30:00+00:00"
    clock.go(days=9)
    one = worker(sessions, clock)
    assert await one.run_due() == 1
    async with sessions.read() as session:
        row = (await session.scalars(select(Schedule))).one()
    assert (row.last_at, row.next_at and row.next_at.isoformat()) == (clock.now, "2026-12-02T06:30:00+00:00")
    assert await one.run_due() == 0


async def test_schedule_does_not_pile_up_behind_a_job_that_is_still_open(sessions: Sessions, clock: TurnedClock) -> None:
    async with sessions.write() as session:
        await save_plan(session, DAILY, by(clock))
    for _ in range(3):
        clock.go(days=1)
        async with sessions.write() as session:
            assert await put_due(session, clock.now) == 1
    async with sessions.read() as session:
        assert await session.scalar(select(func.count()).select_from(Job)) == 1


async def test_schedule_rests_goes_on_and_runs_besides(lone: Sessions, clock: TurnedClock) -> None:
    async with lone.write() as session:
        await save_plan(session, DAILY, by(clock))
        await switch(session, "report", by(clock), enabled=False)
    clock.go(days=2)
    one = worker(lone, clock)
    assert await one.run_due() == 0
    async with lone.write() as session:
        assert (await run_now(session, "report", by(clock))).created_by == "noa"
        await switch(session, "report", by(clock), enabled=True)
    assert await one.run_due() == 1
    clock.go(days=1)
    assert await one.run_due() == 1
    async with lone.read() as session:
        found = [event.action for event in await history(session, "schedule", "report")]
    assert found == ["create", "change", "run_now", "change"]


async def test_schedule_that_cannot_be_read_rests_and_stops_nobody(lone: Sessions, clock: TurnedClock) -> None:
    async with lone.write() as session:
        row = await save_plan(session, DAILY, by(clock))
        row.zone = "Mars/Olympus"
    clock.go(days=1)
    assert await worker(lone, clock).run_due() == 1
    async with lone.read() as session:
        assert not (await session.scalars(select(Schedule))).one().enabled


async def test_old_jobs_are_swept(sessions: Sessions, clock: TurnedClock) -> None:
    old = await put(sessions, clock)
    one = Worker(
        sessions, {"count": count, sweep.SWEEP: sweep.sweep}, name="w", plans=sweep.plans("Asia/Jerusalem"), clock=clock
    )
    await one.run_due()
    clock.go(days=29)
    young = await put(sessions, clock)
    await one.run_due()
    clock.go(days=2)
    await one.run_due()
    assert (await look(sessions, young)).status == JobStatus.DONE
    with pytest.raises(NotFound):
        await look(sessions, old)
