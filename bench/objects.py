"""Records of a kind that only a definition describes, at a million rows on PostgreSQL and 200,000 on SQLite: lists, search,
detail, save and transition, each beside the same work by hand in SQL and beside itself at a hundredth of the data.

TALLYBOX_BENCH_RECORDS names another number for both.
"""

import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bench import databases
from cloud.db.engine import Sessions, open_sessions
from cloud.db.migrate import migrate
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.objects import query, service
from cloud.objects.caller import Caller, caller
from cloud.objects.changing import make_indexes
from cloud.objects.query import Query
from cloud.objects.registry import Registry, Shipped

RECORDS = {"sqlite": 200_000, "postgresql": 1_000_000}
SHARE = 100
"""The small database has a hundredth."""
ROUNDS = 40
BESIDE_SQL, BESIDE_SMALL = 3.0, 2.0
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

DEFINITION = """
key: ticket
title: "{subject}"
number: "T-{n:07}"
states: {new: open, started: active, solved: done}
transitions:
  start: {from: new, to: started}
  solve: {from: started, to: solved}
fields:
  subject: {type: text, required: true, searchable: true}
  mail: {type: text, indexed: true}
  city: {type: text}
  severity: {type: choice, options: [low, mid, high], indexed: true}
  amount: {type: money, indexed: true}
  on: {type: date, indexed: true}
  score: {type: int}
""" + "".join(f"  field_{number}: {{type: text}}\n" for number in range(13))

CITIES = ["Haifa", "Acre", "Eilat", "Lod", "Jaffa", "Safed", "Arad", "Yavne"]
SEVERITIES = ["low", "low", "low", "mid", "mid", "high"]


