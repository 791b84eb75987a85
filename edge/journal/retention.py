"""Which entries may go: what the cloud has held long enough, by the journal's own age.

That age is the seconds that the journal was open, by the clock that only goes forward. The wall clock is not asked, so that
neither 1970 nor a jump ahead lets go of anything; a box that is switched off at night keeps its entries the longer.
"""

from collections.abc import Iterable

from edge.journal.rows import HOUR_S
from edge.journal.store import Connection, as_number

STAYS = 2
"""A frame goes on from the hash of the entry before it. A restored cloud may stand exactly where retention ends, and every run
is asked about from one entry below the cloud's position: with fewer the box could not go on from there."""


def prune(connection: Connection, *, age_s: int, older_than_s: int, limit: int, keep_jobs: Iterable[str] = ()) -> int:
    """Delete entries that the cloud has held for `older_than_s`, oldest run first; how many it were.

    Up to `limit`, or STAYS more where a run ends. `age_s` is the journal's age now; time without a word of the cloud does not
    count. A run that is over goes with its name once all of it is old enough. Of any other the last
    STAYS entries stay among those that could go, and nothing from the first step of a job in `keep_jobs` on is taken.
    """
    # An hour's mark is at most an hour younger than the acks in it: the hour that is half over does not count.
    hour = (_heard_until(connection, age_s) - older_than_s) // HOUR_S - 1
    sql = """
        SELECT run.id, run.acked, (SELECT max(until) FROM acked_at WHERE acked_at.run = run.id AND hour <= ?)
        FROM run ORDER BY run.id
    """
    rows = [tuple(map(_or_zero, row)) for row in connection.execute(sql, (hour,)).fetchall()]
    newest = rows[-1][0] if rows else 0
    floor = _first_step(connection, keep_jobs)
    gone = 0
    for row, acked, until in rows:
        if gone < limit:
            gone += _prune_run(connection, row, old=min(acked, until), floor=floor, limit=limit - gone, over=row != newest)
    return gone


def _prune_run(connection: Connection, row: int, *, old: int, floor: tuple[int, int] | None, limit: int, over: bool) -> int:
    found = connection.execute("SELECT min(seq), max(seq) FROM entry WHERE run=?", (row,)).fetchone()
    if found is None or found[0] is None:
        return 0
    first, last = as_number(found[0]), as_number(found[1])
    end = last + 1 if over and old > last and last - first < limit + STAYS else min(old - STAYS, first + limit)
    if floor is not None and row >= floor[0]:
        end = min(end, floor[1]) if row == floor[0] else 0
    if end <= first:
        return 0
    connection.execute("DELETE FROM entry WHERE run=? AND seq<?", (row, end))
    if end > last:
        connection.execute("DELETE FROM run WHERE id=?", (row,))
    return end - first


def _heard_until(connection: Connection, age_s: int) -> int:
    """The journal's age when the cloud last took something: of what became of it since, a restored backup too, nobody knows."""
    found = connection.execute("SELECT max(hour) FROM acked_at").fetchone()
    return 0 if found is None or found[0] is None else min(age_s, (as_number(found[0]) + 1) * HOUR_S)


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
