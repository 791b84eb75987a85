"""The kiosk's pages of the whole receipt: notices, pallets, learned codes, serials, tare, damage with pictures, supervisors."""

import hashlib
import re

import pytest

from sync_protocol.steps import receive_step
from tests.unit.edge_jobs.station import (
    BOLT,
    CONTAINER,
    DRILL_GTIN,
    LOOSE_PALLET,
    NOTICE,
    ORDER,
    PALLET,
    RICE_GTIN,
    UNKNOWN_GTIN,
    masters,
    oil_label,
)
from tests.unit.edge_kiosk.conftest import PIN, PIN_HASH, PROGRAM, Kept, Kiosk
from tests.unit.edge_kiosk.test_kiosk_words import _bare_values

PICTURE = b"\xff\xd8\xff\xe0" + b"0" * 64


async def act(kiosk: Kiosk, action: str, expect: int = 200, **fields: object) -> None:
    answer = await kiosk.act(action, **fields)
    assert answer.status_code == expect, answer.text


async def begin(kiosk: Kiosk, **fields: object) -> None:
    answer = await kiosk.client.post("/api/jobs", json=fields, headers=PROGRAM)
    assert answer.status_code == 200, answer.text


async def pages(kiosk: Kiosk) -> dict[str, str]:  # noqa: PLR0915 - two receipts, screen by screen
    """Every screen that the simple receipt does not have."""
    found: dict[str, str] = {}

    async def keep(name: str) -> None:
        found[name] = (await kiosk.client.get("/")).text

    await kiosk.sign_in()
    await keep("home")
    await begin(kiosk, blind=True)
    await keep("supplier")
    await act(kiosk, "drop")
    await kiosk.scan(NOTICE)
    await keep("document")
    await act(kiosk, "document", number="DN-2291/7", reason="announced")
    for what in ("container", "seal", "temperature", "arrived_at"):
        await act(kiosk, "arrival", what=what)
        await keep(f"arrival_{what}")
        await act(kiosk, "drop")
    await act(kiosk, "arrival", what="seal", value="SL-99", reason="from_paper")
    await kiosk.scan("MSKU 123456-5")
    await kiosk.scan("00" + PALLET, sscc=PALLET)
    await keep("pallet")
    await act(kiosk, "pallet", choice="take")
    await keep("item_with_pallet")
    await kiosk.scan(UNKNOWN_GTIN, gtin=UNKNOWN_GTIN)
    await keep("code")
    await act(kiosk, "code", product=BOLT, reason="new_label", pack="12")
    await keep("count_packs")
    await act(kiosk, "count", value="5", packs=True)
    await act(kiosk, "condition", condition="damaged", reason="wet")
    await keep("confirm_damaged")
    await act(kiosk, "confirm", reason="set_apart")
    await kiosk.scan("TWO")
    await keep("code_choices")
    await act(kiosk, "drop")
    await kiosk.scan("01" + DRILL_GTIN + "21SN-1", gtin=DRILL_GTIN, ai_21="SN-1")
    await kiosk.scan("SN-9")
    await keep("serial")
    await act(kiosk, "serials")
    await keep("confirm_serials")
    await act(kiosk, "confirm", reason="checked_again")
    await kiosk.scan("0" + RICE_GTIN, gtin=RICE_GTIN)
    await act(kiosk, "pieces", value="4")
    await act(kiosk, "tare")
    await keep("tare")
    await act(kiosk, "tare", packaging="EUR")
    kiosk.station.hub.weigh("46.500")
    await keep("weight_gross")
    await act(kiosk, "take")
    await keep("confirm_gross")
    await act(kiosk, "confirm", reason="checked_again")
    await act(kiosk, "remainder")
    await keep("remainder")
    await act(kiosk, "remainder", order_line="1", reason="supplier_cannot")
    await keep("remainder_shut")
    await act(kiosk, "approval", check="seal_differs")
    await keep("supervisor")
    return found


@pytest.mark.parametrize("locale", ["he", "en"])
async def test_every_screen_of_the_whole_receipt(kiosk: Kiosk, locale: str) -> None:
    await kiosk.client.post("/api/locale", json={"locale": locale}, headers=PROGRAM)
    await kiosk.deps.store.prefer("omar", locale, "")
    found = await pages(kiosk)
    assert len(found) == 21
    for name, html in found.items():
        assert html.count('class="primary"') == 1, name
        assert " style=" not in html, name
        assert not re.search(r"<script(?![^>]*(?: src=|application/json))", html), name
        assert _bare_values(html) == [], name


