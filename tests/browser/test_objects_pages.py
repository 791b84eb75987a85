"""Pages made from definitions in a real browser: both languages, a desk and a phone, with and without a script."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, StorageState, expect

from cloud.objects import service
from tests.browser.object_site import LOGINS, PASSWORD, ObjectSite
from tests.browser.test_staff_pages import SEEN, SIZES, WCAG, too_small

pytestmark = pytest.mark.browser

HELD = {"en": "Held", "he": "התקיים"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[ObjectSite]:
    assert chromium.is_connected()
    with ObjectSite(tmp_path_factory.mktemp("objects")) as running:
        yield running


@pytest.fixture(params=["he", "en"])
def locale(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, site: ObjectSite) -> dict[str, StorageState]:
    found = {}
    for locale, login in LOGINS.items():
        context = chromium.new_context(locale=locale)
        page = context.new_page()
        page.goto(site.url)
        page.fill("#login", login)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector(".top")
        found[locale] = context.storage_state()
        context.close()
    return found


@contextmanager
def opened(chromium: Browser, state: StorageState, locale: str, size: str = "desk", **more: Any) -> Iterator[Page]:
    """A page whose console stays silent, but for the status of an answer that refuses."""
    width, height = SIZES[size]
    context = chromium.new_context(viewport={"width": width, "height": height}, locale=locale, storage_state=state, **more)
    context.set_default_timeout(15_000)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert [one for one in said if "status of 4" not in one] == []


@pytest.fixture
def page(chromium: Browser, signed_in: dict[str, StorageState], locale: str) -> Iterator[Page]:
    with opened(chromium, signed_in[locale], locale) as found:
        yield found


ADDRESSES = (
    "/",
    "/o/visit",
    "/o/visit?f=score&op=above&v=x&f=company&op=is&v=C-0001&f=on&op=from&v=&where=score+%3E&sort=-on",
    "/o/visit?q=zzz",
    "/o/visit/board",
    "/o/visit/new",
    "/o/visit/V-2026-0002",
    "/o/visit/V-2026-0002/edit",
    "/o/visit/V-2026-0002/do/drop",
    "/o/company/C-0001",
    "/o/company/C-0003",
    "/admin/objects",
    "/admin/objects/visit",
    "/admin/objects/-/new",
)


@pytest.mark.parametrize(
    ("locale", "size"),
    [
        ("he", "phone"),
        ("en", "desk"),
        pytest.param("he", "desk", marks=pytest.mark.deep),
        pytest.param("en", "phone", marks=pytest.mark.deep),
    ],
)
def test_pages_are_accessible_fit_and_can_be_pressed(
    chromium: Browser, signed_in: dict[str, StorageState], site: ObjectSite, locale: str, size: str
) -> None:
    with opened(chromium, signed_in[locale], locale, size) as page:
        for address in ADDRESSES:
            page.goto(site.url + address)
            assert page.get_attribute("html", "dir") == ("rtl" if locale == "he" else "ltr")
            fits(page, address)
        page.goto(f"{site.url}/o/visit/new")
        page.click(".record-form .primary >> nth=0")
        page.wait_for_selector("#summary")
        fits(page, "faulty form")


def fits(page: Page, address: str) -> None:
    found = Axe().run(page, options=WCAG)
    assert found.violations_count == 0, f"{address}: {json.dumps(found.response['violations'])[:1500]}"
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, address
    assert too_small(page) == [], address


def test_values_are_seen_in_their_own_order(page: Page, site: ObjectSite) -> None:
    for address in ("/o/visit", "/o/visit/V-2026-0002", "/o/visit/board", "/o/company"):
        page.goto(site.url + address)
        values = page.eval_on_selector_all(
            "main bdi[dir=ltr]",
            f"all => all.filter(one => one.getClientRects().length === 1).map(one => [one.textContent, ({SEEN})(one)])",
        )
        assert len(values) > 5
        assert [(stored, seen) for stored, seen in values if stored.replace(" ", "") != seen.replace(" ", "")] == []


def test_form_answers_while_it_is_filled_in(page: Page, site: ObjectSite) -> None:
    page.goto(f"{site.url}/o/visit/new")
    expect(page.locator("#field-source_detail")).to_be_hidden()
    page.select_option("#f-source", "manual")
    expect(page.locator("#f-source_detail")).to_be_visible()
    expect(page.locator("#f-source_detail")).to_have_attribute("aria-required", "true")
    page.fill("#f-source_detail", "by phone")
    page.fill("#f-score", "11")
    expect(page.locator("#field-score .fault")).to_be_visible()
    # The words around the field change; what is being typed does not.
    assert page.evaluate("document.activeElement.id") == "f-score"
    page.fill("#f-score", "10")
    expect(page.locator("#field-score .fault")).to_have_count(0)
    page.select_option("#f-source", "web")
    expect(page.locator("#field-source_detail")).to_be_hidden()
    page.select_option("#f-source", "manual")
    expect(page.locator("#f-source_detail")).to_have_value("by phone")
    page.click("button[name=more]")
    expect(page.locator("#f-lines tbody tr")).to_have_count(2)
    page.fill("#f-lines-1-what", "Flour")
    page.fill("#f-lines-1-qty", "2.5")
    page.fill("#f-lines-1-price", "10")
    expect(page.locator("#f-total")).to_have_text("25.00")
    page.click("#f-lines tbody tr:first-child .drop button")
    expect(page.locator("#f-lines-0-what")).to_have_value("Flour")


def test_form_is_filled_in_and_saved_by_keyboard_alone(page: Page, site: ObjectSite) -> None:
    page.goto(f"{site.url}/o/visit/new")
    page.focus("#f-subject")
    page.keyboard.type("By keys")
    page.keyboard.press("Tab")
    page.keyboard.type("galil")
    expect(page.locator("[role=option][aria-selected=true]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#f-company")).to_have_value("Galil Bakery · C-0001")
    expect(page.locator("[role=listbox]")).to_have_count(0)
    page.focus("#f-guests")
    page.keyboard.type("C-0002")
    expect(page.locator("[role=option]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(1)
    page.focus("#f-subject")
    page.keyboard.press("Enter")
    page.wait_for_url("**/o/visit/V-*")
    expect(page.locator("h1")).to_contain_text("By keys")
    expect(page.locator(".tag a")).to_have_attribute("href", "/o/company/C-0002")


def test_faults_are_summed_up_and_lead_to_their_fields(page: Page, site: ObjectSite) -> None:
    page.goto(f"{site.url}/o/visit/new")
    page.fill("#f-score", "0")
    page.click(".record-form .primary >> nth=0")
    expect(page.locator("#summary")).to_be_focused()
    page.click("#summary a[href='#f-score']")
    expect(page.locator("#f-score")).to_be_focused()
    expect(page.locator("#f-score")).to_have_value("0")


def test_everything_works_without_a_script(
    chromium: Browser, signed_in: dict[str, StorageState], site: ObjectSite, locale: str
) -> None:
    with opened(chromium, signed_in[locale], locale, java_script_enabled=False) as page:
        page.goto(f"{site.url}/o/visit/new")
        page.fill("#f-subject", f"Plain {locale}")
        page.fill("#f-company", "C-0001")
        page.fill("#f-lines-0-what", "Flour")
        page.click("button[name=more]")
        page.fill("#f-lines-1-what", "Salt")
        page.select_option("#f-source", "manual")
        page.click(".record-form .primary >> nth=0")
        # Only now the server can say that the detail is missing.
        page.fill("#f-source_detail", "by phone")
        page.click(".record-form .primary >> nth=0")
        page.wait_for_url("**/o/visit/V-*")
        expect(page.locator(".facts-rows tbody tr")).to_have_count(2)
        page.click(".head .menu > summary")
        page.click(".menu-list a[href$='/do/drop']")
        page.fill("#reason", "storm")
        page.click("form .primary")
        page.wait_for_url("**/o/visit/V-*")
        page.goto(f"{site.url}/o/visit?q=Plain+{locale}")
        expect(page.locator(".row-link")).to_have_count(1)


def test_two_editors_see_each_other_and_lose_nothing(page: Page, site: ObjectSite) -> None:
    ref = site.visit(score="5", secret="old")
    page.goto(f"{site.url}/o/visit/{ref}/edit")
    page.fill("#f-subject", "My words")
    page.fill("#f-score", "6")

    async def faster(caller: Any) -> None:
        await service.update(caller, "visit", ref, {"score": "7", "secret": "new"})

    site.do(faster)
    page.click(".record-form .primary >> nth=0")
    expect(page.locator(".conflict tbody tr")).to_have_count(3)
    expect(page.locator("tr.clash")).to_have_count(1)
    fits(page, "conflict")
    page.check("input[name='pick.score'][value=theirs]")
    page.click("form .primary")
    page.wait_for_url(f"**/o/visit/{ref}")
    expect(page.locator("h1")).to_contain_text("My words")
    facts = page.locator(".record-facts").inner_text()
    assert "7" in facts
    assert "new" in facts


def test_cards_move_by_menu_and_by_dragging(page: Page, site: ObjectSite, locale: str) -> None:
    dragged, pressed, unready = (
        site.visit(subject=f"Move {n}", on=day) for n, day in enumerate(("2026-12-09", "2026-12-10", ""))
    )
    page.set_viewport_size({"width": 1280, "height": 1600})
    page.goto(f"{site.url}/o/visit/board?q=Move")
    page.locator(".board-card", has_text=dragged).drag_to(page.locator("[data-state=held]"))
    expect(page.locator("[data-state=held] .board-card", has_text=dragged)).to_have_count(1)
    card = page.locator(".board-card", has_text=pressed)
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("[data-state=held] .board-card", has_text=pressed)).to_have_count(1)
    page.locator(".board-card", has_text=unready).drag_to(page.locator("[data-state=held]"))
    expect(page.locator("#problem")).to_contain_text({"en": "Say the day first.", "he": "יש לציין יום."}[locale])


def test_conditions_are_built_row_by_row_and_stand_in_the_address(page: Page, site: ObjectSite) -> None:
    page.goto(f"{site.url}/o/company")
    page.click(".filter-more > summary")
    page.locator("select[name=f]").first.select_option("city")
    page.wait_for_url("**f=city**")
    page.locator("select[name=op]").first.select_option("is")
    page.wait_for_url("**op=is**")
    page.locator("input[name=v]").first.fill("Haifa")
    page.keyboard.press("Enter")
    page.wait_for_url("**v=Haifa**")
    expect(page.locator(".row-link")).to_have_count(1)
    page.go_back()
    expect(page.locator(".row-link")).to_have_count(3)


def test_hostile_text_runs_nothing(page: Page, site: ObjectSite) -> None:
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    for address in ("/o/company/C-0003", "/o/company", "/o/company/C-0003/edit", "/o/visit/new?f.company=C-0003"):
        page.goto(site.url + address)
        assert page.locator("main script, main img").count() == 0
    page.goto(f"{site.url}/o/visit/new")
    page.fill("#f-company", "script")
    expect(page.locator("[role=option]")).to_have_count(1)
    assert page.locator("main img").count() == 0
    assert dialogs == []


def test_definition_is_changed_while_people_work(page: Page, site: ObjectSite, locale: str) -> None:
    page.goto(f"{site.url}/admin/objects/company")
    page.fill("#field-key", f"size_{locale}")
    page.fill("#field-en", "Size")
    page.click("button[value=field]")
    expect(page.locator("#preview")).to_be_visible()
    page.fill("#text", page.input_value("#text") + "  x_bad: {type: nonsense}\n")
    page.click("button[value=save]")
    expect(page.locator(".gutter .bad")).to_have_count(1)
    fits(page, "faulty definition")
    text = page.input_value("#text")
    page.fill("#text", text.replace("  x_bad: {type: nonsense}\n", ""))
    page.click("button[value=save]")
    page.wait_for_url("**/admin/objects/company")
    page.goto(f"{site.url}/o/company/new")
    expect(page.locator(f"#f-x_size_{locale}")).to_be_visible()
