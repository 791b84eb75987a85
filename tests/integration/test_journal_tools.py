"""The tools on a journal as commands: list, prove, carry elsewhere and prove there, take a broken one apart and go on."""

import asyncio
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.clock import BoxClock
from edge.journal import survey
from edge.journal.service import Journal
from sync_protocol import chain
from sync_protocol.entries import Clk, NoteEntry
from sync_protocol.ids import RunId
from tests.integration.commanding import tallybox

NO, SETUP, JOURNAL = 1, 3, 4
CLOCK = BoxClock("boot", Clk(s="none"))


def write(path: Path, counts: list[int], *, acked: int = 0) -> list[str]:
    """A journal of so many starts; the names of their runs."""
    return asyncio.run(_write(path, counts, acked))


async def _write(path: Path, counts: list[int], acked: int) -> list[str]:
    runs = []
    for count in counts:
        async with Journal.open(path, clock=CLOCK, firmware="0") as journal:
            for number in range(count):
                await journal.append(NoteEntry(**CLOCK.stamp(), name=f"n{number}"))
            runs.append(str(journal.run))
            if acked:
                journal.mark_acked(journal.run, acked)
    return runs


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identity")
    assert tallybox("provision", "init", "--ca", folder / "ca").code == 0
    assert tallybox("provision", "enroll", "--ca", folder / "ca", "--directory", folder / "box").code == 0
    return folder / "box"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_ls_says_what_waits_and_verify_that_all_is_whole(journal: Path) -> None:
    runs = write(journal, [5, 3], acked=2)
    listed = tallybox("edge", "journal", "ls", "--journal", journal, "--json")
    assert [(row["run"], row["first"], row["tip"], row["acked"], row["stopped"]) for row in listed.json["runs"]] == [
        (runs[0], 0, 6, 2, None),
        (runs[1], 0, 4, 2, None),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["from"]) for row in listed.json["runs"])
    whole = tallybox("edge", "journal", "verify", "--journal", journal, "--json")
    assert (whole.code, whole.json) == (0, {"ok": True, "runs": 2, "entries": 10, "bad": []})


async def test_the_tools_work_beside_the_running_writer(journal: Path) -> None:
    async with Journal.open(journal, clock=CLOCK, firmware="0") as running:
        placed = await running.append(NoteEntry(**CLOCK.stamp(), name="n"))
        found = await asyncio.to_thread(tallybox, "edge", "journal", "verify", "--journal", journal, "--json")
        assert (found.code, found.json["entries"]) == (0, placed.seq + 1)
        held = await asyncio.to_thread(tallybox, "edge", "journal", "salvage", "--journal", journal, "--force")
        assert (held.code, "another process" in held.err) == (JOURNAL, True)


