"""`tallybox cloud boxes`: where every box stands, and what about it wants a person."""

import dataclasses
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cloud.cli.session import Database, Json, within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.ext.asyncio import AsyncSession

    from cloud.ingest.overview import BoxOverview
    from cloud.ingest.standing import BranchState, Gap, SideState, Standing

    Sides = Mapping[int, tuple[SideState, SideState]]

CAUSES = {"restored_image": "the disk was restored from an image", "journal_lost": "the journal was lost"}
DOUBTS = {"leases_alternate": "two sessions of it take turns"}
DECIDED = {"release": "released", "discard": "discarded", None: "held, nobody has decided"}
"""Words for what the database says; what is not in them is shown as it is."""


def boxes(db: Database, as_json: Json = False) -> None:
    """Every box: when it called, how far its journal is here, its clock; branches, what is held, gaps, what has no end yet."""
    found, sides = within(db, _look)
    if as_json:
        print(json.dumps([_facts(one, sides) for one in found], ensure_ascii=False, default=datetime.isoformat))
        return
    for one in found:
        print("\n".join([*_lines(one), *(f"  {line}" for line in _standing(one, sides))]))
    if not found:
        print("no box is registered")


async def _look(session: "AsyncSession") -> "tuple[list[BoxOverview], Sides]":
    from cloud.clock import system_clock
    from cloud.ingest.overview import overview
    from cloud.ingest.standing import sides

    found = await overview(session, system_clock())
    overlaps = [branch.id for one in found for branch in one.standing.branches if branch.overlaps]
    return found, {branch: await sides(session, branch) for branch in overlaps}


def _facts(one: "BoxOverview", sides: "Sides") -> dict[str, Any]:
    facts = dataclasses.asdict(one)
    for branch in facts["standing"]["branches"]:
        branch["sides"] = [dataclasses.asdict(side) for side in sides.get(branch["id"], ())]
    return facts


def _lines(one: "BoxOverview") -> list[str]:
    lines = [
        f"{one.id}  {one.name}  [{one.status}]  station {one.station or '-'}",
        f"  called {_ago(one.seen_s)}; {_entries(one.entries, one.runs)} here"
        + (f", the newest is {one.newest_run}" if one.newest_run else ""),
    ]
    if one.health is not None:
        oldest = one.health.get("oldest_unacked_s")
        waits = f"{one.health['unacked']} entries waited on it" + (
            "" if oldest is None else f", the oldest for {_span(oldest)}"
        )
        err = "" if one.clk_err_ms is None else f" within {one.clk_err_ms} ms"
        lines.append(f"  said {_ago(one.health_s)}: {waits}; clock {one.clk}{err}; disk {one.health['disk_level']}")
    if one.aside:
        lines.append(f"  ! {_many(one.aside, 'frame', 'frames')} kept aside")
    return lines


def _standing(one: "BoxOverview", sides: "Sides") -> "Iterator[str]":
    standing = one.standing
    if standing.doubt is not None:
        reason = DOUBTS.get(standing.doubt.reason, standing.doubt.reason)
        yield f"! there may be two of it since {_at(standing.doubt.since)}: {reason}"
    for branch in standing.branches:
        yield from _branch(branch, sides)
    yield from _held(standing)
    for gap in standing.gaps:
        yield from _gap(gap)
    if standing.gaps_all > len(standing.gaps):
        yield f"  and {standing.gaps_all - len(standing.gaps)} older gaps"
    yield from _unended(standing)


def _branch(branch: "BranchState", sides: "Sides") -> "Iterator[str]":
    if not branch.overlaps:
        yield f"branch {branch.id}: restored from an image, seen {_at(branch.seen_at)}"
        yield f"    run {branch.newer_run} went on behind {branch.at}"
        return
    mark = "! " if branch.undecided else ""
    yield f"{mark}branch {branch.id}: two boxes write under its name since {_at(branch.overlap_at)}"
    yield f"    apart behind {branch.at}"
    for side in sides.get(branch.id, ()):
        yield f"    {side.which}: {_entries(side.entries, side.runs)}; {DECIDED.get(side.decision, side.decision)}"
        yield f"      run {side.run}, received {_at(side.since)} to {_at(side.last)}"
    if branch.undecided:
        yield f"    decide: tallybox cloud branch {branch.id} older|newer release|discard --reason TEXT"


def _held(standing: "Standing") -> "Iterator[str]":
    waiting, shown = standing.waiting, standing.held
    if waiting.count:
        yield f"! held since {_at(waiting.since)}, until somebody decides: {_entries(waiting.size, waiting.count)}"
    for part in shown:
        if part.waiting:
            yield f"    run {part.run} from entry {part.held_from} on, {_many(part.waiting, 'entry', 'entries')}"
        elif part.dropped_from is not None:
            yield f"    run {part.run}: from entry {part.dropped_from} on discarded"


def _gap(gap: "Gap") -> "Iterator[str]":
    which = f"entries from {gap.first} on" if gap.until is None else f"entries {gap.first} to {gap.until - 1}"
    written = f"before {_at(gap.before)}" if gap.after is None else f"between {_at(gap.after)} and {_at(gap.before)}"
    yield f"! gap: {which} of run {gap.run} will not come"
    yield f"    {CAUSES.get(gap.cause, gap.cause)}; written {written}"


def _unended(standing: "Standing") -> "Iterator[str]":
    commands, uploads = standing.commands, standing.uploads
    if commands.count:
        yield f"{_many(commands.count, 'command', 'commands')} without an end, the oldest of {_at(commands.since)}"
    if uploads.count:
        yield f"{_many(uploads.count, 'file', 'files')} on the way since {_at(uploads.since)}, {uploads.size} bytes are to come"


def _entries(entries: int, runs: int) -> str:
    return f"{_many(entries, 'entry', 'entries')} of {_many(runs, 'run', 'runs')}"


def _many(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _at(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
