"""Rows come out of pages as SQLite put them in, without SQLite: every size of entry, in the file and in the log."""

import shutil
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.journal import carve, store
from edge.journal.rows import insert_entries, insert_run, put_known, set_acked
from sync_protocol.ids import run_id

RUN = run_id("ab" * 16)

LENGTHS = st.one_of(
    st.integers(0, 3000), st.sampled_from([1000, 1001, 1002, 1003, 4091, 4092, 4093, 65_536]), st.integers(0, 65_536)
)


def carved(path: Path) -> tuple[set[Any], set[Any], set[Any]]:
    """Entries, runs and pairs of texts."""
    found = list(carve.records(path))
    entries = {record for record in found if len(record) in (5, 6) and isinstance(record[3], bytes)}
    runs = {record for record in found if isinstance(record[0], int) and isinstance(record[1], str) and len(record) in (3, 4)}
    pairs = {record for record in found if len(record) == 2 and isinstance(record[0], str) and isinstance(record[1], str)}
    return entries, runs, pairs


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(LENGTHS, min_size=1, max_size=40), cut=st.booleans())
def test_what_went_in_comes_out(tmp_path_factory: Any, sizes: list[int], cut: bool) -> None:
    folder = tmp_path_factory.mktemp("carve")
    path = folder / "journal.db"
    connection = store.open_for_writing(path)
    insert_run(connection, 7, RUN)
    rows = [
        (7, seq, "note", bytes([seq % 256]) * size, seq.to_bytes(32, "big"), f"{RUN}:{seq}" if seq % 3 else None)
        for seq, size in enumerate(sizes)
    ]
    insert_entries(connection, rows[: len(rows) // 2])
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    insert_entries(connection, rows[len(rows) // 2 :])
    set_acked(connection, RUN, len(rows), age_s=9)
    put_known(connection, "lease", "5")
    # A copy of the open files is what a power cut leaves; closing moves the log into the file.
    copy = folder / "copy"
    copy.mkdir()
    for file in folder.glob("journal.db*"):
        shutil.copy(file, copy)
    connection.close()
    entries, runs, pairs = carved(copy / "journal.db" if cut else path)
    assert entries == set(rows)
    assert (7, RUN, len(rows), None) in runs
    assert pairs >= {("lease", "5"), ("age_s", "9")}
    shutil.rmtree(folder)


def test_any_bytes_are_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    whole = bytes([10, 0, 0, 0, 200, 0, 0, 0]) + bytes(range(256)) * 40
    path.write_bytes(whole)
    path.with_name("journal.db-wal").write_bytes(whole[::-1])
    assert isinstance(list(carve.records(path)), list)
