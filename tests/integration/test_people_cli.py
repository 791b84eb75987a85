"""`tallybox cloud user` and `cloud key`: the first administrator, and what can be done without pages."""

import asyncio
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cloud.cli.people import USAGE, key_app, user_app
from cloud.cli.session import SETUP
from cloud.clock import system_clock
from cloud.db.engine import open_sessions
from cloud.errors import SignInRefused
from cloud.people.accounts import FREE_TRIES, check_password
from cloud.people.keys import key_of

PASSWORD = "long enough to keep"


@pytest.fixture
def url(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    shutil.copyfile(sqlite_template, tmp_path / "cloud.db")
    for name in ("TALLYBOX_PASSWORD", "TALLYBOX_PIN"):
        monkeypatch.delenv(name, raising=False)
    found = f"sqlite:///{tmp_path / 'cloud.db'}"
    monkeypatch.setenv("TALLYBOX_DATABASE_URL", found)
    return found


def user(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(user_app, list(arguments), input=given)


def key(*arguments: str) -> Result:
    return CliRunner().invoke(key_app, list(arguments))


def people() -> dict[str, Any]:
    return {row["login"]: row for row in json.loads(user("list", "--json").stdout)}


def enters(url: str, login: str, password: str) -> str:
    """`in`, `must change`, or why not."""

    async def run() -> str:
        sessions = open_sessions(url)
        try:
            found = await check_password(sessions, login=login, password=password, now=system_clock())
        except SignInRefused as exc:
            return exc.code
        finally:
            await sessions.engine.dispose()
        return "must change" if found.must_change_password else "in"

    return asyncio.run(run())


def test_first_administrator_comes_from_standard_input_and_stays(url: str) -> None:
    made = user("add", "root", "--name", "Ruth Cohen", "--role", "admin", "--password-stdin", given=f"{PASSWORD}\n")
    assert made.exit_code == 0, made.stderr
    assert PASSWORD not in made.output
    assert enters(url, "root", PASSWORD) == "in"
    assert people()["root"]["roles"] == ["admin"]
    refused = user("deactivate", "root")
    assert (refused.exit_code, "last_admin" in refused.stderr) == (SETUP, True)


@pytest.mark.parametrize(("given", "code"), [("\n", SETUP), ("", SETUP), ("short\n", SETUP), ("rootroot\n", SETUP)])
def test_nobody_is_added_with_an_empty_or_bad_password(url: str, given: str, code: int) -> None:
    made = user("add", "root", "--name", "Ruth", "--role", "admin", "--password-stdin", given=given)
    assert made.exit_code == code
    assert people() == {}


def test_without_a_terminal_or_a_password_nothing_is_made_up(url: str) -> None:
    assert user("add", "root", "--name", "Ruth", "--role", "admin", given="").exit_code == SETUP
    assert user("add", "root", "--name", "Ruth", "--role", "queen", "--no-password").exit_code == USAGE
    assert user("add", "root", "--name", "Ruth", "--locale", "fr", "--no-password").exit_code == USAGE
    assert people() == {}


def test_password_is_replaced_and_a_lock_lifted(url: str) -> None:
    user("add", "noa", "--name", "Noa", "--password-stdin", given=f"{PASSWORD}\n")
    assert [enters(url, "noa", "wrong") for _ in range(FREE_TRIES)][-1] == "locked"
    assert user("unlock", "noa").exit_code == 0
    assert enters(url, "noa", PASSWORD) == "in"
    assert user("set-password", "noa", "--password-stdin", given="handed over\n").exit_code == 0
    assert enters(url, "noa", "handed over") == "must change"
    assert user("set-password", "noa", "--password-stdin", "--keep", given="chosen by her\n").exit_code == 0
    assert enters(url, "noa", "chosen by her") == "in"
    assert user("deactivate", "noa").exit_code == 0
    assert (enters(url, "noa", "chosen by her"), people()["noa"]["active"]) == ("wrong", False)
    assert user("unlock", "nobody").exit_code == SETUP


def test_roles_are_listed_with_their_grants(url: str) -> None:
    rows = {row["role"]: row for row in json.loads(user("roles", "--json").stdout)}
    assert rows["admin"]["grants"] == [{"kind": "*", "action": "*", "scope": "", "mask": ""}]
    assert "auditor" in user("roles").stdout


def test_key_is_printed_once_opens_and_is_revoked(url: str) -> None:
    made = key("add", "ERP", "--role", "viewer@galil", "--role", "technician", "--days", "10", "--json")
    text = json.loads(made.stdout)["key"]
    assert opens(url, text)
    assert not opens(url, text, later=timedelta(days=11))
    [row] = json.loads(key("list", "--json").stdout)
    assert row["roles"] == ["viewer@galil", "technician"]
    assert text not in key("list").stdout
    assert key("revoke", row["prefix"]).exit_code == 0
    assert not opens(url, text)
    assert key("revoke", "none").exit_code == SETUP
    assert key("add", "ERP", "--role", "queen").exit_code == USAGE
    assert key("add", "ERP").exit_code == SETUP


def opens(url: str, text: str, *, later: timedelta = timedelta()) -> bool:
    async def run() -> bool:
        sessions = open_sessions(url)
        try:
            async with sessions.read() as session:
                return await key_of(session, f"Bearer {text}", system_clock() + later) is not None
        finally:
            await sessions.engine.dispose()

    return asyncio.run(run())
