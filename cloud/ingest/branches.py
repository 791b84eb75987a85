"""Branches of a box's journal: noticed when entries are taken, listed, and decided by a person.

A restored disk goes on where an older image ended: the older branch is silent, both are taken, what it never sent is kept as
lost. When the older one goes on after the newer one began, two boxes write under one name: what is exclusive to either side
is stored and acked, but nothing is made of it until somebody has decided (`HeldRun`). Everything here happens under a lock on
the box's row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import Box
from cloud.errors import Conflict, Forbidden, NotFound, ReasonMissing, WrongState
from cloud.ingest.losses import note_missing
from cloud.ingest.models import BoxDoubt, Branch, HeldRun, Lost, RunState
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.people.models import Role
from sync_protocol.ids import EntryId, RunId
from sync_protocol.lineage import Links, Side, first_held, first_of, holds, missing, part

RESTORED, OVERLAP = "restored", "overlap"
RESTORED_IMAGE = "restored_image"

Which = Literal["older", "newer"]
Decision = Literal["release", "discard"]
DECISIONS: tuple[Decision, ...] = ("release", "discard")


@dataclass(frozen=True, slots=True)
class Journal:
    """All runs of one box as the cloud has them: whose child each is, its position, when it began and moved last here."""

    links: Links
    held: Mapping[RunId, int]
    opened: Mapping[RunId, datetime]
    updated: Mapping[RunId, datetime]

    @classmethod
    async def of(cls, session: AsyncSession, box: str) -> "Journal":
        rows = (
            await session.execute(
                select(
                    RunState.run,
                    RunState.acked,
                    RunState.parent_run,
                    RunState.joins_at,
                    RunState.opened_at,
                    RunState.updated_at,
                ).where(RunState.box_id == box, RunState.acked > 0)
            )
        ).all()
        links = {
            RunId(row.run): EntryId(RunId(row.parent_run), row.joins_at)
            for row in rows
            if row.parent_run is not None and row.joins_at is not None
        }
        return cls(
            links,
            {RunId(row.run): row.acked for row in rows},
            {RunId(row.run): row.opened_at for row in rows},
            {RunId(row.run): row.updated_at for row in rows},
        )

    def tips(self) -> Iterable[EntryId]:
        """The last entries here of runs that nobody continues there: the others lie on the way of their children."""
        continued: dict[RunId, int] = {}
        for up in self.links.values():
            continued[up.run] = max(up.seq, continued.get(up.run, -1))
        return (EntryId(run, acked - 1) for run, acked in self.held.items() if acked - 1 > continued.get(run, -1))

    def went_on(self, branch: Branch) -> bool:
        """Whether the older side was taken after the newer one began; for sides that became known by a run in between."""
        older, newer = side_of(branch, "older"), side_of(branch, "newer")
        last = [
            at
            for run, at in self.updated.items()
            if (first := first_of(self.links, older, run)) is not None and self.held[run] > first
        ]
        began = [at for run, at in self.opened.items() if first_of(self.links, newer, run) == 0]
        return bool(last) and bool(began) and max(last) > min(began)


def side_of(branch: Branch, which: Which) -> Side:
    """One side of a branch."""
    root = branch.older_run if which == "older" else branch.newer_run
    return Side(EntryId(RunId(branch.at_run), branch.at_seq), RunId(root))


async def after_take(session: AsyncSession, taken: Taken, tip: EntryId) -> None:
    """Entries up to `tip` were just stored: notice a new branch, or that an old one goes on. `taken.actor` is the box."""
    box = taken.actor.name
    await session.get_one(Box, box, with_for_update=True, populate_existing=True)
    journal = await Journal.of(session, box)
    known = list(await session.scalars(select(Branch).where(Branch.box_id == box)))
    overlapping = [
        branch for branch in known if branch.read_as == RESTORED and holds(journal.links, side_of(branch, "older"), tip)
    ]
    found = await _new_branches(session, taken, journal, tip, known)
    doubt = await session.get(BoxDoubt, box) if found else None
    overlapping += [branch for branch in found if doubt is not None or journal.went_on(branch)]
    for branch in overlapping:
        await _overlap(session, taken, journal, branch)
    if any(branch.read_as == OVERLAP for branch in [*known, *found]):
        await _hold(session, box, journal, [*known, *found])


async def _new_branches(
    session: AsyncSession, taken: Taken, journal: Journal, tip: EntryId, known: Sequence[Branch]
) -> list[Branch]:
    named = {(row.at_run, row.at_seq, frozenset({row.older_run, row.newer_run})) for row in known}
    found = []
    for other in journal.tips():
        parting = part(journal.links, tip, other)
        if parting is None:
            continue
        name = (parting.at.run, parting.at.seq, frozenset({parting.ours, parting.theirs}))
        if name in named:
            continue
        named.add(name)
        branch = Branch(
            box_id=taken.actor.name,
            at_run=parting.at.run,
            at_seq=parting.at.seq,
            older_run=parting.theirs,
            newer_run=parting.ours,
            read_as=RESTORED,
            seen_at=taken.at,
            looked_at=True,
        )
        session.add(branch)
        await session.flush()
        lost = await note_missing(
            session, taken, missing(journal.links, journal.held, side_of(branch, "older")), RESTORED_IMAGE
        )
        changes = {
            "sibling": parting.theirs,
            "parent": parting.at.run,
            "at": str(parting.at),
            "read_as": RESTORED_IMAGE,
            "lost": [f"{row.run}:{row.first}-{'?' if row.until is None else row.until - 1}" for row in lost],
        }
        await append_event(session, taken, action="sibling_run", kind="run", ref=tip.run, changes=changes)
        found.append(branch)
    return found


async def _overlap(session: AsyncSession, taken: Taken, journal: Journal, branch: Branch) -> None:
    branch.read_as, branch.overlap_at, branch.looked_at = OVERLAP, taken.at, False
    older = side_of(branch, "older")
    alive = [run for run in journal.held if first_of(journal.links, older, run) is not None]
    await session.execute(delete(Lost).where(Lost.box_id == branch.box_id, Lost.cause == RESTORED_IMAGE, Lost.run.in_(alive)))
    changes = {"at": f"{branch.at_run}:{branch.at_seq}", "older": branch.older_run, "newer": branch.newer_run}
    await append_event(session, taken, action="branches_overlap", kind="box", ref=branch.box_id, changes=changes)


async def _hold(session: AsyncSession, box: str, journal: Journal, branches: Sequence[Branch]) -> None:
    """Work out anew what is held and what is dropped of the box's runs."""
    sides: dict[str, list[Side]] = {"held": [], "discard": []}
    for branch in branches:
        for which, decision in _decisions(branch):
            if branch.read_as == OVERLAP and decision != "release":
                sides[decision or "held"].append(side_of(branch, which))
    held = first_held(journal.links, sides["held"], journal.held)
    dropped = first_held(journal.links, sides["discard"], journal.held)
    rows = {row.run: row for row in await session.scalars(select(HeldRun).where(HeldRun.box_id == box))}
    for run in rows.keys() - held.keys() - dropped.keys():
        await session.delete(rows[run])
    for run in held.keys() | dropped.keys():
        row = rows.get(run)
        if row is None:
            row = HeldRun(run=run, box_id=box)
            session.add(row)
        row.held_from, row.dropped_from = held.get(run), dropped.get(run)
    await session.flush()


