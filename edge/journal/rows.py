"""Every statement on the journal's rows that its writer makes; each belongs into a transaction of the caller's."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import JournalDamaged
from edge.journal.store import Connection, Row, as_blob, as_number, as_run, number
from sync_protocol import chain
from sync_protocol.ids import RunId

HOUR_S = 3600
"""How finely it is remembered when the cloud took what: retention counts in days."""

AGE = "age_s"
"""Key of the journal's age: seconds that it was open, all its life long, by a clock that only goes forward."""


CURRENT_RUN = "run"
"""Key of the name of the run that is being written: a second copy of the most needed one, in another page of the file."""


CHECKED_AT_ONCE = 1_000
"""Entries in memory while a chain is proved."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a run ends: its row id, its name, how many entries it has, and the hash of the last (its seed when it has none)."""

    row: int
    run: RunId
    tip: int
    hash: bytes


def last_run(connection: Connection) -> Tail | None:
    """The newest run, or None in a new journal."""
    found = connection.execute("SELECT id, run FROM run ORDER BY id DESC LIMIT 1").fetchone()
    return None if found is None else tail_of(connection, as_number(found[0]), as_run(found[1]))


def tail_of(connection: Connection, row: int, run: RunId) -> Tail:
    """How far a run goes in the file."""
    end = connection.execute("SELECT seq, hash FROM entry WHERE run=? ORDER BY seq DESC LIMIT 1", (row,)).fetchone()
    return Tail(row, run, as_number(end[0]) + 1, as_blob(end[1])) if end is not None else Tail(row, run, 0, chain.seed(run))


def ends_since(connection: Connection, row: int) -> tuple[tuple[RunId, int], ...]:
    """How many entries the run with this row id and every later one have in the file, oldest first."""
    found = connection.execute("SELECT id, run FROM run WHERE id>=? ORDER BY id", (row,)).fetchall()
    tails = (tail_of(connection, as_number(each), RunId(str(run))) for each, run in found)
    return tuple((tail.run, tail.tip) for tail in tails)


def unacked(connection: Connection) -> list[tuple[Tail, int]]:
    """Runs with entries that the cloud is not known to hold, oldest first, and the first such entry of each."""
    found = connection.execute("SELECT id, run, acked FROM run ORDER BY id").fetchall()
    tails = [(tail_of(connection, as_number(row), as_run(run)), as_number(acked)) for row, run, acked in found]
    return [(tail, acked) for tail, acked in tails if acked < tail.tip]


def check_chain(connection: Connection, tail: Tail, first: int) -> None:
    """Prove the entries of a run from `first` on against their hashes. Raises JournalDamaged that names the first bad one."""
    start = max(first - 1, 0)
    before = chain.seed(tail.run) if start == 0 else None
    sql = "SELECT seq, bytes, hash FROM entry WHERE run=? AND seq>=? ORDER BY seq LIMIT ?"
    while found := connection.execute(sql, (tail.row, start, CHECKED_AT_ONCE)).fetchall():
        for seq, data, digest in found:
            # Where pruning took what was before, the chain begins with the first entry that is left.
            if before is None:
                start = as_number(seq)
            elif seq != start or chain.link(before, start, as_blob(data)) != digest:
                raise JournalDamaged(f"the chain of run {tail.run} is broken at entry {start}")
            before = as_blob(digest)
            start += 1


def insert_run(connection: Connection, row: int, run: RunId) -> None:
    connection.execute("INSERT INTO run (id, run) VALUES (?, ?)", (row, run))


def insert_entries(connection: Connection, rows: Sequence[Row]) -> None:
    connection.executemany("INSERT INTO entry (run, seq, kind, bytes, hash, was) VALUES (?, ?, ?, ?, ?, ?)", rows)


def set_acked(connection: Connection, run: RunId, acked: int, *, age_s: int) -> None:
    """Remember how far the cloud is in a run, which may be less than before, and at which age of the journal it said so."""
    connection.execute("UPDATE run SET acked=? WHERE run=?", (acked, run))
    connection.execute("DELETE FROM acked_at WHERE run=(SELECT id FROM run WHERE run=?) AND until>?", (run, acked))
    sql = """
        INSERT INTO acked_at (run, hour, until) SELECT id, ?, ? FROM run WHERE run=?
        ON CONFLICT (run, hour) DO UPDATE SET until=excluded.until
    """
    connection.execute(sql, (age_s // HOUR_S, acked, run))
    put_known(connection, AGE, str(age_s))


def forget_ages(connection: Connection) -> None:
    """How long the cloud has held what it is known to hold counts from now: a restored one may hold less."""
    connection.execute("DELETE FROM acked_at")


def stop_run(connection: Connection, run: RunId, reason: str) -> None:
    connection.execute("UPDATE run SET stopped=? WHERE run=?", (reason, run))


def put_known(connection: Connection, key: str, value: str) -> None:
    connection.execute("INSERT INTO known VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value=excluded.value", (key, value))


def all_known(connection: Connection) -> dict[str, str]:
    return {str(key): str(value) for key, value in connection.execute("SELECT key, value FROM known").fetchall()}


def begin_command(connection: Connection, cmd_id: str) -> bool:
    """Take a command; False when it was taken before."""
    connection.execute("INSERT OR IGNORE INTO command VALUES (?, 'begun')", (cmd_id,))
    return number(connection.execute("SELECT changes()")) == 1


def put_command(connection: Connection, cmd_id: str, state: str) -> None:
    """Carry over a command of another journal."""
    connection.execute("INSERT OR REPLACE INTO command VALUES (?, ?)", (cmd_id, state))


def finish_command(connection: Connection, cmd_id: str) -> None:
    connection.execute("UPDATE command SET state='finished' WHERE cmd_id=?", (cmd_id,))


def unfinished_commands(connection: Connection) -> list[str]:
    found = connection.execute("SELECT cmd_id FROM command WHERE state='begun' ORDER BY cmd_id").fetchall()
    return [str(cmd_id) for (cmd_id,) in found]
