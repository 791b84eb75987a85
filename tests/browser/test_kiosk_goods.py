"""The whole receipt in a real browser: an announced pallet, learned code, serials, tare, damage with a picture, supervisor."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import RunningKiosk
from tests.browser.test_kiosk_receipt import Operator, axe, check_screen
from tests.unit.edge_jobs.station import DRILL_GTIN, NOTICE, PALLET, RICE_GTIN, UNKNOWN_GTIN

BOTH_PANELS = pytest.mark.parametrize(("locale", "panel_size"), [("he", "1280x800"), ("en", "800x480")])
SHOTS = os.environ.get("TALLYBOX_SHOTS")
"""A folder for pictures of every screen, for people who want to look at them."""


class Screens:
    """Looks at every screen: sizes, directions, accessibility."""

    def __init__(self, operator: Operator, kiosk: RunningKiosk, panel_size: str) -> None:
        self.operator, self.kiosk, self.size = operator, kiosk, panel_size

    def look(self, name: str) -> None:
        if SHOTS:
            path = Path(SHOTS) / f"{name}-{self.size}-{self.operator.locale}.png"
            self.operator.page.screenshot(path=str(path), caret="initial")
        check_screen(self.operator, self.size)
        assert axe(self.operator.page, self.kiosk) == [], name


def picture() -> dict[str, object]:
    made = io.BytesIO()
    Image.new("RGB", (64, 48), (120, 40, 40)).save(made, "JPEG")
    return {"name": "torn.jpeg", "mimeType": "image/jpeg", "buffer": made.getvalue()}


@pytest.fixture
def operator(page: Page, kiosk: RunningKiosk, locale: str) -> Operator:
    return Operator(page, kiosk, locale)


@pytest.fixture
def screens(operator: Operator, kiosk: RunningKiosk, panel_size: str) -> Screens:
    return Screens(operator, kiosk, panel_size)


@pytest.mark.deep
@BOTH_PANELS
def test_an_announced_delivery_with_everything_that_can_come(  # noqa: PLR0915 - one receipt, screen by screen
    operator: Operator, screens: Screens, page: Page, kiosk: RunningKiosk
) -> None:
    operator.sign_in()
    screens.look("order")
    operator.scan(NOTICE)
    operator.awaits("document")
    screens.look("document")
    page.locator("button[name=number]").tap()
    operator.awaits("item")
    page.locator("details:has(button[value=temperature]) > summary").tap()
    screens.look("delivery")
    page.locator("button[value=temperature]").tap()
    operator.awaits("arrival")
    screens.look("arrival")
    for key in "-4.5":
        operator.key(key)
    operator.primary()
    operator.awaits("item")
    operator.scan("00" + PALLET, sscc=PALLET)
    operator.awaits("pallet")
    screens.look("pallet")
    operator.primary()
    operator.awaits("item")
    expect(page.locator(".lines .row.confirmed")).to_have_count(2)
    screens.look("item")
    operator.scan(UNKNOWN_GTIN, gtin=UNKNOWN_GTIN)
    operator.awaits("code")
    page.locator(".choices .choice >> nth=1").tap()
    page.locator(".reasons .choice >> nth=0").tap()
    screens.look("code")
    operator.primary()
    operator.awaits("count")
    operator.key("3")
    operator.primary()
    operator.awaits("confirm")
    page.locator("details:has(button[value=torn]) > summary").tap()
    screens.look("damage")
    page.locator("button[value=torn]").tap()
    expect(page.locator("input[name=picture]")).to_have_count(1)
    page.locator("details:has(input[name=picture]) > summary").tap()
    screens.look("photo")
    page.locator("input[name=picture]").set_input_files(picture())  # type: ignore[arg-type]
    expect(page.locator(".taken .parts").last).to_contain_text("1")
    screens.look("damaged")
    page.locator("details:has(button[value=wrong_item]) > summary").tap()
    page.locator("button[value=wrong_item]").tap()
    operator.awaits("item")
    operator.scan("01" + DRILL_GTIN + "21SN-1", gtin=DRILL_GTIN, ai_21="SN-1")
    operator.awaits("serial")
    operator.scan("SN-1")
    expect(page.locator(".outcome.rejected")).to_be_visible()
    operator.scan("SN-2")
    expect(page.locator(".row.done")).to_have_count(2)
    screens.look("serial")
    operator.primary()
    operator.awaits("confirm")
    page.locator(".choice >> nth=0").tap()
    operator.primary()
    operator.awaits("item")
    operator.scan("0" + RICE_GTIN, gtin=RICE_GTIN)
    operator.awaits("weight")
    page.locator("form[action$='/tare'] button").tap()
    operator.awaits("tare")
    screens.look("tare")
    page.locator("details:has(button[value=EUR]) > summary").tap()
    page.locator("button[value=EUR]").tap()
    operator.awaits("weight")
    operator.weigh("52.5")
    operator.weight_is("stable")
    screens.look("gross")
    operator.primary()
    operator.awaits("confirm")
    screens.look("net")
    page.locator("form[action$='/approval'] button").tap()
    operator.awaits("supervisor")
    screens.look("supervisor")
    for digit in "4711":
        operator.key(digit)
    operator.primary()
    operator.awaits("confirm")
    screens.look("approved")
    operator.primary()
    operator.awaits("item")
    operator.primary()
    operator.awaits("remainder")
    screens.look("remainder")
    page.locator("button[value=not_needed]").first.tap()
    expect(page.locator(".row.over")).to_have_count(1)
    operator.primary()
    operator.awaits("order")
    steps = kiosk.station.journal.step_names()
    assert steps[:2] == ["open", "arrival"]
    assert steps[2:8] == ["item", "amount", "confirm"] * 2
    assert [step for step in steps if step in {"learn", "condition", "photo", "serial", "approve"}] == [
        "learn",
        "condition",
        "photo",
        "serial",
        "serial",
        "approve",
    ]
    assert operator.said == []
