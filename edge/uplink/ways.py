"""Two ways to the cloud used as one: frames go where `policy` says, and what the cloud says by itself comes from either."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import structlog

from edge.clock import Clock
from edge.uplink import policy
from edge.uplink.binding import Binding, BindingName, CloudAway
from edge.uplink.policy import Policy
from sync_protocol.answers import Answer
from sync_protocol.commands import Down, Session

log = structlog.get_logger()


class Ways:
    """A binding made of one or two, the preferred first. Raises what they raise."""

    def __init__(self, ways: Sequence[Binding], clock: Clock) -> None:
        self._ways = {way.name: way for way in ways}
        self._clock = clock
        self._policy = Policy.of(*self._ways)
        self._fell_back = asyncio.Event()
        self._listens: Binding = ways[0]

    @property
    def name(self) -> BindingName:
        """The way that frames go now."""
        return self._policy.using

    async def post(self, frame: bytes, *, packed: bool = False) -> Answer:
        """Send one frame the way that is used now."""
        way = self._ways[self._policy.using]
        try:
            answer = await way.post(frame, packed=packed)
        except CloudAway as exc:
            self._follow(policy.missed(self._policy, way.name, self._clock.now_ns()), reason=str(exc))
            raise
        self._follow(policy.answered(self._policy, way.name), reason="")
        return answer

    async def open_session(self, last: int) -> Session:
        """A new lease, by the way that is used now or else by the other: one of them may carry frames only."""
        first = self._ways[self._policy.using]
        try:
            session = await first.open_session(last)
            self._listens = first
        except CloudAway:
            other = next((way for way in self._ways.values() if way is not first), None)
            if other is None:
                raise
            session = await other.open_session(last)
            self._listens = other
        return session

    def events(self, lease: int) -> AsyncGenerator[Down, None]:
        """What the cloud says by itself, by the way on which the session was opened."""
        return self._listens.events(lease)

    async def probe(self) -> None:
        """Whether the way that is used now may work."""
        await self._ways[self._policy.using].probe()

    async def keep_probing(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look at the preferred way now and then while the other is used; runs until cancelled."""
        while True:
            due_ns = policy.probe_due_ns(self._policy)
            if due_ns is None:
                self._fell_back.clear()
                await self._fell_back.wait()
                continue
            pause_s = (due_ns - self._clock.now_ns()) / 1e9
            if pause_s > 0:
                await sleep(pause_s)
                continue
            try:
                await self._ways[self._policy.ways[0]].probe()
                works, reason = True, "it can be reached again"
            except CloudAway as exc:
                works, reason = False, str(exc)
            self._follow(policy.probed(self._policy, self._clock.now_ns(), works=works), reason=reason)

    async def aclose(self) -> None:
        for way in self._ways.values():
            await way.aclose()

    def _follow(self, after: Policy, *, reason: str) -> None:
        before, self._policy = self._policy, after
        if before.using != after.using:
            log.warning("way_changed", before=before.using, now=after.using, reason=reason)
        if after.fallen_back:
            self._fell_back.set()
