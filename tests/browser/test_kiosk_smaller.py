"""Moves, put-aways, counts and the gate in a real browser: both languages and panels, sizes, contrast, by scan and touch."""

import itertools
import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PX_PER_MM, RunningKiosk
from tests.browser.test_kiosk_receipt import Operator, _apart, axe
from tests.unit.edge_jobs.station import ORDER, oil_label
from tests.unit.edge_jobs.yard import FREE, HELD, SHELF, yard_masters

pytestmark = pytest.mark.browser

SCREENS = pytest.mark.parametrize(
    ("locale", "panel_size"),
    [
        ("he", "800x480"),
        ("en", "1280x800"),
        pytest.param("en", "800x480", marks=pytest.mark.deep),
        pytest.param("he", "1280x800", marks=pytest.mark.deep),
    ],
)

PICTURES = os.environ.get("TALLYBOX_PICTURES")
"""A folder for pictures of every screen, for whoever wants to look at them."""


# What can be touched: inside the open drawer where one is open, and as much of it as its scrolling list shows.
TOUCHABLE = """() => { const open = document.querySelector('.drawer[open]');
  return [...(open ?? document).querySelectorAll('button, summary, .choice, input:not([type=hidden]):not([type=radio])')]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  .map((one) => { const box = one.getBoundingClientRect(), list = one.closest('.card, .panelbox')?.getBoundingClientRect();
    const top = Math.max(box.top, list?.top ?? 0), bottom = Math.min(box.bottom, list?.bottom ?? innerHeight);
    return { text: one.textContent.trim().slice(0, 20), primary: one.classList.contains('primary'),
             whole: [box.height, box.width], x: box.x, y: top, w: box.width, h: bottom - top }; })
  .filter((box) => box.w > 0 && box.h > 8); }"""


class Yard:
    """An operator at a station that does every kind of work."""

    def __init__(self, page: Page, kiosk: RunningKiosk, locale: str, panel_size: str) -> None:
        self.operator, self.page, self.kiosk, self.panel_size = Operator(page, kiosk, locale), page, kiosk, panel_size
        dana = kiosk.station.masters.person("dana")
        assert dana is not None
        view = yard_masters(dana.pin_hash)
        kiosk.do(lambda: setattr(kiosk.station, "masters", view))

    def screen(self, name: str) -> None:
        """What every screen owes; and its picture, where somebody asks for it."""
        if PICTURES:
            self.page.screenshot(path=str(Path(PICTURES) / f"{name}-{self.operator.locale}-{self.panel_size}.png"))
        self._check()
        assert axe(self.page, self.kiosk) == []

    def _check(self) -> None:
        """Direction, nothing that flows over, targets that are large enough and apart, one primary action."""
        page, mm = self.page, PX_PER_MM[self.panel_size]
        assert page.evaluate("document.documentElement.dir") == ("rtl" if self.operator.locale == "he" else "ltr")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("[...document.querySelectorAll('main, .task')].every((one) => one.scrollWidth <= one.clientWidth)")
        assert page.locator(".primary").count() == 1
        boxes = page.evaluate(TOUCHABLE)
        assert boxes
        for box in boxes:
            least = 20 if box["primary"] else 15
            assert box["whole"][0] >= least * mm - 0.5, box
            assert box["whole"][1] >= least * mm - 0.5, box
        for one, other in itertools.combinations(boxes, 2):
            assert _apart(one, other) >= 3 * mm - 1, (one, other)

    def awaits(self, what: str) -> None:
        self.operator.awaits(what)

    def scan(self, text: str, awaits: str, **details: str) -> None:
        self.operator.scan(text, **details)
        self.awaits(awaits)

    def offer(self, kind: str, awaits: str) -> None:
        self.page.locator(f'.offer form:has(input[value="{kind}"]) button:visible').first.tap()
        self.awaits(awaits)

    def home(self) -> None:
        self.page.locator(".bar .home").tap()
        self.awaits("order")


@pytest.fixture
def yard(page: Page, kiosk: RunningKiosk, locale: str, panel_size: str) -> Yard:
    return Yard(page, kiosk, locale, panel_size)


