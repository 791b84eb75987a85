"""Records over HTTP: made, read, changed and moved on, listed page after page, with every refusal a problem document."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.db.engine import Sessions
from tests.integration.api_world import ApiSite, open_site
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import make_world


@pytest.fixture
async def site(tmp_path: Path, sessions: Sessions, clock: TurnedClock) -> ApiSite:
    return await open_site(sessions, make_world(tmp_path), clock)


@pytest.fixture
async def api(site: ApiSite) -> AsyncIterator[httpx.AsyncClient]:
    """A program that may do everything."""
    async with site.program() as client:
        yield client


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, which it must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert (found["status"], found["code"], found["type"]) == (status, code, f"urn:tallybox:problem:{code}")
    assert found["title"]
    assert found["detail"]
    return found


async def make(api: httpx.AsyncClient, kind: str, **values: Any) -> dict[str, Any]:
    answer = await api.post(f"/o/{kind}", json={"values": values})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_record_is_made_read_and_changed_with_its_history(api: httpx.AsyncClient) -> None:
    made = await api.post("/o/company", json={"values": {"name": "אורן בע״מ", "credit": 12.5}, "reason": "fair"})
    assert (made.status_code, made.headers["location"], made.headers["etag"]) == (201, "/api/o/company/C-0001", '"1"')
    assert made.json()["values"] == {
        "name": "אורן בע״מ", "city": None, "credit": "12.5", "site_code": None, "parent": None,
    }  # fmt: skip
    read = await api.get("/o/company/C-0001")
    assert (read.json(), read.headers["etag"]) == (made.json(), '"1"')
    changed = await api.patch("/o/company/C-0001", json={"values": {"credit": "13"}}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"], changed.json()["values"]["credit"]) == (200, '"2"', "13")
    history = (await api.get("/o/company/C-0001/history")).json()
    assert [(one["action"], one["reason"]) for one in history["items"]] == [("create", "fair"), ("change", None)]
    assert history["items"][1]["changes"] == {"credit": ["12.5", "13"]}
    assert history["items"][0]["request_id"].startswith("key:")
    assert history["next"] is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_unchanged_record_is_not_sent_again(api: httpx.AsyncClient) -> None:
    await make(api, "company", name="A")
    for header, status in (('"1"', 304), ('W/"1"', 304), ('"9", "1"', 304), ("*", 304), ('"2"', 200)):
        answer = await api.get("/o/company/C-0001", headers={"If-None-Match": header})
        assert (answer.status_code, answer.headers["etag"]) == (status, '"1"')
        assert bool(answer.content) is (status == 200)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_change_says_which_version_it_rests_on(api: httpx.AsyncClient) -> None:
    await make(api, "company", name="A")
    change = {"json": {"values": {"city": "Haifa"}}}
    problem(await api.patch("/o/company/C-0001", **change), 428, "version_missing")
    for header in ('"2"', 'W/"1"', '"x"'):
        moved = await api.patch("/o/company/C-0001", **change, headers={"If-Match": header})
        assert problem(moved, 412, "conflict")["values"] == {"ref": "C-0001", "now": "1"}
        assert moved.headers["etag"] == '"1"'
    problem(await api.patch("/o/company/C-0001", **change, headers={"If-Match": "1"}), 400, "bad_tag")
    for header in ('"7", "1"', "*"):
        answer = await api.patch("/o/company/C-0001", **change, headers={"If-Match": header})
        assert (answer.status_code, answer.json()["version"]) == (200, 2), answer.text
    for path in ("archive", "restore"):
        problem(await api.post(f"/o/company/C-0001/{path}", headers={"If-Match": '"1"'}), 412, "conflict")


async def test_of_two_writers_at_once_one_wins(site: ApiSite, api: httpx.AsyncClient) -> None:
    await make(api, "company", name="A")
    answers = await asyncio.gather(
        *(api.patch("/o/company/C-0001", json={"values": {"city": f"c{one}"}}, headers={"If-Match": '"1"'}) for one in range(6))
    )
    assert sorted(one.status_code for one in answers) == [200] + [412] * 5
    won = next(one for one in answers if one.status_code == 200).json()["values"]["city"]
    now = (await api.get("/o/company/C-0001")).json()
    assert (now["version"], now["values"]["city"]) == (2, won)


async def test_saying_it_again_makes_one_record(api: httpx.AsyncClient) -> None:
    uid = "01930000-0000-7000-8000-00000000000A"
    body = {"uid": uid, "values": {"name": "A"}}
    answers = await asyncio.gather(*(api.post("/o/company", json=body) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [200, 200, 200, 201]
    assert {one.json()["uid"] for one in answers} == {uid.lower()}
    by_key = {"headers": {"Idempotency-Key": "order 17"}, "json": {"values": {"name": "B"}}}
    first, again = [await api.post("/o/company", **by_key) for _ in range(2)]
    assert (first.status_code, again.status_code, first.json()) == (201, 200, again.json())
    assert again.headers["content-location"] == first.headers["location"]
    assert len((await api.get("/o/company")).json()["items"]) == 2
    problem(await api.post("/o/company", json=body, headers={"Idempotency-Key": "x"}), 400, "uid_twice")
    problem(await api.post("/o/company", json={"uid": "7", "values": {"name": "C"}}), 400, "bad_uid")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_same_idempotency_key_of_another_program_is_another(site: ApiSite, api: httpx.AsyncClient) -> None:
    header = {"Idempotency-Key": "1"}
    await api.post("/o/company", json={"values": {"name": "A"}}, headers=header)
    async with site.program() as other:
        answer = await other.post("/o/company", json={"values": {"name": "B"}}, headers=header)
        assert (answer.status_code, answer.json()["values"]["name"]) == (201, "B")


async def test_another_systems_number_makes_or_changes(api: httpx.AsyncClient) -> None:
    path = "/o/company/by/priority/A%2F1%20%D7%90"
    problem(await api.get(path), 404, "not_found")
    answers = await asyncio.gather(*(api.put(path, json={"values": {"name": "A"}}) for _ in range(3)))
    assert sorted(one.status_code for one in answers) == [200, 200, 201]
    changed = await api.put(path, json={"values": {"city": "Haifa"}})
    assert (changed.status_code, changed.json()["values"]["city"], changed.json()["values"]["name"]) == (200, "Haifa", "A")
    assert (await api.get(path)).json() == changed.json()
    problem(await api.put(path, json={"values": {}}, headers={"If-Match": '"1"'}), 412, "conflict")
    other = "/o/company/by/priority/A"
    problem(await api.put(other, json={"values": {"name": "B"}}, headers={"If-Match": '"1"'}), 412, "conflict")
    problem(await api.put("/o/company/by/p/%0A", json={"values": {"name": "B"}}), 400, "bad_source")


async def test_transitions_move_on_and_say_why_they_do_not(api: httpx.AsyncClient) -> None:
    visit = await make(api, "visit", subject="x")
    path = f"/o/visit/{visit['ref']}"
    assert (await api.get(f"{path}/actions")).json() == {"actions": ["hold", "drop"]}
    refused = await api.post(f"{path}/do/hold", headers={"Accept-Language": "he-IL, en;q=0.5"})
    assert problem(refused, 422, "guard")["detail"] == "יש לציין יום."
    held = await api.post(f"{path}/do/hold", json={"values": {"on": "2026-11-22"}}, headers={"If-Match": '"1"'})
    assert (held.status_code, held.json()["state"], held.json()["phase"]) == (200, "held", "active")
    problem(await api.post(f"{path}/do/hold"), 409, "wrong_state")
    missing = problem(await api.post(f"{path}/do/close"), 422, "invalid")
    assert [(one["field"], one["code"]) for one in missing["errors"]] == [("outcome", "required_for")]
    problem(await api.post(f"{path}/do/drop"), 422, "reason_missing")
    assert (await api.post(f"{path}/do/drop", json={"reason": "rain"})).json()["phase"] == "cancelled"
    problem(await api.post(f"{path}/do/fly"), 409, "wrong_state")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_archived_records_leave_the_list_and_come_back(api: httpx.AsyncClient) -> None:
    await make(api, "company", name="A")
    assert (await api.post("/o/company/C-0001/archive", json={"reason": "closed"})).json()["archived"] is True

    async def listed(archived: str) -> int:
        return len((await api.get("/o/company", params={"archived": archived})).json()["items"])

    assert [await listed(one) for one in ("live", "archived", "all")] == [0, 1, 1]
    assert (await api.post("/o/company/C-0001/restore")).json()["archived"] is False
    assert [await listed(one) for one in ("live", "archived", "all")] == [1, 0, 1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_everything_wrong_is_said_at_once(api: httpx.AsyncClient) -> None:
    given = {"score": 11, "tags": ["warm"], "source": "manual", "nobody": 1, "total": "5"}
    answer = await api.post("/o/visit", json={"values": given}, headers={"Accept-Language": "he"})
    found = problem(answer, 422, "invalid")
    assert {(one["field"], one["code"]) for one in found["errors"]} == {
        ("score", "rule"), ("tags", "option"), ("source_detail", "required"), ("nobody", "unknown_field"),
        ("total", "readonly"), ("subject", "required"),
    }  # fmt: skip
    assert next(one["message"] for one in found["errors"] if one["field"] == "score") == "מ־1 עד 10"
    assert answer.headers["content-language"] == "he"


async def test_pages_to_the_end_are_the_one_big_page(api: httpx.AsyncClient) -> None:
    for number in range(23):
        await make(api, "visit", subject=f"s{number % 7}", score=number % 10 + 1 if number % 4 else None)
    for params in (
        {"sort": "subject"},
        {"sort": "-score"},
        {"filter": "score is None or score > 3"},
        {"filter": "score / 2 > 1"},
    ):
        whole = (await api.get("/o/visit", params={**params, "limit": 500})).json()
        assert whole["next"] is None
        pages, url = [], f"/o/visit?{httpx.QueryParams({**params, 'limit': 4})}"
        while url:
            answer = await api.get(url)
            pages += answer.json()["items"]
            link = answer.links.get("next")
            assert bool(link) is (answer.json()["next"] is not None)
            url = link["url"].removeprefix("/api") if link else ""
        assert pages == whole["items"]
        assert len(pages) > 4


async def test_a_list_gives_the_fields_and_the_count_that_are_wanted(api: httpx.AsyncClient) -> None:
    await make(api, "company", name="A", city="Haifa")
    await make(api, "visit", subject="x", company="C-0001", guests=["C-0001"], at="2026-11-22T10:00:00+02:00")
    found = (await api.get("/o/visit", params={"fields": "subject,company,guests,at", "count": "true"})).json()
    assert found["items"][0]["values"] == {
        "subject": "x", "company": "C-0001", "guests": ["C-0001"], "at": "2026-11-22T08:00:00Z",
    }  # fmt: skip
    assert found["count"] == {"number": 1, "or_more": False}
    problem(await api.get("/o/visit", params={"fields": "subject,colour"}), 400, "bad_fields")
    outside = (await api.get("/o/visit", params={"filter": "len(lower(subject)) / 1 == 1"})).json()
    assert outside["items"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("filter=score+%3E", "bad_filter"),
        ("filter=nobody+%3D%3D+1", "bad_filter"),
        ("sort=nobody", "bad_sort"),
        ("after=AAAA", "bad_after"),
        ("limit=0", "bad_number"),
        ("limit=501", "bad_number"),
        ("limit=٣", "bad_number"),
        ("archived=maybe", "bad_option"),
        ("count=1", "bad_bool"),
        ("fitler=1", "unknown_parameter"),
        ("limit=1&limit=2", "twice"),
        ("filter=%FF", "bad_query"),
        ("filter=%00", "bad_text"),
        ("&".join("a=1" for _ in range(50)), "bad_query"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_wrong_question_is_refused(api: httpx.AsyncClient, query: str, code: str) -> None:
    found = problem(await api.get(f"/o/visit?{query}"), 400, code)
    if code == "bad_filter":
        assert int(found["values"]["column"]) >= 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b"[]", 400, "not_an_object"),
        (b'{"values": {}, "valeus": {}}', 400, "unknown_member"),
        (b'{"values": {}, "values": {}}', 400, "member_twice"),
        (b'{"values": []}', 400, "bad_member"),
        (b'{"values": {"name": "a\\u0000"}}', 400, "bad_text"),
        (b'{"values": {"name": "\\ud800"}}', 400, "bad_text"),
        (b'{"values": {"name": "\xff"}}', 400, "bad_utf8"),
        (b'{"values": {"credit": NaN}}', 400, "bad_json"),
        (b'{"values": {"credit": 1e999}}', 400, "number_too_exact"),
        (b'{"values": {"credit": 0.1000000000000000000001}}', 400, "number_too_exact"),
        (b'{"values": {"credit": ' + b"1" * 5000 + b"}}", 400, "number_too_exact"),
        (b'{"values": ' + b"[" * 200_000 + b"}", 400, "too_deep"),
        (b'{"values": {"name": "' + b"a" * 1_100_000 + b'"}}', 413, "too_large"),
        (b'{"values": {"name": "A"}, "reason": "' + b"a" * 257 + b'"}', 400, "reason_too_long"),
        (b'{"values": {"credit": ' + b"1" * 300 + b', "name": "A"}}', 422, "invalid"),
        (b'{"values": {"name": "A"}, "ref": "a b"}', 422, "ref_form"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_wrong_body_is_refused(api: httpx.AsyncClient, body: bytes, status: int, code: str) -> None:
    answer = await api.post("/o/company", content=body, headers={"Content-Type": "application/json"})
    problem(answer, status, code)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_paths_hold_any_character(api: httpx.AsyncClient) -> None:
    for ref in ("A/B", "ש-1", "50%", "?x=#", "a+b&c", "..x", '"', "by"):
        made = await api.post("/o/company", json={"ref": ref, "values": {"name": ref}})
        assert made.status_code == 201, made.text
        read = await api.get(f"http://api.test{made.headers['location']}")
        assert read.json()["ref"] == ref
    problem(await api.get("/o/company/%FF"), 400, "bad_utf8")
    problem(await api.get("/o/company/%00"), 400, "bad_path")
    problem(await api.get("/o/comp%61ny/none"), 404, "not_found")
    problem(await api.get("/o/nobody/none"), 404, "not_found")
    problem(await api.get("/o/company/C-1/fly"), 404, "not_there")
    problem(await api.get("/o/company/C-1/"), 404, "not_there")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_methods_and_types_that_are_not_taken(api: httpx.AsyncClient) -> None:
    deleted = await api.delete("/o/company/C-1")
    problem(deleted, 405, "method_not_allowed")
    assert "GET" in deleted.headers["allow"]
    problem(await api.post("/o/company", content=b"name=A", headers={"Content-Type": "text/plain"}), 415, "wrong_type")
    problem(
        await api.put("/defs/company", content=b"{}", headers={"If-Match": '"0"', "Content-Type": "application/json"}),
        415,
        "wrong_type",
    )
