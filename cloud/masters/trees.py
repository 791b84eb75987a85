"""What hangs below what: circles are refused, whoever else changes the same tree at the same moment."""

import asyncio
import zlib

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from cloud.db.engine import is_sqlite
from cloud.errors import Conflict, Refused

Column = InstrumentedAttribute[int] | InstrumentedAttribute[int | None]


TRIES, PAUSE_S = 50, 0.02
"""A second in all: less than the time for which a lock of the database is waited for."""


async def hold(session: AsyncSession, tree: str) -> None:
    """Until this transaction ends nobody else changes this tree: two changes that are right alone may close a circle together.
    Raises Conflict `tree_busy`.

    SQLite has one writer anyway. On PostgreSQL an advisory lock by name, asked for and not waited for: whoever has it may be
    waiting for the row that this transaction changes (its foreign key leads there), and would wait for ever.
    """
    if is_sqlite(session):
        return
    ask = select(func.pg_try_advisory_xact_lock(zlib.crc32(f"tallybox tree {tree}".encode())))
    for _ in range(TRIES):
        with session.no_autoflush:
            if await session.scalar(ask):
                return
        await asyncio.sleep(PAUSE_S)
    raise Conflict("tree_busy")


async def leads_to(
    session: AsyncSession, frm: Column, to: Column, start: int, wanted: int, *, where: ColumnElement[bool] | None = None
) -> bool:
    """Whether from `start` one gets to `wanted` along rows that lead from column `frm` to column `to`, at any depth. Ends on
    circles too."""
    steps = select(to.label("at")).where(frm == start, to.is_not(None))
    steps = steps if where is None else steps.where(where)
    way = steps.cte("way", recursive=True)
    further = select(to).join(way, frm == way.c.at).where(to.is_not(None))
    way = way.union(further if where is None else further.where(where))
    with session.no_autoflush:
        return start == wanted or await session.scalar(select(way.c.at).where(way.c.at == wanted).limit(1)) is not None


async def refuse_circle(
    session: AsyncSession, tree: str, columns: tuple[Column, Column], row_id: int | None, parent_id: int | None
) -> None:
    """Refuse to hang a row below itself or below its own descendant. `columns`: of the row's number and of its parent's.

    Raises Refused `circle`.
    """
    if parent_id is None or row_id is None:
        return
    await hold(session, tree)
    own, parent = columns
    if await leads_to(session, own, parent, parent_id, row_id):
        raise Refused("circle")
