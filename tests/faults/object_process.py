"""Make, change and move on records as a process of its own, to be killed: `python -m tests.faults.object_process URL FOLDER
NAME`."""

import asyncio
import sys
from pathlib import Path

from cloud.clock import system_clock
from cloud.db.engine import open_sessions
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.objects import service
from cloud.objects.caller import caller
from cloud.objects.registry import Registry, Shipped

MANY = 10_000
"""More than anybody waits for."""


async def main(url: str, registry: Registry, name: str) -> None:
    def taken() -> Taken:
        return Taken(Actor.user(name, "admin"), system_clock(), access=Access.all())

    sessions = open_sessions(url)
    try:
        for number in range(MANY):
            async with sessions.write() as session:
                at = await caller(session, registry, taken())
                item, _ = await service.create(at, "errand", {"name": f"{name} {number}"})
                if number % 3 == 1:
                    # Two records of one transaction: both are there, or none.
                    await service.create(at, "errand", {"name": f"{name} {number} too", "before": item.ref})
            async with sessions.write() as session:
                at = await caller(session, registry, taken())
                if number % 3 == 2:
                    await service.update(at, "errand", item.ref, {"note": "changed"}, version=1)
                await service.do(at, "errand", item.ref, "finish", given={"note": "done"})
    finally:
        await sessions.engine.dispose()


if __name__ == "__main__":
    files = tuple(sorted(Path(sys.argv[2]).glob("*.yaml")))
    asyncio.run(main(sys.argv[1], Registry(Shipped(files=files)), sys.argv[3]))
