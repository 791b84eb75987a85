"""The health page and the red screen in a real browser: both languages, both panels, sizes, contrast, and back to work."""

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from edge.devices.live import LinkState
from edge.disk.guard import DiskFacts
from edge.disk.levels import MIB, Level, Usage
from edge.health.facts import BoxHealth, JournalFigures, UplinkFigures
from sync_protocol.entries import Clk
from tests.browser.conftest import RunningKiosk
from tests.browser.test_kiosk_receipt import BOTH, PANELS, VISUAL, Operator, axe, check_screen

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("TALLYBOX_SHOTS")
"""A folder for pictures of the screens, for whoever wants to look at them."""

WELL = BoxHealth(
    uplink=UplinkFigures("https", up=True, answered_ago_s=4, batch_ms_p50=12, batch_ms_p99=80),
    journal=JournalFigures(1203, 190, 7, commit_us_p50=900, commit_us_p99=4100, bytes=40 * MIB),
    disk=DiskFacts(Level.OK, Usage(16_000 * MIB, 12_000 * MIB), 0, True, 0),
    clk=Clk(s="ntp", err_ms=12),
    rss_bytes=64 * MIB,
    uptime_s=260_000,
    certificate_until=date(2027, 2, 1),
)
ILL = BoxHealth(
    uplink=UplinkFigures("mqtt", up=True, alarm="revoked", answered_ago_s=7300, batch_ms_p50=900, batch_ms_p99=12_000),
    journal=JournalFigures(612_345, 1_300_000, 31, commit_us_p50=20_000, commit_us_p99=1_900_000, bytes=700 * MIB),
    disk=DiskFacts(Level.SHED, Usage(16_000 * MIB, 1_700 * MIB), 0, True, 20_000),
    clk=Clk(s="none"),
    blobs_waiting=4,
    rss_bytes=118 * MIB,
    uptime_s=75,
    certificate_until=date(2026, 11, 20),
)
FULL = replace(ILL, disk=DiskFacts(Level.FULL, Usage(16_000 * MIB, 200 * MIB), 0, False, 0))


@pytest.fixture
def operator(page: Page, kiosk: RunningKiosk, locale: str) -> Operator:
    return Operator(page, kiosk, locale)


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


@BOTH
@PANELS
def test_the_health_page(operator: Operator, page: Page, kiosk: RunningKiosk, panel_size: str) -> None:
    kiosk.health[0] = WELL
    operator.sign_in()
    page.locator('#facts a[href="/health"]').tap()
    expect(page.locator(".figure")).to_have_count(11)
    check_screen(operator, panel_size)
    assert axe(page, kiosk) == []
    shoot(page, f"health-well-{operator.locale}-{panel_size}")
    assert page.evaluate(VISUAL, ".figure:nth-child(3) bdi").replace("\u00a0", " ") == "± 12 ms"
    kiosk.health[0] = ILL
    kiosk.do(lambda: kiosk.station.hub.link(LinkState.LOST))
    # The page asks by itself.
    expect(page.locator(".figure.bad")).to_have_count(4, timeout=20_000)
    check_screen(operator, panel_size)
    assert axe(page, kiosk) == []
    shoot(page, f"health-ill-{operator.locale}-{panel_size}")
    page.locator(".primary").tap()
    operator.awaits("order")
    assert operator.said == []


@BOTH
@PANELS
def test_a_full_box_is_red_until_there_is_room(operator: Operator, page: Page, kiosk: RunningKiosk, panel_size: str) -> None:
    kiosk.health[0] = WELL
    operator.to_the_weight()
    kiosk.health[0] = FULL
    kiosk.do(kiosk.station.desk.news.changed)
    operator.awaits("full")
    expect(page.locator("#take")).to_have_count(0)
    check_screen(operator, panel_size)
    assert axe(page, kiosk) == []
    shoot(page, f"full-{operator.locale}-{panel_size}")
    kiosk.health[0] = WELL
    kiosk.do(kiosk.station.desk.news.changed)
    operator.awaits("weight")
    assert operator.said == []
