"""What about a box wants a person's eye: branches of its journal and what they hold, gaps, what was begun and not ended.

Of what can grow without end the newest few are told, beside how many there are.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.blobs.models import Upload
from cloud.boxes.commands import OPEN, BoxCommand
from cloud.ingest.branches import OVERLAP, Journal, Which, side_of
from cloud.ingest.models import BoxDoubt, Branch, HeldRun, JournalEntry, Lost, RunState
from sync_protocol.lineage import first_held

SHOWN = 10
"""Branches, held runs and gaps of one box that are told: people look at the newest, and no box fills a page."""

Row = TypeVar("Row", Branch, HeldRun, Lost)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something else than its journal says that there are two of the box."""

    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class BranchState:
    """A branch (`cloud.ingest.models.Branch`). `at`, `run:seq`, is the last entry that both sides share."""

    id: int
    state: str
    at: str
    older_run: str
    newer_run: str
    seen_at: datetime
    overlap_at: datetime | None
    older_decision: str | None
    newer_decision: str | None

    @property
    def overlaps(self) -> bool:
        return self.state == OVERLAP

    @property
    def undecided(self) -> bool:
        """Whether a side of it waits for a decision."""
        return self.overlaps and None in {self.older_decision, self.newer_decision}


@dataclass(frozen=True, slots=True)
class HeldPart:
    """A run of which nothing is made from entry `held_from` on until somebody decides, from `dropped_from` on for good.

    `waiting`: its entries here that a decision would make into records or drop.
    """

    run: str
    held_from: int | None
    dropped_from: int | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries first..until-1 of a run that will not come; `until` None where nobody knows how many there were.

    They were written after `after` and before `before`, by the cloud's clock.
    """

    run: str
    first: int
    until: int | None
    cause: str
    after: datetime | None
    before: datetime


@dataclass(frozen=True, slots=True)
class Open:
    """How many of something have no end yet, how much is in them (entries, or bytes to come), and since when the oldest has."""

    count: int = 0
    size: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """All of one box. `branches`, `held` and `gaps` are the newest SHOWN; figures are of all."""

    doubt: Doubt | None = None
    branches: tuple[BranchState, ...] = ()
    decisions: Open = Open()
    """Sides of overlaps about which nobody has decided."""
    waiting: Open = Open()
    """Runs and entries that wait for such a decision."""
    held: tuple[HeldPart, ...] = ()
    gaps: tuple[Gap, ...] = ()
    gaps_all: int = 0
    commands: Open = Open()
    uploads: Open = Open()
    """Files that have begun to come, and the bytes that are missing."""


@dataclass(frozen=True, slots=True)
class SideState:
    """One side of a branch as far as it is here. `run` begins it; `since` and `last`: when its entries were received."""

    which: Which
    run: str
    decision: str | None
    runs: int
    entries: int
    since: datetime | None
    last: datetime | None


async def standings(session: AsyncSession) -> dict[str, Standing]:
    """By box; boxes of which there is nothing to say are left out."""
    doubts = {row.box_id: Doubt(row.reason, row.since) for row in await session.scalars(select(BoxDoubt))}
    branches, decisions = await _branches(session), await _decisions(session)
    held, waiting = await _held(session), await _waiting(session)
    gaps, gaps_all = await _gaps(session), await _gaps_all(session)
    commands, uploads = await _commands(session), await _uploads(session)
    return {
        box: Standing(
            doubt=doubts.get(box),
            branches=tuple(branches.get(box, ())),
            decisions=decisions.get(box, Open()),
            waiting=Open(*waiting.get(box, (0, 0)), decisions.get(box, Open()).since),
            held=tuple(held.get(box, ())),
            gaps=tuple(gaps.get(box, ())),
            gaps_all=gaps_all.get(box, 0),
            commands=commands.get(box, Open()),
            uploads=uploads.get(box, Open()),
        )
        for box in {*doubts, *branches, *held, *gaps, *commands, *uploads}
    }


async def sides(session: AsyncSession, branch: int) -> tuple[SideState, SideState]:
    """How far both sides of a branch are here, the older one first. It reads every run of the box."""
    row = await session.get_one(Branch, branch)
    journal = await Journal.of(session, row.box_id)
    return await _side(session, journal, row, "older"), await _side(session, journal, row, "newer")


async def _side(session: AsyncSession, journal: Journal, row: Branch, which: Which) -> SideState:
    side = side_of(row, which)
    firsts = first_held(journal.links, [side], journal.held)
    here = {run: first for run, first in firsts.items() if journal.held[run] > first}
    since = await session.scalar(
        select(JournalEntry.received_at).where(JournalEntry.run == side.root, JournalEntry.seq == firsts.get(side.root, 0))
    )
    return SideState(
        which=which,
        run=side.root,
        decision=row.older_decision if which == "older" else row.newer_decision,
        runs=len(here),
        entries=sum(journal.held[run] - first for run, first in here.items()),
        since=since,
        last=max((journal.updated[run] for run in here), default=None),
    )


async def _newest(session: AsyncSession, model: type[Row], *order: Any) -> list[Row]:
    """The first SHOWN rows of every box."""
    place = func.row_number().over(partition_by=model.box_id, order_by=order).label("place")
    numbered = select(model, place).subquery()
    row = aliased(model, numbered)
    return list(
        await session.scalars(select(row).where(numbered.c.place <= SHOWN).order_by(numbered.c.box_id, numbered.c.place))
    )


def _open_sides() -> Any:
    """How many sides of a branch wait for a decision."""
    older = case((Branch.older_decision.is_(None), 1), else_=0)
    return older + case((Branch.newer_decision.is_(None), 1), else_=0)


async def _branches(session: AsyncSession) -> dict[str, list[BranchState]]:
    waits = case((Branch.read_as == OVERLAP, _open_sides()), else_=0)
    found: dict[str, list[BranchState]] = defaultdict(list)
    for row in await _newest(session, Branch, (waits > 0).desc(), Branch.id.desc()):
        found[row.box_id].append(
            BranchState(
                id=row.id,
                state=row.read_as,
                at=f"{row.at_run}:{row.at_seq}",
                older_run=row.older_run,
                newer_run=row.newer_run,
                seen_at=row.seen_at,
                overlap_at=row.overlap_at,
                older_decision=row.older_decision,
                newer_decision=row.newer_decision,
            )
        )
    return found


async def _decisions(session: AsyncSession) -> dict[str, Open]:
    rows = await session.execute(
        select(Branch.box_id, func.sum(_open_sides()), func.min(Branch.overlap_at))
        .where(Branch.read_as == OVERLAP, _open_sides() > 0)
        .group_by(Branch.box_id)
    )
    return {box: Open(count=int(count), since=since) for box, count, since in rows}


def _waits() -> Any:
    """Entries of a held run that wait: none of them were dropped."""
    end = case(
        (HeldRun.dropped_from.is_(None), RunState.acked),
        (HeldRun.dropped_from < RunState.acked, HeldRun.dropped_from),
        else_=RunState.acked,
    )
    return case((HeldRun.held_from < end, end - HeldRun.held_from), else_=0)


async def _held(session: AsyncSession) -> dict[str, list[HeldPart]]:
    rows = await _newest(session, HeldRun, HeldRun.held_from.is_(None), HeldRun.run)
    counted = await session.execute(
        select(HeldRun.run, _waits())
        .join(RunState, RunState.run == HeldRun.run)
        .where(HeldRun.run.in_([row.run for row in rows]))
    )
    waiting = {row[0]: int(row[1]) for row in counted}
    found: dict[str, list[HeldPart]] = defaultdict(list)
    for row in rows:
        found[row.box_id].append(HeldPart(row.run, row.held_from, row.dropped_from, waiting.get(row.run, 0)))
    return found


async def _waiting(session: AsyncSession) -> dict[str, tuple[int, int]]:
    """Runs and entries by box."""
    rows = await session.execute(
        select(HeldRun.box_id, func.count(), func.sum(_waits()))
        .join(RunState, RunState.run == HeldRun.run)
        .where(_waits() > 0)
        .group_by(HeldRun.box_id)
    )
    return {row[0]: (row[1], int(row[2])) for row in rows}


async def _gaps(session: AsyncSession) -> dict[str, list[Gap]]:
    found: dict[str, list[Gap]] = defaultdict(list)
    for row in await _newest(session, Lost, Lost.id.desc()):
        found[row.box_id].append(Gap(row.run, row.first, row.until, row.cause, row.after, row.before))
    return found


async def _gaps_all(session: AsyncSession) -> dict[str, int]:
    rows = await session.execute(select(Lost.box_id, func.count()).group_by(Lost.box_id))
    return {row[0]: row[1] for row in rows}


async def _commands(session: AsyncSession) -> dict[str, Open]:
    rows = await session.execute(
        select(BoxCommand.box_id, func.count(), func.min(BoxCommand.created_at))
        .where(BoxCommand.state.in_(OPEN))
        .group_by(BoxCommand.box_id)
    )
    return {box: Open(count=count, since=since) for box, count, since in rows}


async def _uploads(session: AsyncSession) -> dict[str, Open]:
    rows = await session.execute(
        select(Upload.box_id, func.count(), func.sum(Upload.size - Upload.received), func.min(Upload.created_at))
        .where(Upload.stored.is_(False))
        .group_by(Upload.box_id)
    )
    return {box: Open(count, int(size), since) for box, count, size, since in rows}
