"""An import in a real browser, in both languages: a file is chosen, looked at and written, with its progress shown."""

import asyncio
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from cloud.imports.work import ImportWork
from cloud.jobs.worker import Worker
from tests.browser.object_site import LOGINS, PASSWORD, START_S, ObjectSite
from tests.browser.test_staff_pages import WCAG
from tests.integration.object_world import ZONE

pytestmark = pytest.mark.browser

FILE = {
    "he": ("ספקים.csv", "שם;city\nאורן 1;חיפה\nאלון 1;\n".encode("cp1255")),
    "en": ("suppliers.csv", b"name,city\nOak 2,Haifa\nElm 2,\n"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[ObjectSite]:
    assert chromium.is_connected()
    with ObjectSite(tmp_path_factory.mktemp("imports")) as running:
        yield running


@pytest.fixture(params=["he", "en"])
def locale(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(chromium: Browser, site: ObjectSite, locale: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale=locale)
    context.set_default_timeout(20_000)
    found = context.new_page()
    found.goto(site.url)
    found.fill("#login", LOGINS[locale])
    found.fill("#password", PASSWORD)
    found.keyboard.press("Enter")
    found.wait_for_selector(".top")
    yield found
    context.close()


def work(site: ObjectSite) -> None:
    """The background work, as a running core does it."""
    sessions, loop = site._sessions, site._loop
    handlers = ImportWork(site.world.registry, ZONE, site.world.hooks).handlers()
    doing = Worker(sessions, handlers, name="test", clock=lambda: site.world.now).run_due()
    asyncio.run_coroutine_threadsafe(doing, loop).result(START_S)


def sound(page: Page) -> None:
    found = Axe().run(page, options=WCAG).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0


def test_a_file_becomes_records_under_the_eyes_of_its_sender(page: Page, site: ObjectSite, locale: str) -> None:
    page.goto(f"{site.url}/imports")
    assert page.evaluate("document.documentElement.dir") == ("rtl" if locale == "he" else "ltr")
    sound(page)
    name, content = FILE[locale]
    page.select_option("#kind", "company")
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": content})
    page.click("form[enctype] button.primary")
    page.wait_for_selector("#field-0")
    sound(page)
    page.select_option("#field-0", "name")
    page.click("form[action$='/check'] button.primary")
    expect(page.locator("progress")).to_be_visible()
    sound(page)
    work(site)
    expect(page.locator("form[action$='/apply'] button.primary")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(2)
    sound(page)
    page.click("form[action$='/apply'] button.primary")
    expect(page.locator("progress")).to_be_visible()
    work(site)
    expect(page.locator("form[action$='/undo'] button")).to_be_visible()
    sound(page)
