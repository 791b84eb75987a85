"""A file's rows put into the database as they are, to be looked at before anything is made of them."""

import asyncio
import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import Forbidden
from cloud.imports.converting import is_comment
from cloud.imports.heads import COMMENT
from cloud.imports.mapping import guess, remembered
from cloud.imports.models import ImportJob, ImportRow, ImportStatus
from cloud.imports.reading import How, plain_name, read_file, signature
from cloud.imports.table import Line, Table
from cloud.imports.work import ImportWork
from cloud.kernel.access import CREATE, WRITE
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.objects.caller import Caller
from cloud.objects.definition import ObjectDef

CHUNK = 1000
"""Rows of one transaction: a moment each, so that others get between."""
SAMPLE = 50
"""Rows from which forms of dates are guessed."""
EVENT = "import"
"""Kind of the events about imports themselves; their `ref` is the import's uid."""


async def stage(
    sessions: Sessions, work: ImportWork, taken: Taken, *, kind: str, path: Path, name: str, how: How | None = None
) -> str:
    """Read a file and keep its rows with a plan for them; gives the import's uid. Raises FileRefused, NotFound, Forbidden."""
    async with sessions.read() as session:
        caller = await work.caller(session, taken)
        definition = demand_importable(caller, kind)
    ends = (kind, definition.plural.en.casefold(), definition.plural.in_("he").casefold())
    table = await asyncio.to_thread(read_file, path, how or How(), ends)
    digest, size = await asyncio.to_thread(_digest, path)
    row = ImportJob(
        kind=kind,
        name=name[-120:],
        sha256=digest,
        size=size,
        format=table.format,
        reading=table.reading,
        head=list(table.head),
        signature=signature(list(table.head)),
        created_by=taken.actor.name,
        created_at=taken.at,
    )
    async with sessions.write() as session:
        session.add(row)
    count, sample = await _put_rows(sessions, row.id, table, definition)
    async with sessions.write() as session:
        caller = await work.caller(session, taken)
        kept = await session.get_one(ImportJob, row.id)
        plan = await remembered(session, kind, row.signature, table.head)
        plan = plan or guess(caller, definition, table.head, sample)
        kept.plan, kept.counts, kept.status = plan.to_json(), {"rows": count}, ImportStatus.STAGED
        changes = {"file": [None, row.name], "sha256": [None, digest], "kind": [None, kind], "rows": [None, count]}
        await append_event(session, work.named(taken, row.uid), action="upload", kind=EVENT, ref=row.uid, changes=changes)
    return row.uid


def demand_importable(caller: Caller, kind: str) -> ObjectDef:
    """The definition of a kind into which the caller may import at all. Raises NotFound, Forbidden."""
    definition = caller.rows(kind).definition
    may = caller.access.may(kind, CREATE) or caller.access.may(kind, WRITE)
    if definition.read_only or definition.archived or not may:
        raise Forbidden("forbidden", action=CREATE, role=caller.taken.actor.role)
    return definition


async def _put_rows(sessions: Sessions, import_id: int, table: Table, definition: ObjectDef) -> tuple[int, list[list[Any]]]:
    lines = _wanted(table, definition)
    count = 0
    sample: list[list[Any]] = []
    while chunk := await asyncio.to_thread(lambda: list(islice(lines, CHUNK))):
        values = [{"import_id": import_id, "number": one.number, "raw": one.cells} for one in chunk]
        async with sessions.write() as session:
            await session.execute(insert(ImportRow), values)
        count += len(chunk)
        sample += [one.cells for one in chunk[: SAMPLE - len(sample)]]
    return count, sample


def _wanted(table: Table, definition: ObjectDef) -> Iterator[Line]:
    """Rows that are data: not the second head of our own files, nor what is for people only."""
    first = next(table.lines, None)
    if first is not None and not _is_second_head(table, first, definition):
        yield from _data(table, first)
    for line in table.lines:
        yield from _data(table, line)


def _data(table: Table, line: Line) -> Iterator[Line]:
    if not is_comment(table.head, line.cells):
        yield line


def _is_second_head(table: Table, line: Line, definition: ObjectDef) -> bool:
    """Whether the row says the names of the keys above it."""
    pairs = [(head, cell) for head, cell in zip(table.head, line.cells, strict=False) if not head.startswith(COMMENT) and cell]
    known = {plain_name(one.key): {plain_name(one.label.en), plain_name(one.label.in_("he"))} for one in definition.live}
    named = [plain_name(str(cell)) in known.get(plain_name(head), set()) for head, cell in pairs if plain_name(head) in known]
    return bool(named) and all(named)


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


async def first_rows(session: AsyncSession, import_id: int, number: int) -> list[ImportRow]:
    """The first rows of an import, for a preview."""
    query = select(ImportRow).where(ImportRow.import_id == import_id).order_by(ImportRow.number).limit(number)
    return list(await session.scalars(query))
