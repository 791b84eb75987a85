"""`tallybox cloud reindex`: every record made findable anew."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import typer

from cloud.cli.session import SETUP, Database, Json

if TYPE_CHECKING:
    from cloud.kernel.actor import Taken


def reindex(db: Database, as_json: Json = False) -> None:
    """Index every record for the search anew, a few hundred to a transaction; the core may run meanwhile."""
    from sqlalchemy.exc import DBAPIError

    from cloud.clock import system_clock
    from cloud.errors import CloudError
    from cloud.kernel.actor import Actor, Taken

    try:
        counts = asyncio.run(_run(db, Taken(Actor.system("reindex"), system_clock())))
    except CloudError as exc:
        print(f"tallybox: {exc}", file=sys.stderr)
        raise typer.Exit(SETUP) from exc
    except DBAPIError as exc:
        print(f"tallybox: the database cannot be used (is it migrated?): {str(exc.orig).splitlines()[0]}", file=sys.stderr)
        raise typer.Exit(SETUP) from exc
    if as_json:
        print(json.dumps(counts))
        return
    for kind, count in counts.items():
        print(f"{kind}: {count}")


async def _run(db: str, taken: "Taken") -> dict[str, int]:
    from cloud import catalogue
    from cloud.around.records import reindex_all
    from cloud.db.engine import open_sessions

    sessions = open_sessions(db)
    try:
        return await reindex_all(sessions, catalogue.registry(), taken)
    finally:
        await sessions.engine.dispose()
