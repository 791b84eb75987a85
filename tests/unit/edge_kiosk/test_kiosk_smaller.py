"""The smaller jobs at the kiosk: what the home page offers, every screen in both languages, and the same by program."""

import re

import pytest

from tests.unit.edge_jobs.station import ORDER, oil_label
from tests.unit.edge_jobs.yard import DOCK, FREE, HELD, SHELF, SSCC, yard_masters
from tests.unit.edge_kiosk.conftest import PIN, PIN_HASH, PROGRAM, Kiosk
from tests.unit.edge_kiosk.test_kiosk_words import _bare_values


@pytest.fixture
async def site(kiosk: Kiosk) -> Kiosk:
    kiosk.station.masters = yard_masters(PIN_HASH)
    await kiosk.sign_in()
    return kiosk


async def begin(site: Kiosk, **fields: object) -> dict[str, object]:
    answer = await site.client.post("/api/jobs", json=fields, headers=PROGRAM)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def act(site: Kiosk, action: str, expect: int = 200, **fields: object) -> dict[str, object]:
    held = site.station.desk.in_hand
    answer = await site.client.post(f"/api/jobs/{held.job.id if held else 'none'}/{action}", json=fields, headers=PROGRAM)
    assert answer.status_code == expect, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_home_says_what_is_done_here_and_what_waits(site: Kiosk) -> None:
    home = (await site.state())["home"]
    assert isinstance(home, dict)
    assert home["flows"] == ["receive", "put_away", "move", "count", "gate"]
    assert (home["waiting"], home["expected"], home["notices"]) == (2, 1, 2)
    assert [sheet["ref"] for sheet in home["sheets"]] == ["CS-1", "CS-2"]
    assert home["reviews"] == [{"job": "old", "kind": "move", "ref": "TR-9", "reason": "not_enough", "detail": "OIL-5L"}]


