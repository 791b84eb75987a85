"""The staff pages in a real browser: both languages, a desk and a phone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, StorageState, expect, sync_playwright
from sqlalchemy import text

from cloud.db.engine import Sessions
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.integration.branching import overlap
from tests.integration.conftest import TestBox
from tests.unit.cloud_web.office import LIBRARIES, PASSWORD
from tests.unit.cloud_web.served import StaffSite

pytestmark = pytest.mark.browser

SIZES = {"desk": (1280, 800), "phone": (390, 844)}
SUPERVISORS = {"he": "noa", "en": "ron"}
ADMINS = {"he": "adi", "en": "ada"}
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
MIN_TARGET_PX = 24
"""WCAG 2.2, 2.5.8."""

# Glyphs in the order in which they are seen from left to right, line by line.
SEEN = """element => {
  const seen = [];
  const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    for (let at = 0; at < node.length; at += 1) {
      const range = document.createRange();
      range.setStart(node, at); range.setEnd(node, at + 1);
      const box = range.getBoundingClientRect();
      if (box.width) seen.push([Math.round(box.top / 8), box.left, node.data[at]]);
    }
  }
  return seen.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(glyph => glyph[2]).join("");
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the module and not longer: while it lives, no other test in this thread could run a loop."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is missing: apt-get install chromium")
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[StaffSite]:
    """One site for the module; asks for the browser first, so that nothing is started where there is none."""
    assert chromium.is_connected()
    with StaffSite(tmp_path_factory.mktemp("staff")) as running:
        yield running


@pytest.fixture(params=["he", "en"])
def locale(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["desk", "phone"])
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, site: StaffSite) -> dict[str, StorageState]:
    """The cookies of one supervisor for each language, who signed in as people do."""
    return {locale: sign_in(chromium, site, locale, login) for locale, login in SUPERVISORS.items()}


@pytest.fixture(scope="module")
def admins(chromium: Browser, site: StaffSite) -> dict[str, StorageState]:
    """The same of one admin for each language."""
    return {locale: sign_in(chromium, site, locale, login) for locale, login in ADMINS.items()}


@pytest.fixture
def page(chromium: Browser, signed_in: dict[str, StorageState], locale: str, size: str) -> Iterator[Page]:
    """A supervisor's browser in the language of the test. Anything on its console fails the test."""
    with quiet_page(chromium, signed_in[locale], locale, size) as page:
        yield page


@pytest.fixture
def admin(chromium: Browser, admins: dict[str, StorageState], locale: str, size: str) -> Iterator[Page]:
    """An admin's browser."""
    with quiet_page(chromium, admins[locale], locale, size) as page:
        yield page


@contextmanager
def quiet_page(chromium: Browser, state: StorageState, locale: str, size: str) -> Iterator[Page]:
    width, height = SIZES[size]
    context = chromium.new_context(viewport={"width": width, "height": height}, locale=locale, storage_state=state)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert said == []


def sign_in(chromium: Browser, site: StaffSite, locale: str, login: str) -> StorageState:
    context = chromium.new_context(locale=locale)
    page = context.new_page()
    page.goto(site.url)
    assert Axe().run(page, options=WCAG).violations_count == 0
    assert page.get_attribute("html", "lang") == locale
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"html[lang={locale}] .top")
    state = context.storage_state()
    context.close()
    return state


def addresses(site: StaffSite) -> list[str]:
    refs = site.refs
    return ["/", "/receipts", "/boxes", *(f"/receipts/{ref}" for ref in (refs.clean, refs.over, refs.forged, refs.hostile))]


def open_proofs(page: Page) -> None:
    page.evaluate("document.querySelectorAll('main details').forEach(one => one.open = true)")


def test_pages_are_accessible_and_fit_the_screen(page: Page, site: StaffSite, locale: str) -> None:
    for address in addresses(site):
        page.goto(site.url + address)
        assert page.get_attribute("html", "dir") == ("rtl" if locale == "he" else "ltr")
        open_proofs(page)
        found = Axe().run(page, options=WCAG)
        assert found.violations_count == 0, f"{address}: {json.dumps(found.response['violations'])[:1500]}"
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, address


def test_controls_are_large_enough(page: Page, site: StaffSite) -> None:
    for address in addresses(site):
        page.goto(site.url + address)
        assert too_small(page) == [], address


def too_small(page: Page) -> list[object]:
    """Controls that a finger misses. There have to be controls."""
    controls = page.eval_on_selector_all(
        "button, input:not([type=hidden]), select, textarea, summary, nav a, thead a",
        # What lies in a closed menu is not shown, yet has a box.
        "all => all.filter(one => one.checkVisibility()).map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])"
        ".filter(([, box]) => box.width > 1).map(([what, box]) => [what, box.width, box.height])",
    )
    assert controls
    return [one for one in controls if min(one[1:]) < MIN_TARGET_PX]


def test_values_are_seen_in_their_own_order(page: Page, site: StaffSite, locale: str) -> None:
    page.goto(f"{site.url}/receipts/{site.refs.clean}")
    open_proofs(page)
    values = page.eval_on_selector_all(
        "main bdi[dir=ltr]",
        # A value broken over two lines has no single order.
        f"all => all.filter(one => one.getClientRects().length === 1).map(one => [one.textContent, ({SEEN})(one)])",
    )
    assert len(values) > 40
    assert [(stored, seen) for stored, seen in values if stored.replace(" ", "") != seen.replace(" ", "")] == []
    amount = page.query_selector(".qty .amount")
    assert amount is not None
    seen = str(amount.evaluate(SEEN)).replace("\u00a0", " ")
    # In Hebrew the unit follows the number in reading order, which is to its left; its letters run from the right.
    assert seen.strip() == {"en": "12.340 kg", "he": "ג״ק 12.340"}[locale]


