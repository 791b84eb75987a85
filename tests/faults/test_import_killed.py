"""Processes that work on an import are killed again and again: in the end everything is there once."""

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cloud.clock import system_clock
from cloud.db.engine import Sessions, open_sessions
from cloud.imports.mapping import Plan
from cloud.imports.models import ImportJob, ImportRow, ImportStatus
from cloud.imports.staging import stage
from cloud.imports.steps import ask_apply, ask_check, ask_undo, standing
from cloud.imports.work import ImportWork
from cloud.jobs.models import Job
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.chain import check_chain
from cloud.kernel.models import Event
from cloud.objects.models import Record
from cloud.objects.registry import Registry, Shipped

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 90.0
ROWS = 150

COMPANY = """
key: company
label: {en: Company}
plural: {en: Companies}
title: "{name}"
number: "C-{n:05}"
fields:
  name: {type: text, required: true, unique: true}
  parent: {type: ref, object: company}
"""


@asynccontextmanager
async def process(url: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (sys.executable, "-m", "tests.faults.import_process", url, str(folder))
    quiet = asyncio.subprocess.DEVNULL
    one = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=quiet, stderr=quiet)
    try:
        yield one
    finally:
        if one.returncode is None:
            one.kill()
        await one.wait()


class Killed:
    """An import whose worker is killed at random points."""

    def __init__(self, url: str, sessions: Sessions, folder: Path) -> None:
        self.url, self.sessions, self.folder = url, sessions, folder
        self.work = ImportWork(Registry(Shipped(files=tuple(sorted(folder.glob("*.yaml"))))))
        self.dice = random.Random(4)

    def taken(self) -> Taken:
        return Taken(Actor.system("test"), system_clock())

    async def stage(self) -> str:
        path = self.folder / "upload"
        path.write_text(
            "source_key,name,parent\n" + "".join(f"{n},name {n},{max(0, n - 1) or ''}\n" for n in range(1, ROWS + 1))
        )
        return await stage(self.sessions, self.work, self.taken(), kind="company", path=path, name="companies.csv")

    async def standing(self, uid: str) -> tuple[ImportJob, Job]:
        async with self.sessions.read() as session:
            found = await standing(await self.work.caller(session, self.taken()), uid)
            assert found.job is not None
            return found.row, found.job

    async def survive(self, uid: str, end: ImportStatus, kills: int) -> Job:
        """Kill whoever works on it, so often, each time after another part of the rows; then let one come to the end."""
        for part in range(1, kills + 1):
            async with process(self.url, self.folder) as one:
                async with asyncio.timeout(WAIT_S):
                    while (await self.standing(uid))[1].done < ROWS * (part - 1) // kills + 1:  # noqa: ASYNC110 - another process
                        await asyncio.sleep(0.005)
                await asyncio.sleep(self.dice.random() * 0.1)
                one.send_signal(signal.SIGKILL)
                await one.wait()
        async with process(self.url, self.folder), asyncio.timeout(WAIT_S):
            while (await self.standing(uid))[0].status != end:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        return (await self.standing(uid))[1]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.deep])])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
async def killed(url: str, tmp_path: Path) -> AsyncIterator[Killed]:
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "company.yaml").write_text(COMPANY)
    sessions = open_sessions(url)
    yield Killed(url, sessions, folder)
    await sessions.engine.dispose()


async def test_an_import_killed_at_any_point_does_everything_once(killed: Killed) -> None:
    uid = await killed.stage()
    plan = Plan.of_json(
        {
            "columns": [{"number": 0, "field": "source_key"}, {"number": 1, "field": "name"},
                        {"number": 2, "field": "parent", "by": "source_key"}],
            "mode": "upsert", "key": "source_key", "source": "erp",
        }
    )  # fmt: skip
    async with killed.sessions.write() as session:
        await ask_check(killed.work, await killed.work.caller(session, killed.taken()), uid, plan)
    await killed.survive(uid, ImportStatus.CHECKED, 1)
    assert (await killed.standing(uid))[0].counts["outcome"] == {"new": ROWS}
    async with killed.sessions.write() as session:
        await ask_apply(killed.work, await killed.work.caller(session, killed.taken()), uid)
    job = await killed.survive(uid, ImportStatus.APPLIED, 3)
    assert job.attempts > 1
    row, _ = await killed.standing(uid)
    assert row.counts["done"] == {"made": ROWS}
    async with killed.sessions.read() as session:
        records = (await session.scalars(select(Record).order_by(Record.id))).all()
        assert [one.source_key for one in records] == [str(number) for number in range(1, ROWS + 1)]
        assert [one.extra.get("parent") for one in records] == [None, *(one.id for one in records[:-1])]
        events = Counter(await session.scalars(select(Event.action).where(Event.kind == "company", Event.chain == uid)))
        assert events == {"create": ROWS}
        assert (await check_chain(session)).ok
    async with killed.sessions.write() as session:
        await ask_undo(killed.work, await killed.work.caller(session, killed.taken()), uid)
    await killed.survive(uid, ImportStatus.UNDONE, 1)
    async with killed.sessions.read() as session:
        assert set(await session.scalars(select(Record.archived))) == {True}
        assert await session.scalar(select(func.count()).select_from(ImportRow).where(ImportRow.done == "undone")) == ROWS
        actions = Counter(await session.scalars(select(Event.action).where(Event.kind == "company")))
        assert actions == {"create": ROWS, "archive": ROWS}
        assert (await check_chain(session)).ok
