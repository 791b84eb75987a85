"""Who gets in, and what a request must carry to change something."""

from collections.abc import Callable

import httpx
import pytest
from fastapi.routing import APIRoute

from cloud.web import StaffDeps, create_staff_app
from cloud.web.access import is_public, local_path
from cloud.web.shield import MAX_BODY, host_name
from tests.integration.conftest import TurnedClock
from tests.unit.cloud_web.conftest import SignIn
from tests.unit.cloud_web.office import PASSWORD, Refs

Token = Callable[[str], str]

PUBLIC = {
    "/v/{uid}",
    "/sign-in",
    "/api/sign-in",
    "/sign-in/passkey/begin",
    "/sign-in/passkey/finish",
    "/sign-in/provider",
    "/sign-in/provider/back",
    "/new-password/{secret}",
    "/sign-out",
    "/language",
    "/health",
    "/static/{version}/{name}",
}


def _routes(deps: StaffDeps) -> list[APIRoute]:
    """Every route of the application, routers included."""
    found: list[APIRoute] = []
    waiting = list(create_staff_app(deps).routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        waiting += getattr(getattr(route, "original_router", None), "routes", [])
    return found


def test_only_the_named_routes_are_public(deps: StaffDeps) -> None:
    routes = _routes(deps)
    assert {route.path for route in routes if is_public(route.endpoint)} == PUBLIC
    assert len(routes) > len(PUBLIC) + 8


async def test_every_other_route_asks_for_a_session(anyone: httpx.AsyncClient, deps: StaffDeps) -> None:
    for route in _routes(deps):
        if is_public(route.endpoint):
            continue
        for method in route.methods - {"HEAD"}:
            path = route.path.replace("{ref}", "GR-2026-000001").replace("{exception}", "1")
            body = {"version": "1", "decision": "accept", "reason": "x"} if method == "POST" else None
            answer = await anyone.request(method, path, data=body)
            if path.startswith("/api/"):
                assert answer.status_code == 401, path
                assert answer.headers["content-type"] == "application/problem+json"
            else:
                assert answer.status_code == 303, path
                assert answer.headers["location"].startswith("/sign-in"), path


async def test_sign_in_leads_to_where_one_wanted_to_go(anyone: httpx.AsyncClient, token: Token) -> None:
    sent = await anyone.get("/receipts?state=review")
    form = await anyone.get(sent.headers["location"])
    given = {"login": "noa", "password": PASSWORD, "csrf": token(form.text), "next": "/receipts?state=review"}
    answer = await anyone.post("/sign-in", data=given)
    assert (answer.status_code, answer.headers["location"]) == (303, "/receipts?state=review")


@pytest.mark.parametrize(
    "text", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nb", "x"]
)
def test_address_elsewhere_becomes_the_front_page(text: str) -> None:
    assert local_path(text) == "/"


async def test_session_cookie_is_out_of_reach_of_scripts_and_other_sites(anyone: httpx.AsyncClient, token: Token) -> None:
    form = await anyone.get("/sign-in")
    given = {"login": "noa", "password": PASSWORD, "csrf": token(form.text)}
    plain = (await anyone.post("/sign-in", data=given)).headers["set-cookie"].lower()
    assert "httponly" in plain
    assert "samesite=lax" in plain
    assert "secure" not in plain


async def test_over_https_the_cookie_is_secure(deps: StaffDeps) -> None:
    transport = httpx.ASGITransport(create_staff_app(deps))
    async with httpx.AsyncClient(transport=transport, base_url="https://staff.test") as client:
        answer = await client.post("/api/sign-in", json={"login": "noa", "password": PASSWORD})
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers


async def test_wrong_password_says_so_and_keeps_the_name(anyone: httpx.AsyncClient, token: Token) -> None:
    form = await anyone.get("/sign-in", headers={"accept-language": "en"})
    given = {"login": "noa", "password": "not it, surely", "csrf": token(form.text)}
    answer = await anyone.post("/sign-in", data=given, headers={"accept-language": "en"})
    assert answer.status_code == 401
    assert "User name or password is not right." in answer.text
    assert 'value="noa"' in answer.text


async def test_five_wrong_tries_lock_and_the_page_says_how_long(anyone: httpx.AsyncClient, token: Token) -> None:
    form = await anyone.get("/sign-in")
    given = {"login": "noa", "password": "not it, surely", "csrf": token(form.text)}
    answers = [await anyone.post("/sign-in", data=given, headers={"accept-language": "en"}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429]
    assert "Too many wrong tries" in answers[-1].text
    right = await anyone.post("/sign-in", data=given | {"password": PASSWORD})
    assert right.status_code == 429


async def test_signing_out_ends_the_session_for_good(noa: httpx.AsyncClient, token: Token) -> None:
    page = await noa.get("/")
    cookie = noa.cookies["tallybox_staff"]
    await noa.post("/sign-out", data={"csrf": token(page.text)})
    noa.cookies.set("tallybox_staff", cookie)
    assert (await noa.get("/")).status_code == 303


@pytest.mark.parametrize("csrf", ["", "x" * 43])
async def test_form_without_the_sessions_token_changes_nothing(noa: httpx.AsyncClient, refs: Refs, csrf: str) -> None:
    answer = await noa.post(f"/receipts/{refs.over}/abandon", data={"version": "1", "reason": "x", "csrf": csrf})
    assert answer.status_code == 403
    assert (await noa.get(f"/api/receipts/{refs.over}")).json()["state"] == "check"


async def test_sign_in_form_of_another_browser_is_refused(anyone: httpx.AsyncClient, token: Token) -> None:
    form = await anyone.get("/sign-in")
    anyone.cookies.clear()
    answer = await anyone.post("/sign-in", data={"login": "noa", "password": PASSWORD, "csrf": token(form.text)})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "http://evil.example"}]
)
async def test_change_from_another_site_is_refused(noa: httpx.AsyncClient, token: Token, headers: dict[str, str]) -> None:
    page = await noa.get("/")
    answer = await noa.post("/language", data={"locale": "en", "csrf": token(page.text)}, headers=headers)
    assert answer.status_code == 403


