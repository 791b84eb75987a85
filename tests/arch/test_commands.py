"""Every command of the command line has its section in docs/OPERATIONS.md, and every option a row in it."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

import tallybox
from tests.arch.pages import bare, page, section, table

OPERATIONS = page("docs/OPERATIONS.md")


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
    for name, child in (children or {}).items():
        yield from leaves(child, f"{path} {name}")


COMMANDS = dict(leaves(typer.main.get_command(tallybox.app), "tallybox"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_described(name: str) -> None:
    text = section(OPERATIONS, f"`{name}`")
    options = {word for one in COMMANDS[name].params for word in (*one.opts, *one.secondary_opts) if word.startswith("--")}
    options -= {"--help"}
    rows = table(text) if options else []
    assert {word for row in rows for word in bare(row["option"]).split(", ")} == options


def test_no_command_is_described_that_is_not_there() -> None:
    headings = {line.removeprefix("### ").strip("`") for line in OPERATIONS.splitlines() if line.startswith("### `tallybox")}
    assert headings == COMMANDS.keys()


def test_every_exit_code_is_described() -> None:
    codes = {int(row["code"]) for row in table(section(OPERATIONS, "Exit codes"))}
    assert codes == {0, 2, tallybox.NO, tallybox.SETUP, tallybox.JOURNAL}