async def test_an_announced_delivery_is_received_as_it_was_announced(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await begin(kiosk, notice=NOTICE)
    await act(kiosk, "document", number="DN-2291/7", reason="announced")
    await kiosk.scan("00" + PALLET, sscc=PALLET)
    await act(kiosk, "pallet", choice="take")
    job = (await kiosk.state())["job"]
    assert isinstance(job, dict)
    assert [(line["sscc"], line["quantity"], line["state"]) for line in job["lines"]] == [
        (PALLET, "10", "confirmed"),
        (PALLET, "40", "confirmed"),
    ]
    assert [(row["line"], row["state"]) for row in job["order_lines"]] == [("1", "done"), ("2", "done"), ("3", "open")]
    steps = [receive_step(entry) for entry in kiosk.station.journal.entries]  # type: ignore[arg-type]
    assert [getattr(step, "notice_line", None) for step in steps if hasattr(step, "notice_line")] == ["1", "2"]
    assert [getattr(step, "order_line", None) for step in steps if hasattr(step, "notice_line")] == ["2", "3"]


async def test_an_unknown_code_is_known_to_the_next_receipt(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await begin(kiosk, order=ORDER)
    await act(kiosk, "document", reason="not_supplied")
    await kiosk.scan(UNKNOWN_GTIN, gtin=UNKNOWN_GTIN)
    await act(kiosk, "code", 422, product=BOLT, reason="whim")
    await act(kiosk, "code", product=BOLT, reason="new_label")
    await act(kiosk, "count", value="3")
    await act(kiosk, "confirm")
    await act(kiosk, "finish")
    again = kiosk.station.new_desk()
    await again.start()
    for desk in (kiosk.station.desk, again):
        found = desk.masters().product_of_code("gtin", UNKNOWN_GTIN)
        assert found is not None
        assert found.sku == BOLT
    # Staff have not said yes yet: the core does not know the code, and the box says so without asking for a reason again.
    await begin(kiosk, order=ORDER)
    await act(kiosk, "document", reason="not_supplied")
    await kiosk.scan(UNKNOWN_GTIN, gtin=UNKNOWN_GTIN)
    await act(kiosk, "count", value="3")
    job = (await kiosk.state())["job"]
    assert isinstance(job, dict)
    assert [check["code"] for check in job["lines"][0]["checks"]] == ["code_unknown"]
    await act(kiosk, "confirm")


async def test_a_supervisor_decides_with_a_pin_and_is_not_who_counted(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await begin(kiosk, order=ORDER)
    await act(kiosk, "document", reason="not_supplied")
    await kiosk.scan(**oil_label())
    kiosk.station.hub.weigh("30.000")
    await act(kiosk, "take")
    await act(kiosk, "confirm", 409)
    await act(kiosk, "approval", check="over_tolerance", line=1)
    word = {"login": "ruth", "decision": "accept", "reason": "supplier_agreed"}
    await act(kiosk, "approve", 403, **word, pin="0000")
    await act(kiosk, "approve", 403, **(word | {"login": "omar"}), pin=PIN)
    await act(kiosk, "approve", **word, pin=PIN)
    await act(kiosk, "confirm")
    entry = kiosk.station.journal.entries[-2]
    assert (entry.step, entry.by, entry.data["method"]) == ("approve", "ruth", "pin")  # type: ignore[union-attr]
    assert "kept_because" not in kiosk.station.journal.entries[-1].data  # type: ignore[union-attr]


async def test_a_supervisor_is_known_by_the_badge_and_proved_by_the_pin(kiosk: Kiosk) -> None:
    salt, badge = "00ff" * 8, "B-0042"
    hashed = hashlib.scrypt(badge.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()
    kiosk.station.masters = masters(PIN_HASH, **{"receiving-1": {"badge_salt": salt}, "ruth": {"badge_hash": hashed}})
    await kiosk.sign_in()
    await begin(kiosk, order=ORDER)
    await act(kiosk, "document", reason="not_supplied")
    await kiosk.scan(**oil_label())
    kiosk.station.hub.weigh("30.000")
    await act(kiosk, "take")
    await act(kiosk, "approval", check="over_tolerance", line=1)
    await kiosk.scan("B-0041")
    last = kiosk.station.desk.news.last
    assert last is not None
    assert last.code == "refused.unknown_badge"
    await kiosk.scan(badge)
    await act(kiosk, "approve", login="ruth", decision="accept", reason="set_apart", pin=PIN)
    data = kiosk.station.journal.entries[-1].data  # type: ignore[union-attr]
    assert (data["method"], data["badge"]) == ("badge_and_pin", kiosk.station.journal.entries[-1].readings[0])  # type: ignore[union-attr]


async def test_who_counted_cannot_decide_about_it(kiosk: Kiosk) -> None:
    await kiosk.sign_in("ruth")
    await begin(kiosk, order=ORDER)
    await act(kiosk, "document", reason="not_supplied")
    await kiosk.scan(**oil_label())
    kiosk.station.hub.weigh("30.000")
    await act(kiosk, "take")
    await act(kiosk, "approval", check="over_tolerance", line=1)
    await act(kiosk, "approve", 403, login="ruth", decision="accept", reason="supplier_agreed", pin=PIN)
    assert (await kiosk.state())["awaits"] == "supervisor"


async def test_a_picture_of_damage_is_kept_and_named_by_its_step(kiosk: Kiosk) -> None:
    kept = kiosk.deps.photos
    assert isinstance(kept, Kept)
    await kiosk.sign_in()
    await begin(kiosk, order=ORDER)
    await act(kiosk, "document", reason="not_supplied")
    await kiosk.scan(**oil_label())
    kiosk.station.hub.weigh("12.000")
    await act(kiosk, "take")
    await act(kiosk, "condition", condition="damaged", reason="crushed")
    job = kiosk.station.desk.job
    assert job is not None
    send = {"data": {"subject": "damage"}, "headers": PROGRAM}
    for name, body, code in (("a.txt", b"no picture", "not_a_photo"), ("b.jpeg", b"", "no_photo")):
        answer = await kiosk.client.post(f"/api/jobs/{job.id}/photo", files={"picture": (name, body)}, **send)  # type: ignore[arg-type]
        assert answer.json()["code"] == code
    answer = await kiosk.client.post(f"/api/jobs/{job.id}/photo", files={"picture": ("c.jpeg", PICTURE)}, **send)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert kept.pictures == [(PICTURE, "image/jpeg", {"job": job.id})]
    await act(kiosk, "confirm")
    steps = kiosk.station.journal.step_names()
    assert steps[-3:] == ["condition", "photo", "confirm"]


async def test_only_the_address_of_pictures_takes_a_large_body(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    large = {"picture": ("a.jpeg", b"\xff\xd8\xff" + b"0" * 40_000)}
    assert (await kiosk.client.post("/api/jobs/none/item", files=large, headers=PROGRAM)).status_code == 413
    assert (await kiosk.client.post("/api/jobs/none/photo", files=large, headers=PROGRAM)).status_code == 409


async def test_what_did_not_come_is_given_up_or_awaited(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await begin(kiosk, order=ORDER)
    await act(kiosk, "document", reason="not_supplied")
    await kiosk.scan(**oil_label())
    kiosk.station.hub.weigh("24.000")
    await act(kiosk, "take")
    await act(kiosk, "confirm")
    await act(kiosk, "remainder")
    await act(kiosk, "remainder", order_line="3", reason="not_needed")
    await act(kiosk, "remainder", 404, order_line="1", reason="not_needed")
    await act(kiosk, "finish")
    finish = kiosk.station.journal.entries[-1].data  # type: ignore[union-attr]
    assert finish["remainders"] == [
        {"order_line": "2", "policy": "back_order"},
        {"order_line": "3", "policy": "close_short", "reason": "not_needed"},
        {"order_line": "4", "policy": "back_order"},
    ]


async def test_goods_that_nobody_ordered(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await begin(kiosk, blind=True)
    await act(kiosk, "supplier", 422)
    await act(kiosk, "supplier", supplier="S-2")
    await act(kiosk, "document", number="DN-77")
    await kiosk.scan("00" + LOOSE_PALLET, sscc=LOOSE_PALLET)
    await kiosk.scan("CR-7")
    await act(kiosk, "count", value="4")
    await act(kiosk, "confirm")
    await kiosk.scan("BOX-12")
    await act(kiosk, "count", value="2", packs=True)
    await act(kiosk, "confirm")
    job = (await kiosk.state())["job"]
    assert isinstance(job, dict)
    assert [(line["sscc"], line["quantity"]) for line in job["lines"]] == [(LOOSE_PALLET, "4"), (LOOSE_PALLET, "24")]
    assert [check["code"] for check in job["checks"]] == ["order_missing"]
    assert (job["supplier"], job["order"]) == ("S-2", None)


async def test_the_container_of_the_delivery_is_scanned_or_typed(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await begin(kiosk, notice=NOTICE)
    await act(kiosk, "document", number="DN-2291/7")
    await act(kiosk, "arrival", what="container", value="MSKU 123456-6", reason="from_paper")
    job = (await kiosk.state())["job"]
    assert isinstance(job, dict)
    assert {check["code"] for check in job["checks"]} == {"container_check_digit", "container_differs", "seal_differs"}
    await kiosk.scan("msku1234565")
    await act(kiosk, "arrival", what="seal", value="sl-88", reason="announced")
    job = (await kiosk.state())["job"]
    assert isinstance(job, dict)
    assert (job["checks"], job["arrival"]) == ([], {"container": CONTAINER, "seal": "sl-88"})
