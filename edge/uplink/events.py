"""Listening to the cloud: opens sessions, hands on what is said in them, and says whether it is listened to at all."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from edge.clock import Clock
from edge.uplink.backoff import Backoff
from edge.uplink.binding import Binding, CloudAway
from sync_protocol.commands import Changed, Command, Session

log = structlog.get_logger()

LASTING_NS = 60_000_000_000
"""A session that held for so long was a good one: the next is opened at once. One of two copies of a box that take their
sessions from each other must become slower and slower."""


class Orders(Protocol):
    """Who carries out what the cloud asks. None of these waits for a deed: it is begun, and told in the journal."""

    @property
    def highest_lease(self) -> int:
        """That this box has seen; 0 before the first."""
        ...

    def opened(self, session: Session, *, rtt_ns: int) -> Awaitable[None]:
        """Called for every session, before anything that is said in it; `rtt_ns` is how long opening it took."""
        ...

    def give(self, command: Command) -> None: ...


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told what. Without `orders` this box takes no commands."""

    changed: Callable[[], None]
    """Master data may have changed; also when a session begins and ends, since nobody said what happened in between."""
    orders: Orders | None = None


class Listener:
    """Runs until cancelled. `up` while the cloud would be heard."""

    def __init__(
        self,
        cloud: Binding,
        hearers: Hearers,
        *,
        clock: Clock,
        backoff: Backoff,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cloud = cloud
        self._hearers = hearers
        self._clock = clock
        self._backoff = backoff
        self._sleep = sleep
        self.up = False

    async def run(self) -> None:
        """Open a session, listen, and begin anew when it ends."""
        while True:
            began_ns, asked_s = self._clock.now_ns(), None
            try:
                await self._listen()
            except CloudAway as exc:
                log.debug("not_listening", reason=str(exc))
                asked_s = exc.retry_s
            finally:
                self._ended()
            if self._clock.now_ns() - began_ns > LASTING_NS:
                self._backoff.reset()
            await self._sleep(self._backoff.pause(asked_s))

    async def _listen(self) -> None:
        asked_ns = self._clock.now_ns()
        orders = self._hearers.orders
        session = await self._cloud.open_session(orders.highest_lease if orders else 0)
        if orders is not None:
            await orders.opened(session, rtt_ns=self._clock.now_ns() - asked_ns)
        async with aclosing(self._cloud.events(session.lease)) as messages:
            async for message in messages:
                if not self.up:
                    self.up = True
                    log.info("listening", lease=session.lease)
                if isinstance(message, Changed):
                    self._hearers.changed()
                elif orders is not None:
                    orders.give(message)
        raise CloudAway("the events ended")

    def _ended(self) -> None:
        if self.up:
            self.up = False
            log.info("listening_ended")
            self._hearers.changed()


class Pauses:
    """Pauses that can be cut short: `sleep` in place of asyncio's, `wake` from anywhere in the loop."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """End the pause that is on, or the next one."""
        self._woken.set()

    async def sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()
