"""Background work and webhooks in a real browser, as an admin sees them: both languages, a desk and a phone."""

import json
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.hooks.endpoints import Target, create_endpoint
from cloud.hooks.models import Delivery, Endpoint, Outcome
from cloud.jobs.models import Job, JobStatus
from cloud.jobs.queue import enqueue
from cloud.jobs.schedules import ensure_plans
from cloud.jobs.sweep import plans
from cloud.kernel.actor import Actor, Taken
from tests.unit.cloud_web.office import PASSWORD
from tests.unit.cloud_web.served import StaffSite

pytestmark = pytest.mark.browser

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
WAYS = [("he", "adi", (390, 844)), ("en", "ada", (1280, 800))]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[StaffSite]:
    """A site with jobs of every kind of standing, and a program with deliveries of every outcome."""
    assert chromium.is_connected()
    with StaffSite(tmp_path_factory.mktemp("work")) as running:

        async def fill(sessions: Sessions) -> None:
            now = running.clock.now
            taken = Taken(Actor.user("ada", "admin"), now)
            async with sessions.write() as session:
                for status in JobStatus:
                    job = await enqueue(session, "webhooks.sweep", {}, taken=taken)
                    job.status, job.total, job.done, job.note = status, 200, 150, "GR-2026-000001"
                    job.error = "OSError: the disk is full (in write, store.py:120)" if status == JobStatus.FAILED else None
                await ensure_plans(session, plans("Asia/Jerusalem"), now)
                target = Target("ERP", "https://erp.example/hook", ["receipt.*", "party.*"], "ada")
                row = await create_endpoint(session, target, taken, draw=bytes)
                for number, outcome in enumerate(Outcome, 1):
                    session.add(
                        Delivery(
                            endpoint_id=row.id, event_id=number, type="receipt.post", kind="receipt", ref="GR-2026-000001",
                            status=outcome, tries=number, next_at=now, sent_at=now, code=500, answer="out of order", ms=12,
                        )
                    )  # fmt: skip

        running.do(fill)
        yield running


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{way[2][0]}")
def admin(request: pytest.FixtureRequest, chromium: Browser, site: StaffSite) -> Iterator[Page]:
    locale, login, (width, height) = request.param
    context: BrowserContext = chromium.new_context(viewport={"width": width, "height": height}, locale=locale)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(site.url)
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"html[lang={locale}] .top")
    yield page
    context.close()
    assert said == []


def uid_of(site: StaffSite) -> str:
    found: list[str] = []

    async def look(sessions: Sessions) -> None:
        async with sessions.read() as session:
            found.append((await session.scalars(select(Endpoint.uid).order_by(Endpoint.id))).first() or "")

    site.do(look)
    return found[0]


def test_pages_are_accessible_and_fit_the_screen(admin: Page, site: StaffSite) -> None:
    for address in ("/jobs", "/webhooks", f"/webhooks/{uid_of(site)}"):
        admin.goto(site.url + address)
        admin.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found = Axe().run(admin, options=WCAG)
        assert found.violations_count == 0, f"{address}: {json.dumps(found.response['violations'])[:1500]}"
        assert admin.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, address
        controls = "button, input:not([type=hidden]), select, summary, nav a"
        boxes = admin.eval_on_selector_all(
            controls, "all => all.map(one => one.getBoundingClientRect()).map(box => [box.width, box.height])"
        )
        assert [box for box in boxes if box[0] > 1 and min(box) < 24] == [], address


@pytest.mark.parametrize("admin", [WAYS[0]], indirect=True, ids=["he"])
def test_job_is_stopped_and_a_program_is_added_by_hand(admin: Page, site: StaffSite) -> None:
    admin.goto(f"{site.url}/jobs?status=waiting")
    admin.locator("tr", has_text="GR-2026").locator("[id^=cancel-]").click()
    expect(admin.locator(".tabs [aria-current]")).to_be_visible()
    states: list[str] = []

    async def look(sessions: Sessions) -> None:
        async with sessions.read() as session:
            states.extend(await session.scalars(select(Job.status).where(Job.cancel_asked)))

    site.do(look)
    assert states == [JobStatus.CANCELLED]
    admin.goto(f"{site.url}/webhooks")
    for field, value in (("name", "Books"), ("url", "https://books.example/in"), ("patterns", "party.*")):
        admin.fill(f"#hook-{field}", value)
    admin.locator("form[action='/webhooks'] button").click()
    expect(admin.locator("#secret")).to_contain_text("whsec_")
    admin.goto(f"{site.url}/webhooks")
    expect(admin.locator(".row-link")).to_have_count(2)
