"""What lies around a record, used as browsers use it: as plain forms and by script; the search and the notices."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from cloud.around.records import add_to
from cloud.blobs.store import DirectoryStore
from cloud.db.engine import Sessions, open_sessions
from cloud.kernel.actor import Actor, Taken
from cloud.objects import service
from cloud.people import accounts
from cloud.people.accounts import NewUser, create_user
from cloud.people.models import Role
from cloud.web import StaffDeps, StaffSettings, create_staff_app
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import make_world

LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"
PASSWORD = "weigh-anchor-42"
PDF = b"%PDF-1.7 a contract"
HOSTILE = '<script>alert(1)</script>"><img src=x>'
HERE = "/o/company/C-0001"


@dataclass
class Desk:
    """A signed-in browser."""

    client: httpx.AsyncClient
    csrf: str

    async def get(self, path: str, status: int = 200, **headers: str) -> str:
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == status, answer.text[:2000]
        return answer.text

    async def send(self, path: str, status: int = 303, *, script: bool = False, **fields: str) -> httpx.Response:
        headers = {"HX-Request": "true", "X-CSRF-Token": self.csrf} if script else {}
        data = {"csrf": self.csrf, **fields}
        answer = await self.client.post(HERE + path, data=data, headers=headers)
        assert answer.status_code == status, answer.text[:2000]
        return answer

    async def put_file(self, name: str, data: bytes, status: int = 303, **fields: str) -> httpx.Response:
        given = {"csrf": self.csrf, **fields}
        answer = await self.client.post("/upload/company/C-0001", data=given, files={"file": (name, data, "text/html")})
        assert answer.status_code == status, answer.text[:2000]
        return answer


@dataclass
class House:
    """The application, and a way in."""

    transport: httpx.ASGITransport
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def stranger(self) -> httpx.AsyncClient:
        self.clients.append(httpx.AsyncClient(transport=self.transport, base_url="http://staff.test"))
        return self.clients[-1]

    async def desk(self, login: str) -> Desk:
        client = self.stranger()
        form = await client.get("/sign-in")
        given = {"login": login, "password": PASSWORD, "csrf": token_in(form.text)}
        assert (await client.post("/sign-in", data=given)).status_code == 303
        return Desk(client, token_in((await client.get("/me")).text))


def token_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@pytest.fixture(autouse=True)
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same algorithm with its smallest cost."""
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    monkeypatch.setattr(accounts, "_hashing", quick)
    monkeypatch.setattr(accounts, "_NOBODY", quick.hash("nobody"))


@pytest.fixture
async def sessions(sqlite_url: str) -> AsyncIterator[Sessions]:
    """What the database has a part in is tried on both elsewhere."""
    opened = open_sessions(sqlite_url)
    yield opened
    await opened.engine.dispose()


@pytest.fixture
async def house(sessions: Sessions, tmp_path: Path) -> AsyncIterator[House]:
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    world = make_world(tmp_path)
    add_to(world.hooks)
    clock = TurnedClock(world.now)
    async with sessions.write() as session:
        taken = Taken(Actor.user("root", "admin"), clock.now)
        for login, role, locale in (("ada", Role.ADMIN, "en"), ("adi", Role.ADMIN, "he"), ("vic", Role.AUDITOR, "en")):
            await create_user(session, NewUser(login, f"{login} Levi", role, password=PASSWORD, locale=locale), taken)
        await service.create(await world.caller(session), "company", {"name": "Galil Fish"})
    settings = StaffSettings(hosts=frozenset({"staff.test"}), max_file=200_000)
    store = DirectoryStore(tmp_path / "blobs")
    deps = StaffDeps(sessions, LIBRARIES, settings, clock, registry=world.registry, hooks=world.hooks, blobs=store)
    house = House(httpx.ASGITransport(create_staff_app(deps)))
    yield house
    for client in house.clients:
        await client.aclose()


async def test_message_is_internal_unless_the_portal_is_chosen(house: House) -> None:
    ada = await house.desk("ada")
    answer = await ada.send("/messages", body="they pay late")
    assert answer.headers["location"] == f"{HERE}#around"
    page = await ada.get(f"{HERE}/around")
    assert "they pay late" in page
    assert "Seen in the portal" not in page
    await ada.send("/messages", body="hello", visibility="portal")
    assert "Seen in the portal" in await ada.get(f"{HERE}/around")
    await ada.send("/messages", 422, body="x", visibility="everybody")