async def test_a_station_that_only_receives_offers_nothing_else(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    page = (await kiosk.client.get("/")).text
    assert 'class="offer"' not in page
    assert "/api/aside" not in page
    answer = await kiosk.client.post("/api/jobs", json={"kind": "gate"}, headers=PROGRAM)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_here")


async def test_a_put_away_by_program(site: Kiosk) -> None:
    state = await begin(site, kind="put_away", cmd="b1")
    assert state["awaits"] == "move_goods"
    job = state["job"]
    assert isinstance(job, dict)
    assert [row["product"] for row in job["rows"]] == ["OIL-5L", "BOLT-M8"]
    await act(site, "row", key=job["rows"][1]["key"])
    after = await act(site, "all")
    assert after["job"]["places"] == ["H-A-02", "H-COLD"]  # type: ignore[index]
    # The same act once more is answered and not done twice.
    await act(site, "suggested", value="H-A-02", cmd="s1")
    again = await act(site, "suggested", value="H-A-02", cmd="s1")
    assert [line["target"] for line in again["job"]["done"]] == ["H-A-02"]  # type: ignore[index]
    refused = await act(site, "goods", 404, value="nothing", reason="unreadable")
    assert refused["code"] == "unknown_product"
    assert (await act(site, "dance", 404))["code"] == "no_such_action"
    await act(site, "finish")
    assert (await site.state())["job"] is None


async def test_an_open_receipt_is_laid_aside_and_taken_up(site: Kiosk) -> None:
    await site.scan(ORDER)
    await site.scan("DN-1")
    receipt = site.station.desk.job
    assert receipt is not None
    state = await begin(site, kind="move")
    assert state["job"]["kind"] == "move"  # type: ignore[index]
    answer = await site.client.post("/api/aside", headers=PROGRAM, json={})
    assert [job["kind"] for job in answer.json()["home"]["jobs"]] == ["receive", "move"]
    page = (await site.client.get("/")).text
    assert f"/api/jobs/{receipt.id}/resume" in page
    taken_up = await site.client.post(f"/api/jobs/{receipt.id}/resume", headers=PROGRAM, json={})
    assert taken_up.json()["job"]["id"] == receipt.id
    gone = await site.client.post("/api/jobs/none/resume", headers=PROGRAM, json={})
    assert (gone.status_code, gone.json()["code"]) == (409, "other_job")


async def test_a_hold_is_released_by_a_supervisors_pin_alone(site: Kiosk) -> None:
    await site.scan(HELD)
    await act(site, "pass")
    assert (await act(site, "release", 403, login="ruth", pin="0000"))["code"] == "wrong_pin"
    assert (await act(site, "release", 403, login="omar", pin=PIN))["code"] == "not_a_supervisor"
    assert site.station.journal.step_names() == []
    await act(site, "release", login="ruth", pin=PIN)
    assert site.station.journal.step_names() == ["passed"]


async def pages(site: Kiosk) -> dict[str, str]:  # noqa: PLR0915 - every kind of work, screen by screen
    """Every screen of the smaller jobs."""
    found: dict[str, str] = {}

    async def keep(name: str) -> None:
        found[name] = (await site.client.get("/")).text

    async def aside() -> None:
        await site.client.post("/api/aside", headers=PROGRAM, json={})

    await keep("home")
    await begin(site, kind="put_away")
    await keep("put_away_goods")
    await site.scan(**oil_label())
    await keep("move_much_weighed")
    await act(site, "all")
    await keep("move_target_suggested")
    await site.scan(SHELF)
    await keep("put_away_done")
    await aside()
    await keep("home_with_open_job")
    await begin(site, kind="move")
    await keep("move_source")
    await site.scan(SHELF)
    await keep("move_goods")
    await site.scan("01" + oil_label()["gtin"], gtin=oil_label()["gtin"])
    await keep("move_which")
    await act(site, "back")
    await site.scan("CR-7")
    await keep("move_much_counted")
    await site.scan("TB-QTY:99")
    await site.scan("H-A-02")
    await keep("move_why")
    await act(site, "why", reason="seen_here")
    await site.scan("00" + SSCC, sscc=SSCC)
    await keep("move_target_pallet")
    await aside()
    await begin(site, kind="count")
    await keep("count_place")
    await site.scan(DOCK)
    await keep("count_goods_empty")
    await site.scan("01" + oil_label()["gtin"], gtin=oil_label()["gtin"])
    await keep("count_lot")
    await act(site, "lot", value="L-5", reason="unreadable")
    await keep("count_much")
    site.station.hub.weigh("3.25")
    await act(site, "take")
    await keep("count_goods")
    await aside()
    await begin(site, kind="gate")
    await keep("gate_container")
    await site.scan(HELD)
    await keep("gate_details_held")
    await act(site, "seal", value="SL-77")
    await act(site, "details", vehicle="12-345-67", driver="D. Levi", laden=True, damaged=True)
    await act(site, "much", value="24310", unit="kg", reason="weighbridge_ticket")
    await keep("gate_details_filled")
    await act(site, "pass")
    await keep("gate_holds")
    return found


@pytest.mark.parametrize("locale", ["he", "en"])
async def test_every_screen_of_the_smaller_jobs(site: Kiosk, locale: str) -> None:
    await site.client.post("/api/locale", json={"locale": locale}, headers=PROGRAM)
    found = await pages(site)
    assert len(found) == 21
    for name, html in found.items():
        assert f'<html lang="{locale}" dir="{"rtl" if locale == "he" else "ltr"}">' in html, name
        assert html.count('class="primary"') == 1, name
        assert " style=" not in html, name
        assert not re.search(r"<script(?![^>]*(?: src=|application/json))", html), name
        assert _bare_values(html) == [], name


async def test_a_free_container_comes_in_without_a_question(site: Kiosk) -> None:
    state = await begin(site, kind="gate", direction="in")
    assert state["awaits"] == "gate_container"
    await act(site, "place", value=FREE.lower(), reason="no_barcode")
    state = await act(site, "pass")
    assert state["job"] is None
    assert site.station.journal.step_names() == ["passed"]
