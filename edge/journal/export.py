"""A journal as one portable file (`sync_protocol.export`): signed with the box's key, or as JSON lines without one."""

import sqlite3
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from edge.journal import survey
from edge.journal.survey import RunRow
from sync_protocol import chain
from sync_protocol.export import MAGIC, Contents, Part, item, plain_line, seal_contents
from sync_protocol.frame import MAX_ENTRIES, Sign, how_many, seal
from sync_protocol.ids import BoxId

Signer = tuple[BoxId, bytes, Sign]
"""Box, key id and the signing function."""


def export(connection: sqlite3.Connection, out: BinaryIO, *, wall_ns: int, who: Signer | None) -> Contents:
    """Write all runs of the snapshot; answers what was written.

    Of a run whose beginning was pruned the first entry that is left is not exported: it is in the cloud, and the chain of the
    file begins with its hash. Raises ExportFault for more runs than one file holds.
    """
    parts = [found for run in survey.runs_of(connection) if (found := _part(connection, run)) is not None]
    contents = Contents(box=who[0] if who else None, wall_ns=wall_ns, runs=tuple(part for _, part in parts))
    if who is None:
        out.write(plain_line(contents))
        for run, part in parts:
            out.write(plain_line(part))
            out.writelines(data + b"\n" for _, _, data, _ in survey.entries_of(connection, run, part.first))
        return contents
    out.write(MAGIC + item(seal_contents(contents, key_id=who[1], sign=who[2])))
    for run, part in parts:
        out.writelines(item(frame) for frame in _frames(connection, run, part, who))
    return contents


def _part(connection: sqlite3.Connection, run: RunRow) -> tuple[RunRow, Part] | None:
    first = run.first + 1 if run.first else 0
    if first >= run.tip:
        return None
    prev = chain.seed(run.run) if first == 0 else survey.hash_at(connection, run.run, first - 1)
    last = survey.hash_at(connection, run.run, run.tip - 1)
    if prev is None or last is None:
        return None
    parent = survey.parent_of(connection, run)
    return run, Part(run=run.run, first=first, end=run.tip, prev=prev.hex(), last=last.hex(), parent=parent)


def _frames(connection: sqlite3.Connection, run: RunRow, part: Part, who: Signer) -> Iterator[bytes]:
    box, key_id, sign = who
    before, at = bytes.fromhex(part.prev), part.first
    rows = survey.entries_of(connection, run, part.first)
    waiting: list[tuple[bytes, bytes]] = []
    while True:
        waiting += [(data, digest) for _, _, data, digest in islice(rows, MAX_ENTRIES - len(waiting))]
        if not waiting:
            return
        count = how_many([len(data) for data, _ in waiting])
        some, waiting = waiting[:count], waiting[count:]
        entries = [data for data, _ in some]
        yield seal(box=box, run=run.run, first=at, prev=before, entries=entries, gen=0, key_id=key_id, sign=sign)
        before, at = some[-1][1], at + count