def content(number: int, rng: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {
        "subject": f"Scale {number % 977} reads {rng.randrange(10_000)} g too much",
        "mail": f"person{number}@example.com",
        "city": rng.choice(CITIES),
        "severity": rng.choice(SEVERITIES),
        "amount": rng.randrange(100_000) * 10_000,
        "on": (NOW.date() - timedelta(days=rng.randrange(2000))).isoformat(),
        "score": rng.randrange(100),
    }
    return found | {f"field_{one}": f"text {rng.randrange(1000)} of field {one}" for one in range(13)}


async def fill(sessions: Sessions, count: int) -> None:
    """Rows straight into the table: how fast records are saved is measured apart."""
    rng = random.Random(7)
    insert = text(
        "INSERT INTO record (id, uid, kind, ref, title, state, phase, data, version, archived, updated_at, created_at)"
        " VALUES (:id, :uid, 'ticket', :ref, :title, 'new', 'open', :data, 1, :no, :at, :at)"
    )
    at: Any = NOW if sessions.engine.dialect.name == "postgresql" else "2026-11-22 09:00:00.000000"
    if sessions.engine.dialect.name == "postgresql":
        insert = text(str(insert.text).replace(":data", "CAST(:data AS jsonb)"))
    for start in range(1, count + 1, 5000):
        rows = []
        for number in range(start, min(start + 5000, count + 1)):
            made = content(number, rng)
            rows.append(
                {
                    "id": number,
                    "uid": f"u{number}",
                    "ref": f"T-{number:07}",
                    "title": made["subject"],
                    "data": json.dumps(made),
                    "no": False,
                    "at": at,
                }
            )
        async with sessions.write() as session:
            await session.execute(insert, rows)
    async with sessions.write() as session:
        await session.execute(text("INSERT INTO sequence (name, value) VALUES ('ref:ticket::', :n)"), {"n": count})
        if sessions.engine.dialect.name == "postgresql":
            await session.execute(text("SELECT setval(pg_get_serial_sequence('record', 'id'), :n)"), {"n": count})


@dataclass
class Bench:
    sessions: Sessions
    registry: Registry
    count: int

    @property
    def postgres(self) -> bool:
        return self.sessions.engine.dialect.name == "postgresql"

    async def caller(self, session: AsyncSession) -> Caller:
        return await caller(session, self.registry, Taken(Actor.user("bench", "admin"), NOW, access=Access.all()))

    def field(self, name: str) -> str:
        return f"(data ->> '{name}') COLLATE \"C\"" if self.postgres else f"json_extract(data, '$.{name}')"

    async def ours(self, work: Callable[[Caller, int], Awaitable[object]], *, write: bool = False) -> list[float]:
        found = []
        for number in range(ROUNDS):
            began = time.perf_counter()
            async with self.sessions.write() if write else self.sessions.read() as session:
                await work(await self.caller(session), number)
            found.append(time.perf_counter() - began)
        return found

    async def by_hand(self, work: Callable[[AsyncSession, int], Awaitable[object]], *, write: bool = False) -> list[float]:
        found = []
        for number in range(ROUNDS):
            began = time.perf_counter()
            async with self.sessions.write() if write else self.sessions.read() as session:
                await work(session, number)
            found.append(time.perf_counter() - began)
        return found


Pair = tuple[list[float], list[float]]


async def lists(bench: Bench) -> dict[str, Pair]:
    live = "kind = 'ticket' AND NOT archived" if bench.postgres else "kind = 'ticket' AND archived = 0"
    first = " NULLS FIRST" if bench.postgres else ""
    severity, city, mail = bench.field("severity"), bench.field("city"), bench.field("mail")
    middle = bench.count // 2
    async with bench.sessions.read() as session:
        at = await bench.caller(session)
        # The place of a page in the middle of the list, as somebody who went there has it.
        on_middle = (NOW.date() - timedelta(days=1000)).isoformat()
        deep = str(query.Place(middle, middle))
        deep_on = str(query.Place(on_middle, middle))
        assert (await query.find(at, "ticket", Query(after=deep))).items

    def sql(said: str, **values: object) -> Callable[[AsyncSession, int], Awaitable[object]]:
        async def work(session: AsyncSession, number: int) -> object:
            given = {
                name: value.format(n=number * 97 % bench.count + 1) if isinstance(value, str) else value
                for name, value in values.items()
            }
            found = (await session.execute(text(said), given)).all()
            return [json.loads(row.data) if isinstance(row.data, str) else row.data for row in found]

        return work

    def find(**said: Any) -> Callable[[Caller, int], Awaitable[object]]:
        async def work(at: Caller, number: int) -> object:
            given = {
                name: value.format(n=number * 97 % bench.count + 1) if isinstance(value, str) else value
                for name, value in said.items()
            }
            return await query.find(at, "ticket", Query(**given))

        return work

    on = bench.field("on")
    cases = {
        "first page": (find(), sql(f"SELECT * FROM record WHERE {live} ORDER BY id DESC LIMIT 51")),
        "deep page": (find(after=deep), sql(f"SELECT * FROM record WHERE {live} AND id < {middle} ORDER BY id DESC LIMIT 51")),
        "first page by an indexed field": (
            find(sort="on"),
            sql(f"SELECT * FROM record WHERE {live} ORDER BY {on}{first}, id LIMIT 51"),
        ),
        "deep page by an indexed field": (
            find(sort="on", after=deep_on),
            sql(
                f"SELECT * FROM record WHERE {live} AND ({on}, id) > ('{on_middle}', {middle})"
                f" ORDER BY {on}{first}, id LIMIT 51"
            ),
        ),
        "filter on an indexed field, one row": (
            find(filter="mail == 'person{n}@example.com'"),
            sql(f"SELECT * FROM record WHERE {live} AND {mail} = :m ORDER BY id DESC LIMIT 51", m="person{n}@example.com"),
        ),
        "filter on an indexed field, many rows": (
            find(filter="severity == 'high'"),
            sql(f"SELECT * FROM record WHERE {live} AND {severity} = 'high' ORDER BY id DESC LIMIT 51"),
        ),
        "filter on an unindexed field, many rows": (
            find(filter="city == 'Eilat'"),
            sql(f"SELECT * FROM record WHERE {live} AND {city} = 'Eilat' ORDER BY id DESC LIMIT 51"),
        ),
        "filter on an unindexed field, no row": (
            find(filter="city == 'Nowhere'"),
            sql(f"SELECT * FROM record WHERE {live} AND {city} = 'Nowhere' ORDER BY id DESC LIMIT 51"),
        ),
    }
    return {name: (await bench.ours(ours), await bench.by_hand(hand)) for name, (ours, hand) in cases.items()}


async def single(bench: Bench) -> dict[str, Pair]:
    def ref(number: int) -> str:
        return f"T-{number * 89 % bench.count + 1:07}"

    async def detail(at: Caller, number: int) -> object:
        return await service.get(at, "ticket", ref(number))

    async def detail_by_hand(session: AsyncSession, number: int) -> object:
        row = (await session.execute(text("SELECT * FROM record WHERE kind = 'ticket' AND ref = :r"), {"r": ref(number)})).one()
        return json.loads(row.data) if isinstance(row.data, str) else row.data

    async def save(at: Caller, number: int) -> object:
        return await service.update(at, "ticket", ref(number), {"score": str(number), "city": "Haifa"})

    async def save_by_hand(session: AsyncSession, number: int) -> object:
        lock = " FOR UPDATE" if bench.postgres else ""
        row = (
            await session.execute(text(f"SELECT * FROM record WHERE kind = 'ticket' AND ref = :r{lock}"), {"r": ref(number)})
        ).one()
        data = json.loads(row.data) if isinstance(row.data, str) else row.data
        given = {"data": json.dumps({**data, "score": number + 1, "city": "Acre"}), "id": row.id}
        cast = "CAST(:data AS jsonb)" if bench.postgres else ":data"
        await session.execute(text(f"UPDATE record SET data = {cast}, version = version + 1 WHERE id = :id"), given)
        return await _event(session, row.ref)

    async def move(at: Caller, number: int) -> object:
        return await service.do(at, "ticket", f"T-{number + 1:07}", "start")

    async def move_by_hand(session: AsyncSession, number: int) -> object:
        ref = f"T-{number + ROUNDS + 1:07}"
        await session.execute(
            text(
                "UPDATE record SET state = 'started', phase = 'active', version = version + 1"
                " WHERE kind = 'ticket' AND ref = :r AND state = 'new'"
            ),
            {"r": ref},
        )
        return await _event(session, ref)

    async def make(at: Caller, number: int) -> object:
        return await service.create(at, "ticket", {"subject": f"new {number}", "mail": "a@example.com", "severity": "low"})

    async def make_by_hand(session: AsyncSession, number: int) -> object:
        cast = "CAST(:data AS jsonb)" if bench.postgres else ":data"
        given = {
            "u": f"hand{number}-{bench.count}",
            "r": f"H-{number}",
            "data": json.dumps({"subject": f"new {number}", "mail": "a", "severity": "low"}),
            "no": False,
        }
        await session.execute(
            text(
                "INSERT INTO record (uid, kind, ref, title, state, data, version, archived)"
                f" VALUES (:u, 'ticket', :r, 'x', 'new', {cast}, 1, :no)"
            ),
            given,
        )
        return await _event(session, given["r"])

    return {
        "detail": (await bench.ours(detail), await bench.by_hand(detail_by_hand)),
        "save": (await bench.ours(save, write=True), await bench.by_hand(save_by_hand, write=True)),
        "transition": (await bench.ours(move, write=True), await bench.by_hand(move_by_hand, write=True)),
        "create": (await bench.ours(make, write=True), await bench.by_hand(make_by_hand, write=True)),
    }


async def _event(session: AsyncSession, ref: str) -> None:
    """A row in a log without a chain, as a hand-written program would keep."""
    await session.execute(text("INSERT INTO hand_log (ref, what) VALUES (:r, 'change')"), {"r": ref})


async def _make_hand_log(session: AsyncSession) -> None:
    key = "INTEGER PRIMARY KEY" if session.get_bind().dialect.name == "sqlite" else "BIGSERIAL PRIMARY KEY"
    await session.execute(text(f"CREATE TABLE hand_log (id {key}, ref TEXT, what TEXT)"))


async def measure(url: str, count: int, registry: Registry) -> dict[str, Pair]:
    await migrate(url)
    sessions = open_sessions(url)
    try:
        began = time.perf_counter()
        await fill(sessions, count)
        bench = Bench(sessions, registry, count)
        async with sessions.write() as session:
            await make_indexes(await bench.caller(session))
            await _make_hand_log(session)
        async with sessions.write() as session:
            await session.execute(text("ANALYZE record" if bench.postgres else "ANALYZE"))
        print(f"  {count} records and their indexes: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        return {**await lists(bench), **await single(bench)}
    finally:
        await sessions.engine.dispose()


def rows_of(name: str, count: int, large: dict[str, Pair], small: dict[str, Pair]) -> list[dict[str, Any]]:
    found = []
    for case, (ours, hand) in large.items():
        p50, p99 = statistics.median(ours) * 1000, sorted(ours)[-1 - len(ours) // 100] * 1000
        beside, before = statistics.median(hand) * 1000, statistics.median(small[case][0]) * 1000
        found.append(
            {
                "bench": "objects", "database": name, "records": count, "case": case,
                "p50_ms": round(p50, 2), "p99_ms": round(p99, 2), "by_hand_p50_ms": round(beside, 2),
                "ratio_to_sql": round(p50 / beside, 2), "aim_to_sql": BESIDE_SQL,
                "ratio_to_small": round(p50 / before, 2), "aim_to_small": BESIDE_SMALL,
            }
        )  # fmt: skip
    return found


def run() -> list[dict[str, Any]]:
    asked = os.environ.get("TALLYBOX_BENCH_RECORDS")
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, databases.postgres() as server:
        path = Path(folder) / "ticket.yaml"
        path.write_text(DEFINITION)
        registry = Registry(Shipped(files=(path,)))
        for name in ("sqlite", "postgresql"):
            if name == "postgresql" and server is None:
                continue
            count = int(asked) if asked else RECORDS[name]
            results = []
            for number in (count // SHARE, count):
                url = (
                    f"sqlite:///{folder}/{number}.db"
                    if name == "sqlite"
                    else databases.make_database(str(server), f"objects_{number}")
                )
                results.append(asyncio.run(measure(url, number, registry)))
            found += rows_of(name, count, results[1], results[0])
    return found
