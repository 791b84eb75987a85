"""`tallybox cloud restored`: said after the database was put back to an earlier state."""

import json
import secrets
from typing import TYPE_CHECKING

from cloud.cli.session import Database, within

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


def restored(db: Database) -> None:
    """Say that the database was restored from a backup: boxes send again what it lost, mirrors are pulled anew."""

    async def say(session: "AsyncSession") -> int:
        from cloud.clock import system_clock
        from cloud.db.settings_table import start_generation
        from cloud.kernel.actor import Actor, Taken
        from cloud.kernel.events import append_event

        now = system_clock()
        number = await start_generation(session, secrets.token_hex(8), now=now)
        taken = Taken(Actor.system("command line"), now)
        changes = {"generation": [number - 1, number]}
        await append_event(session, taken, action="restored", kind="database", ref="cloud", changes=changes)
        return number

    print(json.dumps({"generation": within(db, say, write=True)}))
