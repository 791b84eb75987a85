"""The live weight as pages get it, and the board that wakes every page's stream when something of the box changed."""

import asyncio
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final

from drivers.api import Flag, Kind
from edge.devices.live import FRESH_NS, Captured, Hub, LinkState, LiveValue
from edge.jobs.news import News
from edge.jobs.weighing import WeightState, weight_state, why_not
from edge.kiosk.sessions import Sessions
from sync_protocol.quantity import plain

TICK_S: Final = 1.0
"""How often idle sessions are looked for and streams are woken for what has no event of its own (ages, a silent scale)."""

_WITH_VALUE: Final = frozenset({WeightState.STABLE, WeightState.MOTION, WeightState.OUT_OF_CALIBRATION})


@dataclass(frozen=True, slots=True)
class LiveWeight:
    """What the page shows. `value` and `unit` only while the scale vouches for a number; `block` is why it cannot be taken."""

    state: str
    value: str | None
    unit: str | None
    net: bool
    block: str | None
    age_ms: int | None
    keeps_ms: int = FRESH_NS // 1_000_000
    """From when on the page shows it as stale, counted from the reading."""

    def face(self) -> tuple[object, ...]:
        """What can be seen of it: two equal faces need no second event."""
        return self.state, self.value, self.unit, self.net, self.block

    def json(self) -> dict[str, Any]:
        return asdict(self)


def live_weight(live: LiveValue | None, now_ns: int) -> LiveWeight:
    """The scale's newest value in words."""
    state = weight_state(live, now_ns)
    reading = live.reading if live is not None and state in _WITH_VALUE else None
    shown = reading is not None and isinstance(reading.value, Decimal)
    return LiveWeight(
        state=state.value,
        value=plain(reading.value) if reading is not None and isinstance(reading.value, Decimal) else None,
        unit=reading.unit if reading is not None and shown else None,
        net=reading is not None and Flag.NET in reading.flags,
        block=why_not(live, now_ns),
        keeps_ms=(live.keeps_ns if live is not None else FRESH_NS) // 1_000_000,
        age_ms=(now_ns - live.at_ns) // 1_000_000 if live is not None and live.at_ns is not None else None,
    )


@dataclass(frozen=True, slots=True)
class DeviceFact:
    """One device in the footer. `ok` is False when work with it is impossible now."""

    device: str
    role: str
    link: str
    ok: bool


def device_facts(hub: Hub, *, scale: str | None, scanner: str | None) -> list[DeviceFact]:
    """Every device of the box and whether it can be heard."""
    roles = {scale: "scale", scanner: "scanner"}
    return [
        DeviceFact(name, roles.get(name, "device"), live.link.value, ok=live.link is LinkState.UP)
        for name in hub.devices()
        for live in (hub.live(name),)
    ]


class Board:
    """Wakes the streams. One per kiosk; runs as long as the application."""

    def __init__(self, hub: Hub, news: News, sessions: Sessions) -> None:
        self._hub = hub
        self._news = news
        self._sessions = sessions
        self.closed = False

    async def run(self) -> None:
        """Forward the hub's events and tick, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forward())
            tasks.create_task(self._tick())

    def close(self) -> None:
        """End every stream: a server that shuts down would wait for them."""
        self.closed = True
        self._news.poke()

    async def _forward(self) -> None:
        async with self._hub.events() as events:
            async for event in events:
                if isinstance(event, Captured) and event.reading.kind is Kind.CODE:
                    self._sessions.scanned()
                self._news.poke()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self._sessions.lock_idle()
            self._news.poke()
