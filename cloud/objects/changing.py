"""Changing definitions while the program runs: a new object, field, option, state or rule, without a release and without loss.

A key means the same for good. What a new text names no more is carried along, archived: its values stay where they are and come
back with the key. Indexes and uniqueness of fields are made and removed in the same transaction.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Conflict, Forbidden
from cloud.kernel.access import CONFIGURE
from cloud.kernel.events import append_event
from cloud.objects.caller import Caller
from cloud.objects.definition import FieldDef, ObjectDef
from cloud.objects.faults import BadDefinition, DefinitionFault
from cloud.objects.filtering_json import UNINDEXED, index_ddl, index_name
from cloud.objects.models import Record, StoredDefinition
from cloud.objects.registry import Objects, Registry, demand_shape
from cloud.objects.rows import Rows
from cloud.objects.source import Source, read_yaml
from cloud.objects.turns import wait_for_turn

WIDENED = {("text", "long")}
"""Changes of type under which every stored value stays what it is."""


async def save_definition(caller: Caller, registry: Registry, said: str, *, version: int | None = None) -> ObjectDef:
    """Put a definition (YAML) in force: a customer's own object, or what is added to a shipped one.

    `version` is the one that the editor saw (0: none). Raises Forbidden, Conflict, BadDefinition with every fault and its line.
    """
    source = read_yaml(said)
    demand_shape(source)
    key = str(source.data.get("key", ""))
    if not caller.access.may(key, CONFIGURE):
        raise Forbidden("forbidden", action=CONFIGURE, role=caller.taken.actor.role)
    row = await _newest(caller, key)
    now = row.version if row is not None else 0
    if version is not None and version != now:
        raise Conflict("conflict", ref=key, seen=str(version), now=str(now))
    old = caller.objects.definitions.get(key)
    carried = _carried(source.data, row, old) if row is not None and old is not None else {}
    found = registry.read(said, caller.objects, carried=carried, version=now + 1)
    if old is not None:
        await _demand_lossless(caller, old, found, source)
    others = _broken_elsewhere(registry, caller.objects, found)
    if others:
        raise BadDefinition(others, key)
    stored = StoredDefinition(key=key, version=now + 1, text=said, carried=carried, at=caller.taken.at, by=caller.login)
    try:
        async with caller.session.begin_nested():
            caller.session.add(stored)
    except IntegrityError as exc:
        # Somebody saved another one in the same moment.
        raise Conflict("conflict", ref=key, seen=str(now), now=str(now + 1)) from exc
    await _indexes(caller, old, found)
    changes = {"version": [now or None, now + 1], "fields": [_keys(old), _keys(found)]}
    await append_event(caller.session, caller.taken, action="define", kind="object", ref=key, changes=changes)
    return found


async def stored_text(caller: Caller, key: str) -> tuple[str, int]:
    """What was saved about a kind, as it was written, and its version; "" and 0 where nothing was. Raises Forbidden."""
    if not caller.access.may(key, CONFIGURE):
        raise Forbidden("forbidden", action=CONFIGURE, role=caller.taken.actor.role)
    row = await _newest(caller, key)
    return (row.text, row.version) if row is not None else ("", 0)


async def _newest(caller: Caller, key: str) -> StoredDefinition | None:
    query = select(StoredDefinition).where(StoredDefinition.key == key).order_by(StoredDefinition.version.desc()).limit(1)
    found: StoredDefinition | None = await caller.session.scalar(query)
    return found


def _keys(definition: ObjectDef | None) -> list[str]:
    return [] if definition is None else [one.key for one in definition.live]


def _carried(said: Mapping[str, Any], row: StoredDefinition, old: ObjectDef) -> dict[str, Any]:
    """Fields and options of earlier texts that this one leaves out."""
    before = read_yaml(row.text).data
    named = said.get("fields") or {}
    fields = dict(row.carried.get("fields", {}))
    for key, one in (before.get("fields") or {}).items():
        if key in old.by_key and isinstance(one, dict):
            fields[key] = {**_plain(one), "archived": True}
    options: dict[str, dict[str, Any]] = {}
    for key in set(named) | set(fields):
        kept = old.by_key.get(key)
        if kept is None:
            continue
        here = named.get(key, {}).get("options") if isinstance(named.get(key), dict) else None
        listed = set(here) if isinstance(here, list | dict) else set()
        gone = [one for one in kept.options if one.key not in listed]
        if gone and key in named:
            options[key] = {one.key: {"en": one.label.en, "he": one.label.in_("he"), "archived": True} for one in gone}
    return {"fields": {key: one for key, one in fields.items() if key not in named}, "options": options}


def _plain(value: Any) -> Any:
    """As JSON keeps it."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | bool | int) or value is None else str(value)


