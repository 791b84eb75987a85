"""The kiosk over HTTP: who may what, refusals with their status, a receipt by JSON and by form."""

import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from drivers.api import Flag
from edge.kiosk.app import COOKIE, create_kiosk
from edge.kiosk.sessions import FREE_TRIES, LONGEST_SESSION_NS
from edge.kiosk.store import KioskStore
from tests.unit.edge_jobs.station import BOLT_GTIN, ORDER, SECOND, masters, oil_label
from tests.unit.edge_kiosk.conftest import PIN_HASH, PROGRAM, Kiosk, client_of

GUARDED = [
    ("GET", "/panel"),
    ("GET", "/facts"),
    ("GET", "/outcome"),
    ("GET", "/events"),
    ("GET", "/api/state"),
    ("GET", "/pictures/{sha256}"),
    ("POST", "/api/jobs"),
    ("POST", "/api/camera-scan"),
    ("POST", "/api/aside"),
    ("POST", "/api/jobs/x/take"),
    ("POST", "/api/signout"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_nothing_without_a_session(kiosk: Kiosk, method: str, path: str) -> None:
    content = b"{}" if method == "POST" else None
    for cookie in (None, "0" * 64):
        headers = {**PROGRAM, "content-type": "application/json"} | ({"cookie": f"{COOKIE}={cookie}"} if cookie else {})
        answer = await kiosk.client.request(method, path, content=content, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "signed_out"
    page = await kiosk.client.request(method, path, content=content, headers={"hx-request": "true"})
    assert page.headers["hx-redirect"] == "/signin"


async def test_every_route_is_guarded_or_named_as_public(kiosk: Kiosk) -> None:
    public = {"/", "/health", "/health.json", "/signin", "/api/signin", "/api/locale", "/static/{digest}/{name}"}
    paths = {route.path for route in kiosk.app.routes if hasattr(route, "path")}
    assert paths - public == {path.replace("/x/take", "/{job}/{action}") for _, path in GUARDED}


async def test_the_start_page_sends_strangers_to_sign_in(kiosk: Kiosk) -> None:
    answer = await kiosk.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "", "127.0.0.2"])
async def test_foreign_host_names_are_refused(kiosk: Kiosk, host: str) -> None:
    assert (await kiosk.client.get("/health", headers={"host": host})).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "[::1]"])
