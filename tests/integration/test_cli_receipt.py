"""The demo plays one receipt; then `verify` and the box's commands are asked about what it left."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.commanding import Ended, running, stopped, tallybox

NO, SETUP, JOURNAL = 1, 3, 4

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """The folder that `demo --auto` left, and how it ended."""
    directory: Path = tmp_path_factory.mktemp("demo")
    return directory, tallybox("demo", "--auto", "--json", "--directory", directory)


def test_demo_plays_a_whole_receipt_by_itself(played: tuple[Path, Ended]) -> None:
    _, ended = played
    assert ended.code == 0, ended.err
    told = ended.json
    assert (told["state"], told["verified"], told["lines"], told["readings"]) == ("posted", True, 3, 6)
    for name in ("durable_ms", "screen_ms", "cloud_ms"):
        assert len(told[name]) == 3
        assert all(value > 0 for value in told[name])
    assert told["took_s"] > 0


def verify(database: Path, ref: str, *more: str) -> Ended:
    return tallybox("verify", ref, "--db", f"sqlite:///{database}", *more)


def test_posted_receipt_verifies_field_by_field(played: tuple[Path, Ended]) -> None:
    directory, demo = played
    ref = demo.json["receipt"]
    as_json = verify(directory / "cloud.db", ref, "--json")
    assert (as_json.code, as_json.json["ok"], as_json.json["ref"]) == (0, True, ref)
    fields = as_json.json["fields"]
    weights = [(one["value"], one["unit"], one["decoded_again"]) for one in fields if one["field"] == "quantity"]
    assert weights == [("12.340", "kg", True), ("8.455", "kg", True), ("12.095", "kg", True)]
    assert all((one["signature"], one["chain"], one["problems"]) == ("good", "good", []) for one in fields)
    for_people = verify(directory / "cloud.db", ref)
    assert (for_people.code, "VERIFIED" in for_people.out, "DOES NOT" in for_people.out) == (0, True, False)


def test_times_come_from_the_clouds_clock_and_hold_what_the_clock_of_both_showed(played: tuple[Path, Ended]) -> None:
    """Box and cloud of the demo share a machine and so a wall clock."""
    directory, demo = played
    ref = demo.json["receipt"]
    told = verify(directory / "cloud.db", ref, "--json").json
    assert told["opened"]["latest"] < told["finished"]["best"]
    for one in told["fields"]:
        time = one["time"]
        assert (time["basis"], time["sure"], time["missing"]) == ("anchor", True, [])
        first, showed, last, received = (
            datetime.fromisoformat(text) for text in (time["earliest"], one["box_time"], time["latest"], one["received_at"])
        )
        assert first <= showed <= last
        assert first <= received
    assert f"± {told['fields'][0]['time']['err_ms']} ms" in verify(directory / "cloud.db", ref).out


def test_receipt_that_is_not_there_is_not_called_false(played: tuple[Path, Ended]) -> None:
    directory, _ = played
    for ended in (verify(directory / "cloud.db", "GR-1999-000001", "--json"), verify(directory / "no.db", "GR-2026-000001")):
        assert (ended.code, ended.out) == (SETUP, "")
    assert not (directory / "no.db").exists()


def _swap_in_reading(connection: sqlite3.Connection, old: bytes, new: bytes) -> None:
    """Change signed bytes where they are stored, as somebody would who owns the database."""
    connection.execute("DROP TRIGGER entry_no_update")
    [(run, seq, content)] = connection.execute(
        "SELECT run, seq, content FROM entry WHERE kind = 'reading' AND instr(content, ?)", (old,)
    ).fetchall()
    changed = content.replace(old, new)
    assert changed != content
    connection.execute("UPDATE entry SET content = ? WHERE run = ? AND seq = ?", (changed, run, seq))


TAMPERINGS: dict[str, tuple[Callable[[sqlite3.Connection], object], str]] = {
    "one byte of a signed weight": (lambda db: _swap_in_reading(db, b'"12.340"', b'"12.840"'), "quantity"),
    "one byte of a signed lot": (lambda db: _swap_in_reading(db, b'"CB-2611-08"', b'"CB-2611-03"'), "lot"),
    "the row of a line": (lambda db: db.execute("UPDATE receipt_line SET quantity = '99' WHERE number = 1"), "line_differs:1"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_changed_database_does_not_verify_and_the_field_is_named(name: str, played: tuple[Path, Ended], tmp_path: Path) -> None:
    directory, demo = played
    tamper, culprit = TAMPERINGS[name]
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(directory / "cloud.db")) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        tamper(target)
        target.commit()
    as_json = verify(copy, demo.json["receipt"], "--json")
    assert (as_json.code, as_json.json["ok"]) == (NO, False)
    bad = [one["field"] for one in as_json.json["fields"] if one["problems"]]
    assert culprit in [*bad, *as_json.json["problems"]]
    for_people = verify(copy, demo.json["receipt"])
    assert (for_people.code, "DOES NOT VERIFY" in for_people.out) == (NO, True)


def test_status_tells_what_the_journal_holds_and_what_is_acked(played: tuple[Path, Ended]) -> None:
    directory, _ = played
    ended = tallybox("edge", "status", "--config", directory / "box.toml", "--json")
    assert ended.code == 0
    status = ended.json
    assert status["waiting"] == sum(run["entries"] - run["acked"] for run in status["runs"])
    assert len(status["runs"]) == 1
    assert status["runs"][0]["entries"] > 20
    assert tallybox("edge", "status", "--config", directory / "box.toml").code == 0


def test_devices_lists_drivers_and_what_the_box_is_configured_with(played: tuple[Path, Ended]) -> None:
    directory, _ = played
    told = tallybox("edge", "devices", "--config", directory / "box.toml", "--json").json
    assert {"mt-sics", "serial-scanner"} <= {driver["driver"] for driver in told["drivers"]}
    assert [(device["id"], device["driver"]) for device in told["devices"]] == [
        ("scale-1", "mt-sics"),
        ("reader-1", "serial-scanner"),
    ]
    assert tallybox("edge", "devices", "--json").json["devices"] == []


BOX = 'data_dir = "data"\nbrowser_libs = "{libs}"\nstation = "receiving-1"\n[kiosk]\nport = 0\n'


def box_file(folder: Path, text: str = BOX) -> Path:
    libs = Path(__file__).resolve().parents[2] / "node_modules"
    path = folder / "box.toml"
    path.write_text(text.format(libs=libs), encoding="utf-8")
    return path


@pytest.mark.parametrize("command", ["status", "run"])
def test_configuration_that_cannot_be_used_is_said_in_one_line(command: str, tmp_path: Path) -> None:
    bad = box_file(tmp_path, BOX + "[[devices]]\nid = 7\n")
    for config in (tmp_path / "none.toml", bad):
        ended = tallybox("edge", command, "--config", config)
        assert (ended.code, ended.out) == (SETUP, "")
        assert ended.err.strip().splitlines()[-1].startswith(f"tallybox: {config}")


def test_status_of_a_box_that_never_ran_and_a_call_without_its_option(tmp_path: Path) -> None:
    assert tallybox("edge", "status", "--config", box_file(tmp_path), "--json").code == SETUP
    assert tallybox("edge", "status").code == 2
    assert tallybox("edge", "fly").code == 2


def test_box_works_alone_and_ends_well_when_asked(tmp_path: Path) -> None:
    config = box_file(tmp_path)
    with running("edge", "run", "--config", config) as (process, facts):
        assert facts["kiosk"].startswith("http://127.0.0.1:")
        # A second box on the same journal would break its chain.
        second = tallybox("edge", "run", "--config", config)
        assert (second.code, second.out) == (JOURNAL, "")
        assert tallybox("edge", "status", "--config", config, "--json").json["waiting"] >= 1
        assert stopped(process) == 0


def test_journal_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    config = box_file(tmp_path)
    (tmp_path / "data").mkdir()
    journal = tmp_path / "data" / "journal.db"
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = journal.read_bytes()
    ended = tallybox("edge", "run", "--config", config)
    assert (ended.code, ended.out) == (JOURNAL, "")
    assert journal.read_bytes() == before


def test_cloud_that_cannot_start_says_why(played: tuple[Path, Ended], tmp_path: Path) -> None:
    directory, _ = played
    url, server = f"sqlite:///{directory / 'cloud.db'}", directory / "server"
    empty = tmp_path / "empty.db"
    empty.touch()
    calls: list[tuple[Any, ...]] = [
        ("--db", url, "--server", tmp_path / "none"),
        ("--db", f"sqlite:///{empty}", "--server", server, "--sync-port", 0, "--staff-port", 0),
    ]
    for call in calls:
        ended = tallybox("cloud", "run", *call)
        assert (ended.code, ended.err.strip().splitlines()[-1].startswith("tallybox: ")) == (SETUP, True), ended
