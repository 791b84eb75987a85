"""What lies around records of the service: found, told and opened with the permissions of whoever asks. Both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.activities import Due, NewActivity, activities_of, plan
from cloud.around.files import NewFile, attach
from cloud.around.following import feed, follow
from cloud.around.kept import keep
from cloud.around.messages import NewMessage, post
from cloud.around.models import SearchDoc
from cloud.around.records import add_to, find_records, opened, readable_by, readers_for, reindex_all
from cloud.around.search import Hits
from cloud.blobs.store import DirectoryStore
from cloud.db.engine import Sessions
from cloud.errors import GuardFailed, NotFound
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.objects import service
from cloud.objects.caller import Caller
from cloud.people.accounts import NewUser, create_user
from cloud.people.models import GrantRow, RoleRow, UserRole
from tests.integration.around_people import ONE_DATABASE
from tests.integration.object_world import NOW, World, access, make_world

DEAL = """
key: bargain
label: {en: Bargain}
plural: {en: Bargains}
title: "{name}"
number: "B-{n:04}"
states: {new: open, won: won}
transitions:
  win: {from: new, to: won, when: "has_document('contract', signed=True)"}
fields:
  name: {type: text, required: true}
  margin: {type: text, searchable: true}
  company: {type: ref, object: company, searchable: true}
  source: {type: choice, searchable: true, options: {fair: {en: Fair, he: תערוכה}}}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(tmp_path, DEAL)
    add_to(made.hooks)
    return made


@pytest.fixture
async def filled(sessions: Sessions, world: World) -> Sessions:
    async with sessions.write() as session:
        root = await world.caller(session)
        for name, site in (("Galil Fish", "HFA"), ("Negev Salt", "ASH")):
            await service.create(root, "company", {"name": name, "site_code": site})
        given = {"name": "הסלמון הקפוא", "margin": "eleven percent", "company": "C-0001", "source": "fair"}
        await service.create(root, "bargain", given)
    return sessions


async def look(sessions: Sessions, world: World, text: str, may: Access | None = None, **more: object) -> Hits:
    async with sessions.read() as session:
        return await find_records(await world.caller(session, access=may), text, **more)  # type: ignore[arg-type]


def refs(hits: Hits) -> list[str]:
    return [hit.ref for hit in hits.rows]


async def test_record_is_found_as_soon_as_it_is_saved(filled: Sessions, world: World) -> None:
    assert refs(await look(filled, world, "סלמון")) == ["B-0001"]
    assert refs(await look(filled, world, "תערוכה")) == ["B-0001"]
    assert refs(await look(filled, world, "b-0001")) == ["B-0001"]
    assert refs(await look(filled, world, "galil")) == ["C-0001", "B-0001"]
    async with filled.write() as session:
        root = await world.caller(session)
        await service.update(root, "bargain", "B-0001", {"name": "Trout"})
        await service.archive(root, "company", "C-0001")
    assert refs(await look(filled, world, "סלמון")) == []
    assert refs(await look(filled, world, "galil")) == ["B-0001"]
    assert refs(await look(filled, world, "trout")) == ["B-0001"]


@ONE_DATABASE
async def test_nobody_finds_what_no_grant_names(filled: Sessions, world: World) -> None:
    assert refs(await look(filled, world, "galil", Access())) == []
    assert refs(await look(filled, world, "galil", access(("company", "read")))) == ["C-0001"]
    assert refs(await look(filled, world, "galil", kinds=["bargain"])) == ["B-0001"]


async def test_masked_field_is_not_found(filled: Sessions, world: World) -> None:
    everything = access(("bargain", "read"), ("company", "read"))
    masked = access(("bargain", "read", "", "-margin"), ("company", "read"))
    assert refs(await look(filled, world, "eleven", everything)) == ["B-0001"]
    assert refs(await look(filled, world, "eleven", masked)) == []
    assert refs(await look(filled, world, "סלמון", masked)) == ["B-0001"]


@ONE_DATABASE
async def test_masked_title_is_shown_as_the_number(filled: Sessions, world: World) -> None:
    masked = access(("bargain", "read", "", "-name"))
    assert refs(await look(filled, world, "סלמון", masked)) == []
    (hit,) = (await look(filled, world, "eleven", masked)).rows
    assert (hit.ref, hit.title) == ("B-0001", "B-0001")


@ONE_DATABASE
async def test_name_behind_a_reference_is_found_by_who_may_read_it(filled: Sessions, world: World) -> None:
    assert refs(await look(filled, world, "galil", access(("bargain", "read")))) == []
    assert refs(await look(filled, world, "C-0001", access(("bargain", "read")))) == ["B-0001"]
    scoped = access(("bargain", "read"), ("company", "read", "site_code == 'ASH'"))
    assert refs(await look(filled, world, "galil", scoped)) == []


async def test_scope_holds_in_the_search(filled: Sessions, world: World) -> None:
    scoped = access(("company", "read", "site_code == 'HFA'"))
    assert refs(await look(filled, world, "fish", scoped)) == ["C-0001"]
    assert refs(await look(filled, world, "salt", scoped)) == []
    assert refs(await look(filled, world, "C-0002", scoped)) == []
    at_site = access(("company", "read"), site="ASH")
    assert refs(await look(filled, world, "salt", at_site)) == ["C-0002"]
    assert refs(await look(filled, world, "fish", at_site)) == []


async def test_scope_that_the_database_cannot_work_out_holds_too(filled: Sessions, world: World, store: DirectoryStore) -> None:
    scoped = access(("bargain", "read", "has_document('contract')"))
    assert refs(await look(filled, world, "סלמון", scoped)) == []
    async with filled.write() as session:
        await add_contract(await world.caller(session), store, signed=False)
    assert refs(await look(filled, world, "סלמון", scoped)) == ["B-0001"]


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "blobs")


