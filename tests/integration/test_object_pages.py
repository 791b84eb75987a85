"""Pages made from definitions, asked as browsers ask: lists, forms, records."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.db.engine import Sessions, open_sessions
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.people.accounts import NewUser, create_user
from cloud.people.builtin import Allowed
from cloud.people.models import Role
from cloud.people.roles import change_role, create_role
from cloud.web import StaffDeps, StaffSettings, create_staff_app
from tests.integration.conftest import TurnedClock
from tests.integration.object_world import World, make_world
from tests.unit.cloud_web.test_words import Bare

LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"
PASSWORD = "weigh-anchor-42"


@dataclass
class Desk:
    """A browser that is signed in, and the world behind it."""

    client: httpx.AsyncClient
    world: World
    sessions: Sessions

    csrf: str = ""

    async def get(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text[:2000]
        return answer.text

    async def send(self, path: str, status: int = 303, **fields: object) -> httpx.Response:
        """Post a form with the page's token; names have `__` for a dot."""
        data = {name.replace("__", "."): value for name, value in fields.items()}
        data["csrf"] = self.csrf
        answer = await self.client.post(path, data=data)
        assert answer.status_code == status, answer.text[:3000]
        return answer


async def make_desk(sessions: Sessions, world: World) -> Desk:
    async with sessions.write() as session:
        taken = Taken(Actor.user("root", "admin"), world.now)
        await create_user(session, NewUser("ada", "Ada Levi", Role.ADMIN, password=PASSWORD, locale="en"), taken)
    return await browser(sessions, world, "ada")


async def browser(sessions: Sessions, world: World, login: str) -> Desk:
    """Signed in as people do."""
    settings = StaffSettings(organisation="Galil", hosts=frozenset({"staff.test"}))
    deps = StaffDeps(sessions, LIBRARIES, settings, TurnedClock(world.now), registry=world.registry, hooks=world.hooks)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(create_staff_app(deps)), base_url="http://staff.test")
    form = await client.get("/sign-in")
    answer = await client.post("/sign-in", data={"login": login, "password": PASSWORD, "csrf": token_in(form.text)})
    assert answer.status_code == 303, answer.text
    return Desk(client, world, sessions, csrf=token_in((await client.get("/me")).text))


def token_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@pytest.fixture
async def sessions(sqlite_url: str) -> AsyncIterator[Sessions]:
    """What differs between databases is below these pages and tried there."""
    found = open_sessions(sqlite_url)
    yield found
    await found.engine.dispose()


@pytest.fixture
async def desk(sessions: Sessions, tmp_path: Path) -> AsyncIterator[Desk]:
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    desk = await make_desk(sessions, make_world(tmp_path))
    yield desk
    await desk.client.aclose()


async def company(desk: Desk, name: str, **more: str) -> str:
    given: dict[str, Any] = {f"f__{key}": value for key, value in more.items()}
    answer = await desk.send("/o/company/new", had=["name", *more], f__name=name, **given)
    return answer.headers["location"].rpartition("/")[2]


async def test_record_is_made_shown_and_changed(desk: Desk) -> None:
    page = await desk.get("/o/company/new")
    assert 'name="f.name"' in page
    ref = await company(desk, "Galil Fine Foods", city="Haifa")
    assert ref == "C-0001"
    assert "Galil Fine Foods" in await desk.get(f"/o/company/{ref}")
    assert "Haifa" in await desk.get("/o/company")
    form = await desk.get(f"/o/company/{ref}/edit")
    assert 'value="Haifa"' in form
    await desk.send(f"/o/company/{ref}/edit", had=["city"], f__city="Acre", version="1")
    assert "Acre" in await desk.get(f"/o/company/{ref}")


async def test_form_comes_back_with_faults_and_all_that_was_typed(desk: Desk) -> None:
    answer = await desk.send("/o/visit/new", 422, had=["subject", "score"], f__subject="", f__score="11")
    assert 'value="11"' in answer.text
    assert "1 to 10" in answer.text
    assert 'href="#f-subject"' in answer.text


async def test_detail_of_the_source_is_asked_only_where_it_is_manual(desk: Desk) -> None:
    web = await desk.send("/o/visit/check", 200, had=["subject", "source"], f__source="web")
    assert re.search(r'id="field-source_detail"[^>]*hidden', web.text)
    manual = await desk.send("/o/visit/check", 200, had=["subject", "source"], f__source="manual")
    assert not re.search(r'id="field-source_detail"[^>]*hidden', manual.text)
    assert re.search(r'id="f-source_detail"[^>]*aria-required="true"', manual.text)
    refused = await desk.send(
        "/o/visit/new", 422, had=["subject", "source", "source_detail"], f__subject="x", f__source="manual"
    )
    assert 'href="#f-source_detail"' in refused.text


