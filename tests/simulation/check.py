"""What must hold at the end of a history, whatever happened in it."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from sync_protocol import chain
from sync_protocol.entries import parse
from sync_protocol.ids import EntryId, RunId
from tests.simulation.box import SimBox, uid_of
from tests.simulation.history import History


def problems(history: History) -> Iterator[str]:
    """Everything that is wrong with a history, in words."""
    if not history.came_to_rest:
        yield "it did not come to rest"
    yield from _nothing_lost(history)
    yield from _stored_once(history)
    yield from _chains(history)
    yield from _order(history)
    for box in history.boxes:
        yield from _agrees(history, box)
    if history.cloud.forks and not history.seen["machine_copied"]:
        yield f"{len(history.cloud.forks)} forks, and no machine was copied"
    yield from _nothing_unforeseen(history)


def _nothing_lost(history: History) -> Iterator[str]:
    here = {uid for entries in history.cloud.tables.entries.values() for data in entries if (uid := uid_of(data))}
    for box in history.boxes:
        if lost := box.confirmed - here - history.destroyed:
            yield f"{len(lost)} readings of {box.name} were called saved and are not in the cloud: {sorted(lost)[:3]}"


def _stored_once(history: History) -> Iterator[str]:
    first: Counter[str] = Counter()
    again: Counter[tuple[str, str]] = Counter()
    for run, entries in history.cloud.tables.entries.items():
        for seq, data in enumerate(entries):
            uid = uid_of(data)
            was = parse(data).was
            if uid is not None and was is None:
                first[uid] += 1
            if was is not None:
                again[was, _writer(history, run)] += 1
                yield from _says_again(history, uid, was, EntryId(run, seq))
    for uid, count in first.items():
        if count > 1:
            yield f"reading {uid} stands in the cloud {count} times"
    for (was, writer), count in again.items():
        if count > 1:
            yield f"{was} was said again {count} times by {writer}"


def _writer(history: History, run: RunId) -> str:
    """The boxes that have a run: copies of a disk share their past."""
    return " ".join(box.name for box in history.boxes if run in _runs(box))


def _says_again(history: History, uid: str | None, was: str, at: EntryId) -> Iterator[str]:
    old = EntryId.parse(was)
    for box in history.boxes:
        written = _runs(box).get(old.run, {}).get(old.seq)
        if written is not None and at.run in _runs(box) and uid_of(written[0]) != uid:
            yield f"{at} says {was} again with another content"


def _chains(history: History) -> Iterator[str]:
    tables = history.cloud.tables
    for run, entries in tables.entries.items():
        if chain.links(chain.seed(run), 0, entries) != tables.hashes[run]:
            yield f"the chain of {run} is broken in the cloud"


def _order(history: History) -> Iterator[str]:
    for run, entries in history.cloud.tables.entries.items():
        last: dict[str, int] = defaultdict(int)
        for data in entries:
            uid = uid_of(data)
            if uid is None or parse(data).was is not None:
                continue
            boot, _, number = uid.rpartition("-")
            if int(number) <= last[boot]:
                yield f"{uid} stands behind a later one in {run}"
            last[boot] = int(number)


def _agrees(history: History, box: SimBox) -> Iterator[str]:
    """What a box has of a run is what the cloud has, and it is all of it, but for runs that were said again."""
    rows = box.disk.run("SELECT id, run, acked, stopped FROM run", ()).fetchall()
    runs = _runs(box)
    for _, run, acked, stopped in rows:
        theirs = history.cloud.tables.entries.get(run, [])
        if stopped is None and any(seq >= len(theirs) or theirs[seq] != data for seq, (data, _) in runs.get(run, {}).items()):
            yield f"{box.name} and the cloud differ in {run}"
        if stopped is None and acked > len(theirs):
            yield f"{box.name} takes {run} for acked up to {acked}, the cloud has {len(theirs)}"
        if stopped not in {None, "fork"}:
            yield f"{run} of {box.name} was stopped: {stopped}"


def _runs(box: SimBox) -> dict[RunId, dict[int, tuple[bytes, bytes]]]:
    found: dict[RunId, dict[int, tuple[bytes, bytes]]] = defaultdict(dict)
    sql = "SELECT run.run, seq, bytes, entry.hash FROM entry JOIN run ON run.id = entry.run"
    for run, seq, data, digest in box.disk.run(sql, ()).fetchall():
        found[run][seq] = data, digest
    return found


def _nothing_unforeseen(history: History) -> Iterator[str]:
    for box in history.boxes:
        yield from (f"the uplink of {box.name} failed: {fault}" for fault in box.unforeseen)
