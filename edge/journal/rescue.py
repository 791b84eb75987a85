"""Confirmed entries that stand in the log behind a frame that is not whole any more, where SQLite does not look.

Its reading of the log ends silently at the first damaged frame, and its first write goes over what is behind. So the log is
looked through before the journal is opened for writing. After a power cut the same place may hold entries that nobody was told
of: they are as good as any.
"""

from pathlib import Path

from edge.errors import JournalDamaged
from edge.journal import carve, rows
from edge.journal.reissue import Old
from edge.journal.rows import Tail
from sync_protocol import chain
from sync_protocol.ids import RunId, run_id

MAX_RESCUED = 20_000
"""Entries behind the last one that SQLite finds; more is no tail but a damaged journal, which salvage can take in pieces."""

_Found = dict[tuple[int, int], list[tuple[str, bytes, bytes]]]


def behind(path: Path, tail: Tail | None) -> list[Old]:
    """The entries of the log that follow `tail`, the last one that SQLite finds, as far as the chain proves them.

    Raises OSError, JournalDamaged.
    """
    row, tip = (tail.row, tail.tip) if tail is not None else (0, 0)
    names: dict[int, RunId] = {tail.row: tail.run} if tail is not None else {}
    found: _Found = {}
    current: RunId | None = None
    for record in carve.logged_records(path):
        match record:
            case (int(run), int(seq), str(kind), bytes(data), bytes(digest), *_) if (run, seq) >= (row, tip) and seq >= 0:
                found.setdefault((run, seq), []).append((kind, data, digest))
                if len(found) > MAX_RESCUED:
                    raise JournalDamaged(f"more than {MAX_RESCUED} entries stand behind the last one that can be found")
            case (int(run), str(name), int(), *_) if run > row:
                names[run] = run_id(name)
            case (rows.CURRENT_RUN, str(name)):
                current = run_id(name)
    if found and current is not None:
        # Where the run's own row is gone, its name is known from its second place.
        names.setdefault(max(found)[0], current)
    return _proven(found, names, tail)


def _proven(found: _Found, names: dict[int, RunId], tail: Tail | None) -> list[Old]:
    proven = []
    before: set[bytes] = set()
    expected = (0, 0)
    for run, seq in sorted(found):
        if run not in names:
            continue
        if tail is not None and (run, seq) == (tail.row, tail.tip):
            before = {tail.hash}
        elif seq == 0:
            before = {chain.seed(names[run])}
        elif (run, seq) != expected:
            before = set()
        versions = found[run, seq]
        good = next((one for one in versions if any(chain.link(h, seq, one[1]) == one[2] for h in before)), None)
        if good is not None and good[0] != "run":
            proven.append(Old(f"{names[run]}:{seq}", good[0], good[1]))
        before = {good[2]} if good is not None else {one[2] for one in versions}
        expected = (run, seq + 1)
    return proven
