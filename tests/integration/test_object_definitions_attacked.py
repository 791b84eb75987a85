"""Definitions that would break records, other definitions, or the program itself; each is refused with its line."""

import asyncio
import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.db.engine import Sessions, make_engine
from cloud.errors import Conflict, Forbidden, NotFound
from cloud.objects import service
from cloud.objects.changing import save_definition
from cloud.objects.faults import BadDefinition, Invalid
from cloud.objects.registry import Registry, Shipped
from cloud.objects.schema import schema_of
from cloud.objects.source import read_yaml
from tests.integration.object_world import COMPANY, VISIT, World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def own(rest: str, fields: str = "a: {type: text}") -> str:
    return f"key: x_a\n{rest}\nfields: {{{fields}}}\n"


@pytest.mark.parametrize(("said", "code"), [
    # Written to a column, a value would be no value of the record any more.
    (own("", "a: {type: text, column: kind}"), "column"),
    (own("states: {s: open, t: done}\ntransitions: {go: {from: s, to: t}}", "a: {column: state}"), "column"),
    (own("", "a: {type: json, of: {b: {column: version}}}"), "column"),
    ("key: company\nfields: {x_a: {type: int, column: version}}\n", "not_yours"),
    # Every record would get the same number, or one that fills the memory.
    (own("number: 'N'"), "template"),
    (own("number: '{{n}}'"), "template"),
    (own("number: '{n.__class__}'"), "template"),
    (own("number: '{n!r}'"), "template"),
    (own("number: '{n:0100000000}'"), "template"),
    (own("number: 'A {n}'"), "template"),
    (own(f"number: '{'N' * 100}{{n}}'"), "template"),
    (own("title: '{'"), "template"),
    (own("title_he: '}'"), "template"),
    (own("title: '{0}'"), "unknown_field"),
    (own("title: '{__class__}'"), "unknown_field"),
    (own("title_he: '{b.__init__.__globals__}'"), "unknown_field"),
    (own("site: 'True or a'"), "no_field"),
    (own("site: 'b.c'"), "unknown_name"),
    (own("", "a: {type: decimal, min: 1e999999999}"), "number"),
    (own("", "a: {type: decimal, max: 1e-999999}"), "number"),
    (own("", "a: {type: text, max_length: 100000000}"), "range"),
    (own("", "a: {type: text, max_length: 0}"), "range"),
    (own('label: "a\\0b"'), "text"),
    (own("storage: company"), "storage"),
    ("key: user\nfields: {a: {}}\n", "not_yours"),
    ("key: company\nfields: [name]\n", "shape"),
    ("key: company\nfields: name\n", "shape"),
    ("key: visit\nstates: 5\n", "shape"),
    ("key: visit\ntransitions: [hold]\n", "shape"),
    ("key: visit\nfields: {source: {options: [{a: b}]}}\n", "shape"),
    ("key: visit\nfields: {source: {options: abc}}\n", "shape"),
    (own("", "ключ: {type: text}"), "key"),
    (own("", f"a: {{validate: \"{'a == 1 or ' * 1000}a\"}}"), "too_large"),
    (own("", ", ".join(f"f{number}: {{}}" for number in range(301))), "too_large"),
])  # fmt: skip
def test_what_would_break_records_is_refused(world: World, said: str, code: str) -> None:
    with pytest.raises(BadDefinition) as caught:
        world.registry.read(said, world.registry.plain())
    assert code in {one.code for one in caught.value.faults}, str(caught.value)


@pytest.mark.parametrize("said", [
    "a: " + "[" * 150_000,
    "a: " + "{a: " * 40_000,
    "- " * 60_000,
    "".join("  " * depth + "a:\n" for depth in range(400)),
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
    "a: &a [*a]\n",
    "a: {<<: {b: 1}}\n",
])  # fmt: skip
def test_text_that_grows_without_end_is_refused_before_it_does(said: str) -> None:
    with pytest.raises(BadDefinition):
        read_yaml(said)


def test_tags_name_nothing_of_the_program() -> None:
    assert read_yaml("a: !!python/object/apply:os.system ['true']\n").data == {"a": ["true"]}


def test_three_hundred_references_to_each_other_are_read_at_once(world: World) -> None:
    said = own("", ", ".join(f"f{number}: {{type: ref, object: x_a}}" for number in range(300)))
    found = world.registry.read(said, world.registry.plain())
    assert len(schema_of(found, {"x_a": found}).shapes) > 300