def _decisions(branch: Branch) -> tuple[tuple[Which, str | None], ...]:
    return ("older", branch.older_decision), ("newer", branch.newer_decision)


async def leases_alternate(session: AsyncSession, box: str, *, now: datetime, taken: Taken) -> None:
    """Two sessions of one box take turns: there are two of it, whatever its journal shows so far."""
    await session.get_one(Box, box, with_for_update=True, populate_existing=True)
    if await session.get(BoxDoubt, box) is None:
        session.add(BoxDoubt(box_id=box, reason="leases_alternate", since=now))
        await append_event(session, taken, action="leases_alternate", kind="box", ref=box)
    branches = list(await session.scalars(select(Branch).where(Branch.box_id == box)))
    silent = [branch for branch in branches if branch.read_as == RESTORED]
    if not silent:
        return
    journal = await Journal.of(session, box)
    for branch in silent:
        await _overlap(session, taken, journal, branch)
    await _hold(session, box, journal, branches)


async def list_branches(session: AsyncSession, box: str | None = None) -> list[Branch]:
    """Every branch, of one box or of all, in the order in which they were seen."""
    query = select(Branch).order_by(Branch.id)
    return list(await session.scalars(query if box is None else query.where(Branch.box_id == box)))


async def decide(
    session: AsyncSession,
    *,
    branch: int,
    which: Which,
    decision: Decision,
    taken: Taken,
    box: str | None = None,
    seen: str | None = None,
) -> Branch:
    """Say about one side of an overlap that records are made of it after all, or never. Needs an admin and a reason.

    It holds for what the side will still send, too. `box`: the branch has to be this box's. `seen`: what the actor saw decided
    about the side, empty for nothing. Raises NotFound, Forbidden, ReasonMissing, Conflict, WrongState.
    """
    row = await session.get(Branch, branch)
    if row is None or box not in {None, row.box_id}:
        raise NotFound("branch", str(branch))
    if taken.actor.role != Role.ADMIN:
        raise Forbidden("forbidden", action=decision, role=taken.actor.role)
    if not (taken.reason or "").strip():
        raise ReasonMissing("reason_missing", action=decision)
    await session.get_one(Box, row.box_id, with_for_update=True, populate_existing=True)
    await session.refresh(row)
    before = dict(_decisions(row))[which]
    if seen is not None and seen != (before or ""):
        raise Conflict("conflict", kind="branch", ref=str(branch), seen=seen, now=before or "")
    if row.read_as != OVERLAP or before == "discard" or decision not in DECISIONS:
        # What was dropped was passed over: records of it could only be made by making all of them anew.
        raise WrongState("wrong_state", kind="branch", state=before or row.read_as, action=decision)
    if which == "older":
        row.older_decision = decision
    else:
        row.newer_decision = decision
    row.looked_at = False
    await session.flush()
    await session.execute(delete(BoxDoubt).where(BoxDoubt.box_id == row.box_id))
    await _hold(session, row.box_id, await Journal.of(session, row.box_id), await list_branches(session, row.box_id))
    changes = {"branch": branch, "side": which, "decision": [before, decision]}
    await append_event(session, taken, action=f"branch_{decision}", kind="box", ref=row.box_id, changes=changes)
    return row
