"""The commands about background work and webhooks, as a person calls them."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner, Result

import tallybox
from cloud.db.engine import Sessions, open_sessions
from cloud.jobs.queue import enqueue
from cloud.jobs.schedules import Plan, save_plan
from cloud.kernel.actor import Actor, Taken
from cloud.people.accounts import NewUser, create_user
from cloud.people.models import Role

TAKEN = Taken(Actor.system("test"), datetime(2026, 11, 22, 8, tzinfo=UTC))


@contextmanager
def opened(url: str) -> Iterator[tuple[asyncio.Runner, Sessions]]:
    with asyncio.Runner() as runner:

        async def start() -> Sessions:
            return open_sessions(url)

        sessions = runner.run(start())
        yield runner, sessions
        runner.run(sessions.engine.dispose())


@pytest.fixture
def url(sqlite_url: str) -> str:
    async def fill(sessions: Sessions) -> None:
        async with sessions.write() as session:
            await enqueue(session, "count", {}, taken=TAKEN)
            await save_plan(session, Plan("report", "count", "30 8 * * *", "Asia/Jerusalem"), TAKEN)
            await create_user(session, NewUser("dana", "Dana", Role.ADMIN), TAKEN)

    with opened(sqlite_url) as (runner, sessions):
        runner.run(fill(sessions))
    return sqlite_url


def call(url: str, *words: str) -> Result:
    return CliRunner().invoke(tallybox.app, ["cloud", *words, "--db", url])


def said(url: str, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(call(url, *words, "--json").stdout)
    return found


def test_jobs_are_listed_stopped_and_opened_again(url: str) -> None:
    (job,) = said(url, "jobs", "ls")
    uid = str(job["uid"])
    assert (job["kind"], job["status"], job["by"]) == ("count", "waiting", "test")
    assert uid in call(url, "jobs", "ls", "--status", "waiting").stdout
    assert call(url, "jobs", "cancel", uid, "--reason", "not now").exit_code == 0
    assert said(url, "jobs", "ls", "--status", "waiting") == []
    assert call(url, "jobs", "cancel", uid).exit_code == tallybox.SETUP
    assert call(url, "jobs", "again", uid).exit_code == 0
    assert [one["status"] for one in said(url, "jobs", "ls")] == ["waiting"]
    assert call(url, "jobs", "cancel", "nothing").exit_code == tallybox.SETUP


def test_schedule_is_changed_rests_and_runs_now(url: str) -> None:
    assert said(url, "jobs", "schedules")[0]["cron"] == "30 8 * * *"
    assert call(url, "jobs", "schedule", "report", "--cron", "0 4 * * SUN", "--now").exit_code == 0
    assert len(said(url, "jobs", "ls")) == 2
    assert "rests" in call(url, "jobs", "schedule", "report", "--off").stdout
    assert "rests" in call(url, "jobs", "schedules").stdout
    assert call(url, "jobs", "schedule", "report", "--cron", "often").exit_code == tallybox.SETUP


def test_webhook_is_added_paused_resumed_and_replayed(url: str) -> None:
    added = call(url, "webhooks", "add", "ERP", "https://erp.example/x", "--pattern", "receipt.*", "--owner", "dana")
    uid = json.loads(added.stdout)["endpoint"]
    secret = json.loads(added.stdout)["secret"]
    assert secret.startswith("whsec_")
    assert secret not in call(url, "webhooks", "ls").stdout
    for verb, status in (("pause", "paused"), ("resume", "active")):
        assert call(url, "webhooks", verb, uid).exit_code == 0
        (row,) = said(url, "webhooks", "ls")
        assert (row["status"], row["owner"], row["waiting"]) == (status, "dana", 0)
    assert call(url, "webhooks", "replay", uid).stdout == "0 deliveries are sent again\n"
    assert call(url, "webhooks", "replay", uid, "--from", "1").exit_code == 0
    assert call(url, "webhooks", "replay", uid, "--event", "1").exit_code == tallybox.SETUP


@pytest.mark.parametrize(
    "words",
    [
        ("ERP", "https://erp.example/", "--pattern", "receipt.*", "--owner", "nobody"),
        ("ERP", "file:///etc/passwd", "--pattern", "receipt.*", "--owner", "dana"),
        ("ERP", "https://erp.example/", "--pattern", "everything", "--owner", "dana"),
    ],
)
def test_webhook_that_cannot_be_is_refused(url: str, words: tuple[str, ...]) -> None:
    assert call(url, "webhooks", "add", *words).exit_code == tallybox.SETUP
