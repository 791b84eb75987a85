"""Who writes next on a database that takes one writer at a time.

Waiting here ends the moment the writer before is done; waiting in SQLite ends up to a tenth of a second later, because it looks
again in growing pauses.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MAX_IN_A_ROW = 16
"""Turns of those who go first while others wait: boxes wait for an answer, but records and staff must get on too."""


class Turns:
    """Gives turns, one at a time, to those who go first before the others; each kind in its order. Of one event loop."""

    def __init__(self) -> None:
        self._busy = False
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()
        self._in_a_row = 0

    @asynccontextmanager
    async def take(self, *, first: bool) -> AsyncIterator[None]:
        """Wait for a turn and have it until the block ends."""
        if self._busy:
            await self._wait(self._first if first else self._others)
        self._busy = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, queue: deque[asyncio.Future[None]]) -> None:
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # it was given and will not be used
            raise

    def _pass_on(self) -> None:
        first = self._first and (not self._others or self._in_a_row < MAX_IN_A_ROW)
        for queue in (self._first, self._others) if first else (self._others, self._first):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    self._in_a_row = self._in_a_row + 1 if queue is self._first else 0
                    turn.set_result(None)
                    return
        self._busy, self._in_a_row = False, 0
