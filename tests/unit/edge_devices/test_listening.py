"""Listening to the hub: no captured reading is lost, live values are coalesced, who hangs is cut off."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from edge.devices.hub import LISTENER_BACKLOG, DeviceHub
from edge.devices.live import Captured, HubEvent, LinkState, LiveChanged
from edge.errors import ListenerBehind


@pytest.fixture
async def hub(peer: Any, memory: Any, clock: Any, device: Any, running: Any, until: Any) -> AsyncIterator[DeviceHub]:
    """One reader whose codes are all kept."""
    reader = device(peer.port, name="reader", driver="serial-scanner", capture={"policy": "every"})
    async with running(DeviceHub([reader], journal=memory, clock=clock)) as started:
        await until(lambda: peer.opened and started.live("reader").link is LinkState.UP)
        yield started


async def take_captured(events: AsyncIterator[HubEvent], many: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(20):
        async for event in events:
            if isinstance(event, Captured):
                found.append(event.reading.value)
                if len(found) == many:
                    break
    return found


def scan(peer: Any, memory: Any, first: int, many: int) -> Any:
    peer.say("".join(f"{number}\r" for number in range(first, first + many)))
    return lambda: len([entry for entry in memory.entries if entry.t == "reading"]) >= first + many


async def test_a_slow_listener_gets_every_captured_reading(hub: DeviceHub, peer: Any, memory: Any, until: Any) -> None:
    async with hub.events() as events:
        await until(scan(peer, memory, 0, LISTENER_BACKLOG))
        assert await take_captured(events, LISTENER_BACKLOG) == [str(number) for number in range(LISTENER_BACKLOG)]


async def test_every_listener_hears_of_each(hub: DeviceHub, peer: Any, memory: Any, until: Any) -> None:
    async with hub.events() as one, hub.events() as two:
        await until(scan(peer, memory, 0, 3))
        assert await take_captured(one, 3) == await take_captured(two, 3) == ["0", "1", "2"]


async def test_who_is_too_far_behind_is_told_after_what_it_can_still_have(
    hub: DeviceHub, peer: Any, memory: Any, until: Any
) -> None:
    async with hub.events() as lagging:
        await until(scan(peer, memory, 0, LISTENER_BACKLOG + 5))
        heard = await take_captured(lagging, 1)
        # There is room again, and yet nothing is taken in: what follows a gap would look as if there were none.
        await until(scan(peer, memory, LISTENER_BACKLOG + 5, 3))
        with pytest.raises(ListenerBehind):
            await take_captured(Recorded(lagging, heard), 2 * LISTENER_BACKLOG)
    assert heard == [str(number) for number in range(LISTENER_BACKLOG)]


class Recorded:
    """Events passed on, with what was captured written down."""

    def __init__(self, events: AsyncIterator[HubEvent], heard: list[Any]) -> None:
        self._events = events
        self._heard = heard

    def __aiter__(self) -> "Recorded":
        return self

    async def __anext__(self) -> HubEvent:
        event = await anext(self._events)
        self._heard += [event.reading.value] if isinstance(event, Captured) else []
        return event


async def test_a_hanging_listener_holds_no_more_than_its_backlog(hub: DeviceHub, peer: Any, memory: Any, until: Any) -> None:
    async with hub.events():
        (listener,) = hub._listeners
        await until(scan(peer, memory, 0, 3 * LISTENER_BACKLOG))
        assert len(listener._captured) == LISTENER_BACKLOG
    assert not hub._listeners


async def test_live_values_are_coalesced_to_the_newest_of_each_device(
    peer: Any, memory: Any, clock: Any, device: Any, running: Any, until: Any
) -> None:
    scales = [device(peer.port, name="one"), device(peer.port + 1, name="two")]
    started = DeviceHub(scales, journal=memory, clock=clock)
    async with started.events() as events, running(started):
        await until(lambda: peer.opened)
        peer.say("".join(f"S D {number} g\r\n" for number in range(1000)))
        reading = lambda: started.live("one").reading  # noqa: E731
        await until(lambda: reading() is not None and reading().value == 999)
        await until(lambda: started.live("two").link is LinkState.LOST)
        async with asyncio.timeout(20):
            seen = [await anext(events), await anext(events)]
    assert all(isinstance(event, LiveChanged) for event in seen)
    assert {event.live.device: event.live.link for event in seen} == {"one": LinkState.UP, "two": LinkState.LOST}


async def test_events_begin_when_one_listens(hub: DeviceHub, peer: Any, memory: Any, until: Any) -> None:
    await until(scan(peer, memory, 0, 2))
    async with hub.events() as events:
        await until(scan(peer, memory, 2, 1))
        assert await take_captured(events, 1) == ["2"]


async def test_leaving_in_the_middle_leaves_nothing_behind(hub: DeviceHub, peer: Any, memory: Any, until: Any) -> None:
    for number in range(5):
        async with hub.events() as events:
            await until(scan(peer, memory, number, 1))
            await take_captured(events, 1)
    assert not hub._listeners