async def test_score_outside_one_to_ten_is_told_on_entry(desk: Desk) -> None:
    for score, wrong in (("0", True), ("1", False), ("10", False), ("11", True)):
        answer = await desk.send("/o/visit/check", 200, had=["subject", "score"], f__score=score, touched=["score"])
        assert ("1 to 10" in answer.text) is wrong
        # Nobody has been at the subject yet: that it is missing is not said.
        assert "Please fill this in" not in answer.text


async def visit(desk: Desk, **more: str) -> str:
    given: dict[str, Any] = {f"f__{key}": value for key, value in more.items()}
    answer = await desk.send("/o/visit/new", had=["subject", *more], f__subject="Talk", **given)
    return answer.headers["location"].rpartition("/")[2]


async def test_transition_that_needs_nothing_is_a_button(desk: Desk) -> None:
    ref = await visit(desk, on="2026-11-23")
    assert f'action="/o/visit/{ref}/do/hold"' in await desk.get(f"/o/visit/{ref}")
    await desk.send(f"/o/visit/{ref}/do/hold", version="1")
    assert "Held" in await desk.get(f"/o/visit/{ref}")


async def test_refused_guard_says_why(desk: Desk) -> None:
    ref = await visit(desk)
    answer = await desk.send(f"/o/visit/{ref}/do/hold", 422, version="1")
    assert "Say the day first." in answer.text


async def test_transition_asks_for_reason_and_fields_and_keeps_what_was_typed(desk: Desk) -> None:
    ref = await visit(desk, on="2026-11-23")
    page = await desk.get(f"/o/visit/{ref}")
    assert f'href="/o/visit/{ref}/do/drop"' in page
    assert 'name="reason"' in await desk.get(f"/o/visit/{ref}/do/drop")
    await desk.send(f"/o/visit/{ref}/do/drop", 422, version="1", reason="")
    await desk.send(f"/o/visit/{ref}/do/hold", version="1")
    asked = await desk.get(f"/o/visit/{ref}/do/close")
    assert 'name="f.outcome"' in asked
    missing = await desk.send(f"/o/visit/{ref}/do/close", 422, version="2", had="outcome", f__outcome="")
    assert "Fill this in before" in missing.text or "Please fill this in" in missing.text
    await desk.send(f"/o/visit/{ref}/do/close", version="2", had="outcome", f__outcome="no_order")
    assert "Closed" in await desk.get(f"/o/visit/{ref}")


async def test_two_editors_are_shown_side_by_side_and_nothing_is_lost(desk: Desk) -> None:
    ref = await company(desk, "Galil", city="Haifa", credit="10")
    form = await desk.get(f"/o/company/{ref}/edit")
    seen = html.unescape(re.search(r'name="seen" value="([^"]*)"', form)[1])  # type: ignore[index]
    await desk.send(f"/o/company/{ref}/edit", had=["city", "name"], f__city="Acre", f__name="Galil", version="1", seen=seen)
    fields: dict[str, Any] = {"had": ["city", "name", "credit"], "f__city": "Eilat", "f__name": "Galil", "f__credit": "10.00"}
    answer = await desk.send(f"/o/company/{ref}/edit", 409, version="1", seen=seen, **fields)
    for value in ("Haifa", "Acre", "Eilat"):
        assert value in answer.text
    # 10.00 is what was there: it is no change.
    assert "pick.credit" not in answer.text
    chosen: dict[str, Any] = {"kept": ["city"], "pick__city": "yours", "yours__city": "Eilat", "version": "2", "seen": seen}
    again = await desk.send(f"/o/company/{ref}/edit", 200, **chosen, again="yes")
    assert 'value="Eilat"' in again.text
    await desk.send(f"/o/company/{ref}/edit", **chosen)
    assert "Eilat" in await desk.get(f"/o/company/{ref}")


async def test_page_shows_what_leads_to_it_and_makes_more(desk: Desk) -> None:
    ref = await company(desk, "Galil")
    await visit(desk, company=ref, on="2026-11-23")
    page = await desk.get(f"/o/company/{ref}")
    assert "Visits" in page
    assert f"/o/visit/new?f.company={ref}" in page
    prefilled = await desk.get(f"/o/visit/new?f.company={ref}")
    assert f"Galil · {ref}" in prefilled


async def test_archived_record_leaves_the_list_and_comes_back(desk: Desk) -> None:
    ref = await company(desk, "Galil")
    await desk.send(f"/o/company/{ref}/archive", version="1")
    assert ref not in await desk.get("/o/company")
    assert ref in await desk.get("/o/company?kept=archived")
    await desk.send(f"/o/company/{ref}/archive", version="2", back="yes")
    assert ref in await desk.get("/o/company")


