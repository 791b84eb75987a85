"""What is found, kept with the record in one transaction: rows of `search_doc`. The database keeps the index over them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update
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
    """A record as it is to be found. `texts`: field to text; who may not see a field does not find its words. `also`: its title
    in other languages."""

    record: RecordRef
    texts: Mapping[str, str] = field(default_factory=dict)
    archived: bool = False
    also: str = ""


async def index_record(session: AsyncSession, doc: Doc, at: datetime) -> None:
    """Make the record findable as it is now. Writes nothing where nothing changed. Call with the change, in its transaction."""
    record = doc.record
    own = {
        "ref": record.ref,
        "ref_key": compact(record.ref),
        "title": _storable(record.title),
        "internal": False,
        "archived": doc.archived,
        "title_words": _joined([record.ref, record.title, doc.also]),
    }
    await _put(session, record, (RECORD, 0), own | _body(doc.texts), at)
    others = [*_of(record.kind, record.id), SearchDoc.part != RECORD]
    moved = (SearchDoc.archived != doc.archived) | (SearchDoc.ref != record.ref)
    await session.execute(update(SearchDoc).where(*others, moved).values(archived=doc.archived, ref=record.ref))


async def index_part(
    session: AsyncSession, record: RecordRef, part: str, part_id: int, text: str, *, internal: bool, at: datetime
) -> None:
    """Make a message or file findable at its record."""
    main = select(SearchDoc.archived).where(*_of(record.kind, record.id), SearchDoc.part == RECORD)
    archived = bool(await session.scalar(main))
    own = {"ref": record.ref, "ref_key": "", "title": "", "internal": internal, "archived": archived, "title_words": ""}
    await _put(session, record, (part, part_id), own | _body({part: text}), at)


async def _put(
    session: AsyncSession, record: RecordRef, place: tuple[str, int], values: Mapping[str, Any], at: datetime
) -> None:
    part, part_id = place
    where = [*_of(record.kind, record.id), SearchDoc.part == part, SearchDoc.part_id == part_id]
    row = await session.scalar(select(SearchDoc).where(*where))
    if row is None:
        key = {"kind": record.kind, "record_id": record.id, "part": part, "part_id": part_id}
        session.add(SearchDoc(**key, **values, updated_at=at))
    else:
        changed = {name: value for name, value in values.items() if getattr(row, name) != value}
        for name, value in changed.items():
            setattr(row, name, value)
        if changed:
            row.updated_at = at
    await session.flush()


def _body(texts: Mapping[str, str]) -> dict[str, Any]:
    kept = {name: _storable(text) for name, text in texts.items() if text}
    return {"texts": kept, "body_words": _joined(kept.values())}


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