def test_raw_bytes_stand_left_to_right(page: Page, site: StaffSite) -> None:
    page.goto(f"{site.url}/receipts/{site.refs.clean}")
    open_proofs(page)
    bytes_ = page.query_selector("#proof-1 .proof:last-child .bytes")
    assert bytes_ is not None
    assert "5320532020202020" in str(bytes_.evaluate(SEEN)).replace(" ", "")


def test_list_is_filtered_without_leaving_the_page(page: Page, site: StaffSite) -> None:
    page.goto(f"{site.url}/receipts")
    rows = page.locator(".row-link")
    expect(rows).to_have_count(8)
    page.fill("#q", "KP-5512")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    assert "q=KP-5512" in page.url
    page.go_back()
    expect(rows).to_have_count(8)


def test_receipt_is_reached_and_read_by_keyboard(page: Page, site: StaffSite) -> None:
    page.goto(f"{site.url}/receipts?q=L-2611-A")
    page.focus(".row-link")
    page.keyboard.press("Enter")
    page.wait_for_selector("#receipt")
    page.focus("#proof-1 > summary")
    page.keyboard.press("Enter")
    expect(page.locator("#proof-1 .bytes").first).to_be_visible()


def test_page_follows_a_change_by_itself_but_not_under_a_reader(page: Page, site: StaffSite, locale: str, size: str) -> None:
    ref, mark = site.refs.over, f"{locale}-{size}"

    async def rename(sessions: Sessions, name: str) -> None:
        async with sessions.write() as session:
            await session.execute(text("UPDATE party SET name = :name, name_he = :name WHERE ref = 'SUP-014'"), {"name": name})

    page.goto(f"{site.url}/receipts/{ref}")
    site.do(lambda sessions: rename(sessions, f"First {mark}"))
    expect(page.locator("#receipt .head")).to_contain_text(f"First {mark}")
    page.click("#proof-1 > summary")
    site.do(lambda sessions: rename(sessions, f"Second {mark}"))
    expect(page.locator("#moved-note")).to_be_visible()
    expect(page.locator("#proof-1")).to_have_attribute("open", "")
    expect(page.locator("#receipt .head")).to_contain_text(f"First {mark}")
    page.click("#moved-note a")
    expect(page.locator("#receipt .head")).to_contain_text(f"Second {mark}")


def test_lost_server_is_told(page: Page, site: StaffSite, locale: str) -> None:
    page.goto(f"{site.url}/receipts")
    page.evaluate("void (window.fetch = () => Promise.reject(new TypeError('away')))")
    words = {"en": "Not updating", "he": "לא מתעדכן"}[locale]
    expect(page.locator(".live")).to_contain_text(words, timeout=15_000)


def test_hostile_text_runs_nothing(page: Page, site: StaffSite) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(f"{site.url}/receipts/{site.refs.hostile}")
    open_proofs(page)
    expect(page.locator("main")).to_contain_text("<script>alert(1)</script>")
    assert page.locator("main script, main img").count() == 0
    assert dialogs == []


def test_unverified_receipt_cannot_be_posted(page: Page, site: StaffSite) -> None:
    page.goto(f"{site.url}/receipts/{site.refs.forged}")
    expect(page.locator(".verdict.fails")).to_be_visible()
    expect(page.locator("button.primary")).to_be_disabled()
    shown = page.eval_on_selector(".verdict.fails", "one => getComputedStyle(one).backgroundColor")
    assert shown == "rgb(163, 22, 33)"


def test_language_changes_by_one_press_and_keeps_the_page(page: Page, site: StaffSite, locale: str) -> None:
    other = {"he": "en", "en": "he"}[locale]
    page.goto(f"{site.url}/receipts?state=posted")
    for wanted in (other, locale):
        page.click(f"button[name=locale][value={wanted}]")
        page.wait_for_selector(f"html[lang={wanted}]")
        assert page.url.endswith("/receipts?state=posted")


BOXES = {("he", "desk"): 21, ("he", "phone"): 22, ("en", "desk"): 23, ("en", "phone"): 24}
RELEASE = {"en": "Release", "he": "שחרור"}


def test_admin_decides_about_a_side_of_two_boxes(admin: Page, site: StaffSite, locale: str, size: str) -> None:
    box = TestBox(BOXES[locale, size], site.clock)

    async def clone(sessions: Sessions) -> None:
        await box.register(sessions, station=None)
        await overlap(sessions, box)

    site.do(clone)
    admin.goto(f"{site.url}/boxes")
    card = admin.locator(".box-card", has=admin.locator(f"#box-{box.id}"))
    expect(card.locator(".verdict.fails")).to_be_visible()
    found = Axe().run(admin, options=WCAG)
    assert found.violations_count == 0, json.dumps(found.response["violations"])[:1500]
    assert admin.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert too_small(admin) == []
    first = card.locator(".sides .exception").first
    first.get_by_role("textbox").fill("weighed there")
    first.get_by_role("button", name=RELEASE[locale]).click()
    expect(card.locator(".sides .pill.good")).to_have_count(1)
    # A reason that is being written outlasts whatever changes meanwhile.
    second = card.locator(".sides .exception").last
    second.get_by_role("textbox").fill("not yet")
    site.do(lambda sessions: _tick(sessions, box))
    expect(admin.locator("#moved-note")).to_be_visible()
    expect(second.get_by_role("textbox")).to_have_value("not yet")


async def _tick(sessions: Sessions, box: TestBox) -> None:
    async with sessions.write() as session:
        await session.execute(text("UPDATE box SET name = name || ' *' WHERE id = :id"), {"id": box.id})
