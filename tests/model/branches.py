"""What the cloud makes of two continuations of one journal, as `cloud.ingest.branches` does with rows: when it notices that an
older side goes on, and what is held then. Where runs part and what belongs to a side is asked of `sync_protocol.lineage`."""

from functools import lru_cache

from sync_protocol.ids import EntryId, RunId
from sync_protocol.lineage import Links, Side, first_held, first_of, holds, part
from tests.model import world as w
from tests.model.world import Branch, Cloud, Entries


def parent_of(entries: Entries) -> tuple[RunId, int] | None:
    """The run and the entry that a run's entry 0 names."""
    name, _, seq = entries[0].decode().partition("<")[2].partition(":")
    return (w.run_name(int(name[1:])), int(seq)) if name else None


def links_of(cloud: Cloud) -> Links:
    return _links(tuple((rows.run, rows.entries) for rows in cloud.rows))


@lru_cache(maxsize=1 << 15)
def _links(runs: tuple[tuple[RunId, Entries], ...]) -> Links:
    found: dict[RunId, EntryId] = {}
    for name, entries in runs:
        parent = parent_of(entries)
        if parent is not None:
            run, joins_at = parent
            # What is said again went another way in the parent: the two share only what came before.
            said = [seq - 1 for was, seq in map(_was, entries) if was == w.short(run)]
            found[name] = EntryId(run, min([joins_at, *said]))
    return found


def _was(entry: bytes) -> tuple[str, int]:
    name, _, seq = entry.decode().partition("|was=")[2].partition(":")
    return (name, int(seq)) if name else ("", 0)


def side_of(branch: Branch, *, older: bool) -> Side:
    return Side(EntryId(branch.run, branch.seq), branch.older if older else branch.newer)


def after_take(cloud: Cloud, tip: EntryId) -> Cloud:
    """Entries up to `tip` were just stored."""
    # What was made records of has no say in it.
    bare = Cloud(tuple(rows._replace(taken=0) for rows in cloud.rows), branches=cloud.branches)
    return cloud._replace(branches=_noticed(bare, tip))


@lru_cache(maxsize=1 << 15)
def _noticed(cloud: Cloud, tip: EntryId) -> tuple[Branch, ...]:
    links = links_of(cloud)
    branches = [
        branch._replace(overlap=branch.overlap or holds(links, side_of(branch, older=True), tip)) for branch in cloud.branches
    ]
    named = {(branch.run, branch.seq, frozenset({branch.older, branch.newer})) for branch in branches}
    for other in _tips(cloud, links):
        parting = part(links, tip, other)
        if parting is None or (name := (parting.at.run, parting.at.seq, frozenset({parting.ours, parting.theirs}))) in named:
            continue
        named.add(name)
        found = Branch(parting.at.run, parting.at.seq, parting.theirs, parting.ours)
        branches.append(found._replace(overlap=_went_on(cloud, links, found)))
    return tuple(sorted(branches))


def _tips(cloud: Cloud, links: Links) -> list[EntryId]:
    continued: dict[RunId, int] = {}
    for up in links.values():
        continued[up.run] = max(up.seq, continued.get(up.run, -1))
    return [EntryId(rows.run, rows.acked - 1) for rows in cloud.rows if rows.acked - 1 > continued.get(rows.run, -1)]


def _went_on(cloud: Cloud, links: Links, branch: Branch) -> bool:
    """Whether the older side was taken after the newer one began."""
    older, newer = side_of(branch, older=True), side_of(branch, older=False)
    last = [rows.seen for rows in cloud.rows if (first := first_of(links, older, rows.run)) is not None and rows.acked > first]
    began = [number for number, rows in enumerate(cloud.rows) if first_of(links, newer, rows.run) == 0]
    return bool(last) and bool(began) and max(last) > min(began) + 1


def held(cloud: Cloud) -> dict[RunId, int]:
    """Of each run the first entry of which nothing is made until a person has decided."""
    overlaps = [branch for branch in cloud.branches if branch.overlap]
    sides = [side_of(branch, older=older) for branch in overlaps for older in (True, False)]
    return first_held(links_of(cloud), sides, [rows.run for rows in cloud.rows]) if sides else {}
