"""Definitions change at random, and what records held is there again whenever the key is."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from cloud.db.engine import Sessions, make_engine
from cloud.db.migrate import migrate
from cloud.objects import service
from cloud.objects.changing import make_indexes, refresh_statistics, save_definition
from cloud.objects.faults import BadDefinition
from cloud.objects.paging import Place
from cloud.objects.query import Query, find
from tests.integration.object_world import World, make_world

TYPES = {"text": "a", "long": "b", "int": 5, "decimal": "1.25", "bool": True, "date": "2026-11-22", "choice": "p", "json": [1]}
KEYS = ["name", "one", "two", "three"]

Field = tuple[str, bool, bool]
"""Type, indexed, required."""

fields = st.tuples(st.sampled_from(sorted(TYPES)), st.booleans(), st.booleans())
steps = st.lists(st.one_of(
    st.tuples(st.just("define"), st.dictionaries(st.sampled_from(KEYS), fields, min_size=1)),
    st.tuples(st.just("write"), st.sampled_from(KEYS)),
), min_size=3, max_size=12)  # fmt: skip


def as_yaml(said: dict[str, Field]) -> str:
    lines = ["key: x_thing", "fields:"]
    for key, (kind, indexed, required) in said.items():
        options = ", options: [p, q]" if kind == "choice" else ""
        flags = f", indexed: {str(indexed and kind not in {'long', 'json'}).lower()}, required: {str(required).lower()}"
        lines.append(f"  {key}: {{type: {kind}{options}{flags}}}")
    return "\n".join(lines) + "\n"


async def play(world: World, sessions: Sessions, played: list[tuple[str, Any]]) -> None:
    types: dict[str, str] = {}
    live: dict[str, Field] = {}
    held: dict[str, Any] = {}
    ref = ""
    for what, said in played:
        if what == "define":
            clash = any(
                types.get(key, one[0]) not in {one[0], "text" if one[0] == "long" else one[0]} for key, one in said.items()
            )
            async with sessions.write() as session:
                saving = save_definition(await world.caller(session), world.registry, as_yaml(said))
                if clash:
                    with pytest.raises(BadDefinition, match="stays"):
                        await saving
                    continue
                await saving
            live = said
            types |= {key: one[0] for key, one in said.items()}
        elif said in live:
            values = {key: TYPES[one[0]] for key, one in live.items() if one[2] or key == said}
            async with sessions.write() as session:
                at = await world.caller(session)
                if ref:
                    await service.update(at, "x_thing", ref, values)
                else:
                    item, _ = await service.create(at, "x_thing", values)
                    ref = item.ref
            held |= values
        if ref:
            await compare(world, sessions, ref, live, held)


async def compare(world: World, sessions: Sessions, ref: str, live: dict[str, Field], held: dict[str, Any]) -> None:
    async with sessions.read() as session:
        at = await world.caller(session)
        item = await service.get(at, "x_thing", ref)
        assert set(item.values) == set(live)
        rows = at.rows("x_thing")
        kept = rows.values(item.row, archived=True)
        for key, value in held.items():
            assert str(kept[key]) == str(value), key


@pytest.fixture(scope="module")
def empty_core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating takes longer than a whole example."""
    path = tmp_path_factory.mktemp("empty") / "core.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@settings(max_examples=25, deadline=None)
@given(played=steps)
def test_no_change_of_a_definition_loses_what_was_said(empty_core: Path, played: list[tuple[str, Any]]) -> None:
    async def run(folder: Path) -> None:
        shutil.copy(empty_core, folder / "core.db")
        engine = make_engine(f"sqlite:///{folder / 'core.db'}")
        try:
            await play(make_world(folder), Sessions.on(engine), played)
        finally:
            await engine.dispose()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def test_indexes_of_shipped_fields_are_made_once(tmp_path: Path, sessions: Sessions) -> None:
    world = make_world(tmp_path)
    async with sessions.write() as session:
        assert await make_indexes(await world.caller(session)) == 6
    async with sessions.write() as session:
        assert await make_indexes(await world.caller(session)) == 0


async def test_a_page_of_a_sorted_list_begins_in_the_index(tmp_path: Path, sessions: Sessions) -> None:
    """Whatever the list holds, a page is read from where the last one ended."""
    world = make_world(tmp_path)
    async with sessions.write() as session:
        at = await world.caller(session)
        await make_indexes(at)
        for number in range(300):
            await service.create(at, "visit", {"subject": "s", "score": number % 10 + 1})
        await refresh_statistics(session)
    if sessions.engine.dialect.name != "sqlite":
        return
    asked: list[tuple[str, Any]] = []
    event.listen(sessions.engine.sync_engine, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
    async with sessions.read() as session:
        await find(await world.caller(session), "visit", Query(sort="score", after=str(Place(5, 150))))
        statement, values = next(one for one in asked if "sorted_by" in one[0])
        plan = (await (await session.connection()).exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)).all()
    assert [row[3].partition(" (")[0] for row in plan] == ["SEARCH record USING INDEX ix_record_visit_score"]
