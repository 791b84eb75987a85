"""Messages, activities and files of a record over HTTP: for who may read it, and by who may write."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cloud.blobs.store import DirectoryStore
from cloud.db.engine import Sessions
from tests.integration.api_world import ApiSite, open_site
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import make_world

PASSWORD = "weigh-anchor-42"


@pytest.fixture
async def site(tmp_path: Path, sessions: Sessions, clock: TurnedClock) -> ApiSite:
    found = await open_site(sessions, make_world(tmp_path), clock, blobs=DirectoryStore(tmp_path / "blobs"), max_file=1000)
    await found.person("noa", PASSWORD, await found.role(("company", "*")))
    return found


@pytest.fixture
async def api(site: ApiSite) -> AsyncIterator[httpx.AsyncClient]:
    async with site.program() as client:
        await client.post("/o/company", json={"values": {"name": "A"}})
        yield client


async def test_messages_are_written_answered_and_taken_back(api: httpx.AsyncClient) -> None:
    path = "/o/company/C-0001/messages"
    first = await api.post(path, json={"body": "see @noa and @nobody"}, headers={"Idempotency-Key": "1"})
    assert (first.status_code, first.json()["unknown"], first.json()["visibility"]) == (201, ["nobody"], "internal")
    again = await api.post(path, json={"body": "see @noa and @nobody"}, headers={"Idempotency-Key": "1"})
    assert again.json()["id"] == first.json()["id"]
    number = first.json()["id"]
    leak = await api.post(path, json={"body": "no", "reply_to": number, "visibility": "portal"})
    assert (leak.status_code, leak.json()["code"]) == (422, "reply_visibility")
    await api.post(path, json={"body": "yes", "reply_to": number})
    page = (await api.get(path, params={"limit": 1})).json()
    rest = (await api.get(path, params={"after": page["next"]})).json()
    assert [one["body"] for one in (*page["items"], *rest["items"])] == ["see @noa and @nobody", "yes"]
    gone = await api.post(f"{path}/{number}/withdraw")
    assert (gone.status_code, gone.json()["body"]) == (200, None)
    assert (await api.post(f"{path}/77/withdraw")).status_code == 404
    assert (await api.post(path, json={"body": "x", "reply_to": True})).json()["code"] == "bad_member"


async def test_activities_are_planned_and_done(api: httpx.AsyncClient) -> None:
    path = "/o/company/C-0001/activities"
    wanted = {"type": "task", "summary": "ring them", "assignee": "noa", "due_on": "2026-11-25"}
    made = await api.post(path, json=wanted)
    assert made.status_code == 201, made.text
    assert (made.json()["due_on"], made.json()["assignee"]) == ("2026-11-25", "noa")
    done = await api.post(f"{path}/{made.json()['id']}/done", json={"note": "done"})
    assert done.status_code == 200, done.text
    assert done.json()["done_at"]
    again = await api.post(f"{path}/{made.json()['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (422, "activity_closed")
    assert len((await api.get(path)).json()["items"]) == 1
    for wrong, code in (({**wanted, "due_on": "soon"}, "due_missing"), ({**wanted, "assignee": "x"}, "assignee_unknown")):
        assert (await api.post(path, json=wrong)).json()["code"] == code


async def test_files_are_kept_with_their_versions(api: httpx.AsyncClient) -> None:
    path = "/o/company/C-0001/files"
    first = await api.post(path, params={"name": "a/ב.txt", "file_kind": "contract", "signed": "true"}, content=b"one")
    assert first.status_code == 201, first.text
    assert (first.json()["name"], first.json()["size"], first.json()["signed"]) == ("ב.txt", 3, True)
    await api.post(path, params={"name": "b.txt", "version_of": first.json()["id"]}, content=b"two")
    listed = (await api.get(path)).json()["items"]
    assert [(one["name"], [each["name"] for each in one["older"]]) for one in listed] == [("b.txt", ["ב.txt"])]
    read = await api.get(f"http://api.test{first.headers['location']}")
    assert (read.content, read.headers["content-type"]) == (b"one", "application/octet-stream")
    large = await api.post(path, params={"name": "c"}, content=b"x" * 1001)
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    for params, code in (({"name": "c"}, "file_empty"), ({}, "bad_name"), ({"name": "c", "file_kind": "x"}, "bad_option")):
        assert (await api.post(path, params=params, content=b"")).json()["code"] == code


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_may_only_read_adds_nothing(site: ApiSite, api: httpx.AsyncClient) -> None:
    async with site.program(("company", "read")) as reader, site.program(("visit", "*")) as stranger:
        for path, body in (
            ("messages", {"json": {"body": "x"}}),
            ("files?name=x", {"content": b"x"}),
            ("activities", {"json": {}}),
        ):
            assert (await reader.post(f"/o/company/C-0001/{path}", **body)).status_code == 403  # type: ignore[arg-type]
            assert (await stranger.post(f"/o/company/C-0001/{path}", **body)).status_code == 404  # type: ignore[arg-type]
            assert (await reader.get(f"/o/company/C-0001/{path.partition('?')[0]}")).status_code == 200
            assert (await stranger.get(f"/o/company/C-0001/{path.partition('?')[0]}")).status_code == 404
