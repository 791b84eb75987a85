"""Which entries tell the time of an entry: anchors of its boot, else the nearest ones before and behind it in its journal.

The tables only lead to entries; what those say is read from them again (cloud.clocks.best).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.clocks.models import AnchorRow, RunClock
from cloud.ingest.models import JournalEntry, RunState
from sync_protocol.besttime import ANCHOR_EVERY_NS, Anchor, Pin, best_time, deciding
from sync_protocol.entries import Entry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId, RunId

AROUND_NS = 4 * ANCHOR_EVERY_NS
"""Anchors this near are asked for at once: further ones are too uncertain to add anything, unless there are no others."""

AT_ONCE = 400
"""Entries asked for in one statement: two variables each, SQLite's builds take at least 999."""

MAX_RUNS = 200
"""Runs that are looked through for the next known time, half a year of a box that is off every night and has no network."""

NEAREST = 4
"""Continuations that are looked at: one, but for copied disks."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An anchor and the entry that holds it."""

    at: EntryId
    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Beside:
    """An entry whose time is known, before or behind another one. `marks` tell its time; `near` is the entry of the other's
    own boot that is known to lie between the two, the other itself where there is none."""

    at: EntryId
    marks: tuple[EntryId, ...]
    near: EntryId


@dataclass(frozen=True, slots=True)
class Clues:
    """What tells the time of one entry: `marks` of its own boot, or entries before and behind it."""

    marks: tuple[EntryId, ...] = ()
    before: tuple[Beside, ...] = ()
    behind: tuple[Beside, ...] = ()

    @property
    def entries(self) -> set[EntryId]:
        """Everything that has to be read."""
        beside = (*self.before, *self.behind)
        return {*self.marks, *(at for one in beside for at in (one.at, one.near, *one.marks))}


async def clues_for(session: AsyncSession, box: str, entries: Mapping[EntryId, Entry]) -> dict[EntryId, Clues]:
    """What tells the times of these entries of one box, all that are known."""
    found: dict[EntryId, Clues] = {}
    boots: dict[str, list[EntryId]] = {}
    for at, entry in entries.items():
        boots.setdefault(entry.boot_id, []).append(at)
    for boot_id, places in boots.items():
        near = await marks_near(session, box, boot_id, [entries[at].mono_ns for at in places])
        for at in places:
            found[at] = Clues(_chosen(near, entries[at].mono_ns)) if near else await _order(session, box, at, entries[at])
    return found


async def marks_near(session: AsyncSession, box: str, boot_id: str, moments: Iterable[int]) -> list[Mark]:
    """The anchors of a boot that matter for these moments of it; empty only when the boot has none."""
    of_boot = and_(AnchorRow.box_id == box, AnchorRow.boot_id == boot_id)
    found: dict[EntryId, Mark] = {}
    for first, last in _spans(sorted(moments)):
        low, high = first - AROUND_NS, last + AROUND_NS
        rows = await _marks(session, and_(of_boot, AnchorRow.mono_ns.between(low, high)))
        if not any(mark.anchor.mono_ns <= first for mark in rows):
            rows += await _marks(session, and_(of_boot, AnchorRow.mono_ns < low), AnchorRow.mono_ns.desc(), limit=1)
        if not any(mark.anchor.mono_ns > last for mark in rows):
            rows += await _marks(session, and_(of_boot, AnchorRow.mono_ns > high), AnchorRow.mono_ns, limit=1)
        found |= {mark.at: mark for mark in rows}
    return list(found.values())


def _spans(moments: Sequence[int]) -> list[tuple[int, int]]:
    """The moments in groups that lie close together."""
    spans: list[tuple[int, int]] = []
    for moment in moments:
        if spans and moment - spans[-1][1] <= AROUND_NS:
            spans[-1] = (spans[-1][0], moment)
        else:
            spans.append((moment, moment))
    return spans


async def _marks(
    session: AsyncSession, which: ColumnElement[bool], order: Any = AnchorRow.mono_ns, *, limit: int | None = None
) -> list[Mark]:
    rows = await session.scalars(select(AnchorRow).where(which).order_by(order).limit(limit))
    return [Mark(EntryId(RunId(row.run), row.seq), Anchor(row.boot_id, row.mono_ns, row.srv_ns, row.rtt_ns)) for row in rows]


def _chosen(marks: Sequence[Mark], mono_ns: int) -> tuple[EntryId, ...]:
    by_pin: dict[Pin, EntryId] = {mark.anchor.pin: mark.at for mark in marks}
    return tuple(by_pin[pin] for pin in deciding(by_pin, mono_ns))


# --- order --------------------------------------------------------------------------------------------------------------------


async def _order(session: AsyncSession, box: str, at: EntryId, entry: Entry) -> Clues:
    behind = await _behind(session, box, at)
    # An entry that says another one again is older than its place.
    return Clues(before=() if entry.was else await _before(session, box, at), behind=behind)


async def _before(session: AsyncSession, box: str, at: EntryId) -> tuple[Beside, ...]:
    """The nearest entries before this one whose times are known: where an ancestor of its run ended, or an anchor."""
    start = EntryId(at.run, 0)
    line = [(at.run, at.seq - 1), *await _ancestors(session, box, at.run)]
    found: list[Beside] = []
    ends = await contents(session, [EntryId(run, seq) for run, seq in line[1:]])
    anchored = await _anchored(session, box, {entry.boot_id for entry in ends.values()})
    for run, seq in line[1:]:
        end = EntryId(run, seq)
        if end in ends and ends[end].boot_id in anchored:
            marks = await marks_near(session, box, ends[end].boot_id, [ends[end].mono_ns])
            found.append(Beside(end, _chosen(marks, ends[end].mono_ns), start))
            break
    anchor = await _last_anchor(session, line)
    if anchor is not None:
        found.append(Beside(anchor, (anchor,), at if anchor.run == at.run else start))
    return tuple(found)