async def test_script_gets_the_part_of_the_page_alone(house: House) -> None:
    ada = await house.desk("ada")
    part = (await ada.send("/messages", 200, script=True, body="hello")).text
    assert part.lstrip().startswith('<div id="around"')
    assert "<html" not in part
    refused = (await ada.send("/messages", 200, script=True, body="  ", visibility="portal")).text
    assert 'role="alert"' in refused
    assert "nothing to send" in refused


async def test_refused_message_comes_back_with_what_was_written(house: House) -> None:
    ada = await house.desk("ada")
    answer = await ada.send("/messages", 422, body="x" * 10_001, visibility="portal")
    assert "x" * 10_001 in answer.text
    assert re.search(r'id="message-portal" checked', answer.text)


async def test_writer_hears_who_was_not_told(house: House) -> None:
    ada = await house.desk("ada")
    page = html.unescape((await ada.send("/messages", 200, body="@adi @nobody look")).text)
    assert "Nobody has this login: nobody" in page
    adi = await house.desk("adi")
    notices = await adi.get("/notices")
    assert "Galil Fish" in notices
    assert "הוזכרתם" in notices
    assert "pill info" in notices
    assert (await adi.client.get("/notices/1")).headers["location"] == HERE
    assert "pill info" not in await adi.get("/notices")
    await ada.get("/notices/1", 404)
    await ada.send("/messages", body="@adi again")
    assert (await adi.client.post("/notices/read", data={"csrf": adi.csrf})).status_code == 303
    assert "pill info" not in await adi.get("/notices")


async def test_nothing_that_is_written_becomes_markup(house: House) -> None:
    ada = await house.desk("ada")
    await ada.send("/messages", body=HOSTILE)
    await ada.send("/activities", type="task", assignee="ada", summary=HOSTILE, due_on="2026-11-30", note=HOSTILE)
    await ada.put_file(HOSTILE + ".pdf", PDF)
    for path in (f"{HERE}/around", "/search?q=alert", f"/search?q={HOSTILE}", "/notices"):
        assert "<script>alert" not in await ada.get(path)


async def test_activity_is_planned_put_off_and_done(house: House) -> None:
    ada = await house.desk("ada")
    await ada.send("/activities", type="call", assignee="adi", summary="ring them", due_on="2026-11-21")
    page = await ada.get(f"{HERE}/around")
    assert "ring them" in page
    assert "Overdue" in page
    await ada.send("/activities/1/move", due_on="2026-12-01", version="1")
    assert "Overdue" not in await ada.get(f"{HERE}/around")
    assert "Say what came of it." in (await ada.send("/activities/1/done", 422)).text
    await ada.send("/activities/1/done", outcome="reached")
    assert "Nothing is waiting to be done." in await ada.get(f"{HERE}/around")
    await ada.send("/activities", 422, type="call", assignee="ada", summary="x", due_on="soon")
    await ada.send("/activities/77/done", 404)
    await ada.send("/activities", type="task", assignee="ada", summary="at ten", due_on="2026-11-23", due_time="10:00")
    await ada.send("/activities/2/move", 409, due_on="2026-12-01", version="9")


async def test_file_comes_back_as_it_was_with_headers_that_keep_it_a_file(house: House) -> None:
    ada = await house.desk("ada")
    await ada.put_file("חוזה 2026.pdf", PDF, file_kind="contract", signed="true")
    page = await ada.get(f"{HERE}/around")
    assert "חוזה 2026.pdf" in page
    answer = await ada.client.get(f"{HERE}/files/1")
    assert (answer.content, answer.headers["content-type"]) == (PDF, "application/pdf")
    assert answer.headers["content-disposition"].startswith("inline; filename=\"____ 2026.pdf\"; filename*=UTF-8''%D7%97")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (await ada.client.get(f"{HERE}/files/1?save=true")).headers["content-disposition"].startswith("attachment")
    # What a browser would run is a download, whatever it was called when it was sent.
    await ada.put_file("page.html", b"<script>alert(1)</script>", version_of="1")
    answer = await ada.client.get(f"{HERE}/files/2")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    page = await ada.get(f"{HERE}/around")
    assert "Version" in page
    await ada.send("/files/2/archive")
    assert "page.html" not in (await ada.get(f"{HERE}/around")).partition("around-story")[0]


