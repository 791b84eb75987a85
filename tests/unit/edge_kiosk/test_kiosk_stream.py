"""The event stream: live values at most ten a second, states at once, endings of scans, silence made visible, its end."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from drivers.api import Flag
from edge.devices.live import LinkState
from edge.kiosk.live import Board, live_weight
from edge.kiosk.sessions import Sessions
from edge.kiosk.stream import HEARTBEAT_NS, LIVE_EVERY_NS, PULSE_NS, PageStream
from tests.unit.edge_jobs.station import SCALE, SECOND, Station
from tests.unit.edge_kiosk.conftest import PROGRAM, Kiosk


class Open:
    """A stream being read. `until` gives the data of the next event that fits, waiting generously."""

    def __init__(self, station: Station, board: Board) -> None:
        self.alive = True
        self.fact = "a"

        async def alive() -> bool:
            return self.alive

        stream = PageStream(
            station.desk,
            board,
            live=lambda: live_weight(station.hub.live(SCALE), station.clock.now_ns()),
            facts=lambda: self.fact,
            alive=alive,
        )
        self.frames: AsyncIterator[bytes] = stream.events()
        self.seen: list[tuple[str, Any]] = []

    async def until(self, name: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        async with asyncio.timeout(20):
            async for frame in self.frames:
                for event, data in parsed(frame):
                    self.seen.append((event, data))
                    if event == name and fits(data):
                        return data
        raise AssertionError(f"the stream ended without {name}")


def parsed(frame: bytes) -> list[tuple[str, Any]]:
    found = []
    for block in frame.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
        elif block.startswith(":"):
            found.append(("comment", block))
    return found


@pytest.fixture
async def board(kiosk: Kiosk) -> Board:
    found: Board = kiosk.app.state.board
    return found


async def test_a_stable_weight_arrives_with_its_unit_and_says_that_it_may_be_taken(kiosk: Kiosk, board: Board) -> None:
    page = Open(kiosk.station, board)
    assert (await page.until("live"))["block"] == "no_data"
    kiosk.station.hub.weigh("12.340")
    live = await page.until("live")
    assert (live["state"], live["value"], live["unit"], live["block"]) == ("stable", "12.340", "kg", None)


async def test_values_come_at_most_ten_times_a_second_and_states_at_once(kiosk: Kiosk, board: Board) -> None:
    page, clock, hub = Open(kiosk.station, board), kiosk.station.clock, kiosk.station.hub
    hub.weigh("1.0", "kg", Flag.MOTION)
    await page.until("live")
    begun = clock.now_ns()
    clock.running = True
    for number in range(30):
        hub.weigh(f"1.{number}", "kg", Flag.MOTION)
        await asyncio.sleep(0.005)
    hub.weigh("2.0")
    await page.until("live", lambda live: live["state"] == "stable")
    elapsed = clock.now_ns() - begun
    motion = [data for event, data in page.seen if event == "live" and data["state"] == "motion"]
    assert len(motion) <= 2 + elapsed // LIVE_EVERY_NS


async def test_an_unchanged_value_is_repeated_well_within_two_seconds(kiosk: Kiosk, board: Board) -> None:
    page = Open(kiosk.station, board)
    kiosk.station.hub.weigh("5")
    await page.until("live")
    kiosk.station.clock.running = True
    again = await page.until("live")
    assert again["value"] == "5"
    assert PULSE_NS < 2 * SECOND


async def test_a_silent_scale_becomes_no_data(kiosk: Kiosk, board: Board) -> None:
    page = Open(kiosk.station, board)
    kiosk.station.hub.weigh("5")
    assert (await page.until("live"))["state"] == "stable"
    kiosk.station.clock.turn(2.1)
    live = await page.until("live")
    assert (live["state"], live["value"], live["block"]) == ("no_data", None, "no_data")


async def test_an_unplugged_scale_is_told_at_once_and_comes_back(kiosk: Kiosk, board: Board) -> None:
    page = Open(kiosk.station, board)
    kiosk.station.hub.weigh("5")
    await page.until("live")
    kiosk.station.hub.link(LinkState.LOST)
    lost = await page.until("live")
    assert (lost["state"], lost["value"]) == ("lost", None)
    kiosk.station.hub.weigh("5")
    assert (await page.until("live"))["state"] == "stable"


async def test_a_scan_is_told_with_its_sound_and_the_job_with_its_version(kiosk: Kiosk, board: Board) -> None:
    await kiosk.sign_in()
    page = Open(kiosk.station, board)
    await page.until("job")
    await kiosk.scan("PO-2026-0041")
    changed = await page.until("job")
    assert changed["version"] == kiosk.station.desk.news.version
    assert (await page.until("outcome"))["sound"] == "accepted"
    await kiosk.scan("nonsense\u202e", gtin="00000000000000")
    assert (await page.until("outcome"))["sound"] == "rejected"


async def test_facts_are_told_when_they_change(kiosk: Kiosk, board: Board) -> None:
    page = Open(kiosk.station, board)
    await page.until("facts")
    page.fact = "b"
    kiosk.station.desk.news.poke()
    await page.until("facts")


async def test_the_stream_says_here_every_ten_seconds(kiosk: Kiosk, board: Board) -> None:
    page = Open(kiosk.station, board)
    await page.until("comment")
    kiosk.station.clock.turn(HEARTBEAT_NS / SECOND)
    await page.until("comment")


async def test_a_locked_session_ends_the_stream(kiosk: Kiosk, board: Board) -> None:
    page = Open(kiosk.station, board)
    await page.until("job")
    page.alive = False
    await page.until("locked")
    assert [frame async for frame in page.frames] == []


async def test_a_closing_board_ends_every_stream(kiosk: Kiosk) -> None:
    board = Board(kiosk.station.hub, kiosk.station.desk.news, _no_sessions(kiosk))
    page = Open(kiosk.station, board)
    await page.until("live")
    board.close()
    async with asyncio.timeout(20):
        async for _ in page.frames:
            pass


def _no_sessions(kiosk: Kiosk) -> Sessions:
    deps = kiosk.deps
    return Sessions(deps.store, deps.desk, deps.masters, deps.clock, deps.entropy, lock_after_s=1)


async def test_state_says_everything_a_program_needs(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    kiosk.station.hub.weigh("5")
    state = (await kiosk.client.get("/api/state", headers=PROGRAM)).json()
    of_work = {"awaits", "home", "job", "orders", "notices", "live"}
    assert set(state) == of_work | {"station", "operator", "devices", "sync", "version", "full", "camera", "shot"}
    assert [order["ref"] for order in state["orders"]] == ["PO-2026-0041", "PO-2026-0042"]
    assert {fact["device"]: fact["ok"] for fact in state["devices"]} == {"scale-1": True, "scanner-1": True}
    assert state["live"]["block"] is None
