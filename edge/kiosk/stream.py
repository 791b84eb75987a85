"""One event stream per page: live weight, changes of the job, endings of scans, facts about cloud and devices.

Events: `live` (LiveWeight), `job` {version}, `outcome` {number, sound}, `facts` {}, `locked` {}. A comment every ten seconds
keeps proxies and the browser sure of the link.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from edge.clock import Clock
from edge.jobs.desk import JobDesk
from edge.jobs.news import Changed, Listener
from edge.kiosk.live import Board, LiveWeight

LIVE_EVERY_NS: Final = 100_000_000
"""Ten values a second: more cannot be read."""
PULSE_NS: Final = 700_000_000
"""An unchanged value is sent again this often, so that the page can tell "unchanged" from "no live data" within 2 s."""
HEARTBEAT_NS: Final = 10_000_000_000

Facts = Callable[[], object]


@dataclass(slots=True)
class _Sent:
    """What this page has been told."""

    live: LiveWeight | None = None
    live_ns: int = 0
    facts: object = None
    beat_ns: int = 0


class PageStream:
    """The events of one page."""

    def __init__(
        self,
        desk: JobDesk,
        board: Board,
        *,
        live: Callable[[], LiveWeight],
        facts: Facts,
        alive: Callable[[], Awaitable[bool]],
    ) -> None:
        self._desk = desk
        self._board = board
        self._live = live
        self._facts = facts
        self._alive = alive
        self._clock: Clock = desk.clock
        self._sent = _Sent()

    async def events(self) -> AsyncIterator[bytes]:
        """Frames until the page goes away, the session ends or the board closes."""
        with self._desk.news.listen() as listener:
            yield b"retry: 1000\n\n" + _frame("job", {"version": self._desk.news.version})
            # What ended between the page's making and its stream would else stay unsaid; the page knows its number.
            if (last := self._desk.news.last) is not None:
                yield _frame("outcome", {"number": last.number, "sound": last.sound})
            while not self._board.closed:
                if not await self._alive():
                    yield _frame("locked", {})
                    return
                for frame in self._due(listener):
                    yield frame
                await self._sleep(listener)

    def _due(self, listener: Listener) -> Iterator[bytes]:
        now = self._clock.now_ns()
        while listener.notices:
            notice = listener.notices.popleft()
            if isinstance(notice, Changed):
                yield _frame("job", {"version": notice.version})
            else:
                yield _frame("outcome", {"number": notice.number, "sound": notice.sound})
        live = self._live()
        if self._live_is_due(live, now):
            self._sent.live, self._sent.live_ns = live, now
            yield _frame("live", live.json())
        if (facts := self._facts()) != self._sent.facts:
            self._sent.facts = facts
            yield _frame("facts", {})
        if now - self._sent.beat_ns >= HEARTBEAT_NS:
            self._sent.beat_ns = now
            yield b": here\n\n"

    def _live_is_due(self, live: LiveWeight, now: int) -> bool:
        old, since = self._sent.live, now - self._sent.live_ns
        if old is None or live.state != old.state:
            return True
        return since >= (LIVE_EVERY_NS if live.face() != old.face() else PULSE_NS)

    async def _sleep(self, listener: Listener) -> None:
        changed = self._sent.live is not None and self._live().face() != self._sent.live.face()
        due_ns = self._sent.live_ns + (LIVE_EVERY_NS if changed else PULSE_NS)
        wait_s = max(0.0, (due_ns - self._clock.now_ns()) / 1e9)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await listener.wake.wait()
        listener.wake.clear()


def _frame(event: str, data: dict[str, Any]) -> bytes:
    """One event of the text/event-stream format (HTML Living Standard, 9.2.6)."""
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()
