"""Which entries may go: what the cloud has held long enough, by the journal's own age.

That age is the seconds that the journal was open, by the clock that only goes forward. The wall clock is not asked, so that
neither 1970 nor a jump ahead lets go of anything; a box that is switched off at night keeps its entries the longer.
"""

from collections.abc import Iterable

from edge.journal.rows import HOUR_S
from edge.journal.store import Connection, as_number


def prune(connection: Connection, *, age_s: int, older_than_s: int, limit: int, keep_jobs: Iterable[str] = ()) -> int:
    """Delete up to `limit` entries, oldest run first, that the cloud has held for `older_than_s`; how many it were.

    `age_s` is the journal's age now. The last entry of a run stays until the whole run may go, since the chain goes on from its
    hash; so does the last one that the cloud has, since the next frame goes on from its hash; the newest run never goes.
    Nothing from the first step of a job in `keep_jobs` on is taken.
    """
    # An hour's mark is at most an hour younger than the acks in it: the hour that is half over does not count.
    hour = (age_s - older_than_s) // HOUR_S - 1
    sql = """
        SELECT run.id, run.acked, (SELECT max(until) FROM acked_at WHERE acked_at.run = run.id AND hour <= ?)
        FROM run ORDER BY run.id
    """
    rows = [tuple(map(_or_zero, row)) for row in connection.execute(sql, (hour,)).fetchall()]
    newest = rows[-1][0] if rows else 0
    floor = _first_step(connection, keep_jobs)
    gone = 0
    for row, acked, until in rows:
        stop = min(acked, until)
        if floor is not None and row >= floor[0]:
            stop = min(stop, floor[1]) if row == floor[0] else 0
        if stop > 0 and gone < limit:
            gone += _prune_run(connection, row, min(stop, acked - 1), limit - gone, whole=row != newest and stop == acked)
    return gone


def _prune_run(connection: Connection, row: int, stop: int, limit: int, *, whole: bool) -> int:
    found = connection.execute("SELECT min(seq), max(seq) FROM entry WHERE run=?", (row,)).fetchone()
    if found is None or found[0] is None:
        return 0
    first, last = as_number(found[0]), as_number(found[1])
    end = min(stop, first + limit)
    if whole and end == last and last - first < limit:
        end = last + 1
    connection.execute("DELETE FROM entry WHERE run=? AND seq<?", (row, end))
    if end > last:
        connection.execute("DELETE FROM run WHERE id=?", (row,))
    return max(end - first, 0)


def _first_step(connection: Connection, jobs: Iterable[str]) -> tuple[int, int] | None:
    places = []
    for job in jobs:
        sql = """
            SELECT run, seq FROM entry WHERE kind = 'step' AND json_extract(CAST(bytes AS TEXT), '$.job') = ?
            ORDER BY run, seq LIMIT 1
        """
        found = connection.execute(sql, (job,)).fetchone()
        if found is not None:
            places.append((as_number(found[0]), as_number(found[1])))
    return min(places, default=None)


def _or_zero(value: object) -> int:
    return 0 if value is None else as_number(value)
