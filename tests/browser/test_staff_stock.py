"""The review queue, the figures and the stock pages in a real browser: both languages, a desk and a phone, keys alone."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, StorageState, expect

from cloud.kernel.actor import Taken
from tests.browser.test_staff_pages import (
    SUPERVISORS,
    WCAG,
    chromium,
    locale,
    quiet_page,
    sign_in,
    size,
    too_small,
)
from tests.integration.conftest import ADMIN
from tests.unit.cloud_web.served import StaffSite
from tests.unit.cloud_web.stocked import put_in_stock

pytestmark = pytest.mark.browser

__all__ = ["chromium", "locale", "size"]

SHOTS = os.environ.get("TALLYBOX_SHOTS")
"""A folder for pictures of every page, for people to look at."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[StaffSite]:
    assert chromium.is_connected()
    with StaffSite(tmp_path_factory.mktemp("stock")) as running:
        running.do(lambda sessions: put_in_stock(sessions, Taken(ADMIN, running.clock.now)))
        yield running


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, site: StaffSite) -> dict[str, StorageState]:
    return {language: sign_in(chromium, site, language, login) for language, login in SUPERVISORS.items()}


@pytest.fixture
def page(chromium: Browser, signed_in: dict[str, StorageState], locale: str, size: str) -> Iterator[Page]:
    with quiet_page(chromium, signed_in[locale], locale, size) as page:
        yield page


def addresses(site: StaffSite) -> dict[str, str]:
    return {
        "queue": "/queue",
        "queue-over": f"/queue?at=receipt/{site.refs.over}",
        "figures": "/figures?days=90",
        "stock": "/stock",
        "stock-owner": "/stock?by=owner",
        "stock-lot": "/stock?by=lot&product=OIL-5&days=30",
        "lines": "/stock/lines",
        "movements": "/stock/movements",
        "statement": "/stock/statement?owner=HOUSE&from=2020-01-01",
        "recall": "/stock/recall?code=L-100",
        "receipt": f"/receipts/{site.refs.clean}",
    }


def test_pages_are_accessible_and_fit_the_screen(page: Page, site: StaffSite, locale: str, size: str) -> None:
    for name, address in addresses(site).items():
        page.goto(site.url + address)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{locale}-{size}.png", full_page=True)
        found = Axe().run(page, options=WCAG)
        assert found.violations_count == 0, f"{address}: {json.dumps(found.response['violations'])[:1500]}"
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, address
        assert too_small(page) == [], address


def test_queue_is_worked_by_keys_alone(page: Page, site: StaffSite, locale: str, size: str) -> None:
    if size == "phone":
        pytest.skip("a phone has no keys")
    page.goto(f"{site.url}/queue?at=receipt/{site.refs.over}")
    waiting = page.locator("[data-question]")
    count = waiting.count()
    assert count >= 1
    page.keyboard.press("1")
    page.keyboard.press("a")
    expect(page.locator("[data-question]")).to_have_count(count - 1)
    # What is asked stands on the page before its script listens to keys.
    page.wait_for_load_state()
    page.keyboard.press("u")
    expect(page.locator("[data-question]")).to_have_count(count)
    page.wait_for_load_state()
    page.keyboard.press("n")
    expect(page).not_to_have_url(f"{site.url}/queue?at=receipt/{site.refs.over}")


def test_own_words_and_a_ready_reason_are_one_answer(page: Page, site: StaffSite) -> None:
    page.goto(f"{site.url}/queue?at=receipt/{site.refs.over}")
    form = page.locator("form.answer").first
    form.locator(".ready").first.click()
    expect(form.locator("input[type=radio]").first).to_be_checked()
    form.locator("input[name=reason]").fill("counted twice")
    expect(form.locator("input[type=radio]").first).not_to_be_checked()
    form.locator(".ready").first.click()
    expect(form.locator("input[name=reason]")).to_have_value("")


def test_charts_run_from_left_to_right_in_both_languages(page: Page, site: StaffSite) -> None:
    page.goto(f"{site.url}/stock?product=OIL-5&days=30")
    days = page.eval_on_selector_all(
        ".chart .tick[text-anchor=middle]",
        "all => all.map(one => [one.getBoundingClientRect().left, one.textContent.split('.').reverse().join('')])",
    )
    assert len(days) >= 3
    assert [text for _, text in sorted(days)] == [text for _, text in days]
