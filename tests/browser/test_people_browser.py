"""Passkeys with a device that Chromium plays, and the pages of people in both languages, at a desk and on a phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright
from sqlalchemy import select, text

from cloud.db.engine import Sessions
from cloud.people.models import Passkey
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.unit.cloud_web.office import LIBRARIES, PASSWORD
from tests.unit.cloud_web.served import StaffSite

pytestmark = pytest.mark.browser

SIZES = {"desk": (1280, 800), "phone": (390, 844)}
ADMINS = {"he": "adi", "en": "ada"}
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
PAGES = (
    "/people",
    "/people/noa",
    "/people/noa/may",
    "/roles",
    "/roles/supervisor",
    "/keys",
    "/me",
    "/me/password",
    "/me/prove",
)
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the module and not longer: while it lives, no other test in this thread could run a loop."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is missing: apt-get install chromium")
    if not (LIBRARIES / "@simplewebauthn").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[StaffSite]:
    """One site for the module, under a name to which passkeys can belong."""
    assert chromium.is_connected()
    with StaffSite(tmp_path_factory.mktemp("people")) as running:
        running.url = running.url.replace("127.0.0.1", "localhost")
        yield running


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = chromium.new_context(locale="en")
    opened.set_default_timeout(15_000)
    yield opened
    opened.close()


def _enter(page: Page, site: StaffSite, login: str) -> None:
    page.goto(f"{site.url}/sign-in")
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".top")


def _device(page: Page) -> tuple[CDPSession, str]:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    found = session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    return session, str(found["authenticatorId"])


def _make(page: Page, site: StaffSite, name: str) -> None:
    page.goto(f"{site.url}/me")
    page.fill("#passkey-name", name)
    with page.expect_navigation():
        page.click("[data-passkey=make]")
    page.wait_for_selector(f"text={name}")


def _sign_out(page: Page) -> None:
    page.click("form[action='/sign-out'] button")
    page.wait_for_selector("#login")


def test_passkey_is_made_and_opens_without_name_or_password(context: BrowserContext, site: StaffSite) -> None:
    page = context.new_page()
    _device(page)
    _enter(page, site, "ron")
    _make(page, site, "Desk")
    _sign_out(page)
    page.goto(f"{site.url}/sign-in?next=/receipts")
    page.click("[data-passkey=use]")
    page.wait_for_url(f"{site.url}/receipts")
    site.clock.go(minutes=11)
    page.goto(f"{site.url}/me")
    page.click("section[aria-labelledby=passkeys] form button")
    page.wait_for_url(f"{site.url}/me/prove?next=%2Fme")
    page.click("[data-passkey=use]")
    page.wait_for_url(f"{site.url}/me")
    page.click("section[aria-labelledby=passkeys] form button")
    page.wait_for_selector("section[aria-labelledby=passkeys] .count:has-text('0')")


def test_copied_passkey_opens_nothing_any_more(context: BrowserContext, site: StaffSite) -> None:
    page = context.new_page()
    device, authenticator = _device(page)
    _enter(page, site, "noa")
    _make(page, site, "Copied")
    credentials = device.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    _sign_out(page)
    page.click("[data-passkey=use]")
    page.wait_for_selector(".top")
    _sign_out(page)
    _put_back(device, authenticator, credentials[0])
    for _ in range(2):
        page.click("[data-passkey=use]")
        page.wait_for_selector("#passkey-problem:visible")
        page.reload()

    async def doubted(sessions: Sessions) -> None:
        async with sessions.read() as session:
            [row] = await session.scalars(select(Passkey).where(Passkey.name == "Copied"))
            assert row.doubted_at is not None
            logged = await session.execute(text("SELECT count(*) FROM event WHERE action = 'doubt_passkey'"))
            assert logged.scalar_one() == 1

    site.do(doubted)


def _put_back(device: CDPSession, authenticator: str, old: dict[str, Any]) -> None:
    """The device as it was before its last use: what a copy of it is."""
    device.send("WebAuthn.clearCredentials", {"authenticatorId": authenticator})
    device.send("WebAuthn.addCredential", {"authenticatorId": authenticator, "credential": old})


def test_device_that_does_not_check_its_user_makes_no_passkey(context: BrowserContext, site: StaffSite) -> None:
    page = context.new_page()
    device, authenticator = _device(page)
    device.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    _enter(page, site, "tal")
    page.goto(f"{site.url}/me")
    page.click("[data-passkey=make]")
    page.wait_for_selector("#passkey-problem:visible")


@pytest.mark.parametrize(
    ("locale", "size"),
    [
        ("he", "phone"),
        ("en", "desk"),
        pytest.param("he", "desk", marks=pytest.mark.deep),
        pytest.param("en", "phone", marks=pytest.mark.deep),
    ],
)
def test_pages_of_people_can_be_used_by_everybody(chromium: Browser, site: StaffSite, locale: str, size: str) -> None:
    width, height = SIZES[size]
    context = chromium.new_context(viewport={"width": width, "height": height}, locale=locale)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    _enter(page, site, ADMINS[locale])
    for path in PAGES:
        page.goto(f"{site.url}{path}")
        assert page.get_attribute("html", "lang") == locale
        found = Axe().run(page, options=WCAG)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    context.close()
    assert said == []
