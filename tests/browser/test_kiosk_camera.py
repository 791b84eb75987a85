"""The station's camera in a real browser: taken, seen, taken again, used; blurred ones say so."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from drivers.cameras.checks import Limits, look_at
from drivers.cameras.codes import codes_in
from drivers.cameras.pictures import opened
from edge.cameras.taken import Taken
from edge.kiosk.shots import Shots
from firmware_sim.camera_scene import Scene, Shown, picture
from tests.browser.conftest import RunningKiosk
from tests.browser.test_kiosk_receipt import Operator, axe, check_screen
from tests.unit.edge_jobs.station import ORDER

pytestmark = pytest.mark.browser
BOTH_PANELS = pytest.mark.parametrize(("locale", "panel_size"), [("he", "1280x800"), ("en", "800x480")])
SHOTS = os.environ.get("TALLYBOX_SHOTS")
"""A folder for pictures of every screen, for people who want to look at them."""


class Eye:
    """A camera before a carton: its first picture is blurred."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken = 0

    async def take(self, camera: str, about: Mapping[str, str], *, scan: bool = False) -> Taken:
        assert camera == "dock"
        assert scan or about["job"]
        self.taken += 1
        made = picture(Scene(1280, 960, (Shown("7290000000015", "]E0"),), 1.0, self.taken == 1, self.taken))
        sha256, image = hashlib.sha256(made).hexdigest(), opened(made)
        (self.folder / sha256).write_bytes(made)
        found = look_at(image, Limits()).findings
        return Taken(camera, sha256, "image/jpeg", len(made), 1280, 960, found, tuple(codes_in(image, sha256)))


@pytest.fixture
def eye(tmp_path: Path) -> Eye:
    return Eye(tmp_path)


@pytest.fixture
def shots(tmp_path: Path, eye: Eye) -> Shots:
    return Shots(eye, "dock", tmp_path, scans=True)


@pytest.fixture
def operator(page: Page, kiosk: RunningKiosk, locale: str) -> Operator:
    return Operator(page, kiosk, locale)


@BOTH_PANELS
def test_picture_is_seen_taken_again_and_used(
    operator: Operator, page: Page, kiosk: RunningKiosk, panel_size: str, eye: Eye
) -> None:
    def look(name: str) -> None:
        if SHOTS:
            page.screenshot(path=str(Path(SHOTS) / f"camera-{name}-{panel_size}-{operator.locale}.png"), caret="initial")
        check_screen(operator, panel_size)
        assert axe(page, kiosk) == [], name

    operator.sign_in()
    operator.scan(ORDER)
    operator.awaits("document")
    operator.scan("DN-2291/7")
    operator.awaits("item")
    page.locator("details:has(form[action$='/shoot']) > summary").tap()
    look("offer")
    page.locator("form[action$='/shoot'] button").tap()
    shown = page.locator(".picture img")
    expect(shown).to_be_visible()
    expect(shown).to_have_js_property("naturalWidth", 1280)
    expect(page.locator(".checks .check")).to_have_count(1)
    look("blurred")
    first = shown.get_attribute("src")
    page.locator("form[action$='/shoot'] button").tap()
    expect(shown).not_to_have_attribute("src", first or "")
    expect(shown).to_have_js_property("naturalWidth", 1280)
    expect(page.locator(".checks .check")).to_have_count(0)
    look("sharp")
    second = (shown.get_attribute("src") or "").rpartition("/")[2]
    operator.primary()
    expect(shown).to_have_count(0)
    operator.awaits("item")
    job = kiosk.station.desk.job
    assert job is not None
    assert [photo.sha256 for photo in job.photos] == [second]
    assert eye.taken == 2
    assert operator.said == []
