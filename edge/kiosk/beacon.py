"""Makes the box seen and heard at its own screen, so that whoever stands before ten of them finds the right one."""

import asyncio
from collections.abc import Awaitable, Callable

from edge.clock import Clock
from edge.jobs.news import News, Sound

EVERY_S = 2.0
"""Sound and banner again: as soon as the last sound has faded and was noticed."""

NS = 1_000_000_000


class Beacon:
    """`show` starts it; `run` tells every open page until the time is over, and waits for the next."""

    def __init__(
        self, news: News, clock: Clock, box: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._news = news
        self._clock = clock
        self._box = box
        self._sleep = sleep
        self._until_ns = 0
        self._wake = asyncio.Event()

    def show(self, seconds: int) -> None:
        """Be seen and heard for so long from now."""
        self._until_ns = self._clock.now_ns() + seconds * NS
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._clock.now_ns() < self._until_ns:
                self._news.tell(Sound.LOOK_HERE, "identify.here", {"box": self._box}, self._clock.now_ns())
                await self._sleep(EVERY_S)