async def test_own_host_names_are_served(kiosk: Kiosk, host: str) -> None:
    assert (await kiosk.client.get("/health", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
    ],
)
async def test_cross_site_posts_are_refused(kiosk: Kiosk, headers: dict[str, str]) -> None:
    await kiosk.sign_in()
    answer = await kiosk.client.post("/api/jobs", json={"order": ORDER}, headers=PROGRAM | headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    assert kiosk.station.desk.job is None


async def test_a_form_needs_the_token_of_its_session(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    page = await kiosk.client.get("/")
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert token is not None
    for csrf, expected in (("", 303), ("0" * 64, 303), (token[1], 303)):
        answer = await kiosk.client.post("/api/jobs", data={"order": ORDER, "csrf": csrf})
        assert answer.status_code == expected
        assert (kiosk.station.desk.job is not None) == (csrf == token[1])
    refused = await kiosk.client.post("/api/jobs", json={"order": ORDER}, headers={"accept": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")


async def test_large_bodies_are_refused(kiosk: Kiosk) -> None:
    answer = await kiosk.client.post("/api/signin", content=b"x" * 20_000, headers=PROGRAM)
    assert answer.status_code == 413


async def test_every_answer_carries_the_security_headers(kiosk: Kiosk) -> None:
    for path in ("/signin", "/health", "/api/state", "/nowhere"):
        headers = (await kiosk.client.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    cookie = (await kiosk.sign_in()).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


async def test_only_named_files_are_served_under_their_hash(kiosk: Kiosk) -> None:
    page = (await kiosk.client.get("/signin")).text
    paths = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(paths) >= 5
    for path in paths:
        answer = await kiosk.client.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    digest = paths[0].split("/")[2]
    for path in ("/static/0000/kiosk.css", f"/static/{digest}/../app.py", f"/static/{digest}/app.py"):
        assert (await kiosk.client.get(path)).status_code == 404


async def test_wrong_pins_wait_longer_and_longer_and_a_restart_does_not_help(kiosk: Kiosk, store: KioskStore) -> None:
    for number in range(FREE_TRIES):
        answer = await kiosk.sign_in(pin="0000")
        assert answer.status_code == (401 if number < FREE_TRIES - 1 else 429)
    assert answer.headers["retry-after"] == "30"
    assert (await kiosk.sign_in()).status_code == 429
    assert (await kiosk.sign_in("dana")).status_code == 200
    app = create_kiosk(kiosk.deps)
    async with app.router.lifespan_context(app), client_of(app) as restarted:
        early = await restarted.post("/api/signin", json={"login": "omar", "pin": "4711"}, headers=PROGRAM)
        assert early.status_code == 429
    kiosk.station.clock.turn(30)
    assert (await kiosk.sign_in(pin="0000")).headers["retry-after"] == "60"
    kiosk.station.clock.turn(60)
    assert (await kiosk.sign_in()).status_code == 200
    assert (await store.failures())["omar"] == 0


@pytest.mark.parametrize("body", [{}, {"login": "nobody", "pin": "4711"}, {"login": "omar"}, {"login": "omar", "pin": ""}])
async def test_incomplete_sign_ins_are_refused(kiosk: Kiosk, body: dict[str, str]) -> None:
    assert (await kiosk.client.post("/api/signin", json=body, headers=PROGRAM)).status_code == 401


async def test_a_person_without_a_usable_hash_cannot_sign_in(kiosk: Kiosk) -> None:
    kiosk.station.masters = masters("plain-4711")
    assert (await kiosk.sign_in()).status_code == 401


async def test_a_restart_keeps_the_sign_in_and_the_operator(kiosk: Kiosk, tmp_path: Path) -> None:
    await kiosk.sign_in()
    token = kiosk.client.cookies[COOKIE]
    assert token not in (tmp_path / "kiosk.db").read_bytes().decode("latin-1")
    desk = kiosk.station.new_desk()
    await desk.start()
    app = create_kiosk(replace(kiosk.deps, desk=desk))
    async with app.router.lifespan_context(app), client_of(app) as client:
        client.cookies[COOKIE] = token
        assert (await client.get("/api/state", headers=PROGRAM)).json()["operator"]["login"] == "omar"
        assert desk.operator == "omar"


async def test_an_idle_station_locks_and_keeps_the_task(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await kiosk.scan(ORDER)
    kiosk.station.clock.turn(599)
    # A page that fetches by itself does not keep anybody signed in; a person's act does.
    assert (await kiosk.client.get("/panel")).status_code == 200
    kiosk.station.clock.turn(10)
    assert (await kiosk.client.get("/api/state", headers=PROGRAM)).status_code == 401
    assert kiosk.station.desk.operator is None
    assert kiosk.station.desk.job is not None
    assert ORDER in (await kiosk.client.get("/signin")).text


async def test_a_session_ends_after_a_shift(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    for _ in range(int(LONGEST_SESSION_NS / SECOND / 300) + 1):
        kiosk.station.clock.turn(300)
        last = await kiosk.client.get("/api/state", headers=PROGRAM)
    assert last.status_code == 401


async def test_somebody_removed_by_the_office_is_out(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    view = masters(PIN_HASH)
    rows = {key: row for key, row in view.rows.items() if key != ("person", "omar")}
    kiosk.station.masters = replace(view, rows=rows)
    assert (await kiosk.client.get("/api/state", headers=PROGRAM)).status_code == 401


async def test_a_receipt_by_program(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    begun = await kiosk.client.post("/api/jobs", json={"order": ORDER, "cmd": "1"}, headers=PROGRAM)
    assert begun.json()["awaits"] == "document"
    assert (await kiosk.act("document", number="DN-7")).json()["awaits"] == "item"
    await kiosk.scan(**oil_label())
    kiosk.station.hub.weigh("12.340", "kg", Flag.MOTION)
    early = await kiosk.act("take", cmd="t")
    assert (early.status_code, early.json()["code"]) == (409, "take_motion")
    assert early.json()["title"] == "Wait until the weight is stable."
    kiosk.station.hub.weigh("12.340")
    taken = (await kiosk.act("take", cmd="t")).json()
    assert taken["job"]["lines"][0]["quantity"] == "12.340"
    assert taken["job"]["lines"][0]["mode"] == "device"
    assert (await kiosk.act("take", cmd="t")).json()["awaits"] == "confirm"
    assert (await kiosk.act("confirm")).status_code == 200
    await kiosk.scan("0" + BOLT_GTIN, gtin=BOLT_GTIN)
    assert (await kiosk.act("count", value="12")).json()["awaits"] == "confirm"
    assert (await kiosk.act("undo")).json()["job"]["lines"][1]["state"] == "discarded"
    assert (await kiosk.act("finish")).json()["job"] is None
    assert kiosk.station.journal.step_names() == ["open", "item", "amount", "confirm", "item", "amount", "discard", "finish"]


@pytest.mark.parametrize(
    ("action", "fields", "status", "code"),
    [
        ("dance", {}, 404, "no_such_action"),
        ("take", {}, 409, "not_now"),
        ("document", {}, 422, "missing"),
        ("document", {"reason": "whim"}, 422, "unknown_reason"),
        ("count", {"value": "many"}, 422, "not_an_amount"),
        ("discard", {"reason": "damaged", "line": 0}, 422, "bad_field"),
        ("item", {"product": "x" * 65}, 422, "bad_field"),
        ("confirm", {"cmd": "x" * 49}, 422, "bad_field"),
    ],
)
async def test_refusals_have_a_status_and_a_code(
    kiosk: Kiosk, action: str, fields: dict[str, object], status: int, code: str
) -> None:
    await kiosk.sign_in()
    await kiosk.client.post("/api/jobs", json={"order": ORDER}, headers=PROGRAM)
    answer = await kiosk.act(action, **fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["title"]


async def test_broken_json_is_a_bad_field(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    answer = await kiosk.client.post("/api/jobs", content=b"{", headers=PROGRAM | {"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_field")


async def test_a_failing_journal_is_503_and_may_be_repeated(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await kiosk.client.post("/api/jobs", json={"order": ORDER}, headers=PROGRAM)
    kiosk.station.journal.fail = "before"
    first = await kiosk.act("document", number="DN-7", cmd="d")
    assert (first.status_code, first.json()["code"]) == (503, "journal")
    assert (await kiosk.act("document", number="DN-7", cmd="d")).status_code == 200
    assert kiosk.station.journal.step_names() == ["open"]


async def test_a_page_gets_parts_and_a_refusal_goes_to_the_message(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    headers = {"hx-request": "true", "x-tallybox": "1"}
    panel = await kiosk.client.post("/api/jobs", data={"order": ORDER}, headers=headers)
    assert 'data-awaits="document"' in panel.text
    assert "<html" not in panel.text
    refused = await kiosk.client.post("/api/jobs", data={"order": ORDER}, headers=headers)
    assert (refused.status_code, refused.headers["hx-retarget"]) == (409, "#outcome")
    assert "rejected" in refused.text


async def test_typed_dates_may_be_as_printed(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await kiosk.scan(ORDER)
    await kiosk.scan("DN-1")
    label = oil_label()
    del label["expiry"]
    await kiosk.scan(**label)
    assert (await kiosk.act("expiry", value="31/02/2027", reason="no_barcode")).json()["code"] == "not_a_date"
    done = await kiosk.act("expiry", value="31/03/2027", reason="no_barcode")
    assert done.json()["job"]["lines"][0]["expiry"] == "2027-03-31"


async def test_the_language_is_one_tap_and_stays_with_the_person(kiosk: Kiosk) -> None:
    assert 'dir="rtl"' in (await kiosk.client.get("/signin")).text
    await kiosk.client.post("/api/locale", json={"locale": "en"}, headers=PROGRAM)
    assert 'dir="ltr"' in (await kiosk.client.get("/signin")).text
    await kiosk.sign_in("dana")
    await kiosk.scan(ORDER)
    assert 'lang="he"' in (await kiosk.client.get("/")).text
    await kiosk.client.post("/api/locale", json={"locale": "en"}, headers=PROGRAM)
    page = (await kiosk.client.get("/")).text
    assert 'lang="en"' in page
    assert 'data-awaits="document"' in page
    await kiosk.client.post("/api/signout", json={}, headers=PROGRAM)
    await kiosk.sign_in("dana")
    assert 'lang="en"' in (await kiosk.client.get("/")).text
    assert (await kiosk.client.post("/api/locale", json={"locale": "xx"}, headers=PROGRAM)).status_code == 422


async def test_scanned_text_cannot_become_markup(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await kiosk.scan("<script>alert(1)</script>\u202e")
    page = (await kiosk.client.get("/")).text
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page


async def test_sign_out_ends_the_session(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    token = kiosk.client.cookies[COOKIE]
    await kiosk.client.post("/api/signout", json={}, headers=PROGRAM)
    kiosk.client.cookies[COOKIE] = token
    assert (await kiosk.client.get("/api/state", headers=PROGRAM)).status_code == 401
    assert kiosk.station.desk.operator is None


async def test_the_newest_sign_in_is_the_operator_until_it_ends(kiosk: Kiosk) -> None:
    await kiosk.sign_in("omar")
    async with client_of(kiosk.app) as second:
        await second.post("/api/signin", json={"login": "dana", "pin": "4711"}, headers=PROGRAM)
        assert kiosk.station.desk.operator == "dana"
        await second.post("/api/signout", json={}, headers=PROGRAM)
    assert kiosk.station.desk.operator == "omar"


async def test_answers_are_plain_http(kiosk: Kiosk) -> None:
    answer: httpx.Response = await kiosk.client.get("/health.json")
    assert answer.json()["ok"] is True


@pytest.mark.parametrize("locale", ["he", "en"])
@pytest.mark.parametrize("fact", [{"alarm": "revoked"}, {"hold": "overlap"}])
async def test_a_cloud_that_refuses_or_holds_back_is_said_at_the_foot_with_its_code(
    kiosk: Kiosk, locale: str, fact: dict[str, str]
) -> None:
    (code,) = fact.values()
    await kiosk.sign_in()
    await kiosk.client.post("/api/locale", data={"locale": locale}, headers={"x-tallybox": "1"})
    quiet = (await kiosk.client.get("/facts")).text
    kiosk.sync[0] = replace(kiosk.sync[0], **fact)
    told = (await kiosk.client.get("/facts")).text
    assert (code in quiet, code in told, 'class="fact bad"' in told) == (False, True, True)
