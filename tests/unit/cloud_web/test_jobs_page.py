"""The page of background work: who sees it, what it says, and what is done from it."""

import re
from collections.abc import Callable

import httpx
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.jobs.models import Job, JobStatus, Schedule
from cloud.jobs.queue import enqueue
from cloud.jobs.schedules import Plan, ensure_plans
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import history
from tests.integration.conftest import TurnedClock
from tests.unit.cloud_web.conftest import SignIn

Token = Callable[[str], str]
HOSTILE = "<script>alert(1)</script>"


async def fill(office: Sessions, now: TurnedClock, **values: object) -> str:
    async with office.write() as session:
        job = await enqueue(session, "webhooks.sweep", {}, taken=Taken(Actor.user("noa", "supervisor"), now.now))
        for name, value in values.items():
            setattr(job, name, value)
        await ensure_plans(session, [Plan("night", "jobs.sweep", "17 3 * * *", "Asia/Jerusalem")], now.now)
        return job.uid


def bare(page: httpx.Response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.text))


async def test_pages_and_acts_are_for_those_who_may_configure(sign_in: SignIn, token: Token) -> None:
    noa = await sign_in("noa")
    home = (await noa.get("/")).text
    for path in ("/jobs", "/webhooks", "/webhooks/x"):
        assert (await noa.get(path)).status_code == 403
        assert f'href="{path}"' not in home
    fields = {"csrf": token(home), "name": "a", "url": "http://a.example", "patterns": "*", "owner": "noa"}
    for where in ("/jobs/x/cancel", "/schedules/night/now", "/webhooks", "/webhooks/x/secret", "/webhooks/x/replay"):
        assert (await noa.post(where, data=fields)).status_code == 403


async def test_page_says_what_runs_how_far_and_what_failed(sign_in: SignIn, office: Sessions, now: TurnedClock) -> None:
    await fill(office, now, status=JobStatus.RUNNING, done=30, total=120, note=HOSTILE, attempts=2)
    await fill(office, now, status=JobStatus.FAILED, error=f"OSError: {HOSTILE}", finished_at=now.now)
    ada = await sign_in("ada")
    page = await ada.get("/jobs")
    assert page.status_code == 200
    assert '<progress max="120" value="30"' in page.text
    assert "OSError: &lt;script&gt;" in page.text
    assert "<script>alert" not in page.text
    assert "Clearing out old deliveries" in bare(page)
    assert "17 3 * * *" in bare(page)
    failed = await ada.get("/jobs?status=failed")
    assert "<progress" not in failed.text
    assert (await ada.get("/jobs?status=nonsense")).status_code == 200


async def test_job_is_stopped_and_opened_again(sign_in: SignIn, token: Token, office: Sessions, now: TurnedClock) -> None:
    uid = await fill(office, now)
    ada = await sign_in("ada")
    csrf = token((await ada.get("/jobs")).text)
    for act, status in (("cancel", JobStatus.CANCELLED), ("again", JobStatus.WAITING)):
        assert (await ada.post(f"/jobs/{uid}/{act}", data={"csrf": csrf})).status_code == 303
        async with office.read() as session:
            assert (await session.scalars(select(Job).where(Job.uid == uid))).one().status == status
    again = await ada.post(f"/jobs/{uid}/again", data={"csrf": csrf})
    assert (again.status_code, "has not ended yet" in again.text) == (422, True)
    assert (await ada.post("/jobs/none/cancel", data={"csrf": csrf})).status_code == 404
    async with office.read() as session:
        assert [(event.action, event.actor) for event in await history(session, "job", uid)] == [
            ("cancel", "ada"),
            ("again", "ada"),
        ]


async def test_schedule_is_changed_rests_and_runs_now(
    sign_in: SignIn, token: Token, office: Sessions, now: TurnedClock
) -> None:
    await fill(office, now)
    ada = await sign_in("ada")
    csrf = token((await ada.get("/jobs")).text)
    given = {"csrf": csrf, "cron": "0 4 * * SUN", "zone": "Asia/Jerusalem", "enabled": "false"}
    assert (await ada.post("/schedules/night", data=given)).status_code == 303
    assert (await ada.post("/schedules/night/now", data={"csrf": csrf})).status_code == 303
    async with office.read() as session:
        row = (await session.scalars(select(Schedule).where(Schedule.key == "night"))).one()
        assert (row.cron, row.enabled, row.next_at) == ("0 4 * * SUN", False, None)
        assert (await session.scalars(select(Job).where(Job.kind == "jobs.sweep"))).one().created_by == "ada"
    wrong = await ada.post("/schedules/night", data=given | {"cron": "now and then"})
    assert (wrong.status_code, "five fields" in wrong.text) == (422, True)


async def test_page_is_sent_again_only_when_it_changed(sign_in: SignIn, office: Sessions, now: TurnedClock) -> None:
    uid = await fill(office, now)
    ada = await sign_in("ada")
    seen = re.search(r'data-seen="([0-9a-f]+)"', (await ada.get("/jobs")).text)
    assert seen is not None
    assert (await ada.get("/jobs", headers={"X-Seen": seen[1]})).status_code == 204
    async with office.write() as session:
        (await session.scalars(select(Job).where(Job.uid == uid))).one().done = 1
    assert (await ada.get("/jobs", headers={"X-Seen": seen[1]})).status_code == 200
