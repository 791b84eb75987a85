"""Who may ask the interface, how often, and what each sees: by keys, by browsers' sessions, and by every mixture of grants."""

import csv
import io
import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.around.records import add_to
from cloud.db.engine import Sessions
from cloud.errors import Forbidden, NotFound
from cloud.kernel.access import ACTIONS, Access
from cloud.objects import query, service
from cloud.objects.query import Query
from cloud.people import sessions as web_sessions
from tests.integration.api_world import COOKIE, ApiSite, open_site
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import access, make_world

PASSWORD = "weigh-anchor-42"
HAIFA, ACRE = "haifa", "acre"

NOTE = """
key: note
label: {en: Note}
plural: {en: Notes}
title: "{head}"
site: site_code
states: {open: open, shut: done}
transitions: {shut: {from: open, to: shut}}
fields:
  head: {type: text, required: true, searchable: true}
  story: {type: long, searchable: true}
  cost: {type: money}
  site_code: {type: text}
"""


@pytest.fixture
async def site(tmp_path: Path, sessions: Sessions, clock: TurnedClock) -> ApiSite:
    world = make_world(tmp_path, NOTE)
    add_to(world.hooks)
    return await open_site(sessions, world, clock)


async def notes(site: ApiSite) -> None:
    """One at each site."""
    async with site.sessions.write() as session:
        at = await site.world.caller(session)
        for code in (HAIFA, ACRE):
            given = {"head": f"at {code}", "story": f"hidden {code}", "cost": "7.5", "site_code": code}
            await service.create(at, "note", given, ref=code)


async def test_without_key_or_session_nothing_opens(site: ApiSite) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eA=="}, {"Cookie": f"{COOKIE}=x"}):
        async with site.anyone(**headers) as client:
            for method, path in (("GET", "/o"), ("GET", "/o/company"), ("POST", "/o/company"), ("GET", "/openapi.json")):
                answer = await client.request(method, path)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.json()["code"] == "not_signed_in"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_key_that_is_used_too_often_waits(site: ApiSite) -> None:
    async with site.program(rate=3) as client:
        answers = [await client.get("/o") for _ in range(5)]
        assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
        assert answers[3].headers["retry-after"] == "20"
        assert answers[3].json()["type"] == "urn:tallybox:problem:too_often"
        site.clock.go(seconds=20)
        assert (await client.get("/o")).status_code == 200
        site.clock.now += timedelta(days=31)
        assert (await client.get("/o")).status_code == 401


async def test_a_browser_asks_with_its_session_and_changes_with_its_token(site: ApiSite) -> None:
    await site.person("noa", PASSWORD, await site.role(("company", "*")))
    signed = await web_sessions.sign_in(site.sessions, login="noa", password=PASSWORD, now=site.clock.now)
    body = {"json": {"values": {"name": "A"}}}
    async with site.anyone(Cookie=f"{COOKIE}={signed.token}") as client:
        assert [one["key"] for one in (await client.get("/o")).json()["items"]] == ["company"]
        refused: list[dict[str, str]] = [
            {},
            {"X-CSRF-Token": "x"},
            {"X-CSRF-Token": signed.csrf, "Origin": "http://evil.test"},
            {"X-CSRF-Token": signed.csrf, "Sec-Fetch-Site": "cross-site"},
        ]
        for headers in refused:
            answer = await client.post("/o/company", **body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "wrong_origin")
        made = await client.post("/o/company", **body, headers={"X-CSRF-Token": signed.csrf, "Origin": "http://api.test"})
        assert (made.status_code, made.json()["owner"], made.json()["created_by"]) == (201, "noa", "noa")
        # A key that opens nothing is not made good by a cookie.
        assert (await client.get("/o", headers={"Authorization": "Bearer x"})).status_code == 401


REACHES: dict[str, tuple[str, str]] = {
    "everywhere": ("", ""),
    "own site": ("", HAIFA),
    "scope": (f"site_code == '{HAIFA}'", ""),
}
"""How far a role goes: the grant's scope, and the site that it is held at."""


ASKED = ("list", "read", "create", "write", "export", "archive", "transition:shut")


def combinations() -> Iterator[tuple[frozenset[str], str]]:
    """Every single action, reading with every action, and all of them; at every reach."""
    every = (*ACTIONS, "transition:shut")
    granted = [
        frozenset(),
        *(frozenset({one}) for one in every),
        *(frozenset({"read", one}) for one in every[1:]),
        frozenset(every),
    ]
    yield from itertools.product(granted, REACHES)


def expected(granted: frozenset[str], reach: str, action: str, code: str) -> int:
    """The status by the grants alone: what cannot be seen is not there, what can be seen and not done is forbidden."""
    within = reach == "everywhere" or code == HAIFA
    if action == "list":
        return 200 if "read" in granted else 403
    if action == "create":
        return 201 if "create" in granted and within else 403
    if action == "export":
        return 200 if "export" in granted and "read" in granted else 403
    if action in {"write", "archive"} and action not in granted:
        return 403
    if "read" not in granted or not within:
        return 404
    return 200 if action in granted else 403


