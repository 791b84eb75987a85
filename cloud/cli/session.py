"""What every command of the core needs: its database, for as long as the command runs."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

SETUP = 3
"""Exit code: a setting, file, database or address cannot be used."""

Result = TypeVar("Result")
Database = Annotated[str, typer.Option("--db", envvar="TALLYBOX_DATABASE_URL", help="sqlite:///FILE or postgresql://...")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def within(db: str, work: Callable[["AsyncSession"], Awaitable[Result]], *, write: bool = False) -> Result:
    """Do `work` in one transaction. What the core or the database refuses is one line, and ends the command with SETUP."""
    from sqlalchemy.exc import DBAPIError

    from cloud.db.engine import open_sessions
    from cloud.errors import CloudError

    async def run() -> Result:
        sessions = open_sessions(db)
        try:
            async with sessions.write() if write else sessions.read() as session:
                return await work(session)
        finally:
            await sessions.engine.dispose()

    try:
        return asyncio.run(run())
    except CloudError as exc:
        print(f"tallybox: {exc}", file=sys.stderr)
    except DBAPIError as exc:
        print(f"tallybox: the database cannot be used (is it migrated?): {str(exc.orig).splitlines()[0]}", file=sys.stderr)
    raise typer.Exit(SETUP)
