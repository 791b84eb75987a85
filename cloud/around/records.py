"""Records as what lies around them sees them: who may read which, what of them is found, and what is done when one is saved."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.documents import documents
from cloud.around.following import EVENT, News, follow, tell
from cloud.around.gate import Readable, Readers, RecordRef
from cloud.around.index import Doc, Source, index_record, reindex
from cloud.around.models import SearchDoc
from cloud.around.search import LIMIT, Hit, Hits, Reach, search
from cloud.db.engine import Sessions
from cloud.kernel.access import READ, TRANSITION, WRITE
from cloud.kernel.actor import Actor, Taken
from cloud.objects.caller import Caller, Document, Hooks
from cloud.objects.caller import caller as make_caller
from cloud.objects.columns import KindColumns
from cloud.objects.definition import FieldDef, ObjectDef
from cloud.objects.filtering import compile_filter_partly
from cloud.objects.permits import ALWAYS, open_masks, reach, ways_of
from cloud.objects.permits import Reach as RowReach
from cloud.objects.registry import Registry
from cloud.objects.rows import Rows
from cloud.objects.service import item_of, row_of
from cloud.objects.values import said
from cloud.people.access import access_of
from cloud.people.models import User

BEHIND = ".title"
"""Behind a reference's key in the index: the name of what it leads to, which not everybody sees who sees the reference."""

CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Opened:
    """A record that the caller may read. `may_write`: whether they may also add something to it."""

    record: RecordRef
    may_write: bool
    reach: RowReach

    def sees(self, field: str) -> bool:
        return self.reach.allows(field)


async def opened(caller: Caller, kind: str, ref: str, *, locale: str = "en") -> Opened:
    """The record behind an address. Raises NotFound, also for what the caller may not read."""
    rows = caller.rows(kind)
    row, readable = await row_of(caller, rows, ref, READ)
    title = await _title(caller, rows, row, readable, locale)
    return Opened(RecordRef(kind, row.id, rows.ref(row), title), await _may_write(caller, rows, row), readable)


async def _may_write(caller: Caller, rows: Rows, row: Any) -> bool:
    """Of kinds that only the program writes: whoever may move the record on may also say something about it."""
    actions = [WRITE]
    if rows.definition.read_only:
        actions += [f"{TRANSITION}{one.key}" for one in rows.definition.transitions]
    for action in actions:
        if await reach(caller, rows, row, action):
            return True
    return False


async def _title(caller: Caller, rows: Rows, row: Any, readable: RowReach, locale: str) -> str:
    return (await item_of(caller, rows, row, readable, ())).title.in_(locale)


def readable_by(caller: Caller, locale: str = "en") -> Readable:
    """Which records this caller may read now."""

    async def readable(_session: AsyncSession, kind: str, ids: Collection[int], /, *, internal: bool) -> Mapping[int, str]:  # noqa: ARG001 - of the house
        definition = caller.objects.definitions.get(kind)
        if definition is None or not caller.access.may(kind, READ):
            return {}
        rows, found = caller.rows(kind), {}
        await caller.references.load(kind, ids)
        for one in ids:
            row = await caller.references.row(kind, one)
            allowed = None if row is None else await reach(caller, rows, row, READ)
            if allowed:
                found[one] = await _title(caller, rows, row, allowed, locale)
        return found

    return readable


def readers_for(caller: Caller) -> Readers:
    """Who may read a record, each with what they may do now; the caller's own permissions do not matter."""

    async def readers(
        session: AsyncSession,
        record: RecordRef,
        logins: Collection[str],
        *,
        internal: bool,  # noqa: ARG001 - as above
    ) -> frozenset[str]:
        rows = caller.rows(record.kind)
        row = await caller.references.row(record.kind, record.id)
        if row is None:
            return frozenset()
        found = set()
        for user in await session.scalars(select(User).where(User.login.in_(logins), User.active.is_(True))):
            taken = Taken(Actor.user(user.login, user.role), caller.taken.at, access=await access_of(session, user))
            if await reach(Caller(session, caller.objects, taken, caller.zone, caller.hooks), rows, row, READ):
                found.add(user.login)
        return frozenset(found)

    return readers


def search_reach(caller: Caller) -> dict[str, Reach]:
    """What of every kind this caller may search."""
    found = {}
    for kind, definition in caller.objects.definitions.items():
        if not definition.archived and caller.access.may(kind, READ):
            found[kind] = _reach_of(caller, definition)
    return found


def _reach_of(caller: Caller, definition: ObjectDef) -> Reach:
    rows, sees = caller.rows(definition.key), _sight(caller, definition)
    dialect = caller.session.get_bind().dialect.name
    columns = KindColumns(rows, dialect)
    conditions = [condition for condition, _ in ways_of(caller, definition, READ)]
    whole = all(sees(name) for name in _indexed_names(definition))
    fields, title = None if whole else sees, all(sees(name) for name in _title_names(definition))
    if None in conditions:
        return Reach(fields=fields, title=title, internal=True)
    parts = [compile_filter_partly(one, columns, caller.given(), dialect) for one in conditions if one is not None]
    own = select(rows.model.id).where(*rows.own(), or_(false(), *(part.condition for part in parts)))
    check = readable_by(caller) if any(part.rest is not None for part in parts) else None
    return Reach(SearchDoc.record_id.in_(own), fields, title=title, internal=True, check=check)


