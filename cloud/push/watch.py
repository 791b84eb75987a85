"""Looks at the database for all boxes that listen, and gives each what it was not told yet.

One look a second serves every listening box of a worker: another worker, a command line or a person at the staff pages may
have changed what the boxes must hear of.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.commands import hand_over, open_ids
from cloud.boxes.models import Box, BoxStatus
from cloud.clock import Clock
from cloud.db.engine import Sessions
from cloud.kernel.models import Event
from cloud.mirror.patches import positions, refresh
from sync_protocol.commands import Changed, Command, Down

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
"""How late a box may hear of something at most, while the database answers."""

PAUSE_S = 0.05
"""Between two looks, however many boxes come at one moment."""

HEARTBEAT_S = 15.0
"""Proxies cut a connection that is silent for 30 s."""

REFRESH_EVERY_S = 5.0
"""After something happened, master data of a station are compared this often at most, and then everybody hears at once."""

REFRESH_ANYWAY_S = 60.0
"""Rows may also be changed past the core, with no event that says so."""

MAX_REFRESHES = 20
"""Stations compared in one look: each costs a handful of queries."""

AWAY = (OperationalError, InterfaceError, PoolTimeout)
"""The database cannot be asked now."""

MAX_BOXES = 500
"""Boxes of one query: SQLite takes a thousand parameters at least, PostgreSQL many more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says of one box at one moment; `seq` counts changes of its station's master data."""

    lease: int
    station: str | None
    seq: int | None
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What a listener was told under this lease. A fresh one is told to pull: it may have missed something."""

    seq: int | None = -1
    commands: frozenset[str] = frozenset()


def untold(told: Told, standing: Standing) -> tuple[Told, bool, tuple[str, ...]]:
    """What a listener must hear now: whether to pull, and the ids of commands."""
    fresh = tuple(command for command in standing.commands if command not in told.commands)
    # What ended is forgotten, so that a session of months stays small.
    known = told.commands.intersection(standing.commands) | set(fresh)
    pull = standing.seq != told.seq and standing.station is not None
    return Told(standing.seq, known), pull, fresh


@dataclass(slots=True)
class _Listener:
    box: str
    lease: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    standing: Standing | None = None
    told: Told = field(default_factory=Told)
    ended: bool = False

    def hear(self, standing: Standing | None) -> None:
        """The newest facts; None or another lease ends the session."""
        if standing is None or standing.lease != self.lease:
            self.end()
        elif standing != self.standing:
            self.standing = standing
            self.wake.set()

    def end(self) -> None:
        self.ended = True
        self.wake.set()


class Watch:
    """The listeners of one worker. `run` looks until cancelled, and then ends them all."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._listeners: dict[str, _Listener] = {}
        self._wake = asyncio.Event()
        self._event = -1
        self._refreshed: dict[str, float] = {}
        self._dirty: set[str] = set()
        self._closed = False

    def look_now(self) -> None:
        """Something was changed in this process: do not wait for the next look."""
        self._wake.set()

    async def follow(self, box: str, lease: int) -> AsyncIterator[Down | None]:
        """What a box must hear, and None now and then so that the link is seen to live. Ends when a newer session is opened,
        when the same box follows again, or when this worker stops."""
        listener = _Listener(box, lease, ended=self._closed)
        before = self._listeners.get(box)
        if before is not None:
            before.end()
        self._listeners[box] = listener
        self._wake.set()
        try:
            while not listener.ended:
                if not await _within(listener.wake, HEARTBEAT_S):
                    yield None
                    continue
                listener.wake.clear()
                try:
                    news = await self._news(listener)
                except AWAY as exc:
                    log.warning("push_postponed", reason=type(exc).__name__)
                    await asyncio.sleep(LOOK_EVERY_S)
                    listener.wake.set()
                    continue
                for down in news:
                    yield down
        finally:
            if self._listeners.get(box) is listener:
                del self._listeners[box]

    async def run(self) -> None:
        """Look for ever. A database that is away is asked again at the next look."""
        try:
            while True:
                self._wake.clear()
                try:
                    await self._look()
                except AWAY as exc:
                    log.warning("push_postponed", reason=type(exc).__name__)
                await asyncio.sleep(PAUSE_S)
                await _within(self._wake, LOOK_EVERY_S)
        finally:
            self._closed = True
            for listener in self._listeners.values():
                listener.end()

    async def _news(self, listener: _Listener) -> list[Down]:
        if listener.standing is None or listener.ended:
            return []
        told, pull, ids = untold(listener.told, listener.standing)
        given: list[Command] = []
        if ids:
            async with self._sessions.write() as session:
                given = await hand_over(session, box=listener.box, lease=listener.lease, ids=ids, now=self._clock())
        listener.told = told
        return [*([Changed()] if pull else []), *given]

    async def _look(self) -> None:
        boxes = list(self._listeners)
        for first in range(0, len(boxes), MAX_BOXES):
            some = boxes[first : first + MAX_BOXES]
            async with self._sessions.read() as session:
                found = await standings(session, some)
            for box in some:
                listener = self._listeners.get(box)
                if listener is not None:
                    listener.hear(found.get(box))
        await self._refresh({listener.standing.station for listener in self._listeners.values() if listener.standing})

    async def _refresh(self, stations: set[str | None]) -> None:
        now_s = asyncio.get_running_loop().time()
        wanted = {station for station in stations if station is not None}
        self._refreshed = {station: at for station, at in self._refreshed.items() if station in wanted}
        self._dirty &= wanted
        if not wanted:
            return
        async with self._sessions.read() as session:
            newest = await session.scalar(select(func.max(Event.id))) or 0
        if newest != self._event:
            self._event = newest
            self._dirty |= wanted
        due = sorted(station for station in wanted if self._is_due(station, now_s))
        for station in due[:MAX_REFRESHES]:
            self._refreshed[station] = now_s
            self._dirty.discard(station)
            await refresh(self._sessions, station)
        if due:
            # What was found is told in the next look, which must not wait its second.
            self._wake.set()

    def _is_due(self, station: str, now_s: float) -> bool:
        at = self._refreshed.get(station)
        return at is None or now_s - at >= (REFRESH_EVERY_S if station in self._dirty else REFRESH_ANYWAY_S)


async def standings(session: AsyncSession, boxes: list[str]) -> dict[str, Standing]:
    """The facts of each box that may be told anything; a suspended or revoked one is missing."""
    rows = await session.execute(
        select(Box.id, Box.lease, Box.station_code).where(Box.id.in_(boxes), Box.status == BoxStatus.ACTIVE)
    )
    found = {box: Standing(lease, station, None, ()) for box, lease, station in rows}
    seqs = await positions(session, {one.station for one in found.values() if one.station is not None})
    ids = await open_ids(session, list(found))
    return {box: replace(one, seq=seqs.get(one.station or ""), commands=tuple(ids.get(box, ()))) for box, one in found.items()}


async def _within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False
