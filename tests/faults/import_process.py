"""Work on imports as a process of its own, to be killed: `python -m tests.faults.import_process URL FOLDER`."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from cloud.db.engine import open_sessions
from cloud.imports.work import ImportWork
from cloud.jobs.worker import Pace, Worker
from cloud.objects.registry import Registry, Shipped

PACE = Pace(lease=timedelta(seconds=1), beat_s=0.2, poll_s=0.05, retry_s=0.05)

CHUNK = 10
"""Small steps: more points between them to be killed at."""


async def main(url: str, registry: Registry) -> None:
    sessions = open_sessions(url)
    try:
        work = ImportWork(registry, check_chunk=CHUNK, write_chunk=CHUNK)
        await Worker(sessions, work.handlers(), name=str(os.getpid()), pace=PACE).run()
    finally:
        await sessions.engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Registry(Shipped(files=tuple(sorted(Path(sys.argv[2]).glob("*.yaml")))))))