def _sight(caller: Caller, definition: ObjectDef) -> Callable[[str], bool]:
    """Which indexed texts count for the caller: those of fields that are open on every record they reach, and the names behind
    references (`supplier.title`) where they may read all such records with their titles."""
    mask = open_masks(caller, definition)

    def sees(name: str) -> bool:
        field, _, behind = name.partition(".")
        if field not in ALWAYS and not mask.allows(field):
            return False
        one = definition.by_key.get(field)
        return not behind or (one is not None and _named_openly(caller, caller.objects.get(one.target)))

    return sees


def _named_openly(caller: Caller, target: ObjectDef) -> bool:
    if not any(condition is None for condition, _ in ways_of(caller, target, READ)):
        return False
    mask = open_masks(caller, target)
    return all(name in ALWAYS or mask.allows(name) for name in target.title_fields)


def _title_names(definition: ObjectDef) -> Iterator[str]:
    """What a title is made of, the names behind its references too."""
    for name in definition.title_fields:
        one = definition.by_key.get(name)
        yield f"{name}{BEHIND}" if one is not None and one.type == "ref" else name


def _indexed_names(definition: ObjectDef) -> Iterator[str]:
    for one in definition.live:
        if one.searchable and one.type not in {"refs", "json"}:
            yield one.key
            if one.type == "ref":
                yield f"{one.key}{BEHIND}"


async def find_records(
    caller: Caller,
    text: str,
    *,
    limit: int = LIMIT,
    kinds: Collection[str] | None = None,
    archived: bool = False,
    locale: str = "en",
) -> Hits:
    """Search over everything that this caller may read; titles in the language asked for."""
    hits = await search(caller.session, text, reach=search_reach(caller), limit=limit, kinds=kinds, archived=archived)
    titled = readable_by(caller, locale)
    by_kind: dict[str, list[int]] = {}
    for hit in hits.rows:
        by_kind.setdefault(hit.kind, []).append(hit.record_id)
    titles = {kind: await titled(caller.session, kind, ids, internal=True) for kind, ids in by_kind.items()}
    rows = [_titled(hit, titles[hit.kind][hit.record_id]) for hit in hits.rows if hit.record_id in titles[hit.kind]]
    return Hits(tuple(rows), hits.more)


def _titled(hit: Hit, title: str) -> Hit:
    return Hit(hit.kind, hit.record_id, hit.ref, title, hit.part, hit.snippet, hit.archived, hit.updated_at)


async def doc_of(caller: Caller, rows: Rows, row: Any) -> Doc:
    """A row as it is to be found: its ref, its titles, and the fields that the definition calls searchable."""
    definition = rows.definition
    title = (await caller.references.fresh(rows, row)).title
    record = RecordRef(definition.key, row.id, rows.ref(row), title.en)
    texts: dict[str, str] = {}
    for one in definition.live:
        value = rows.get(row, one) if one.searchable and one.type not in {"refs", "json"} else None
        if value not in (None, "", []):
            texts |= await _texts(caller, one, value)
    return Doc(record, texts, archived=bool(getattr(row, "archived", False)), also=title.he or "")


async def _texts(caller: Caller, one: FieldDef, value: Any) -> dict[str, str]:
    if one.type == "ref":
        named = (await caller.references.named(one.target, [value])).get(value)
        if named is None:
            return {}
        return {one.key: named.ref, f"{one.key}{BEHIND}": f"{named.title.en} {named.title.he or ''}".strip()}
    if one.type in {"choice", "choices"}:
        options = [one.option(key) for key in (value if isinstance(value, list) else [value])]
        return {one.key: " ".join(f"{each.label.en} {each.label.he or ''}".strip() for each in options if each is not None)}
    return {one.key: str(said(value))}


async def record_saved(caller: Caller, rows: Rows, row: Any, _values: Mapping[str, Any]) -> None:
    """For `Hooks.saved`: the record is found as it is now, whoever made it follows it, and followers hear of it."""
    doc = await doc_of(caller, rows, row)
    await index_record(caller.session, doc, caller.taken.at)
    record, login = doc.record, getattr(row, "created_by", None)
    if getattr(row, "version", None) == 1 and login == caller.login and caller.taken.actor.kind == "user":
        await follow(caller.session, record, login, caller.taken.at, asked=False)
    news = News(EVENT, CHANGE, internal=True)
    await tell(caller.session, record, news, caller.taken, readers_for(caller))


async def documents_of(session: AsyncSession, kind: str, record_id: int) -> Sequence[Document]:
    """For `Hooks.documents`: the newest version of each document at a record."""
    return [
        Document(one.newest.file_kind, one.newest.signed) for one in await documents(session, kind, record_id, internal=True)
    ]


def add_to(hooks: Hooks) -> Hooks:
    """Put what lies around records into the hooks of the records' service."""
    hooks.saved.append(record_saved)
    hooks.documents = documents_of
    return hooks


async def reindex_all(sessions: Sessions, registry: Registry, taken: Taken) -> dict[str, int]:
    """Make every record of every kind findable anew, as the system; how many there are of each."""
    async with sessions.read() as session:
        kinds = sorted((await registry.current(session)).definitions)
    return {kind: await reindex(sessions, kind, _source(registry, kind, taken), taken.at) for kind in kinds}


def _source(registry: Registry, kind: str, taken: Taken) -> Source:
    async def source(session: AsyncSession, after: int, limit: int) -> list[Doc]:
        asker = await make_caller(session, registry, taken)
        rows = asker.rows(kind)
        page = rows.select().where(rows.model.id > after).order_by(rows.model.id).limit(limit)
        return [await doc_of(asker, rows, row) for row in await session.scalars(page)]

    return source
