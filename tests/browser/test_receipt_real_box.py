"""A whole receipt in the browser against a real box and cloud, in both languages; the scale unplugged; the box killed."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from firmware_sim.demo import Load, label_of
from tests.integration.operating import ORDER
from tests.integration.running import Running, ready, running_thread

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PEOPLE = {"he": "dana", "en": "omar"}
UNITS = {"he": "ק״ג", "en": "kg"}
PATIENCE_MS = 45_000
SCREENSHOTS = Path(__file__).resolve().parents[2] / "test-results"

# The characters of an element of one line as the eye meets them from left to right.
SEEN = """(element) => { const found = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    [...node.data].forEach((char, at) => { const range = document.createRange(); range.setStart(node, at);
      range.setEnd(node, at + 1); const box = range.getBoundingClientRect();
      if (box.width) found.push([box.x, char]); });
  return found.sort((a, b) => a[0] - b[0]).map((one) => one[1]).join(''); }"""


class Thread:
    """The running processes, asked from the browser's synchronous side."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._loop = asyncio.new_event_loop()
        self._runner = threading.Thread(target=self._loop.run_forever, name="processes")
        self._runner.start()
        self._context = running_thread(directory)
        self.now: Running = self.do(self._context.__aenter__())

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def scan(self, text: str, symbology_id: str) -> None:
        self.do(self.now.hands.scan(text, symbology_id))

    def act(self, **action: object) -> None:
        self.do(self.now.hands.act(**action))

    def put(self, grams: str) -> None:
        self.do(self.now.operator.put(grams))

    def close(self) -> None:
        try:
            self.do(self._context.__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._runner.join(30)
            self._loop.close()


@pytest.fixture(scope="module")
def thread(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Thread]:
    """One site, cloud and box for the module; asks for the browser first, so that nothing is started where there is none."""
    assert chromium.is_connected()
    running = Thread(tmp_path_factory.mktemp("thread"))
    try:
        yield running
    finally:
        running.close()


class Panel:
    """The touchscreen and who stands before it."""

    def __init__(self, page: Page, thread: Thread, locale: str) -> None:
        self.page, self.thread, self.locale = page, thread, locale
        page.set_default_timeout(PATIENCE_MS)

    def sign_in(self) -> None:
        who = PEOPLE[self.locale]
        self.page.goto(f"{self.thread.now.parts.box.facts['kiosk']}/signin")
        self.page.locator(f"label.choice:has(input[value={who}])").tap()
        for digit in self.thread.now.data.pins[who]:
            self.page.locator(f'[data-key="{digit}"]').tap()
        self.page.locator(".primary").tap()
        self.awaits("order")

    def awaits(self, what: str) -> None:
        expect(self.page.locator(f".task[data-awaits={what}]")).to_be_visible(timeout=PATIENCE_MS)

    def press(self) -> None:
        self.page.locator(".primary").tap()

    def weight_is(self, state: str) -> None:
        expect(self.page.locator(f"#weight[data-state={state}]")).to_be_visible(timeout=PATIENCE_MS)

    def to_the_weight(self, document: str, load: Load) -> None:
        self.thread.scan(ORDER, "]C0")
        self.awaits("document")
        self.thread.scan(document, "]C0")
        self.awaits("item")
        self.thread.scan(label_of(load), "]C1")
        self.awaits("weight")

    def weigh(self, load: Load) -> None:
        self.thread.put(load.grams)
        expect(self.page.locator("#live-number")).to_have_text(f"{int(load.grams) / 1000:.3f}", timeout=PATIENCE_MS)
        self.weight_is("stable")

    def finish_from_weight(self) -> None:
        """The load is on the scale still."""
        self.weight_is("stable")
        expect(self.page.locator("#take")).to_be_enabled()
        for awaited in ("confirm", "item", "remainder", "order"):
            self.press()
            self.awaits(awaited)

    def shoot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{self.locale}.png")


@pytest.fixture(params=["he", "en"])
def panel(request: pytest.FixtureRequest, page: Page, thread: Thread) -> Iterator[Panel]:
    yield Panel(page, thread, str(request.param))
    # What a failed test left open would be the next one's failure.
    thread.do(thread.now.operator.give_up())


def seen(page: Page, selector: str) -> str:
    return str(page.locator(selector).first.evaluate(SEEN)).replace("\u00a0", " ").strip()


def amount(text: str, locale: str) -> str:
    """How an amount in kilograms is met from left to right: a Hebrew unit follows the number, on its left, from the right."""
    return f"{UNITS['he'][::-1]} {text}" if locale == "he" else f"{text} {UNITS['en']}"


def squeezed(text: str) -> str:
    return text.replace(" ", "")


def test_receipt_goes_from_the_touchscreen_to_a_posted_record_with_its_proofs(panel: Panel, chromium: Browser) -> None:
    page, locale = panel.page, panel.locale
    document = f"DN-118/{locale.upper()}"
    load = Load("CHK-CUB", "07290001234563", f"CB-26/{locale.upper()}", "12340")
    panel.sign_in()
    assert (
        page.evaluate("[document.documentElement.lang, document.documentElement.dir]")
        == {
            "he": ["he", "rtl"],
            "en": ["en", "ltr"],
        }[locale]
    )
    panel.to_the_weight(document, load)
    panel.weigh(load)
    assert squeezed(seen(page, "#weight .value")) == squeezed(amount("12.340", locale))
    # The panel is drawn anew while the weight comes to rest; what stands in it is looked at when it stands still.
    expect(page.locator(".about").first).to_contain_text(load.lot, timeout=PATIENCE_MS)
    assert load.lot in seen(page, ".about")
    assert document in seen(page, ".head .note dd")
    panel.shoot("kiosk-weight")
    panel.press()
    panel.awaits("confirm")
    assert squeezed(seen(page, ".weight.taken .value")) == squeezed(amount("12.340", locale))
    panel.shoot("kiosk-confirm")
    panel.press()
    panel.awaits("item")
    assert squeezed(seen(page, ".lines .much > :first-child")) == squeezed(amount("12.340", locale))
    panel.shoot("kiosk-lines")
    panel.press()
    panel.awaits("remainder")
    panel.press()
    panel.awaits("order")
    receipt = panel.thread.do(panel.thread.now.decided(document))
    assert receipt["state"] == "posted"
    the_record_is_read(chromium, panel, receipt["ref"], load)


def the_record_is_read(chromium: Browser, panel: Panel, ref: str, load: Load) -> None:
    """A supervisor finds the receipt in the list and follows its weight back to the bytes."""
    now, locale = panel.thread.now, panel.locale
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale=locale)
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{now.parts.cloud.facts['staff']}/receipts")
        page.fill("#login", "noa")
        page.fill("#password", now.data.passwords["noa"])
        page.keyboard.press("Enter")
        page.wait_for_selector(".top")
        if page.get_attribute("html", "lang") != locale:
            page.click(f"button[name=locale][value={locale}]")
            page.wait_for_selector(f"html[lang={locale}] .top")
        page.goto(f"{now.parts.cloud.facts['staff']}/receipts?state=posted")
        page.click(f"#row-{ref}")
        expect(page.locator(".title .pill.good")).to_be_visible()
        expect(page.locator(".verdict .icon, .verdict svg").first).to_be_visible()
        assert page.locator(".verdict.fails").count() == 0
        assert seen(page, "h1") == ref
        assert seen(page, ".lines .qty .value") == amount("12.340", locale)
        page.click("#proof-1 > summary")
        proofs = page.locator("#proof-1 .proof")
        expect(proofs).to_have_count(4)
        assert page.locator("#proof-1 .pill.good").count() == 4
        expect(page.locator("#proof-1 .bytes", has_text="12.340")).to_be_visible()
        lots = [text for text in page.locator("main bdi[dir=ltr]").all_inner_texts() if text == load.lot]
        assert lots
        page.screenshot(path=SCREENSHOTS / f"staff-receipt-{locale}.png", full_page=True)
    finally:
        context.close()