async def add_contract(caller: Caller, store: DirectoryStore, *, signed: bool) -> None:
    async def read() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7 contract"

    kept = await keep(store, read, "a.pdf")
    record = (await opened(caller, "bargain", "B-0001")).record
    new = NewFile("a.pdf", kept, kind="contract", signed=signed)
    await attach(caller.session, record, new, caller.taken, readers_for(caller))


@ONE_DATABASE
async def test_guard_asks_for_the_signed_contract(filled: Sessions, world: World, store: DirectoryStore) -> None:
    for signed in (False, True):
        async with filled.write() as session:
            root = await world.caller(session)
            with pytest.raises(GuardFailed):
                await service.do(root, "bargain", "B-0001", "win")
            await add_contract(root, store, signed=signed)
    async with filled.write() as session:
        item = await service.do(await world.caller(session), "bargain", "B-0001", "win")
    assert item.state == "won"


async def people(session: AsyncSession) -> None:
    """`dana` may read bargains, `gal` only companies of one site, `ben` nothing."""
    taken = Taken(Actor.system("test"), NOW)
    for login, grants in {
        "dana": [("bargain", "read", "")],
        "gal": [("company", "read", "site_code == 'HFA'")],
        "ben": [],
    }.items():
        user = await create_user(session, NewUser(login, login, "viewer"), taken)
        await session.execute(delete(UserRole).where(UserRole.user_id == user.id))
        role = RoleRow(key=f"only_{login}", label_en=login, label_he=login)
        session.add(role)
        await session.flush()
        session.add_all(
            GrantRow(role_id=role.id, kind=kind, action=action, scope=scope, mask="") for kind, action, scope in grants
        )
        session.add(UserRole(user_id=user.id, role_id=role.id, site=""))
    await session.flush()


async def test_mentioned_people_are_asked_what_they_may_do_now(filled: Sessions, world: World) -> None:
    async with filled.write() as session:
        await people(session)
        root = await world.caller(session)
        record = (await opened(root, "bargain", "B-0001")).record
        said = await post(session, record, NewMessage("@dana @gal @ben @nobody"), root.taken, readers_for(root))
        assert (said.told, said.cannot_read, said.unknown) == ({"dana"}, ("gal", "ben"), ("nobody",))
        company = (await opened(root, "company", "C-0001")).record
        other = (await opened(root, "company", "C-0002")).record
        readers = readers_for(root)
        assert await readers(session, company, ["gal", "dana"], internal=True) == {"gal"}
        assert await readers(session, other, ["gal", "dana"], internal=True) == frozenset()


@ONE_DATABASE
async def test_feed_and_activities_show_titles_only_to_readers(filled: Sessions, world: World) -> None:
    async with filled.write() as session:
        await people(session)
        root = await world.caller(session)
        record = (await opened(root, "bargain", "B-0001")).record
        new = NewActivity("task", "ring", "dana", Due("UTC", on=NOW.date()))
        await plan(session, record, new, root.taken, readers_for(root))
    async with filled.read() as session:
        may = readable_by(await world.caller(session, access=access(("bargain", "read"))))
        assert [row.title for row in (await feed(session, "dana", may)).rows] == ["הסלמון הקפוא"]
        assert [row.title for row in (await activities_of(session, "dana", NOW, zone="UTC", readable=may)).today] == [
            "הסלמון הקפוא"
        ]
        masked = readable_by(await world.caller(session, access=access(("bargain", "read", "", "-name"))))
        assert [row.title for row in (await feed(session, "dana", masked)).rows] == ["B-0001"]
        none = readable_by(await world.caller(session, access=Access()))
        assert (await feed(session, "dana", none)).rows == ()


@ONE_DATABASE
async def test_followers_hear_of_a_change_once_until_they_look(filled: Sessions, world: World) -> None:
    async with filled.write() as session:
        await people(session)
        root = await world.caller(session)
        await follow(session, (await opened(root, "bargain", "B-0001")).record, "dana", NOW)
        for margin in ("ten", "nine"):
            await service.update(root, "bargain", "B-0001", {"margin": margin})
        (waiting,) = (await feed(session, "dana", readable_by(root))).rows
        assert (waiting.notice.about, waiting.notice.why, waiting.notice.actor) == ("event", "follow", "root")
        # Who made a record follows it, and is not told what they did themselves.
        assert (await feed(session, "root", readable_by(root))).rows == ()


@ONE_DATABASE
async def test_record_is_opened_by_readers_only(filled: Sessions, world: World) -> None:
    async with filled.read() as session:
        found = await opened(await world.caller(session), "bargain", "B-0001")
        assert (found.record.title, found.may_write, found.sees("margin")) == ("הסלמון הקפוא", True, True)
        reader = await world.caller(session, access=access(("bargain", "read", "", "-margin")))
        found = await opened(reader, "bargain", "B-0001")
        assert (found.may_write, found.sees("margin"), found.sees("name")) == (False, False, True)
        for may in (Access(), access(("bargain", "read", "name == 'x'"))):
            with pytest.raises(NotFound):
                await opened(await world.caller(session, access=may), "bargain", "B-0001")


async def test_everything_can_be_made_findable_anew(filled: Sessions, world: World) -> None:
    async with filled.write() as session:
        await session.execute(delete(SearchDoc))
    assert refs(await look(filled, world, "סלמון")) == []
    counts = await reindex_all(filled, world.registry, Taken(Actor.system("search"), NOW))
    assert counts == {"bargain": 1, "company": 2, "visit": 0}
    assert refs(await look(filled, world, "סלמון")) == ["B-0001"]