async def _last_anchor(session: AsyncSession, line: Sequence[tuple[RunId, int]]) -> EntryId | None:
    """The last anchor of the first of these runs that has one at or before the place named."""
    reach = or_(*(and_(AnchorRow.run == run, AnchorRow.seq <= seq) for run, seq in line))
    rows = await session.execute(select(AnchorRow.run, func.max(AnchorRow.seq)).where(reach).group_by(AnchorRow.run))
    last = {row[0]: row[1] for row in rows}
    return next((EntryId(run, last[run]) for run, _ in line if run in last), None)


async def _ancestors(session: AsyncSession, box: str, run: RunId) -> list[tuple[RunId, int]]:
    """The runs that a run continues, nearest first, and up to which entry."""
    joins = func.coalesce(RunState.joins_at, RunState.parent_seq)
    first = select(RunState.parent_run.label("run"), joins.label("seq"), literal(1).label("depth")).where(
        RunState.run == run, RunState.box_id == box, RunState.parent_run.is_not(None)
    )
    up = first.cte("up", recursive=True)
    parent = aliased(RunState)
    further = (
        select(parent.parent_run, func.coalesce(parent.joins_at, parent.parent_seq), up.c.depth + 1)
        .join(up, and_(parent.run == up.c.run, parent.box_id == box))
        .where(parent.parent_run.is_not(None), up.c.depth < MAX_RUNS)
    )
    whole = up.union_all(further)
    rows = await session.execute(select(whole.c.run, whole.c.seq).order_by(whole.c.depth))
    return [(RunId(row[0]), row[1]) for row in rows if row[1] is not None]


async def _behind(session: AsyncSession, box: str, at: EntryId) -> tuple[Beside, ...]:
    """The first known times behind this entry: an anchor further on in its run, and the start of a run that continues it."""
    found: list[Beside] = []
    anchor = await session.scalar(select(func.min(AnchorRow.seq)).where(AnchorRow.run == at.run, AnchorRow.seq > at.seq))
    if anchor is not None:
        there = EntryId(at.run, anchor)
        found.append(Beside(there, (there,), at))
    starts = await _descendants(session, box, at)
    known: list[tuple[int, Beside]] = []
    for start, joins_at in starts:
        marks = await marks_near(session, box, start.boot_id, [start.mono_ns])
        hi_ns = best_time([mark.anchor.pin for mark in marks], start.mono_ns).at.hi_ns
        if hi_ns is not None:
            near = at if joins_at is None else EntryId(at.run, joins_at)
            known.append((hi_ns, Beside(EntryId(RunId(start.run), 0), _chosen(marks, start.mono_ns), near)))
    return (*found, *(beside for _, beside in sorted(known, key=lambda one: one[0])[:1]))


async def _descendants(session: AsyncSession, box: str, at: EntryId) -> list[tuple[RunClock, int | None]]:
    """Runs whose boot has anchors and that continue this entry's run behind it; where they branch off, for its own children."""
    joins = func.coalesce(RunState.joins_at, RunState.parent_seq)
    first = select(RunState.run.label("run"), joins.label("joins_at"), literal(1).label("depth")).where(
        RunState.parent_run == at.run, RunState.box_id == box, joins >= at.seq
    )
    down = first.cte("down", recursive=True)
    child = aliased(RunState)
    further = (
        select(child.run, down.c.joins_at, down.c.depth + 1)
        .join(down, and_(child.parent_run == down.c.run, child.box_id == box))
        .where(down.c.depth < MAX_RUNS)
    )
    whole = down.union_all(further)
    anchored = exists().where(AnchorRow.box_id == box, AnchorRow.boot_id == RunClock.boot_id)
    rows = await session.execute(
        select(RunClock, whole.c.joins_at)
        .join(whole, whole.c.run == RunClock.run)
        .where(RunClock.box_id == box, anchored)
        .order_by(whole.c.depth)
        .limit(NEAREST)
    )
    return [(row[0], row[1]) for row in rows]


async def _anchored(session: AsyncSession, box: str, boots: set[str]) -> set[str]:
    rows = await session.scalars(
        select(AnchorRow.boot_id).where(AnchorRow.box_id == box, AnchorRow.boot_id.in_(boots)).distinct()
    )
    return set(rows)


async def contents(session: AsyncSession, places: Iterable[EntryId]) -> dict[EntryId, Entry]:
    """The entries at these places, those that are here and can be read."""
    wanted = sorted({(at.run, at.seq) for at in places})
    found: dict[EntryId, Entry] = {}
    for start in range(0, len(wanted), AT_ONCE):
        rows = await session.execute(
            select(JournalEntry.run, JournalEntry.seq, JournalEntry.content).where(
                tuple_(JournalEntry.run, JournalEntry.seq).in_(wanted[start : start + AT_ONCE])
            )
        )
        for run, seq, content in rows:
            try:
                found[EntryId(RunId(run), seq)] = parse(content)
            except TextFault:
                continue
    return found
