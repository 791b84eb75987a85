"""What will not come: entries that a box says it lost, and those of a branch that nobody goes on with."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import BIGGEST
from cloud.ingest.models import Lost, RunState
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from sync_protocol.entries import NoteEntry
from sync_protocol.errors import TextFault
from sync_protocol.ids import RunId, run_id
from sync_protocol.lineage import Missing

MAX_NAMED = 64
"""Runs that one note may name; a journal holds those of its last days."""


async def note_missing(session: AsyncSession, taken: Taken, found: Iterable[Missing], cause: str) -> list[Lost]:
    """Keep what is missing of a box's runs, each gap once. `taken.actor` is the box."""
    kept = []
    for each in found:
        known = await session.scalar(select(Lost.id).where(Lost.run == each.run, Lost.first == each.first, Lost.cause == cause))
        if known is not None:
            continue
        row = Lost(
            box_id=taken.actor.name,
            run=each.run,
            first=each.first,
            until=each.until,
            cause=cause,
            after=await _last_take(session, each.run),
            before=taken.at,
        )
        session.add(row)
        kept.append(row)
    return kept


async def note_lost_journal(session: AsyncSession, taken: Taken, run: RunId, note: NoteEntry) -> None:
    """A box began its journal anew: of every run that it names, what the cloud does not hold is lost, unless it is said again.

    A note that names none leaves the run that came last before it.
    """
    named = list(_named(note.data))
    if not named:
        last = await session.scalar(
            select(RunState.run)
            .where(RunState.box_id == taken.actor.name, RunState.run != run)
            .order_by(RunState.updated_at.desc(), RunState.run)
            .limit(1)
        )
        named = [(RunId(last), None)] if last is not None else []
    rows = await session.execute(
        select(RunState.run, RunState.acked).where(
            RunState.run.in_([each for each, _ in named]), RunState.box_id == taken.actor.name
        )
    )
    held: dict[str, int] = {row[0]: row[1] for row in rows}
    gaps = [Missing(each, held.get(each, 0), until) for each, until in named if until is None or until > held.get(each, 0)]
    lost = await note_missing(session, taken, gaps, "journal_lost")
    changes = {"lost": [f"{row.run}:{row.first}-{'?' if row.until is None else row.until - 1}" for row in lost]}
    await append_event(session, taken, action="journal_lost", kind="run", ref=run, changes=changes)


def _named(data: dict[str, Any]) -> Iterable[tuple[RunId, int | None]]:
    """Runs and how long each was, where the note knows: `{"runs": [{"run": .., "tip": ..}, ..]}`."""
    runs = data.get("runs")
    for each in runs[:MAX_NAMED] if isinstance(runs, list) else []:
        if not isinstance(each, dict) or not isinstance(each.get("run"), str):
            continue
        tip = each.get("tip")
        try:
            yield run_id(each["run"]), tip if type(tip) is int and 0 < tip <= BIGGEST else None
        except TextFault:
            continue


async def _last_take(session: AsyncSession, run: str) -> datetime | None:
    return await session.scalar(select(RunState.updated_at).where(RunState.run == run))
