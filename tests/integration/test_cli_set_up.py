"""Setting up from the command line: authority, boxes, database, people; and simulated devices for anyone."""

import json
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from firmware_sim.offered import SIMULATORS
from tests.integration.commanding import running, stopped, tallybox

SETUP = 3


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_authority_server_and_box_are_made_once_and_kept(tmp_path: Path) -> None:
    ca, server, box = tmp_path / "ca", tmp_path / "server", tmp_path / "box"
    assert tallybox("provision", "init", "--ca", ca).code == 0
    root = next(ca.glob("*.crt")).read_bytes()
    again = tallybox("provision", "init", "--ca", ca)
    assert (again.code, again.out) == (SETUP, "")
    assert next(ca.glob("*.crt")).read_bytes() == root
    made = tallybox("provision", "server", "--ca", ca, "--directory", server, "--name", "127.0.0.1", "--name", "localhost")
    assert made.code == 0
    first = tallybox("provision", "enroll", "--ca", ca, "--directory", box, "--json")
    assert first.code == 0
    assert [mode(folder) for folder in (ca, box, server)] == [0o700] * 3
    assert {mode(path) for folder in (ca, box, server) for path in folder.glob("*.key")} == {0o600}
    # What is there is given again; only --renew makes a new key, for the same box.
    second = tallybox("provision", "enroll", "--ca", ca, "--directory", box, "--json")
    assert (second.code, second.json) == (0, first.json)
    renewed = tallybox("provision", "enroll", "--ca", ca, "--directory", box, "--renew", "--json")
    assert renewed.json["box"] == first.json["box"]
    assert renewed.json["key_id"] != first.json["key_id"]


def test_enrolling_without_authority_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    ended = tallybox("provision", "enroll", "--ca", tmp_path / "none", "--directory", tmp_path / "box", "--json")
    assert (ended.code, ended.out) == (SETUP, "")
    assert not (tmp_path / "box").exists()


def test_enrolling_with_a_database_lets_the_box_in(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    assert tallybox("provision", "init", "--ca", tmp_path / "ca").code == 0
    enroll = ("provision", "enroll", "--ca", tmp_path / "ca", "--directory", tmp_path / "box", "--json", "--name", "Dock 1")
    assert tallybox(*enroll, TALLYBOX_DATABASE_URL=url).code == SETUP, "the database is not migrated yet"
    assert tallybox("cloud", "migrate", "--db", url).code == 0
    made = tallybox(*enroll, TALLYBOX_DATABASE_URL=url)
    assert made.code == 0
    with closing(sqlite3.connect(tmp_path / "cloud.db")) as connection:
        rows = connection.execute("SELECT id, name, hex(key_id) FROM box").fetchall()
    assert [(box, name, key.lower()) for box, name, key in rows] == [(made.json["box"], "Dock 1", made.json["key_id"])]


def test_migrating_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    first = tallybox("cloud", "migrate", "--db", url, "--json")
    second = tallybox("cloud", "migrate", "--json", TALLYBOX_DATABASE_URL=url)
    assert (first.code, second.code) == (0, 0)
    assert first.json == second.json
    assert first.json["revision"]


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all/cloud.db", "mysql://localhost/x", "postgresql://nobody@127.0.0.1:1/x", "rubbish"]
)
def test_database_that_cannot_be_used_is_said_in_one_line(url: str) -> None:
    for arguments in (("cloud", "migrate", "--json"), ("verify", "GR-2026-000001", "--json")):
        ended = tallybox(*arguments, "--db", url)
        assert (ended.code, ended.out) == (SETUP, ""), ended.err
        assert ended.err.startswith("tallybox: ")


def test_people_are_added_once_with_secrets_from_the_environment(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    tallybox("cloud", "migrate", "--db", url)
    user = ("cloud", "user", "add", "ruth", "--db", url, "--name", "Ruth Cohen", "--role")
    assert tallybox(*user, "queen", TALLYBOX_PIN="4711").code == 2
    assert tallybox(*user, "operator", TALLYBOX_PIN="12").code == SETUP
    added = tallybox(*user, "operator", TALLYBOX_PIN="4711", TALLYBOX_PASSWORD="long enough")
    assert (added.code, "ruth" in added.out) == (0, True), added.err
    assert tallybox(*user, "operator", TALLYBOX_PIN="4711").code == SETUP
    assert tallybox("cloud", "user", "add", "roy", "--db", url, "--name", "Roy").code == SETUP
    with closing(sqlite3.connect(tmp_path / "cloud.db")) as connection:
        rows = connection.execute('SELECT login, role, pin_hash, password_hash FROM "user"').fetchall()
    [(login, role, pin_hash, password_hash)] = rows
    assert (login, role) == ("ruth", "operator")
    assert pin_hash.startswith("$argon2")
    assert password_hash.startswith("$argon2")


def test_simulated_balance_answers_a_raw_socket_until_stopped() -> None:
    with running("sim", "run", "mt-sics", "--tcp", 0, "--load", "1230", "--control", 0) as (process, facts):
        host, port = facts["mt-sics"].rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as wire:
            replies = wire.makefile("rb")
            wire.sendall(b"I4\r\n")
            serial = replies.readline()
            while not serial.startswith(b'I4 A "'):
                serial = replies.readline()
            wire.sendall(b"S\r\n")
            assert replies.readline().split() == [b"S", b"S", b"1.230", b"kg"]
            with socket.create_connection(("127.0.0.1", facts["control"]), timeout=30) as control:
                control.sendall(b'{"device": "mt-sics", "action": "remove"}\n')
                assert json.loads(control.makefile("rb").readline())["ok"] is True
            wire.sendall(b"S\r\n")
            assert replies.readline().split() == [b"S", b"S", b"0.000", b"kg"]
            replies.close()
        taken = tallybox("sim", "run", "mt-sics", "--tcp", port)
        assert (taken.code, taken.out) == (SETUP, "")
        assert stopped(process, signal.SIGINT) == 0


def test_simulator_that_is_not_known_or_has_no_wire_is_refused() -> None:
    for arguments in (("no-such", "--tcp", 0), ("mt-sics",), ("mt-sics", "--tcp", 0, "--load", "heavy")):
        ended = tallybox("sim", "run", *arguments)
        assert (ended.code, ended.out) == (SETUP, ""), ended.err


def test_simulators_are_listed_as_json() -> None:
    names = [one["name"] for one in tallybox("sim", "list", "--json").json]
    assert names == [kind.name for kind in SIMULATORS]
