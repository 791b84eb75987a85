"""Every log event of box and cloud is in docs/OPERATIONS.md, and the SQL given there does what the page says."""

import ast
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

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


async def test_the_sql_after_a_restore_starts_a_generation(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    await migrate(url)
    for title in ("Backup and restore", "Backup and restore", "Letting a box out"):
        with sqlite3.connect(tmp_path / "cloud.db") as database:
            database.executescript(section(OPERATIONS, title).partition("```sql\n")[2].partition("```")[0])
        database.close()
    sessions = open_sessions(url)
    async with sessions.read() as session:
        assert await generation(session) == 2
    await sessions.engine.dispose()