async def test_list_is_filtered_by_rows_words_and_formula(desk: Desk) -> None:
    acre = await company(desk, "Acre Bakery", city="Acre", credit="10")
    haifa = await company(desk, "מאפיית חיפה", city="Haifa", credit="20")
    for query, found in (
        ("f=credit&op=above&v=15", haifa),
        ("f=city&op=is&v=Acre", acre),
        ("q=bakery", acre),
        ("q=%D7%97%D7%99%D7%A4%D7%94", haifa),
        (f"q={acre.lower()}", acre),
        ("where=credit+%3E+15", haifa),
    ):
        page = await desk.get(f"/o/company?{query}")
        other = acre if found == haifa else haifa
        assert f'href="/o/company/{found}"' in page, query
        assert f'href="/o/company/{other}"' not in page, query


async def test_faulty_filter_says_where_and_loses_nothing(desk: Desk) -> None:
    page = await desk.get("/o/company?where=credit+%3E+%3E+1&f=credit&op=above&v=many")
    assert 'id="where"' in page
    assert "credit &gt; &gt; 1" in page
    assert "This value does not fit the field." in page
    assert "column <bdi" in page


async def test_view_is_kept_shared_and_comes_first(desk: Desk) -> None:
    acre, haifa = await company(desk, "Acre", city="Acre"), await company(desk, "Haifa", city="Haifa")
    query = "f=city&op=is&v=Acre&sort=-name"
    answer = await desk.send("/o/company/views", name="In Acre", query=query, first="yes", shared="yes")
    page = await desk.get(answer.headers["location"])
    assert acre in page
    assert haifa not in page
    assert haifa not in await desk.get("/o/company")
    assert haifa in await desk.get("/o/company?view=all")
    uid = answer.headers["location"].rpartition("=")[2]
    await desk.send(f"/o/company/views/{uid}/drop")
    assert haifa in await desk.get("/o/company")


async def test_many_are_moved_at_once_and_each_refusal_is_told(desk: Desk) -> None:
    ready, unready = await visit(desk, on="2026-11-23"), await visit(desk)
    answer = await desk.send("/o/visit/bulk", 422, act="do:hold", ref=[ready, unready])
    assert "Say the day first." in answer.text
    assert "Held" in await desk.get(f"/o/visit/{ready}")
    asked = await desk.send("/o/visit/bulk", 200, act="do:drop", ref=[ready, unready])
    assert 'name="reason"' in asked.text
    await desk.send("/o/visit/bulk", act="do:drop", ref=[ready, unready], reason="storm")
    await desk.send("/o/visit/bulk", act="archive", ref=[ready])
    assert ready not in await desk.get("/o/visit")


async def test_list_and_chosen_records_are_taken_away_as_files(desk: Desk) -> None:
    acre, haifa = await company(desk, "Acre", city="Acre"), await company(desk, "Haifa", city="Haifa")
    whole = await desk.get("/o/company/export?fmt=csv&f=city&op=is&v=Acre")
    assert acre in whole
    assert haifa not in whole
    chosen = await desk.send("/o/company/bulk", 200, act="csv", ref=[haifa])
    assert haifa in chosen.text
    assert acre not in chosen.text
    sheet = await desk.client.get("/o/company/export?fmt=xlsx")
    assert sheet.content[:2] == b"PK"


async def test_board_has_a_column_for_each_state_and_moves_cards(desk: Desk) -> None:
    ref = await visit(desk, on="2026-11-23")
    page = await desk.get("/o/visit/board")
    lanes = re.findall(r'data-state="(\w+)"', page)
    assert lanes == ["planned", "held", "closed", "dropped"]
    assert f'action="/o/visit/{ref}/do/hold"' in page
    answer = await desk.send(f"/o/visit/{ref}/do/hold", version="1", next="/o/visit/board")
    assert answer.headers["location"] == "/o/visit/board"
    await desk.get("/o/company/board", 404)


async def limited(desk: Desk, *grants: Allowed) -> Desk:
    """The browser of somebody with only these grants."""
    async with desk.sessions.write() as session:
        taken = Taken(Actor.user("root", "admin"), desk.world.now, access=Access.all())
        await create_role(session, "limited", ("Limited", "מוגבל"), taken)
        await change_role(session, "limited", ("Limited", "מוגבל"), grants, taken)
        await create_user(session, NewUser("lea", "Lea", "limited", password=PASSWORD, locale="en"), taken)
    return await browser(desk.sessions, desk.world, "lea")


