"""What is found, kept with the record in one transaction: rows of `search_doc`. The database keeps the index over them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.gate import RecordRef
from cloud.around.models import SearchDoc
from cloud.around.words import MAX_TEXT, MAX_TOKENS, compact, tokens
from cloud.db.engine import Sessions

RECORD, MESSAGE, FILE = "", "message", "file"
"""Parts: the record itself, and what is found at it."""

CHUNK = 500
"""Records that one transaction of a rebuild takes: on SQLite well under a second, so that nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Doc:
    """A record as it is to be found. `texts`: field to text; who may not see a field does not find its words."""

    record: RecordRef
    texts: Mapping[str, str] = field(default_factory=dict)
    archived: bool = False


async def index_record(session: AsyncSession, doc: Doc, at: datetime) -> None:
    """Make the record findable as it is now. Writes nothing where nothing changed. Call with the change, in its transaction."""
    record = doc.record
    await _put(session, record, doc.texts, at, archived=doc.archived, internal=False)
    others = [*_of(record.kind, record.id), SearchDoc.part != RECORD]
    moved = (SearchDoc.archived != doc.archived) | SearchDoc.site.is_distinct_from(record.site) | (SearchDoc.ref != record.ref)
    values = {"archived": doc.archived, "site": record.site, "ref": record.ref}
    await session.execute(update(SearchDoc).where(*others, moved).values(values))


async def index_part(
    session: AsyncSession, record: RecordRef, part: str, part_id: int, text: str, *, internal: bool, at: datetime
) -> None:
    """Make a message or file findable at its record."""
    main = select(SearchDoc.archived).where(*_of(record.kind, record.id), SearchDoc.part == RECORD)
    archived = bool(await session.scalar(main))
    await _put(session, record, {part: text}, at, part=part, part_id=part_id, archived=archived, internal=internal)


async def _put(
    session: AsyncSession,
    record: RecordRef,
    texts: Mapping[str, str],
    at: datetime,
    *,
    archived: bool,
    internal: bool,
    part: str = RECORD,
    part_id: int = 0,
) -> None:
    own = part == RECORD
    kept = {name: _storable(text) for name, text in texts.items() if text}
    values = {
        "ref": record.ref,
        "ref_key": compact(record.ref) if own else "",
        "title": _storable(record.title) if own else "",
        "texts": kept,
        "site": record.site,
        "internal": internal,
        "archived": archived,
        "title_words": _joined([record.ref, record.title]) if own else "",
        "body_words": _joined(kept.values()),
    }
    where = [*_of(record.kind, record.id), SearchDoc.part == part, SearchDoc.part_id == part_id]
    row = await session.scalar(select(SearchDoc).where(*where))
    if row is None:
        place = {"kind": record.kind, "record_id": record.id, "part": part, "part_id": part_id}
        session.add(SearchDoc(**place, **values, updated_at=at))
    elif any(getattr(row, name) != value for name, value in values.items()):
        for name, value in values.items():
            if getattr(row, name) != value:
                setattr(row, name, value)
        row.updated_at = at
    await session.flush()


def _storable(text: str) -> str:
    """Without what PostgreSQL's text does not take: NUL and halves of surrogate pairs."""
    return text[:MAX_TEXT].replace("\0", "").encode(errors="ignore").decode()


def _joined(texts: Iterable[str]) -> str:
    found = dict.fromkeys(token for text in texts for token in tokens(text))
    return " ".join(list(found)[:MAX_TOKENS])


def _of(kind: str, record_id: int) -> tuple[ColumnElement[bool], ...]:
    return SearchDoc.kind == kind, SearchDoc.record_id == record_id


async def forget_part(session: AsyncSession, kind: str, record_id: int, part: str, part_id: int) -> None:
    """A message that was withdrawn or a file that was archived is found no more."""
    await session.execute(delete(SearchDoc).where(*_of(kind, record_id), SearchDoc.part == part, SearchDoc.part_id == part_id))


async def forget_record(session: AsyncSession, kind: str, record_id: int) -> None:
    """Neither the record nor anything at it is found any more."""
    await session.execute(delete(SearchDoc).where(*_of(kind, record_id)))


async def titles_of(session: AsyncSession, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Titles of records (kind and id) that were indexed."""
    wanted = list(dict.fromkeys(places))
    if not wanted:
        return {}
    here = tuple_(SearchDoc.kind, SearchDoc.record_id).in_(wanted)
    rows = await session.execute(
        select(SearchDoc.kind, SearchDoc.record_id, SearchDoc.title).where(here, SearchDoc.part == RECORD)
    )
    return {(kind, record_id): title for kind, record_id, title in rows}


Source = Callable[[AsyncSession, int, int], Awaitable[Sequence[Doc]]]
"""The next so many records of a kind behind an id, in the order of their ids."""


async def reindex(sessions: Sessions, kind: str, source: Source, at: datetime, *, chunk: int = CHUNK) -> int:
    """Index every record of a kind anew, a chunk to a transaction, and forget those that are no more; how many there are.

    Messages and files of records that still are stay as they are.
    """
    after, count = 0, 0
    while True:
        async with sessions.write() as session:
            docs = await source(session, after, chunk)
            for doc in docs:
                await index_record(session, doc, at)
            last = docs[-1].record.id if len(docs) == chunk else None
            gone = [SearchDoc.kind == kind, SearchDoc.record_id > after]
            if last is not None:
                gone.append(SearchDoc.record_id <= last)
            found = [doc.record.id for doc in docs]
            await session.execute(delete(SearchDoc).where(*gone, SearchDoc.record_id.not_in(found)))
        count += len(docs)
        if last is None:
            return count
        after = last
