"""Every log event of box and cloud is in docs/OPERATIONS.md, and the command after a restore does what the page says."""

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

from typer.testing import CliRunner

import tallybox
from cloud.db.engine import open_sessions
from cloud.db.migrate import migrate
from cloud.db.settings_table import generation
from tests.arch.pages import bare, page, section, sources, table

OPERATIONS = page("docs/OPERATIONS.md")
LEVELS = {"info", "warning", "error", "exception", "critical"}


def events() -> Iterator[str]:
    for path, module in sources().items():
        for call in ast.walk(module):
            match call:
                case ast.Call(ast.Attribute(ast.Name("log"), level), [ast.Constant(str(event)), *_]) if level in LEVELS:
                    if not path.startswith("firmware_sim"):
                        yield event


def test_every_log_event_is_described() -> None:
    rows = table(section(OPERATIONS, "Logs"))
    assert {name for row in rows for name in re.split(", *", bare(row["event"]))} == set(events())


def test_the_command_after_a_restore_starts_a_generation(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    asyncio.run(migrate(url))
    given = section(OPERATIONS, "Backup and restore").partition("```sh\n")[2].partition("\n```")[0]
    words = given.replace("postgresql://...", url).split()
    heard = [asyncio.run(_generation(url))]
    for _ in range(2):
        ended = CliRunner().invoke(tallybox.app, words[1:])
        assert ended.exit_code == 0, ended.output
        heard.append(asyncio.run(_generation(url)))
    assert heard == sorted(set(heard))


async def _generation(url: str) -> int:
    sessions = open_sessions(url)
    try:
        async with sessions.read() as session:
            return await generation(session)
    finally:
        await sessions.engine.dispose()