async def test_token_may_come_in_the_header(noa: httpx.AsyncClient, token: Token) -> None:
    page = await noa.get("/")
    answer = await noa.post("/language", data={"locale": "en"}, headers={"x-csrf-token": token(page.text)})
    assert answer.status_code == 303


async def test_language_stays_with_the_person(noa: httpx.AsyncClient, token: Token, sign_in: SignIn) -> None:
    page = await noa.get("/receipts")
    answer = await noa.post("/language", data={"locale": "en", "csrf": token(page.text), "next": "/receipts"})
    assert answer.headers["location"] == "/receipts"
    assert '<html lang="en" dir="ltr">' in (await noa.get("/receipts")).text
    noa.cookies.clear()
    again = await sign_in("noa")
    assert '<html lang="en" dir="ltr">' in (await again.get("/")).text


@pytest.mark.parametrize("host", ["evil.example", "staff.test.evil.example", "", "staff.test@evil.example"])
async def test_unknown_host_is_refused(anyone: httpx.AsyncClient, host: str) -> None:
    answer = await anyone.get("/sign-in", headers={"host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize(("host", "name"), [("A.example:80", "a.example"), ("[::1]:8000", "[::1]"), ("127.0.0.1", "127.0.0.1")])
def test_host_is_compared_without_its_port(host: str, name: str) -> None:
    assert host_name(host) == name


async def test_announced_flood_is_refused(anyone: httpx.AsyncClient) -> None:
    assert (await anyone.post("/sign-in", content=b"x" * (MAX_BODY + 1))).status_code == 413


async def test_flood_without_announced_length_is_refused(anyone: httpx.AsyncClient) -> None:
    async def flood() -> object:
        for _ in range(3):
            yield b"x" * (MAX_BODY // 2)

    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await anyone.post("/sign-in", content=flood(), headers=form)  # type: ignore[arg-type]
    assert answer.status_code in {400, 413}


@pytest.mark.parametrize("path", ["/sign-in", "/health", "/nowhere", "/static/0000000000000000/staff.css"])
async def test_every_answer_binds_the_browser(anyone: httpx.AsyncClient, path: str) -> None:
    headers = (await anyone.get(path)).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


async def test_only_named_files_are_served(anyone: httpx.AsyncClient, deps: StaffDeps) -> None:
    version = create_staff_app(deps).state.renderer.assets.version
    good = await anyone.get(f"/static/{version}/htmx.js")
    assert good.status_code == 200
    assert "immutable" in good.headers["cache-control"]
    for name in ("package.json", "..%2Fapp.py", "htmx.org"):
        assert (await anyone.get(f"/static/{version}/{name}")).status_code == 404


async def test_page_that_only_refreshes_itself_does_not_keep_a_session_alive(noa: httpx.AsyncClient, now: TurnedClock) -> None:
    for _ in range(3):
        now.go(minutes=50)
        last = await noa.get("/", headers={"x-seen": "0"})
    assert last.status_code == 401
    assert last.headers["hx-redirect"] == "/sign-in"


async def test_person_at_work_stays_signed_in(noa: httpx.AsyncClient, now: TurnedClock) -> None:
    for _ in range(4):
        now.go(minutes=50)
        assert (await noa.get("/")).status_code == 200


async def test_program_signs_in_with_json(anyone: httpx.AsyncClient, refs: Refs) -> None:
    wrong = await anyone.post("/api/sign-in", json={"login": "noa", "password": "not it, surely"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "sign_in_wrong")
    signed = await anyone.post("/api/sign-in", json={"login": "noa", "password": PASSWORD})
    assert signed.json()["role"] == "supervisor"
    assert (await anyone.get(f"/api/receipts/{refs.clean}")).status_code == 200
    answer = await anyone.post("/sign-out", headers={"x-csrf-token": signed.json()["csrf"]})
    assert answer.status_code == 303


async def test_json_of_a_signed_in_person_still_needs_the_token(noa: httpx.AsyncClient) -> None:
    answer = await noa.post("/api/sign-in", json={"login": "noa", "password": PASSWORD})
    assert answer.status_code == 403