async def test_file_may_be_larger_than_forms_and_not_larger_than_the_setting(house: House) -> None:
    ada = await house.desk("ada")
    await ada.put_file("large.bin", bytes(150_000) + b"x")
    assert (await ada.client.get(f"{HERE}/files/1")).headers["content-length"] == "150001"
    assert "too large" in (await ada.put_file("larger.bin", bytes(200_001), 413)).text
    assert (await ada.put_file("largest.bin", bytes(400_000), 413)).text
    assert "empty" in (await ada.put_file("empty.bin", b"", 422)).text


async def test_body_that_does_not_say_how_long_it_is_is_cut_at_the_cap(house: House) -> None:
    ada = await house.desk("ada")
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield head
        for _ in range(1000):
            sent += 1
            yield bytes(10_000)

    headers = {"content-type": "multipart/form-data; boundary=x", "x-csrf-token": ada.csrf}
    answer = await ada.client.post("/upload/company/C-0001", content=body(), headers=headers)
    # The framework makes a bad request of whatever ends the reading of a form.
    assert answer.status_code in {400, 413}
    assert sent < 50


async def test_reader_looks_and_follows_and_does_nothing_else(house: House) -> None:
    ada, vic = await house.desk("ada"), await house.desk("vic")
    await ada.put_file("a.pdf", PDF)
    await ada.send("/activities", type="task", assignee="ada", summary="x", due_on="2026-11-30")
    page = await vic.get(f"{HERE}/around")
    assert "<textarea" not in page
    assert 'type="file"' not in page
    for path, fields in (
        ("/messages", {"body": "x"}),
        ("/activities", {"type": "task", "assignee": "vic", "summary": "x", "due_on": "2026-11-30"}),
        ("/activities/1/done", {}),
        ("/files/1/archive", {}),
    ):
        await vic.send(path, 403, **fields)
    await vic.put_file("b.pdf", PDF, 403)
    await vic.send("/follow", follow="yes")
    assert "Stop following" in await vic.get(f"{HERE}/around")
    assert (await vic.client.get(f"{HERE}/files/1")).content == PDF


async def test_what_may_not_be_read_is_not_there(house: House) -> None:
    ada = await house.desk("ada")
    await ada.put_file("a.pdf", PDF)
    nobody = house.stranger()
    for path in (f"{HERE}/around", f"{HERE}/files/1", "/search?q=x", "/notices"):
        assert (await nobody.get(path)).headers["location"].startswith("/sign-in")
    for path in ("/o/company/C-0099/around", "/o/nothing/C-0001/around", f"{HERE}/files/99", f"{HERE}/files/{2**70}"):
        await ada.get(path, 404)
    assert (
        await ada.client.post("/upload/company/C-0099", data={"csrf": ada.csrf}, files={"file": ("a", PDF)})
    ).status_code == 404


async def test_change_without_the_token_is_refused(house: House) -> None:
    ada = await house.desk("ada")
    for path in (f"{HERE}/messages", f"{HERE}/follow", "/upload/company/C-0001", "/notices/read"):
        assert (await ada.client.post(path, data={"body": "x"})).status_code == 403


async def test_search_shows_records_by_kind_with_what_was_found(house: House) -> None:
    ada, adi = await house.desk("ada"), await house.desk("adi")
    await ada.send("/messages", body="the pallet was wet")
    page = await ada.get("/search?q=galil")
    assert f'href="{HERE}"' in page
    page = await ada.get("/search?q=pallet")
    assert "<mark>pallet</mark>" in page
    assert "Nothing was found" in await ada.get("/search?q=walrus")
    assert "לא נמצא דבר" in await adi.get("/search?q=walrus")
    await ada.get("/search?q=" + "x" * 900)
    assert f'href="{HERE}"' in await adi.get("/search?q=galil&kind=company")
    assert f'href="{HERE}"' not in await ada.get("/search?q=galil&kind=visit")


@pytest.mark.parametrize("login", ["ada", "adi"])
async def test_every_number_on_the_pages_is_isolated(house: House, login: str) -> None:
    from tests.unit.cloud_web.test_words import Bare  # noqa: PLC0415 - the one finder of bare numbers

    desk = await house.desk(login)
    await desk.send("/messages", body="12.5 kg in 3 boxes")
    await desk.send("/activities", type="call", assignee=login, summary="7 boxes", due_on="2026-11-20")
    await desk.put_file("list-2026.pdf", PDF)
    await desk.put_file("list-2027.pdf", PDF, version_of="1")
    for path in (f"{HERE}/around", "/search?q=12.5", "/search?q=c-0001", "/notices"):
        finder = Bare()
        finder.feed(await desk.get(path))
        assert finder.bare == [], path
