"""Rows that the database's index gives for a question, in the order of their rank: exact refs, titles, everything else; newest
first within each. What of them counts is for whoever asked (cloud.around.search)."""

from collections.abc import AsyncGenerator
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, bindparam, cast, column, literal_column, select, table
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import UserDefinedType

from cloud.around.index import RECORD
from cloud.around.models import SearchDoc
from cloud.around.words import Query, as_fts5, as_tsquery
from cloud.db.engine import is_sqlite

LOOK = 100
"""Read at a time: most questions end within the first."""

MAX_LOOKED = 2_000
"""Of one question: an asker whose mask hides nearly everything must not cost a walk over all."""

_FTS = table("search_fts", column("rowid"))


class _TsQuery(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "tsquery"


async def candidates(
    session: AsyncSession, query: Query, ref_key: str, allowed: ColumnElement[bool]
) -> AsyncGenerator[SearchDoc]:
    """Rows that `allowed` lets through; the same row may come again with a lower rank. Ends only when there are no more."""
    exact = select(SearchDoc).where(SearchDoc.ref_key == ref_key, SearchDoc.part == RECORD, allowed)
    async for row in _walk(session, exact, SearchDoc.id):
        yield row
    by_words = _sqlite if is_sqlite(session) else _postgresql
    for titles in (True, False):
        async for row in by_words(session, query, allowed, titles=titles):
            yield row


def _sqlite(session: AsyncSession, query: Query, allowed: ColumnElement[bool], *, titles: bool) -> AsyncGenerator[SearchDoc]:
    matches = literal_column("search_fts").bool_op("MATCH")(bindparam(None, as_fts5(query, "title_words" if titles else None)))
    look = select(SearchDoc).join(_FTS, _FTS.c.rowid == SearchDoc.id).where(matches, allowed)
    # By the index's own number: so it is walked in order instead of sorted (FTS5 manual, 4.4.4).
    return _walk(session, look, _FTS.c.rowid)


async def _postgresql(
    session: AsyncSession, query: Query, allowed: ColumnElement[bool], *, titles: bool
) -> AsyncGenerator[SearchDoc]:
    vector = literal_column(f"search_doc.search_fts_{'title' if titles else 'all'}", TSVECTOR)
    matches = vector.bool_op("@@")(cast(bindparam(None, as_tsquery(query)), _TsQuery))
    # The planner cannot know how often words come together. A bounded look without an order goes through the index; what is too
    # much for it is common enough that walking the rows from the newest on meets it soon.
    probe = select(SearchDoc.id).where(matches, allowed).limit(MAX_LOOKED + 1)
    ids = sorted(await session.scalars(probe), reverse=True)
    if len(ids) > MAX_LOOKED:
        async for row in _walk(session, select(SearchDoc).where(matches, allowed), SearchDoc.id):
            yield row
        return
    for start in range(0, len(ids), LOOK):
        page = select(SearchDoc).where(SearchDoc.id.in_(ids[start : start + LOOK])).order_by(SearchDoc.id.desc())
        for row in await session.scalars(page):
            yield row


async def _walk(session: AsyncSession, look: Select[SearchDoc], by: SQLColumnExpression[Any]) -> AsyncGenerator[SearchDoc]:
    last: int | None = None
    while True:
        behind = [] if last is None else [by < last]
        rows = (await session.scalars(look.where(*behind).order_by(by.desc()).limit(LOOK))).all()
        for row in rows:
            yield row
        if len(rows) < LOOK:
            return
        last = rows[-1].id
