"""Webhooks sent by a process of its own, to be killed: `python -m tests.integration.hook_process URL`."""

import asyncio
import os
import sys
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from cloud.db.engine import open_sessions
from cloud.hooks.endpoints import FOLLOW
from cloud.hooks.follow import Follower, Pace
from cloud.hooks.reach import Reach
from cloud.hooks.send import Sender
from cloud.hooks.sight import sight
from cloud.jobs.worker import Pace as WorkerPace
from cloud.jobs.worker import Worker
from cloud.kernel.access import Access

PACE = WorkerPace(lease=timedelta(seconds=1), beat_s=0.2, poll_s=0.05, retry_s=0.05)
LOOPBACK = Reach((ip_network("127.0.0.0/8"),))


async def everything(_session: Any, _login: str) -> Access:
    return Access.all()


async def main(url: str) -> None:
    sessions = open_sessions(url)
    follower = Follower(sight(everything), lambda: Sender(LOOPBACK), Pace(look_s=0.05))
    try:
        await Worker(sessions, {FOLLOW: follower}, name=str(os.getpid()), pace=PACE).run()
    finally:
        await sessions.engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