async def test_of_two_who_save_at_once_one_is_told(world: World, sessions: Sessions) -> None:
    first, second = (own("", f"{key}: {{type: text, indexed: true}}") for key in "ab")

    async def save(said: str) -> None:
        async with sessions.write() as session:
            at = await world.caller(session)
            await asyncio.sleep(0)
            await save_definition(at, world.registry, said, version=0)

    done = await asyncio.gather(save(first), save(second), return_exceptions=True)
    assert [type(one) for one in done if one is not None] == [Conflict]


async def test_a_rule_that_always_fails_can_be_mended(world: World, sessions: Sessions) -> None:
    async with sessions.write() as session:
        await save_definition(await world.caller(session), world.registry, own("", "a: {type: int}"))
        await service.create(await world.caller(session), "x_a", {"a": 1})
    async with sessions.write() as session:
        await save_definition(
            await world.caller(session), world.registry, own("", "a: {type: int}, b: {type: int, compute: a / 0}")
        )
    async with sessions.write() as session:
        at = await world.caller(session)
        with pytest.raises(Invalid):
            await service.update(at, "x_a", "X_A-00001", {"a": 2})
        assert (await service.get(at, "x_a", "X_A-00001")).values == {"a": 1, "b": None}
        await service.archive(at, "x_a", "X_A-00001")
        await save_definition(at, world.registry, own("", "a: {type: int}, b: {type: int, compute: a + 1}"))
    async with sessions.write() as session:
        item = await service.update(await world.caller(session), "x_a", "X_A-00001", {"a": 2})
        assert item.values["b"] == 3


async def test_an_update_that_a_saved_definition_does_not_fit_locks_nobody_out(tmp_path: Path, sessions: Sessions) -> None:
    world = make_world(tmp_path)
    async with sessions.write() as session:
        at = await world.caller(session)
        await service.create(at, "company", {"name": "A"})
        await save_definition(at, world.registry, "key: company\nfields: {city: {required: true}}\n")
    (tmp_path / "0.yaml").write_text(COMPANY.replace("  city: {type: text, indexed: true}\n", ""), "utf-8")
    updated = World(Registry(Shipped(files=(tmp_path / "0.yaml", tmp_path / "1.yaml"))))
    async with sessions.write() as session:
        at = await updated.caller(session)
        assert (await service.get(at, "company", "C-0001")).values["name"] == "A"
        with pytest.raises(Forbidden):
            await service.update(at, "company", "C-0001", {"name": "B"})
        await save_definition(at, updated.registry, "key: company\nfields: {name: {label: {en: Name}}}\n")
    async with sessions.write() as session:
        await service.update(await updated.caller(session), "company", "C-0001", {"name": "B"})


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += _places(one, (*path, key))
    return found


WHOLE = read_yaml(VISIT).data
PLACES = _places(WHOLE)
WORDS = ["", "x", "{", "state", "x_a", "ref", "json", "1e99", "\x00", "ש", "en", "type", "from", "options"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)


def _changed(value: Any, path: tuple[Any, ...], to: object) -> Any:
    if not path:
        return to
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _changed(value[path[0]], path[1:], to)
    return copy


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    path = tmp_path_factory.mktemp("definitions") / "core.db"
    shutil.copy(sqlite_template, path)
    return path


async def tried(world: World, sessions: Sessions, key: str, texts: list[str]) -> None:
    """One definition after the other and a record of each, in a transaction that is not kept."""
    async with sessions.write() as session:
        for said in texts:
            with suppress(BadDefinition):
                await save_definition(await world.caller(session), world.registry, said)
            at = await world.caller(session)
            with suppress(Invalid, NotFound):
                await service.create(at, key, {"subject": "x"})
        await session.rollback()


@settings(max_examples=30, deadline=None)
@given(key=st.sampled_from(["x_v", "visit"]), path=st.sampled_from(PLACES), to=anything)
def test_any_text_is_taken_or_refused_with_its_faults(core: Path, key: str, path: tuple[Any, ...], to: object) -> None:
    texts = [json.dumps({**one, "key": key}, default=str) for one in (WHOLE, _changed(WHOLE, path, to))]

    async def run(folder: Path) -> None:
        engine = make_engine(f"sqlite:///{core}")
        try:
            await tried(make_world(folder), Sessions.on(engine), key, texts)
        finally:
            await engine.dispose()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