async def _demand_lossless(caller: Caller, old: ObjectDef, new: ObjectDef, source: Source) -> None:
    faults: list[DefinitionFault] = []
    for one in old.fields:
        now = new.by_key.get(one.key)
        path = ("fields", one.key)
        if now is None:
            continue
        if now.type != one.type and (one.type, now.type) not in WIDENED:
            faults.append(_fault(source, (*path, "type"), f"{one.key} stays {one.type}: take another key for another type"))
        if now.target != one.target:
            faults.append(_fault(source, (*path, "object"), f"{one.key} goes on leading to {one.target}"))
        if one.type == "json" and not _columns(one) <= _columns(now):
            faults.append(_fault(source, (*path, "of"), f"columns of {one.key} stay; new ones may be added"))
    gone = [one.key for one in old.states if one.key not in new.state_by_key]
    faults += [
        _fault(source, ("states",), f"records are in the state {key}: it stays")
        for key in gone
        if await _in_use(caller, old, key)
    ]
    if faults:
        raise BadDefinition(faults, new.key)


def _columns(field: FieldDef) -> set[tuple[str, str]]:
    return {(one.key, one.type) for one in field.of}


def _fault(source: Source, path: tuple[str, ...], message: str) -> DefinitionFault:
    return DefinitionFault(source.line(path), ".".join(path), "loses", message)


async def _in_use(caller: Caller, old: ObjectDef, state: str) -> bool:
    rows = Rows(old, caller.objects)
    query = select(rows.model.id).where(*rows.own(), rows.model.state == state).limit(1)
    return await caller.session.scalar(query) is not None


def _broken_elsewhere(registry: Registry, objects: Objects, found: ObjectDef) -> list[DefinitionFault]:
    """Other objects whose expressions name what this one no longer has."""
    after = Objects({**objects.definitions, found.key: found}, objects.typed)
    return [
        DefinitionFault(1, other, fault.code, f"{other}.{fault.path}: {fault.message}", fault.column)
        for other, fault in registry.faults(after)
        if other != found.key
    ]


async def _indexes(caller: Caller, old: ObjectDef | None, new: ObjectDef) -> None:
    if new.typed:
        return
    dialect = caller.session.get_bind().dialect.name
    before = {} if old is None else {one.key: one for one in _indexed(old)}
    after = {one.key: one for one in _indexed(new)}
    for key in before.keys() - after.keys():
        await caller.session.execute(text(index_ddl(new.key, key, before[key].type, dialect)[1]))
    for key in after.keys() - before.keys():
        await caller.session.execute(text(index_ddl(new.key, key, after[key].type, dialect)[0]))


def _indexed(definition: ObjectDef) -> Iterable[FieldDef]:
    return (one for one in definition.live if (one.indexed or one.unique) and not one.column and one.type not in UNINDEXED)


async def refresh_statistics(session: AsyncSession) -> None:
    """Let SQLite count what its indexes hold (PostgreSQL does so by itself): without, it does not take a field's index for a
    list in that field's order. Of records all rows are counted, since a part would make one kind look rare; a second or so for
    200,000. Of other tables a thousand rows are looked at, however large they are."""
    if session.get_bind().dialect.name == "sqlite":
        await session.execute(text("PRAGMA analysis_limit = 1000"))
        await session.execute(text("ANALYZE"))
        await session.execute(text("PRAGMA analysis_limit = 0"))
        await session.execute(text(f"ANALYZE {Record.__tablename__}"))


async def make_indexes(caller: Caller) -> int:
    """Make the indexes of shipped definitions that are not there yet; gives how many. For after a migration."""
    await wait_for_turn(caller.session, "make_indexes")
    connection = await caller.session.connection()
    there = await connection.run_sync(_index_names)
    made = 0
    for definition in caller.objects.definitions.values():
        for one in [] if definition.typed else _indexed(definition):
            if index_name(definition.key, one.key) not in there:
                await caller.session.execute(text(index_ddl(definition.key, one.key, one.type, connection.dialect.name)[0]))
                made += 1
    return made


def _index_names(connection: Any) -> set[str]:
    table = Record.__tablename__
    if connection.dialect.name == "sqlite":
        query = text("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = :table")
    else:
        query = text("SELECT indexname FROM pg_indexes WHERE tablename = :table")
    return {name for (name,) in connection.execute(query, {"table": table})}
