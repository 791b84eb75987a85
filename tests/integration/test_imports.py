"""Files into records: mapped, checked, applied, undone, and out again unchanged."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.errors import WrongState
from cloud.imports.export import Format, export_rows
from cloud.imports.mapping import Plan
from cloud.imports.models import Done, ImportJob, ImportRow, ImportStatus, Outcome
from cloud.imports.staging import stage
from cloud.imports.steps import ask_apply, ask_check, ask_undo, rows_of, standing
from cloud.imports.upserting import Sent, upsert_many
from cloud.imports.work import ImportWork
from cloud.jobs.models import Job
from cloud.jobs.worker import Worker
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.chain import check_chain
from cloud.kernel.models import Event
from cloud.objects import service
from cloud.objects.models import Record
from cloud.objects.query import Query, find
from tests.integration.object_world import NOW, ZONE, World, make_world

SYSTEM = Taken(Actor.system("test"), NOW)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def bench(world: World, sessions: Sessions, tmp_path: Path) -> "Bench":
    return Bench(ImportWork(world.registry, ZONE, world.hooks), sessions, tmp_path)


class Bench:
    """Imports from end to end, as a person has them done."""

    def __init__(self, work: ImportWork, sessions: Sessions, folder: Path) -> None:
        self.work = work
        self.sessions = sessions
        self.folder = folder

    async def stage(self, kind: str, content: str | bytes, name: str = "file.csv", taken: Taken = SYSTEM) -> str:
        path = self.folder / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return await stage(self.sessions, self.work, taken, kind=kind, path=path, name=name)

    async def run(self) -> None:
        await Worker(self.sessions, self.work.handlers(), name="test", clock=lambda: NOW).run_due()
        async with self.sessions.read() as session:
            assert list(await session.scalars(select(Job.error).where(Job.error.is_not(None)))) == []

    async def check(self, uid: str, plan: Plan | None = None, **change: Any) -> Mapping[str, Any]:
        async with self.sessions.write() as session:
            at = await self.work.caller(session, SYSTEM)
            found = plan or Plan.of_json((await standing(at, uid)).row.plan)
            await ask_check(self.work, at, uid, replace(found, **change))
        await self.run()
        return (await self.job(uid)).counts

    async def apply(self, uid: str, **how: Any) -> Mapping[str, Any]:
        async with self.sessions.write() as session:
            await ask_apply(self.work, await self.work.caller(session, SYSTEM), uid, **how)
        await self.run()
        return (await self.job(uid)).counts

    async def undo(self, uid: str) -> Mapping[str, Any]:
        async with self.sessions.write() as session:
            await ask_undo(self.work, await self.work.caller(session, SYSTEM), uid)
        await self.run()
        return (await self.job(uid)).counts

    async def job(self, uid: str) -> ImportJob:
        async with self.sessions.read() as session:
            return (await session.scalars(select(ImportJob).where(ImportJob.uid == uid))).one()

    async def rows(self, uid: str, **which: Any) -> list[ImportRow]:
        async with self.sessions.read() as session:
            row = (await session.scalars(select(ImportJob).where(ImportJob.uid == uid))).one()
            return list(await rows_of(session, row.id, limit=1000, **which))

    async def faults(self, uid: str) -> list[tuple[int, str, str]]:
        return [(row.number, one["field"], one["code"]) for row in await self.rows(uid) for one in row.faults]

    async def export(self, kind: str, fmt: Format = "csv") -> bytes:
        async with self.sessions.read() as session:
            at = await self.work.caller(session, SYSTEM)
            return b"".join([piece async for piece in export_rows(at, kind, Query(), fmt, "he")])

    async def records(self, kind: str) -> list[dict[str, Any]]:
        async with self.sessions.read() as session:
            page = await find(await self.work.caller(session, SYSTEM), kind, Query(limit=500))
            return sorted(({"ref": one.ref, **one.values} for one in page.items), key=lambda one: str(one["ref"]))


async def test_a_file_becomes_records_and_is_undone(bench: Bench) -> None:
    uid = await bench.stage("company", "name,city,credit\nאורן בע״מ,חיפה,12.50\nOak,Haifa,\n")
    assert await bench.check(uid) == {"rows": 2, "outcome": {"new": 2}}
    assert await bench.apply(uid) == {"rows": 2, "outcome": {"new": 2}, "done": {"made": 2}}
    assert [(one["ref"], one["name"], one["credit"]) for one in await bench.records("company")] == [
        ("C-0001", "אורן בע״מ", Decimal("12.5")),
        ("C-0002", "Oak", None),
    ]
    async with bench.sessions.read() as session:
        events = (await session.scalars(select(Event).where(Event.kind == "company"))).all()
        assert {one.chain for one in events} == {uid}
        assert (await check_chain(session)).ok
    assert (await bench.undo(uid))["done"] == {"undone": 2}
    assert await bench.records("company") == []
    assert (await bench.job(uid)).status == ImportStatus.UNDONE


async def test_nothing_is_written_by_a_check(bench: Bench) -> None:
    uid = await bench.stage("company", "name\nA\n")
    await bench.check(uid)
    async with bench.sessions.read() as session:
        assert await session.scalar(select(Record.id)) is None


async def test_an_update_is_found_by_its_number_and_put_back(bench: Bench, world: World) -> None:
    async with bench.sessions.write() as session:
        at = await world.caller(session)
        for name in ("A", "B", "C"):
            await service.create(at, "company", {"name": name, "city": "Haifa"})
    uid = await bench.stage("company", "ref;city\nC-0001;Acre\nC-0002;Haifa\nC-0003;\n")
    assert (await bench.check(uid))["outcome"] == {"changed": 2, "same": 1}
    assert (await bench.apply(uid))["done"] == {"changed": 2, "same": 1}
    assert [one["city"] for one in await bench.records("company")] == ["Acre", "Haifa", None]
    async with bench.sessions.write() as session:
        await service.update(await world.caller(session), "company", "C-0003", {"city": "Safed"})
    assert (await bench.undo(uid))["done"] == {"undone": 1, "kept": 1, "same": 1}
    assert [one["city"] for one in await bench.records("company")] == ["Haifa", "Haifa", "Safed"]
    assert await bench.faults(uid) == [(4, "", "import_moved_on")]


async def test_faults_name_row_and_column_and_nothing_is_applied(bench: Bench) -> None:
    content = "Subject,score,חברה,at\nx,11,C-9,2026-01-01 10:00\n,5,,soon\ny,1,,\n"
    uid = await bench.stage("visit", content.replace("חברה", "company"))
    assert (await bench.check(uid))["outcome"] == {"faulty": 2, "new": 1}
    assert await bench.faults(uid) == [
        (2, "company", "no_such"), (2, "score", "rule"), (3, "at", "datetime"), (3, "subject", "required"),
    ]  # fmt: skip
    assert (await bench.rows(uid))[0].faults[0]["column"] == 2
    with pytest.raises(WrongState):
        await bench.apply(uid)
    assert (await bench.apply(uid, policy="good"))["done"] == {"made": 1}
    assert [one["subject"] for one in await bench.records("visit")] == ["y"]


async def test_rows_may_lead_to_earlier_rows_of_the_same_file(bench: Bench) -> None:
    uid = await bench.stage("company", "ref,name,parent\nHEAD,Head,\nARM,Arm,HEAD\nLEG,Leg,FOOT\nFOOT,Foot,ARM\n")
    await bench.check(uid)
    assert await bench.faults(uid) == [(4, "parent", "no_such")]
    await bench.apply(uid, policy="good")
    assert [(one["ref"], str(one["parent"])) for one in await bench.records("company")] == [
        ("ARM", "HEAD"), ("FOOT", "ARM"), ("HEAD", "None"),
    ]  # fmt: skip


async def test_keys_of_another_system_find_records_and_what_they_lead_to(bench: Bench) -> None:
    content = "source_key,name,parent\n100,Head,\n200,Arm,100\n"
    uid = await bench.stage("company", content)
    plan = Plan.of_json((await bench.job(uid)).plan)
    assert (plan.key, plan.mode) == ("source_key", "upsert")
    plan = replace(plan, source="erp", columns=tuple(replace(one, by="source_key") for one in plan.columns))
    assert (await bench.check(uid, plan))["outcome"] == {"new": 2}
    await bench.apply(uid)
    again = await bench.stage("company", content.replace("Arm", "Leg"))
    assert (await bench.check(again))["outcome"] == {"same": 1, "changed": 1}
    await bench.apply(again)
    found = await bench.records("company")
    assert [(one["name"], str(one["parent"])) for one in found] == [("Head", "None"), ("Leg", "C-0001")]


async def test_a_value_that_must_be_unique_stands_once_in_a_file(bench: Bench) -> None:
    uid = await bench.stage("company", "ref,name\nA,Oak\nB,Oak\nA,Elm\n")
    await bench.check(uid)
    assert await bench.faults(uid) == [(3, "name", "import_twice"), (4, "ref", "import_twice")]


@pytest.mark.parametrize("fmt", ["csv", "xlsx"])
async def test_an_export_imported_again_changes_nothing(bench: Bench, world: World, fmt: Format) -> None:
    async with bench.sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "company", {"name": "=1+1", "city": "'-x", "credit": "12345678901.25"})
        await service.create(at, "company", {"name": "007", "city": 'say "שלום", twice', "credit": "0.10", "parent": "C-0001"})
        await service.create(
            at,
            "visit",
            {
                "subject": "+972-3", "company": "C-0001", "on": "2026-02-03", "source": "manual", "source_detail": "@home",
                "score": 7, "lines": [{"what": "a, b", "qty": "0.125", "price": "3"}], "tags": ["hot", "large"],
                "guests": ["C-0002", "C-0001"], "fee": "0.300", "at": "2026-02-03T10:20:30.123456+00:00",
                "note": "one\ntwo; \"three\"", "done": True,
            },
        )  # fmt: skip
    before = [await bench.records("company"), await bench.records("visit")]
    for kind, number in (("company", 2), ("visit", 1)):
        uid = await bench.stage(kind, await bench.export(kind, fmt), f"x.{fmt}")
        assert (await bench.job(uid)).format == fmt
        counts = await bench.check(uid)
        assert counts == {"rows": number, "outcome": {"same": number}}, [
            one.changes or one.faults for one in await bench.rows(uid)
        ]
        assert (await bench.apply(uid))["done"] == {"same": number}
    assert [await bench.records("company"), await bench.records("visit")] == before


async def test_a_mapping_is_remembered_for_the_next_file_with_the_same_head(bench: Bench) -> None:
    content = "Firma;Ort\nOak;Haifa\n"
    uid = await bench.stage("company", content)
    plan = Plan.of_json((await bench.job(uid)).plan)
    assert plan.columns == ()
    said = Plan.of_json({"columns": [{"number": 0, "field": "name"}, {"number": 1, "field": "city"}], "mode": "create"})
    await bench.check(uid, said)
    again = await bench.stage("company", content.replace("Oak", "Elm"))
    assert Plan.of_json((await bench.job(again)).plan) == said
    assert (await bench.rows(again, outcome=Outcome.NEW)) == []


class Meanwhile:
    """Puts rows in between the check of an import and its writing."""

    def __init__(self, bench: Bench, world: World) -> None:
        self.bench, self.world = bench, world

    async def taken(self, *names: str) -> None:
        async with self.bench.sessions.write() as session:
            for name in names:
                await service.create(await self.world.caller(session), "company", {"name": name})


async def test_a_row_that_went_bad_since_its_check_stops_the_import(bench: Bench, world: World) -> None:
    uid = await bench.stage("company", "ref,name\n" + "".join(f"R{n:03},name {n}\n" for n in range(120)))
    await bench.check(uid)
    await Meanwhile(bench, world).taken("name 60")
    assert (await bench.apply(uid))["done"] == {"made": 50}
    job = await bench.job(uid)
    assert (job.status, job.trouble) == (ImportStatus.STOPPED, "row_failed")
    assert await bench.faults(uid) == [(62, "name", "taken")]
    assert (await bench.apply(uid, policy="good"))["done"] == {"made": 119}
    assert (await bench.undo(uid))["done"] == {"undone": 119}


async def test_the_good_rows_around_one_that_went_bad_are_taken(bench: Bench, world: World) -> None:
    uid = await bench.stage("company", "ref,name,parent\nA,a,\nB,b,A\nC,c,B\nD,d,A\n")
    await bench.check(uid)
    await Meanwhile(bench, world).taken("b")
    assert (await bench.apply(uid, policy="good"))["done"] == {"made": 2, "faulty": 2}
    assert await bench.faults(uid) == [(3, "name", "taken"), (4, "parent", "no_such")]
    async with bench.sessions.read() as session:
        logged = await session.scalars(select(Event.ref).where(Event.kind == "company", Event.chain == uid))
        assert list(logged) == ["A", "D"]


async def test_what_was_undone_can_be_imported_again(bench: Bench) -> None:
    content = "ref,name\nA,Oak\n"
    for step in ("new", "changed"):
        uid = await bench.stage("company", content)
        assert (await bench.check(uid))["outcome"] == {step: 1}
        await bench.apply(uid)
        assert [one["name"] for one in await bench.records("company")] == ["Oak"]
        assert (await bench.undo(uid))["done"] == {"undone": 1}
        assert await bench.records("company") == []


async def test_another_system_keeps_records_in_step_by_its_keys(bench: Bench, world: World) -> None:
    sent = [
        Sent("1", {"name": "Head"}),
        Sent("2", {"name": "Arm", "parent": {"key": "1"}}),
        Sent("3", {"name": "Leg", "parent": {"key": "9"}}),
        Sent("4", {"name": "Foot", "credit": "many"}),
        Sent("5", {"name": "Eye", "parent": {"key": "2"}}),
    ]
    for done in (Done.MADE, Done.SAME):
        async with bench.sessions.write() as session:
            found = await upsert_many(await world.caller(session), "company", "erp", sent)
        assert [one.done for one in found] == [done, done, Done.FAULTY, Done.FAULTY, done]
        assert [one.faults[0]["code"] for one in found if one.faults] == ["no_such", "decimal"]
    async with bench.sessions.write() as session:
        (one,) = await upsert_many(await world.caller(session), "company", "erp", [Sent("2", {"city": "Haifa"})])
    assert (one.done, one.ref, one.changes) == (Done.CHANGED, "C-0002", {"city": [None, "Haifa"]})
    assert [str(one["parent"]) for one in await bench.records("company")] == ["None", "C-0001", "C-0002"]