def test_unplugged_scale_is_grey_and_says_why_until_it_is_plugged_in_again(panel: Panel) -> None:
    page = panel.page
    load = Load("SLM-FIL", "07290001234570", f"SF/{panel.locale}", "8455")
    panel.sign_in()
    panel.to_the_weight(f"DN-UNPLUG-{panel.locale}", load)
    panel.weigh(load)
    expect(page.locator("#take")).to_be_enabled()
    panel.thread.act(device="scale-1", action="unplug")
    try:
        expect(page.locator("#weight")).not_to_have_attribute("data-state", "stable", timeout=PATIENCE_MS)
        expect(page.locator("#take")).to_be_disabled()
        expect(page.locator("#take-why")).not_to_be_empty()
        # A frozen number would be worse than none.
        expect(page.locator("#live-number")).to_have_text("– – –")
        expect(page.locator("#facts .fact.bad")).to_have_count(1, timeout=PATIENCE_MS)
        panel.shoot("kiosk-unplugged")
    finally:
        panel.thread.act(device="scale-1", action="replug")
    panel.weight_is("stable")
    expect(page.locator("#live-number")).to_have_text("8.455")
    expect(page.locator("#take")).to_be_enabled()
    expect(page.locator("#take-why")).to_be_empty()
    expect(page.locator("#facts .fact.bad")).to_have_count(0, timeout=PATIENCE_MS)
    panel.finish_from_weight()


@pytest.mark.parametrize("panel", ["he"], indirect=True)
def test_page_of_a_killed_box_says_so_and_goes_on_by_itself_at_the_same_step(panel: Panel) -> None:
    page, now = panel.page, panel.thread.now
    load = Load("CHK-CUB", "07290001234563", "CB-KILLED", "5000")
    panel.sign_in()
    panel.to_the_weight("DN-KILLED", load)
    panel.weigh(load)
    panel.thread.do(now.kill_box())
    expect(page.locator("#fact-box.bad")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#take")).to_be_disabled()
    panel.thread.do(now.restart_box())
    expect(page.locator("#fact-box.ok")).to_be_visible(timeout=PATIENCE_MS)
    panel.awaits("weight")
    panel.weight_is("stable")
    panel.thread.do(now.operator.until("the devices", ready))
    panel.finish_from_weight()
    assert panel.thread.do(now.decided("DN-KILLED"))["state"] == "posted"
