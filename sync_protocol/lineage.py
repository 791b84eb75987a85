"""How the runs of one box hang together, as pure functions: which one continues which, where they part, what belongs to a side.

A run continues its parent behind the entry that its own entry 0 names. Two continuations of one point are a restored disk, or a
cloned one: which of the two is told by whether the older one goes on after the newer one has begun.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sync_protocol.ids import EntryId, RunId

Links = Mapping[RunId, EntryId]
"""Run to the last entry of its parent that it knows; runs without a parent are not in it. `seq` -1 is before entry 0."""


@dataclass(frozen=True, slots=True)
class Parting:
    """Two continuations of one point. `at` is the last entry that both share; a side is named by the run that begins it,
    which is `at.run` itself where that run went on behind `at`."""

    at: EntryId
    ours: RunId
    theirs: RunId


@dataclass(frozen=True, slots=True)
class Side:
    """What lies behind `at` and begins with `root`: a part of journal that is not shared with the other side."""

    at: EntryId
    root: RunId


@dataclass(frozen=True, slots=True)
class Missing:
    """Entries first..until-1 of a run that the cloud does not hold; `until` None where nobody knows how many there were."""

    run: RunId
    first: int
    until: int | None


def trail(links: Links, place: EntryId) -> list[EntryId]:
    """The last entry of every run on the way back from `place` to the journal's beginning, as far as parents are known."""
    found, seen = [place], {place.run}
    while (up := links.get(found[-1].run)) is not None and up.run not in seen:
        found.append(up)
        seen.add(up.run)
    return found


def part(links: Links, ours: EntryId, theirs: EntryId) -> Parting | None:
    """Where two places part; None when one lies on the way of the other, or when they have nothing in common."""
    here, there = trail(links, ours), trail(links, theirs)
    others = {place.run: index for index, place in enumerate(there)}
    below = next((index for index, place in enumerate(here) if place.run in others), None)
    if below is None:
        return None
    above = others[here[below].run]
    mine, other = here[below], there[above]
    at = min(mine, other, key=lambda place: place.seq)
    if (below == 0 and at.seq == mine.seq) or (above == 0 and at.seq == other.seq):
        return None
    return Parting(at, _root(here, below, at), _root(there, above, at))


def _root(way: list[EntryId], index: int, at: EntryId) -> RunId:
    return at.run if way[index].seq > at.seq else way[index - 1].run


def holds(links: Links, side: Side, place: EntryId) -> bool:
    """Whether a place belongs to a side."""
    for each in trail(links, place):
        if each.run == side.root:
            return each.run != side.at.run or each.seq > side.at.seq
    return False


def first_of(links: Links, side: Side, run: RunId) -> int | None:
    """The first entry of a run that belongs to a side, None when none does."""
    if run == side.root:
        return side.at.seq + 1 if run == side.at.run else 0
    up = links.get(run)
    return 0 if up is not None and holds(links, side, up) else None


def missing(links: Links, held: Mapping[RunId, int], side: Side) -> list[Missing]:
    """What is known to be missing of a side that will not go on. `held`: the cloud's positions of the box's runs."""
    named: dict[RunId, int] = {}
    for up in links.values():
        named[up.run] = max(up.seq + 1, named.get(up.run, 0))
    found = []
    for run in sorted({*held, *named}):
        begins = first_of(links, side, run)
        if begins is None:
            continue
        first, until = max(begins, held.get(run, 0)), named.get(run)
        if until is None or until <= begins:
            found.append(Missing(run, first, None))  # the last run of this side: how far it went, nobody here knows
        elif first < until:
            found.append(Missing(run, first, until))
    return found


def first_held(links: Links, sides: Iterable[Side], runs: Iterable[RunId]) -> dict[RunId, int]:
    """Of each run the first entry that lies on one of the sides; runs that lie on none are left out. One pass over the runs."""
    asked = list(runs)
    found: dict[RunId, int] = {}
    for side in sides:
        known: dict[RunId, bool] = {}
        for run in asked:
            if run == side.root or _continues(links, side, run, known):
                begins = side.at.seq + 1 if run == side.root == side.at.run else 0
                found[run] = min(begins, found.get(run, begins))
    return found


def _continues(links: Links, side: Side, run: RunId, known: dict[RunId, bool]) -> bool:
    """Whether a run's parent entry lies on a side; what is found out on the way up is kept in `known`."""
    way: list[RunId] = []
    while run not in known:
        known[run] = False  # ends the walk where parents run in a circle
        way.append(run)
        up = links.get(run)
        if up is None or up.run == side.root:
            known[run] = up is not None and (up.run != side.at.run or up.seq > side.at.seq)
            break
        run = up.run
    answer = known[run]
    known.update(dict.fromkeys(way, answer))
    return answer