def change(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name in ("entry_as_written", "entry_kept"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        connection.execute(sql, values)


BROKEN = {
    "a changed entry": (
        "UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), 'n1', 'n7') AS BLOB) WHERE run = 1 AND seq = 2",
        0,
        2,
    ),
    "a changed hash": ("UPDATE entry SET hash = zeroblob(32) WHERE run = 1 AND seq = 3", 0, 3),
    "a missing entry": ("DELETE FROM entry WHERE run = 2 AND seq = 1", 1, 1),
    "another kind": ("UPDATE entry SET kind = 'step' WHERE run = 2 AND seq = 2", 1, 2),
    "entries that the cloud lacks are gone": ("DELETE FROM entry WHERE run = 1 AND seq < 3", 0, 0),
}


@pytest.mark.parametrize("how", BROKEN)
def test_the_first_bad_entry_is_found(journal: Path, how: str) -> None:
    sql, run, seq = BROKEN[how]
    runs = write(journal, [5, 3])
    change(journal, sql)
    with survey.opened(journal) as connection:
        bad = [one for one in (survey.first_bad(connection, row) for row in survey.runs_of(connection)) if one is not None]
    assert (bad[0].entry.run, bad[0].entry.seq) == (runs[run], seq)


def test_verify_answers_no_with_the_entry(journal: Path) -> None:
    runs = write(journal, [5])
    change(journal, BROKEN["a changed entry"][0])
    ended = tallybox("edge", "journal", "verify", "--journal", journal)
    assert (ended.code, f"{runs[0]}:2" in ended.out) == (NO, True)


def test_a_parent_that_is_not_what_it_was_is_found(journal: Path) -> None:
    runs = write(journal, [2, 2])
    # The first run is made anew and its own chain is whole: only the second run's first entry knows better.
    with closing(sqlite3.connect(journal)) as connection:
        rows = connection.execute("SELECT bytes FROM entry WHERE run = 1 ORDER BY seq").fetchall()
    forged = [data.replace(b'"n1"', b'"m1"') for (data,) in rows]
    for seq, (data, digest) in enumerate(zip(forged, chain.links(chain.seed(RunId(runs[0])), 0, forged), strict=True)):
        change(journal, "UPDATE entry SET bytes = ?, hash = ? WHERE run = 1 AND seq = ?", data, digest, seq)
    with survey.opened(journal) as connection:
        bad = [survey.first_bad(connection, row) for row in survey.runs_of(connection)]
    assert bad[0] is None
    assert bad[1] is not None
    assert (bad[1].entry.run, bad[1].entry.seq) == (runs[1], 0)


def test_an_exported_journal_is_proved_elsewhere_with_the_public_key_alone(
    journal: Path, identity: Path, tmp_path: Path
) -> None:
    runs = write(journal, [700, 3])
    out = tmp_path / "out.tbxj"
    made = tallybox("edge", "journal", "export", "--journal", journal, "--out", out, "--identity", identity, "--json")
    assert made.json == {"file": str(out), "signed": True, "runs": 2, "entries": 705}
    journal.unlink()
    key = tmp_path / "key.pem"
    shutil.copy(identity / "box.crt", key)
    proved = tallybox("verify", "--file", out, "--key", key, "--json")
    assert (proved.code, proved.json["ok"], proved.json["entries"]) == (0, True, 705)
    assert [part["run"] for part in proved.json["runs"]] == runs
    data = bytearray(out.read_bytes())
    data[data.index(b'"n650"') + 2] ^= 1
    out.write_bytes(data)
    refused = tallybox("verify", "--file", out, "--key", key)
    assert (refused.code, f"{runs[0]}:500" in refused.out) == (NO, True)


def test_an_export_without_identity_is_lines_that_anybody_reads(journal: Path, identity: Path, tmp_path: Path) -> None:
    write(journal, [3])
    out = tmp_path / "out.jsonl"
    made = tallybox("edge", "journal", "export", "--journal", journal, "--out", out)
    assert made.code == 0
    assert len(out.read_bytes().splitlines()) == 2 + 4
    whole = tallybox("verify", "--file", out, "--json")
    assert (whole.code, whole.json["signed"]) == (0, False)
    asked = tallybox("verify", "--file", out, "--key", identity / "box.crt")
    assert (asked.code, "no signatures" in asked.out) == (NO, True)


def test_what_was_pruned_is_left_out_and_the_rest_still_proves(journal: Path, tmp_path: Path) -> None:
    runs = write(journal, [9], acked=8)
    change(journal, "DELETE FROM entry WHERE seq < 4")
    out = tmp_path / "out.jsonl"
    tallybox("edge", "journal", "export", "--journal", journal, "--out", out)
    whole = tallybox("verify", "--file", out, "--json")
    assert [(part["run"], part["first"], part["end"]) for part in whole.json["runs"]] == [(runs[0], 5, 10)]
    checked = tallybox("edge", "journal", "verify", "--journal", journal, "--json")
    assert (checked.code, checked.json["entries"]) == (0, 6)


def test_a_broken_journal_is_set_aside_and_the_box_goes_on_with_what_was_in_it(journal: Path) -> None:
    runs = write(journal, [6])
    whole = tallybox("edge", "journal", "salvage", "--journal", journal, "--json")
    assert (whole.code, whole.json) == (0, {"salvaged": False})
    change(journal, BROKEN["a changed hash"][0])
    done = tallybox("edge", "journal", "salvage", "--journal", journal, "--json")
    assert (done.code, done.json["salvaged"]) == (0, True)
    assert f"{runs[0]}:3" in done.json["reason"]
    assert not journal.exists()
    assert (Path(done.json["aside"]) / journal.name).exists()
    assert done.json["runs"][0]["found"] == 7
    assert len(Path(done.json["file"]).read_text().splitlines()) == 7
    write(journal, [1])
    with survey.opened(journal) as connection:
        assert [survey.first_bad(connection, run) for run in survey.runs_of(connection)] == [None]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("edge", "journal", "ls"), 2),
        (("edge", "journal", "ls", "--journal", "none.db"), JOURNAL),
        (("edge", "journal", "verify", "--config", "none.toml"), SETUP),
        (("edge", "journal", "salvage", "--journal", "none.db"), JOURNAL),
        (("verify",), 2),
        (("verify", "--file", "none.tbxj"), NO),
    ],
)
def test_what_is_missing_is_said_in_a_line(arguments: tuple[str, ...], code: int) -> None:
    ended = tallybox(*arguments)
    assert (ended.code, len((ended.err + ended.out).splitlines())) == (code, 1)


def test_a_newer_programs_journal_is_left_alone(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA user_version=99")
    ended = tallybox("edge", "journal", "salvage", "--journal", journal, "--force")
    assert (ended.code, journal.exists()) == (JOURNAL, True)
