"""What somebody with bad intent, or bad luck, would try on records and their definitions."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from cloud import catalogue
from cloud.db.engine import Sessions, open_sessions
from cloud.errors import Conflict, Forbidden, NotFound, Refused
from cloud.kernel.access import Access
from cloud.kernel.actor import SYSTEM, Actor, Taken
from cloud.kernel.chain import check_chain
from cloud.kernel.events import history
from cloud.kernel.models import Event
from cloud.objects import query, service
from cloud.objects.caller import caller
from cloud.objects.changing import save_definition
from cloud.objects.faults import Invalid
from cloud.objects.query import BadQuery, Query
from cloud.objects.values import storable
from tests.integration.object_world import NOW, World, access, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
async def sqlite_sessions(sqlite_url: str) -> AsyncIterator[Sessions]:
    """Where the database has no part in it."""
    opened = open_sessions(sqlite_url)
    yield opened
    await opened.engine.dispose()


async def refused(doing: Awaitable[Any], *kinds: type[Exception]) -> None:
    with pytest.raises(kinds):
        await doing


async def logged(sessions: Sessions, kind: str = "company") -> list[tuple[str, str]]:
    async with sessions.read() as session:
        assert (await check_chain(session)).ok
        rows = await session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id))
        return [(one.ref, one.action) for one in rows]


async def test_a_savepoint_that_is_rolled_back_takes_its_own_events_along_and_no_others(
    world: World, sessions: Sessions
) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "company", {"name": "A"})
        await service.create(at, "company", {"name": "B"})
        with suppress(RuntimeError):
            async with session.begin_nested():
                await service.create(at, "company", {"name": "C"})
                with suppress(RuntimeError):
                    async with session.begin_nested():
                        await service.update(at, "company", "C-0001", {"city": "Acre"})
                        raise RuntimeError
                await service.update(at, "company", "C-0003", {"city": "Haifa"})
                raise RuntimeError
        async with session.begin_nested():
            await service.update(at, "company", "C-0002", {"city": "Haifa"})
    assert await logged(sessions) == [("C-0001", "create"), ("C-0002", "create"), ("C-0002", "change")]


async def test_a_clash_found_by_the_database_alone_leaves_the_transaction_usable(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "company", {"name": "A"}, ref="OAK")
        await refused(service.create(at, "company", {"name": "B"}, ref="OAK"), Conflict)
        await refused(service.create(at, "company", {"name": "A"}), Invalid)
        await service.create(at, "company", {"name": "C"})
    assert await logged(sessions) == [("OAK", "create"), ("C-0001", "create")]


async def test_a_transaction_that_fails_at_its_end_logs_nothing(world: World, sessions: Sessions) -> None:
    with suppress(RuntimeError):
        async with sessions.write() as session:
            await service.create(await world.caller(session), "company", {"name": "A"})
            raise RuntimeError
    async with sessions.read() as session:
        assert not await history(session, "company", "C-0001")


async def two_sites(world: World, session: Any) -> None:
    root = await world.caller(session)
    for name, site in (("North", "north"), ("South", "south")):
        await service.create(root, "company", {"name": name, "site_code": site})
    await service.create(root, "visit", {"subject": "x", "company": "C-0001", "guests": ["C-0001", "C-0002"]})
    await service.create(root, "visit", {"subject": "y", "company": "C-0002"})


@pytest.mark.parametrize("reading", [
    ("company", "read", "site_code == 'north'"),
    ("company", "read", "any(one == site_code for one in ['north'])"),  # nothing that the database could work out
    ("company", "read", "", "-name"),
    ("company", "write"),
])  # fmt: skip
async def test_names_of_records_that_are_not_yours_are_said_nowhere(
    world: World, sessions: Sessions, reading: tuple[str, ...]
) -> None:
    async with sessions.write() as session:
        await two_sites(world, session)
    async with sessions.read() as session:
        at = await world.caller(session, access=access(("visit", "read"), reading))
        page = await query.find(at, "visit", Query(sort="ref"))
        items = [*page.items, *[await service.get(at, "visit", f"V-2026-000{number}") for number in (1, 2)]]
        assert [one.ref for one in items] == ["V-2026-0001", "V-2026-0002"] * 2
        said = [name for one in items for name in _names(one)]
        own = "site_code" in "".join(reading)
        assert any("North" in one for one in said) is own
        assert not any("South" in one for one in said), said
        assert items[1].title.en == "y – C-0002"
        for wanted in (Query(sort="title"), Query(filter="'South' in title"), Query(filter="company.name == 'South'"),
                       Query(filter="any('South' in one.title for one in guests)")):  # fmt: skip
            with pytest.raises(Forbidden):
                await query.find(at, "visit", wanted)


def _names(item: service.Item) -> list[str]:
    led = [item.values["company"], *item.values["guests"]]
    return [item.title.en, item.title.in_("he"), *(one.title.en for one in led), *(one.title.in_("he") for one in led)]


async def test_names_behind_names_are_said_only_to_who_may_read_them(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        await two_sites(world, session)
        await save_definition(await world.caller(session), world.registry, CALL)
        root = await world.caller(session)
        await service.create(root, "x_call", {"visit": "V-2026-0002"})
        at = await world.caller(session, access=access(("visit", "read"), ("x_call", "read")))
        (item,) = (await query.find(at, "x_call", Query())).items
        assert (item.title.en, item.values["visit"].title.en) == ("y", "y – C-0002")
        assert (await service.get(root, "x_call", item.ref)).values["visit"].title.en == "y – South"


CALL = """
key: x_call
title: "{visit} {again}"
fields:
  visit: {type: ref, object: visit}
  again: {type: ref, object: x_call}
