"""Who imports does no more than they may do by hand, also in the background, and two at once do not make things twice."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from cloud.clock import system_clock
from cloud.db.engine import Sessions
from cloud.errors import Forbidden, NotFound
from cloud.imports.export import export_rows
from cloud.imports.mapping import Plan
from cloud.imports.models import ImportJob, ImportRow
from cloud.imports.staging import stage
from cloud.imports.steps import ask_apply, ask_check, standing
from cloud.imports.upserting import Sent, upsert_many
from cloud.imports.work import ImportWork
from cloud.jobs.models import Job
from cloud.jobs.worker import Worker
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.objects import service
from cloud.objects.models import Record
from cloud.objects.query import Query
from cloud.people.access import access_of
from cloud.people.accounts import NewUser, create_user, user_by_login
from cloud.people.models import GrantRow, RoleRow, UserRole
from tests.integration.object_world import NOW, ZONE, World, access, make_world


@pytest.fixture
def world(tmp_path) -> World:
    return make_world(tmp_path)


class Office:
    """People with grants of their own, and the work that they ask for."""

    def __init__(self, world: World, sessions: Sessions, folder: Any) -> None:
        self.world, self.sessions, self.folder = world, sessions, folder
        self.work = ImportWork(world.registry, ZONE, world.hooks)

    async def person(self, login: str, *grants: tuple[str, ...]) -> None:
        """From (kind, action, scope, mask)."""
        async with self.sessions.write() as session:
            user = await create_user(session, NewUser(login, login, "viewer"), Taken(Actor.system("test"), NOW))
            await session.flush()
            for held in list(await session.scalars(select(UserRole).where(UserRole.user_id == user.id))):
                await session.delete(held)
            rows = [
                GrantRow(kind=one[0], action=one[1], scope=one[2] if len(one) > 2 else "", mask=one[3] if len(one) > 3 else "")
                for one in grants
            ]
            role = RoleRow(key=f"r-{login}", label_en=login, label_he=login, grants=rows)
            session.add(role)
            await session.flush()
            session.add(UserRole(user_id=user.id, role_id=role.id, site=""))

    async def taken(self, login: str) -> Taken:
        async with self.sessions.read() as session:
            user = await user_by_login(session, login)
            assert user is not None
            return Taken(Actor.user(login, "viewer"), NOW, access=await access_of(session, user))

    async def check(self, login: str, content: str) -> tuple[str, dict[str, Any], list[tuple[int, str, str]]]:
        taken = await self.taken(login)
        path = self.folder / f"upload-{login}"
        path.write_text(content)
        uid = await stage(self.sessions, self.work, taken, kind="company", path=path, name="x.csv")
        async with self.sessions.write() as session:
            at = await self.work.caller(session, taken)
            plan = Plan.of_json((await standing(at, uid)).row.plan)
            await ask_check(self.work, at, uid, plan)
        await self.run()
        async with self.sessions.read() as session:
            row = (await session.scalars(select(ImportJob).where(ImportJob.uid == uid))).one()
            rows = await session.scalars(select(ImportRow).where(ImportRow.import_id == row.id).order_by(ImportRow.number))
            return uid, row.counts, [(one.number, each["field"], each["code"]) for one in rows for each in one.faults]

    async def apply(self, login: str, uid: str, **how: Any) -> dict[str, Any]:
        taken = await self.taken(login)
        async with self.sessions.write() as session:
            await ask_apply(self.work, await self.work.caller(session, taken), uid, **how)
        await self.run()
        async with self.sessions.read() as session:
            found: dict[str, Any] = (await session.scalars(select(ImportJob.counts).where(ImportJob.uid == uid))).one()
            return found

    async def run(self) -> None:
        await Worker(self.sessions, self.work.handlers(), name="test", clock=lambda: NOW).run_due()


@pytest.fixture
def office(world: World, sessions: Sessions, tmp_path) -> Office:
    return Office(world, sessions, tmp_path)


ALL = (("company", "read"), ("company", "create"), ("company", "write"))


async def test_a_masked_field_is_not_filled_in_by_a_file(office: Office) -> None:
    await office.person("mia", ("company", "read"), ("company", "create", "", "-credit"), ("company", "write", "", "-credit"))
    _, counts, _ = await office.check("mia", "name,credit\nOak,5\n")
    # A column that the person may not fill is no target: the file is taken without it.
    assert counts["outcome"] == {"new": 1}
    async with office.sessions.write() as session:
        taken = await office.taken("mia")
        (one,) = await upsert_many(
            await office.work.caller(session, taken), "company", "erp", [Sent("1", {"name": "a", "credit": "5"})]
        )
        assert [each["code"] for each in one.faults] == ["not_yours"]


async def test_rows_outside_the_importers_scope_are_faulty_in_the_check(office: Office, world: World) -> None:
    async with office.sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "company", {"name": "North", "site_code": "N"})
        await service.create(at, "company", {"name": "South", "site_code": "S"})
    scope = "site_code == 'N'"
    await office.person("noa", ("company", "read"), ("company", "create", scope), ("company", "write", scope))
    uid, _, faults = await office.check(
        "noa", "ref,name,site_code\nC-0001,North 2,N\nC-0002,South 2,S\nX1,New,N\nX2,Other,S\nC-0001,Moved,S\n"
    )
    assert faults == [
        (3, "ref", "import_out_of_reach"), (5, "", "out_of_scope"), (6, "ref", "import_twice"),
    ]  # fmt: skip
    assert (await office.apply("noa", uid, policy="good"))["done"] == {"changed": 1, "made": 1}


async def test_grants_taken_away_since_the_check_count(office: Office) -> None:
    await office.person("lea", *ALL)
    uid, counts, _ = await office.check("lea", "name\nOak\n")
    assert counts["outcome"] == {"new": 1}
    taken = await office.taken("lea")
    async with office.sessions.write() as session:
        await ask_apply(office.work, await office.work.caller(session, taken), uid)
        for one in await session.scalars(
            select(GrantRow).where(GrantRow.action.in_(["create", "write"]), GrantRow.kind == "company")
        ):
            await session.delete(one)
    await office.run()
    async with office.sessions.read() as session:
        assert list(await session.scalars(select(Record.id))) == []


async def test_somebody_who_is_shut_out_imports_no_more(office: Office) -> None:
    await office.person("dan", *ALL)
    uid, _, _ = await office.check("dan", "name\nOak\n")
    taken = await office.taken("dan")
    async with office.sessions.write() as session:
        await ask_apply(office.work, await office.work.caller(session, taken), uid)
        user = await user_by_login(session, "dan")
        assert user is not None
        user.active = False
    await office.run()
    async with office.sessions.read() as session:
        assert list(await session.scalars(select(Record.id))) == []
        assert await session.scalar(select(Job.status).where(Job.kind == "imports.apply")) == "failed"


async def test_an_export_has_what_may_be_read_and_taken(office: Office, world: World) -> None:
    async with office.sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "company", {"name": "North", "site_code": "N", "credit": "5", "city": "Haifa"})
        await service.create(at, "company", {"name": "South", "site_code": "S", "credit": "7"})
    who = access(("company", "read", "", "-credit"), ("company", "export", "site_code == 'N'", "-city"))
    async with office.sessions.read() as session:
        at = await world.caller(session, access=who)
        found = b"".join([piece async for piece in export_rows(at, "company", Query(), "csv", "en")])
        assert found.decode("utf-8-sig").splitlines() == ["ref,name,site_code,parent", "C-0001,North,N,"]
        with pytest.raises(Forbidden):
            await anext(
                aiter(
                    export_rows(
                        await world.caller(session, access=access(("company", "read"))), "company", Query(), "csv", "en"
                    )
                )
            )


async def test_two_imports_of_the_same_keys_at_once_make_each_record_once(office: Office) -> None:
    plan = Plan.of_json(
        {
            "columns": [{"number": 0, "field": "source_key"}, {"number": 1, "field": "name"}],
            "mode": "upsert", "key": "source_key", "source": "erp", "policy": "good",
        }
    )  # fmt: skip
    taken = Taken(Actor.system("test"), system_clock())
    content = "source_key,name\n" + "".join(f"{n},name {n}\n" for n in range(60))
    uids = []
    for number in range(2):
        path = office.folder / f"two-{number}"
        path.write_text(content)
        uids.append(await stage(office.sessions, office.work, taken, kind="company", path=path, name="x.csv"))
    for ask in (lambda at, uid: ask_check(office.work, at, uid, plan), lambda at, uid: ask_apply(office.work, at, uid)):
        for uid in uids:
            async with office.sessions.write() as session:
                await ask(await office.work.caller(session, taken), uid)
        work = replace(office.work, write_chunk=7)
        await asyncio.gather(*(Worker(office.sessions, work.handlers(), name=f"w{n}").run_due() for n in range(2)))
    async with office.sessions.read() as session:
        keys = list(await session.scalars(select(Record.source_key)))
        done = [row.counts["done"] for row in await session.scalars(select(ImportJob).order_by(ImportJob.id))]
    assert sorted(keys, key=int) == [str(number) for number in range(60)]
    assert sum(one.get("made", 0) for one in done) == 60
    assert sum(sum(one.values()) for one in done) == 120


async def test_nobody_sees_an_import_of_somebody_else_without_reaching_all_of_the_kind(office: Office) -> None:
    await office.person("mia", *ALL)
    await office.person("noa", ("company", "read", "", "-credit"), ("company", "create"), ("company", "write"))
    uid, _, _ = await office.check("mia", "name\nOak\n")
    async with office.sessions.read() as session:
        with pytest.raises(NotFound):
            await standing(await office.work.caller(session, await office.taken("noa")), uid)
        nobody = Taken(Actor.user("eve", "viewer"), NOW, access=Access())
        with pytest.raises(NotFound):
            await standing(await office.work.caller(session, nobody), uid)
