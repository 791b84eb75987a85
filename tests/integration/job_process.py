"""A worker as a process of its own, to be killed: `python -m tests.integration.job_process URL`. Each step takes a moment."""

import asyncio
import os
import sys
from datetime import timedelta

from cloud.db.engine import open_sessions
from cloud.db.settings_table import Setting
from cloud.jobs.running import RunningJob
from cloud.jobs.worker import Pace, Worker

LEASE = timedelta(seconds=1)
PACE = Pace(lease=LEASE, beat_s=0.2, poll_s=0.05, retry_s=0.05)
STEP_S = 0.02


async def slow(job: RunningJob) -> dict[str, int]:
    """Writes one row a step, named by the step and by nothing else: a second of the same would fail."""
    for number in range(job.place or 0, job.args["rows"]):
        await asyncio.sleep(STEP_S)
        async with job.sessions.write() as session, job.step(session) as step:
            session.add(Setting(key=f"{job.uid}:{number}", value=str(os.getpid())))
            step.advance, step.place = 1, number + 1
    return {"tries": job.attempt}


async def main(url: str) -> None:
    sessions = open_sessions(url)
    try:
        await Worker(sessions, {"slow": slow}, name=str(os.getpid()), pace=PACE).run()
    finally:
        await sessions.engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
