"""Imports as a person does them at the pages: a file, its columns, the report, the result, and back."""

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from openpyxl import load_workbook

from cloud.db.engine import Sessions, open_sessions
from cloud.imports.work import ImportWork
from cloud.jobs.worker import Worker
from cloud.kernel.actor import Actor, Taken
from cloud.people.accounts import NewUser, create_user
from cloud.people.models import Role
from tests.integration.object_world import ZONE, make_world
from tests.integration.test_object_pages import LIBRARIES, PASSWORD, Desk, browser, make_desk


@pytest.fixture
async def sessions(sqlite_url: str) -> AsyncIterator[Sessions]:
    found = open_sessions(sqlite_url)
    yield found
    await found.engine.dispose()


@pytest.fixture
async def desk(sessions: Sessions, tmp_path: Path) -> AsyncIterator[Desk]:
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    found = await make_desk(sessions, make_world(tmp_path))
    yield found
    await found.client.aclose()


async def send_file(desk: Desk, content: str | bytes, kind: str = "company", name: str = "x.csv") -> httpx.Response:
    data = {"csrf": desk.csrf, "kind": kind}
    files = {"file": (name, content if isinstance(content, bytes) else content.encode())}
    return await desk.client.post("/imports/upload", data=data, files=files)


async def work(desk: Desk) -> None:
    handlers = ImportWork(desk.world.registry, ZONE, desk.world.hooks).handlers()
    await Worker(desk.sessions, handlers, name="test", clock=lambda: desk.world.now).run_due()


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.replace("<bdi>", "").replace("</bdi>", "")))


async def test_a_file_goes_from_columns_to_records_and_back(desk: Desk) -> None:
    answer = await send_file(desk, "Firma,Ort,credit\nOak,Haifa,many\nElm,Acre,12.5\n")
    assert answer.status_code == 303, answer.text
    here = answer.headers["location"]
    page = await desk.get(here)
    assert "Firma" in page
    assert '<option value="credit" selected>' in page
    fields = {"field-0": "name", "field-1": "city", "field-2": "credit", "mode": "create", "key": "", "policy": "all"}
    await desk.send(f"{here}/check", **fields)
    assert "data-live" in await desk.get(here)
    await work(desk)
    report = plain(await desk.get(here))
    assert "credit: This is not a number. (many)" in report or "many" in report
    book = load_workbook(io.BytesIO((await desk.client.get(f"{here}/faults.xlsx")).content))
    assert [[cell.value for cell in row] for row in book.active.iter_rows(max_col=5)][1][:1] == [2]
    await desk.send(f"{here}/apply", policy="good")
    await work(desk)
    assert "Imported" in plain(await desk.get(here))
    assert "Elm" in await desk.get("/o/company")
    await desk.send(f"{here}/undo")
    await work(desk)
    assert "Undone" in plain(await desk.get(here))
    assert "Elm" not in await desk.get("/o/company")
    assert "x.csv" in await desk.get("/imports")


async def test_the_mended_faults_come_back_with_the_same_columns(desk: Desk) -> None:
    answer = await send_file(desk, "Firma;credit\nOak;many\nElm;1\n")
    here = answer.headers["location"]
    await desk.send(f"{here}/check", **{"field-0": "name", "field-1": "credit", "mode": "create"})
    await work(desk)
    book = load_workbook(io.BytesIO((await desk.client.get(f"{here}/faults.xlsx")).content))
    sheet = book.active
    assert [cell.value for cell in sheet[1]] == ["#row", "#reason", "Firma", "credit"]
    sheet["D2"] = "7.5"
    mended = io.BytesIO()
    book.save(mended)
    again = (await send_file(desk, mended.getvalue(), name="mended.xlsx")).headers["location"]
    page = await desk.get(again)
    assert '<option value="name" selected>' in page
    await desk.send(f"{again}/check", **{"field-2": "name", "field-3": "credit", "mode": "create"})
    await work(desk)
    await desk.send(f"{again}/apply")
    await work(desk)
    assert "7.5" in await desk.get("/o/company")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"field-0": "name", "field-1": "name", "mode": "create"}, "Two columns fill name"),
        ({"mode": "create"}, "No column is imported"),
        ({"field-0": "name", "mode": "upsert", "key": ""}, "Say by which column"),
        ({"field-0": "source_key", "mode": "upsert", "key": "source_key"}, "Say the name of the other system"),
    ],
)
async def test_columns_that_do_not_go_together_are_told_on_the_form(desk: Desk, fields: dict[str, str], words: str) -> None:
    here = (await send_file(desk, "a,b\n1,2\n")).headers["location"]
    answer = await desk.send(f"{here}/check", status=422, **fields)
    assert words in plain(answer.text)


async def test_a_file_that_cannot_be_read_is_told_where_it_was_chosen(desk: Desk) -> None:
    answer = await send_file(desk, b"PK\x03\x04 broken", name="x.xlsx")
    assert answer.status_code == 422
    assert "The workbook cannot be read" in plain(answer.text)


@pytest.mark.parametrize("locale", ["en", "he"])
async def test_every_step_reads_in_both_languages(desk: Desk, locale: str) -> None:
    await desk.client.post("/language", data={"csrf": desk.csrf, "locale": locale, "next": "/"})
    assert f'lang="{locale}"' in await desk.get("/imports")
    here = (await send_file(desk, "name,ref\nOak,A\n")).headers["location"]
    for step in ("check", "apply", "undo"):
        assert (await desk.client.get(here)).status_code == 200
        fields = {"field-0": "name", "field-1": "ref", "mode": "upsert", "key": "ref"} if step == "check" else {}
        await desk.send(f"{here}/{step}", **fields)
        assert (await desk.client.get(here)).status_code == 200
        await work(desk)
    for show in ("new", "undone", "faulty"):
        await desk.get(f"{here}?show={show}")
    await desk.get("/imports")


async def test_templates_can_be_filled_in_and_their_example_is_passed_over(desk: Desk) -> None:
    book = load_workbook(io.BytesIO((await desk.client.get("/imports/templates.xlsx")).content))
    assert [one.title for one in book.worksheets if one.sheet_state == "visible"] == ["01 company", "02 visit"]
    one = load_workbook(io.BytesIO((await desk.client.get("/imports/template/company.xlsx")).content))
    sheet = one.active
    assert [cell.value for cell in sheet[1]] == ["#", "ref", "name", "city", "credit", "site_code", "parent"]
    sheet["C4"] = "Oak"
    filled = io.BytesIO()
    one.save(filled)
    here = (await send_file(desk, filled.getvalue(), name="company.xlsx")).headers["location"]
    assert "1 rows" in plain(await desk.get(here))


async def test_who_may_not_make_records_sees_no_imports_of_others(desk: Desk, sessions: Sessions) -> None:
    here = (await send_file(desk, "name\nOak\n")).headers["location"]
    async with sessions.write() as session:
        taken = Taken(Actor.user("root", "admin"), desk.world.now)
        await create_user(session, NewUser("bea", "Bea", Role.VIEWER, password=PASSWORD, locale="en"), taken)
    other = await browser(sessions, desk.world, "bea")
    assert (await send_file(other, "name\nElm\n")).status_code == 403
    for path in (here, f"{here}/faults.xlsx"):
        await other.get(path, 404)
    await other.send(f"{here}/apply", status=404)
    assert "x.csv" not in await other.get("/imports")
    await other.client.aclose()