"""


async def test_titles_that_lead_to_themselves_end(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        await save_definition(await world.caller(session), world.registry, CALL)
        at = await world.caller(session)
        item, _ = await service.create(at, "x_call", {})
        for _ in range(3):
            item = await service.update(at, "x_call", item.ref, {"again": item.ref})
        assert (await query.find(at, "x_call", Query(sort="title"))).items[0].ref == item.ref


async def test_what_a_transition_writes_cannot_carry_a_record_beyond_its_scope(world: World, sessions: Sessions) -> None:
    grants = (("visit", "read"), ("visit", "write"), ("visit", "transition:hold", "score is None or score < 5"))
    async with sessions.write() as session:
        await service.create(await world.caller(session), "visit", {"subject": "x", "on": "2026-11-22", "score": 2})
        at = await world.caller(session, access=access(*grants))
        await refused(service.do(at, "visit", "V-2026-0001", "hold", given={"score": 9}), Forbidden)
    assert await logged(sessions, "visit") == [("V-2026-0001", "create")]
    async with sessions.write() as session:
        at = await world.caller(session, access=access(*grants))
        assert (await service.do(at, "visit", "V-2026-0001", "hold", given={"score": 4})).state == "held"


async def test_masks_hold_for_what_a_transition_writes(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        await service.create(await world.caller(session), "visit", {"subject": "x", "secret": "gold"})
        at = await world.caller(
            session, access=access(("visit", "read"), ("visit", "write", "", "-secret"), ("visit", "transition:*"))
        )
        for given in ({"secret": "tin"}, {"state": "held"}, {"owner": "me"}, {"archived": True}, {"ref": "V-1"}, {"total": 5}):
            await refused(service.do(at, "visit", "V-2026-0001", "hold", given=given), Invalid)
            await refused(service.update(at, "visit", "V-2026-0001", given), Invalid)
        # Who may move it on may not write it by that.
        mover = await world.caller(session, access=access(("visit", "read"), ("visit", "transition:*")))
        await refused(service.do(mover, "visit", "V-2026-0001", "hold", given={"on": "2026-11-22"}), Forbidden)


async def test_no_grant_opens_what_only_the_program_does(sqlite_sessions: Sessions) -> None:
    async with sqlite_sessions.read() as session:
        root = Taken(Actor.user("root", "admin"), NOW, access=Access.all())
        at = await caller(session, catalogue.registry(), root)
        for kind, typed in at.objects.typed.items():
            for row in typed.machine.transitions if typed.machine is not None else ():
                for state in row.sources:
                    offered = service.actions_of(at, at.rows(kind), SimpleNamespace(state=state))
                    assert (row.action in offered) is (row.roles != {SYSTEM}), (kind, row.action, state)


UNSOUND = ["\x00", "a\x00b", "\ud800", "x" * 5000]


@pytest.mark.parametrize("text", UNSOUND, ids=["nul", "nul inside", "half a pair", "long"])
async def test_text_that_no_database_takes_is_refused_wherever_it_comes(world: World, sessions: Sessions, text: str) -> None:
    escaped = text.encode("unicode_escape").decode()
    async with sessions.write() as session:
        at = await world.caller(session)
        for doing in (
            service.get(at, "company", text), service.update(at, "company", text, {"city": "x"}),
            service.do(at, "visit", text, "hold"), service.create(at, "visit", {"subject": "s", "company": text}),
            service.create(at, "visit", {"subject": "s", "guests": [text]}),
            service.create(at, "company", {"name": "A"}, ref=text), service.create(at, text, {"name": "A"}),
            service.create(at, "company", {text: "A"}), service.do(at, "visit", "V-2026-0001", text),
        ):  # fmt: skip
            await refused(doing, NotFound, Refused)
        for wanted in ("subject == '{}'", "company == '{}'", "'{}' in subject", "lower(subject) == '{}'", "'{}' in tags"):
            page = await query.find(at, "visit", Query(filter=wanted.format(escaped[:1000])))
            assert page.items == ()
        item, _ = await service.create(at, "visit", {"subject": "s", "note": text, "lines": [{"what": text[:100]}]})
        assert all(storable(one) for one in (item.values["note"], item.values["lines"][0]["what"]))


VALUES = [None, 0, -1, 1 << 62, 1 << 63, True, "", "a", "\x00", "\ud800", "2026-01-01", "2026-01-01T00:00:00",
          "2026-01-01T00:00:00+00:00", "1e400", "NaN", "1.5", [1], 1.5, "9999-12-31T23:59:59-23:59"]  # fmt: skip
SORTS = ["subject", "score", "-fee", "on", "-at", "done", "company", "ref", "-created_at", "archived", "phase", "title", ""]


async def test_a_place_that_nobody_gave_out_is_refused_or_a_place(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "visit", {"subject": "A", "score": 3, "fee": "1.5", "on": "2026-01-01"})
        for sort, kind, value in product(SORTS, ("v", "d", "t", "n", "x", ["v"]), VALUES):
            text = urlsafe_b64encode(json.dumps([kind, value, 1]).encode()).decode().rstrip("=")
            with suppress(BadQuery):
                await query.find(at, "visit", Query(sort=sort, after=text))


SCOPE = "any(one == site_code for one in ['north'])"
"""Nothing that the database could work out."""


async def test_counts_and_places_tell_nothing_of_rows_beyond_the_scope(
    world: World, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sessions.write() as session:
        root = await world.caller(session)
        for number in range(30):
            site = "north" if number in {1, 20} else "south"
            await service.create(root, "company", {"name": f"N{number:02}", "site_code": site})
            given = {"subject": f"s{number}", "secret": site}
            await service.create(root, "visit", given)
        mine = access(("company", "read", SCOPE), ("visit", "read", SCOPE.replace("site_code", "secret")))
        at = await world.caller(session, access=mine)
        assert await query.count(at, "company", Query()) == (2, False)
        assert await query.count_by_state(at, "visit", Query()) == {"planned": 2, "held": 0, "closed": 0, "dropped": 0}
        monkeypatch.setattr(query, "MAX_STEPS", 10 * query.ROW_STEPS)
        page = await query.find(at, "company", Query(sort="name"))
        assert [one.values["name"] for one in page.items] == ["N01"]
        place = json.loads(urlsafe_b64decode(page.next + "=="))
        assert place[1] == "N01"
        with pytest.raises(BadQuery):
            await query.find(at, "company", Query(sort="name", after=page.next))


async def test_a_filter_that_costs_all_it_may_ends_soon(
    world: World, sqlite_sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sqlite_sessions.write() as session:
        root = await world.caller(session)
        lines = [{"what": "a", "qty": "1"}] * 400
        for number in range(40):
            await service.create(root, "visit", {"subject": f"s{number:02}", "lines": lines, "score": number % 10 + 1})
    monkeypatch.setattr(query, "MAX_STEPS", 20_000)
    wanted = "sum(one.qty for one in lines) + count(one for one in lines) + len([one for one in lines]) > 1 and score / 1 > 9"
    seen: list[str] = []
    after, pages = "", 0
    async with sqlite_sessions.read() as session:
        while after or not pages:
            page = await query.find(await world.caller(session), "visit", Query(filter=wanted, sort="subject", after=after))
            seen += [one.ref for one in page.items]
            after, pages = page.next, pages + 1
    assert len(set(seen)) == len(seen) == 4
    assert pages > 1
