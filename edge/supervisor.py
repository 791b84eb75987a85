"""Keeps the box's tasks alive: one TaskGroup, and the one place where an unforeseen exception is caught."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

FIRST_PAUSE_S = 0.5
PAUSE_CAP_S = 30.0
"""A task that fails at once each time costs two lines of log a minute and no more."""

CALM_S = 60.0
"""A task that ran this long before it failed starts over with the first pause."""


async def keep_running(
    name: str, work: Callable[[], Awaitable[None]], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Run `work` for ever: what it raises is logged with its traceback, and it is started again after a pause."""
    loop = asyncio.get_running_loop()
    pause_s = FIRST_PAUSE_S
    while True:
        started = loop.time()
        try:
            return await work()
        except Exception:
            log.exception("task_failed", task=name, retry_s=pause_s)
        if loop.time() - started > CALM_S:
            pause_s = FIRST_PAUSE_S
        await sleep(pause_s)
        pause_s = min(pause_s * 2, PAUSE_CAP_S)