@SCREENS
def test_goods_are_put_away_and_moved(yard: Yard, page: Page, kiosk: RunningKiosk) -> None:  # noqa: PLR0915 - screen by screen
    yard.operator.sign_in()
    yard.screen("home")
    yard.offer("put_away", "move_goods")
    yard.screen("put-away")
    yard.operator.scan(**oil_label())
    yard.awaits("move_much")
    yard.operator.weigh("12.340")
    yard.operator.weight_is("stable")
    yard.screen("move-much")
    yard.operator.primary()
    yard.awaits("move_target")
    yard.screen("move-target")
    page.locator(".suggested button").first.tap()
    yard.awaits("move_goods")
    expect(page.locator(".lines .row")).to_have_count(1)
    yard.home()
    expect(page.locator(".offer .badge").first).to_be_visible()
    yard.scan(SHELF, "move_goods")
    yard.screen("move-goods")
    label = oil_label()
    yard.scan("01" + label["gtin"], "move_which", gtin=label["gtin"])
    yard.screen("move-which")
    yard.operator.primary()
    yard.awaits("move_much")
    page.locator('form[action$="/all"] button').tap()
    yard.awaits("move_target")
    yard.scan("H-A-02", "move_source")
    yard.screen("move-source")
    yard.scan(SHELF, "move_goods")
    yard.scan("CR-7", "move_much")
    yard.screen("move-count")
    for digit in "99":
        yard.operator.key(digit)
    yard.operator.primary()
    yard.awaits("move_target")
    yard.scan("H-A-02", "move_why")
    yard.screen("move-why")
    page.locator("label.choice").first.tap()
    yard.operator.primary()
    yard.awaits("move_source")
    page.locator('form[action$="/finish"] button').tap()
    yard.awaits("order")
    assert kiosk.station.journal.step_names() == ["open", "moved", "open", "moved", "moved", "finish"]
    # Taking a picture injects a style of its own, which the page's policy refuses.
    assert PICTURES or yard.operator.said == []


@SCREENS
def test_a_place_is_counted(yard: Yard, page: Page, kiosk: RunningKiosk) -> None:
    yard.operator.sign_in()
    page.locator(".offer summary", has=page.locator(".badge")).first.tap()
    yard.screen("home-sheets")
    page.locator('form:has(input[value="CS-1"]) button').tap()
    yard.awaits("count_goods")
    yard.screen("count-empty")
    yard.scan("CR-7", "count_much")
    yard.screen("count-much")
    yard.operator.key("9")
    yard.operator.primary()
    yard.awaits("count_goods")
    label = oil_label()
    yard.scan("01" + label["gtin"], "count_lot", gtin=label["gtin"])
    yard.screen("count-lot")
    page.locator('form[action$="/no_lot"] button').tap()
    yard.awaits("count_much")
    yard.operator.weigh("4.9")
    yard.operator.weight_is("stable")
    yard.operator.primary()
    yard.awaits("count_goods")
    yard.screen("count-lines")
    yard.operator.primary()
    yard.awaits("order")
    assert kiosk.station.journal.step_names() == ["open", "counted", "counted", "finish"]


@SCREENS
def test_a_container_on_hold_goes_out_with_a_supervisors_pin(yard: Yard, page: Page, kiosk: RunningKiosk) -> None:
    yard.operator.sign_in()
    yard.offer("gate", "gate_container")
    yard.screen("gate-container")
    yard.scan(HELD, "gate_details")
    yard.operator.weigh("24310")
    expect(page.locator("#weight[data-state=stable]")).to_be_visible()
    yard.screen("gate-details")
    page.locator("#take").tap()
    expect(page.locator(".pairs")).to_contain_text("24310")
    yard.operator.scan("SL-77")
    expect(page.locator(".pairs")).to_contain_text("SL-77")
    yard.operator.primary()
    yard.awaits("gate_holds")
    yard.screen("gate-holds")
    for digit in "4711":
        yard.operator.key(digit)
    yard.operator.primary()
    yard.awaits("order")
    (entry,) = kiosk.station.journal.entries
    assert (entry.step, entry.by) == ("passed", "ruth")  # type: ignore[union-attr]


@pytest.mark.parametrize("locale", ["en"])
@pytest.mark.parametrize("panel_size", ["800x480"])
def test_an_open_receipt_waits_while_a_container_comes_in(yard: Yard, page: Page, kiosk: RunningKiosk) -> None:
    yard.operator.sign_in()
    yard.scan(ORDER, "document")
    yard.scan("DN-1", "item")
    yard.home()
    yard.scan(FREE, "gate_details")
    yard.operator.primary()
    yard.awaits("order")
    page.locator(".offer summary").last.tap()
    page.locator(".offer summary", has_text="Open work").tap()
    yard.screen("home-open")
    page.locator('form[action$="/resume"] button').first.tap()
    yard.awaits("item")
    page.reload()
    yard.awaits("item")
    assert kiosk.station.journal.step_names() == ["open", "passed"]