async def ask(client: httpx.AsyncClient, action: str, code: str) -> httpx.Response:
    path = f"/o/note/{code}"
    match action:
        case "list":
            return await client.get("/o/note")
        case "read":
            return await client.get(path)
        case "create":
            return await client.post("/o/note", json={"values": {"head": "new", "site_code": code}})
        case "write":
            return await client.patch(path, json={"values": {"story": "changed"}}, headers={"If-Match": "*"})
        case "archive":
            return await client.post(f"{path}/archive")
        case "export":
            return await client.get("/export/note.csv")
    return await client.post(f"{path}/do/shut")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_action_at_every_reach_does_what_its_grants_say(site: ApiSite) -> None:
    await notes(site)
    wrong = []
    for granted, reach in combinations():
        scope, held_at = REACHES[reach]
        role = await site.role(*(("note", one, scope) for one in sorted(granted)))
        text = await site.key((role, held_at))
        async with site.anyone(Authorization=f"Bearer {text}") as client:
            for action, code in itertools.product(ASKED, (HAIFA, ACRE)):
                answer = await ask(client, action, code)
                wanted = expected(granted, reach, action, code)
                # Once shut, a note cannot be shut again: that is its state's answer, not the grants'.
                shut_before = action == "transition:shut" and wanted == 200 and answer.status_code == 409
                if answer.status_code != wanted and not shut_before:
                    wrong.append((sorted(granted), reach, action, code, answer.status_code, wanted))
            listed = await client.get("/o/note", params={"limit": 500, "archived": "all"})
            if "read" in granted:
                seen = {one["values"]["site_code"] for one in listed.json()["items"]}
                assert seen == ({HAIFA, ACRE} if reach == "everywhere" else {HAIFA})
            assert (await client.get("/o/company")).status_code == 403
            kinds = [one["key"] for one in (await client.get("/o")).json()["items"]]
            paths = (await client.get("/openapi.json")).json()["paths"]
            assert kinds == (["note"] if "read" in granted else [])
            assert ("/o/note" in paths) is ("read" in granted)
            assert ("post" in paths.get("/o/note", {})) is ({"read", "create"} <= granted)
        wrong += await services_differ(site, granted, reach)
    assert not wrong


async def services_differ(site: ApiSite, granted: frozenset[str], reach: str) -> list[tuple[Any, ...]]:
    """The same of the services below."""
    scope, held_at = REACHES[reach]
    allowed: Access = access(*(("note", one, scope) for one in granted), site=held_at or None)
    wrong = []
    async with site.sessions.read() as session:
        at = await site.world.caller(session, access=allowed, login="x")
        for code in (HAIFA, ACRE):
            wanted = expected(granted, reach, "read", code) == 200
            try:
                found = (await service.get(at, "note", code)).ref == code
            except NotFound:
                found = False
            if found is not wanted:
                wrong.append((sorted(granted), reach, "get", code, found, wanted))
        try:
            refs = {one.values["site_code"] for one in (await query.find(at, "note", Query(limit=500, kept="all"))).items}
        except Forbidden:
            refs = set()
        wanted_refs = {code for code in (HAIFA, ACRE) if expected(granted, reach, "read", code) == 200}
        if refs != wanted_refs:
            wrong.append((sorted(granted), reach, "find", "", refs, wanted_refs))
    return wrong


@pytest.mark.parametrize("mask", ["-story -cost", "head site_code"])
async def test_a_masked_field_is_told_nowhere(site: ApiSite, mask: str) -> None:
    await notes(site)
    async with site.program() as root:
        await root.patch(f"/o/note/{HAIFA}", json={"values": {"cost": "8", "head": "moved"}}, headers={"If-Match": "*"})
        assert (await root.get("/search", params={"q": "hidden"})).json()["items"]
    async with site.program(("note", "*", "", mask)) as api:
        answers = {
            path: await api.get(path)
            for path in (
                "/o/note", f"/o/note/{HAIFA}", f"/o/note/{HAIFA}/history", "/defs", "/defs/note", "/openapi.json",
                "/export/note.csv", "/search?q=moved",
            )
        }  # fmt: skip
        for path, answer in answers.items():
            assert answer.status_code == 200, answer.text
            for word in ("hidden haifa", "7.5", '"story"', '"cost"', "cost", "Cost"):
                assert word not in answer.text.replace("post", ""), (path, word)
        assert answers["/o/note"].json()["items"][0]["values"].keys() == {"head", "site_code"}
        assert answers[f"/o/note/{HAIFA}/history"].json()["items"][1]["changes"] == {"head": ["at haifa", "moved"]}
        rows = list(csv.DictReader(io.StringIO(answers["/export/note.csv"].content.decode("utf-8-sig"))))
        assert not {"story", "cost"} & rows[0].keys()
        assert [one["title"] for one in answers["/search?q=moved"].json()["items"]] == ["moved"]
        assert (await api.get("/search", params={"q": "hidden"})).json()["items"] == []
        for asked in ({"filter": "cost > 1"}, {"sort": "story"}, {"fields": "cost"}):
            refused = await api.get("/o/note", params=asked)
            assert (refused.status_code, refused.json()["code"]) == (403, "field_forbidden")
        changed = await api.patch(f"/o/note/{HAIFA}", json={"values": {"cost": "1"}}, headers={"If-Match": "*"})
        assert (changed.status_code, changed.json()["errors"][0]["code"]) == (422, "not_yours")