async def test_what_may_not_be_read_is_not_there(desk: Desk) -> None:
    haifa, acre = await company(desk, "Haifa Bakery", city="Haifa", credit="777"), await company(desk, "Acre", city="Acre")
    lea = await limited(desk, Allowed("company", "read", "city == 'Haifa'", "-credit"))
    assert "Haifa Bakery" in await lea.get("/o/company")
    for path in (
        f"/o/company/{acre}",
        f"/o/company/{acre}/edit",
        "/o/visit",
        "/o/visit/new",
        "/o/visit/board",
        "/admin/objects",
    ):
        await lea.get(path, 404)
    await lea.get(f"/o/company/{haifa}/edit", 403)
    await lea.get("/o/company/new", 403)
    await lea.get("/o/company/export", 403)
    for path in ("/o/company", f"/o/company/{haifa}", "/o/company?cols=name,credit"):
        page = await lea.get(path)
        assert "777" not in page
        assert "Acre" not in page
        assert "/edit" not in page
        assert "/o/company/new" not in page
    assert (await lea.client.get("/o/company?sort=credit")).status_code in {200, 403}
    await lea.client.aclose()


OWN = """key: x_tour
label: {en: Tour, he: סיור}
fields:
  guide: {type: text, required: true}
  rating: {type: int, validate: "1 <= rating <= 10", message: {en: One to ten}}
"""


async def test_new_object_is_there_at_once(desk: Desk) -> None:
    answer = await desk.send("/admin/objects/-/new", text=OWN, version="0", act="save")
    assert answer.headers["location"] == "/admin/objects/x_tour"
    await desk.send("/o/x_tour/new", had=["guide"], f__guide="Dana")
    page = await desk.get("/o/x_tour")
    assert "Dana" in page
    assert 'href="/o/x_tour"' in await desk.get("/")


async def test_faults_of_a_definition_name_their_lines(desk: Desk) -> None:
    text = OWN.replace("1 <= rating", "1 <= ratng")
    answer = await desk.send("/admin/objects/-/new", 422, text=text, version="0", act="save")
    assert "ratng" in answer.text
    assert '<span class="bad">5</span>' in answer.text
    await desk.get("/admin/objects/x_tour", 404)


async def test_field_is_written_into_the_text_and_previewed(desk: Desk) -> None:
    fields: dict[str, Any] = {
        "field__key": "size", "field__type": "choice", "field__en": 'Size "L"', "field__options": "s, Small, קטן\nl",
    }  # fmt: skip
    answer = await desk.send("/admin/objects/company", 200, text="key: company\n", version="0", act="field", **fields)
    text = html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.DOTALL)[1])  # type: ignore[index]
    assert 'x_size: {type: choice, options: {"s": {en: "Small", he: "קטן"}, "l": {en: "l"}}' in text
    assert 'id="f-x_size"' in answer.text
    await desk.send("/admin/objects/company", text=text, version="0", act="save")
    assert 'id="f-x_size"' in await desk.get("/o/company/new")
    # Saved by somebody else since.
    stale = await desk.send("/admin/objects/company", 422, text=text, version="0", act="save")
    assert "meanwhile" in stale.text


async def test_definition_keeps_its_key(desk: Desk) -> None:
    answer = await desk.send("/admin/objects/company", 422, text="key: visit\n", version="0", act="save")
    assert "the key stays company" in answer.text


async def test_every_number_on_every_page_is_isolated(desk: Desk) -> None:
    galil = await company(desk, "Galil 7", city="Haifa 3", credit="12.50")
    given = {"company": galil, "on": "2026-11-23", "fee": "12.345", "at": "2026-11-23T10:30", "note": "2 boxes", "score": "5"}
    rows: dict[str, str] = {"lines__0__what": "Flour 5%", "lines__0__qty": "2", "lines__0__price": "3"}
    ref = await visit(desk, **given, lines="", **rows, guests=galil)
    stale = await desk.send(f"/o/visit/{ref}/edit", 409, had=["score"], f__score="6", version="7", seen='{"score": "4"}')
    pages = {path: await desk.get(path) for path in (
        "/", "/o/visit", "/o/visit?q=5&f=score&op=is&v=5&where=score+>", "/o/visit/board", "/o/visit/new", f"/o/visit/{ref}",
        f"/o/visit/{ref}/edit", f"/o/visit/{ref}/do/drop", f"/o/company/{galil}", "/admin/objects", "/admin/objects/visit",
    )}  # fmt: skip
    for path, page in {**pages, "conflict": stale.text}.items():
        finder = Bare()
        finder.feed(page)
        assert finder.bare == [], path


async def test_list_is_sorted_by_its_heads(desk: Desk) -> None:
    refs = [await company(desk, name, city=city) for name, city in (("B", "1"), ("A", "3"), ("C", "2"))]
    for sort, order in (
        ("name", (1, 0, 2)),
        ("-name", (2, 0, 1)),
        ("city", (0, 2, 1)),
        ("ref", (0, 1, 2)),
        ("-ref", (2, 1, 0)),
    ):
        page = await desk.get(f"/o/company?sort={sort}")
        assert re.findall(r'class="row-link" href="/o/company/([^"]+)"', page) == [refs[place] for place in order], sort
        turned = sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
        assert f'href="/o/company?sort={turned}"' in page
