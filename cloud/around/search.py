"""Finding records by words: exact refs first, then titles, then everything else; only what the asker may see of what they may
read. The index gives candidates; what of a candidate counts for a masked asker is looked at again here, field by field.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.candidates import MAX_LOOKED, candidates
from cloud.around.gate import Readable
from cloud.around.index import RECORD
from cloud.around.models import SearchDoc
from cloud.around.words import Query, ask, compact, tokens

LIMIT = 20
MAX_LIMIT = 100

AROUND = 60
"""Characters of a snippet before the first word found, and twice as many behind it."""

_CHUNK = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Reach:
    """What of one kind somebody may search. `where`: a condition on `search_doc.record_id` for the records they may read, None
    for all; `check` is asked besides where that condition lets too many through. `fields`: which fields' words count, None for
    all; `title`: whether the title's do. `internal`: messages and files that are internal as well."""

    where: ColumnElement[bool] | None = None
    fields: Callable[[str], bool] | None = None
    title: bool = True
    internal: bool = False
    check: Readable | None = None


@dataclass(frozen=True, slots=True)
class Bit:
    """A piece of a snippet; `found` where it is what was asked for."""

    text: str
    found: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One record. `part` says where: `` in itself, else `message` or `file`."""

    kind: str
    record_id: int
    ref: str
    title: str
    part: str
    snippet: tuple[Bit, ...]
    archived: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Hits:
    """Best first. `more`: there may be others that are not among them."""

    rows: tuple[Hit, ...] = ()
    more: bool = False


async def search(
    session: AsyncSession,
    text: str,
    *,
    reach: Mapping[str, Reach],
    limit: int = LIMIT,
    kinds: Collection[str] | None = None,
    archived: bool = False,
) -> Hits:
    """Records with all the words of `text`, of kinds that `reach` names (and of `kinds`, where given); no other kind is found.

    Any text is a question; one without words finds nothing.
    """
    query = ask(text)
    asked = {kind: one for kind, one in reach.items() if kinds is None or kind in kinds}
    if not query or not asked:
        return Hits()
    allowed = _allowed(asked)
    if not archived:
        allowed = and_(allowed, SearchDoc.archived.is_(False))
    return await _Search(session, query, asked, allowed, min(limit, MAX_LIMIT)).run(compact(text))


def _allowed(reach: Mapping[str, Reach]) -> ColumnElement[bool]:
    """The records and parts that may be found at all; kinds alike share one condition."""
    plain: dict[bool, list[str]] = {}
    ways: list[ColumnElement[bool]] = []
    for kind, one in reach.items():
        if one.where is None:
            plain.setdefault(one.internal, []).append(kind)
        else:
            ways.append(and_(SearchDoc.kind == kind, _inside(internal=one.internal), one.where))
    ways += [and_(SearchDoc.kind.in_(kinds), _inside(internal=internal)) for internal, kinds in plain.items()]
    return or_(false(), *ways)


def _inside(*, internal: bool) -> ColumnElement[bool]:
    return SearchDoc.internal.in_((False, True)) if internal else SearchDoc.internal.is_(False)


@dataclass(frozen=True, slots=True)
class _Search:
    session: AsyncSession
    query: Query
    reach: Mapping[str, Reach]
    allowed: ColumnElement[bool]
    limit: int

    async def run(self, ref_key: str) -> Hits:
        found: dict[tuple[str, int], SearchDoc] = {}
        looked, more = 0, False
        async with aclosing(candidates(self.session, self.query, ref_key, self.allowed)) as rows:
            async for row in rows:
                looked += 1
                place = (row.kind, row.record_id)
                if place not in found and self._counts(row) and await self._readable(row):
                    found[place] = row
                more = len(found) > self.limit or looked >= MAX_LOOKED
                if more:
                    break
        return await self._shown(list(found.values()), more=more)

    def _counts(self, row: SearchDoc) -> bool:
        """Whether the words are also in what this asker sees."""
        reach = self.reach[row.kind]
        if row.part != RECORD or (reach.fields is None and reach.title):
            return True
        seen = set(row.title_words.split() if reach.title else tokens(row.ref))
        seen.update(token for _, text in self._texts(row) for token in tokens(text))
        return self.query.met(frozenset(seen))

    async def _readable(self, row: SearchDoc) -> bool:
        reach = self.reach[row.kind]
        if reach.check is None:
            return True
        return row.record_id in await reach.check(self.session, row.kind, [row.record_id], internal=row.internal)

    def _texts(self, row: SearchDoc) -> list[tuple[str, str]]:
        fields = self.reach[row.kind].fields
        return [(name, str(text)) for name, text in row.texts.items() if row.part != RECORD or fields is None or fields(name)]

    async def _shown(self, rows: Sequence[SearchDoc], *, more: bool) -> Hits:
        shown = rows[: self.limit]
        titles = await self._titles([(row.kind, row.record_id) for row in shown if row.part != RECORD])
        hits = (
            Hit(
                kind=row.kind,
                record_id=row.record_id,
                ref=row.ref,
                title=titles.get((row.kind, row.record_id), row.title) if self.reach[row.kind].title else row.ref,
                part=row.part,
                snippet=self._snippet(row),
                archived=row.archived,
                updated_at=row.updated_at,
            )
            for row in shown
        )
        return Hits(tuple(hits), more)

    async def _titles(self, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
        if not places:
            return {}
        here = tuple_(SearchDoc.kind, SearchDoc.record_id).in_(places)
        rows = await self.session.execute(
            select(SearchDoc.kind, SearchDoc.record_id, SearchDoc.title).where(here, SearchDoc.part == RECORD)
        )
        return {(kind, record_id): title for kind, record_id, title in rows}

    def _snippet(self, row: SearchDoc) -> tuple[Bit, ...]:
        for _, text in self._texts(row):
            bits = snippet(text, self.query)
            if any(bit.found for bit in bits):
                return bits
        return ()


def snippet(text: str, query: Query) -> tuple[Bit, ...]:
    """The text around the first word that was asked for, in pieces; nothing where none of the words is in it."""
    chunks = [(match.start(), match.end(), match.group()) for match in _CHUNK.finditer(text)]
    marked = [(begin, end) for begin, end, chunk in chunks if query.touches(frozenset(tokens(chunk)))]
    if not marked:
        return ()
    first, last = max(0, marked[0][0] - AROUND), min(len(text), marked[0][1] + 2 * AROUND)
    bits, place = [Bit("…")] if first else [], first
    for begin, end in marked:
        if begin >= last:
            break
        if begin > place:
            bits.append(Bit(text[place:begin]))
        bits.append(Bit(text[begin : min(end, last)], found=True))
        place = min(end, last)
    bits.append(Bit(text[place:last] + ("…" if last < len(text) else "")))
    return tuple(bit for bit in bits if bit.text)
