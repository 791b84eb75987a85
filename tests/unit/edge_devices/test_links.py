"""Links against a peer that misbehaves: what is said once, what is capped, and what one device may not do to another."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers import registry
from drivers.api import LinkLost
from drivers.api import SettingsFault as DriverSettingsFault
from edge.devices.hub import DeviceHub
from edge.devices.link import DeviceLink, Owner
from edge.devices.live import Captured, LinkState
from edge.errors import JournalBroken, SettingsFault
from edge.journal.store import Row, connect_sqlite
from edge.settings import DeviceSettings
from edge.supervisor import keep_running

MT_SICS = registry.get("mt-sics")


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


def said(logs: list[Any], event: str) -> int:
    return sum(line["event"] == event for line in logs)


@pytest.fixture
def hub(peer: Any, memory: Any, clock: Any, device: Any) -> DeviceHub:
    return DeviceHub([device(peer.port)], journal=memory, clock=clock)


def is_(hub: DeviceHub, state: LinkState) -> Any:
    return lambda: hub.live("scale").link is state


async def test_lost_and_back_are_said_once_each(
    hub: DeviceHub, peer: Any, memory: Any, clock: Any, running: Any, until: Any, logs: list[Any]
) -> None:
    async with running(hub):
        await until(is_(hub, LinkState.UP))
        assert not logs
        peer.unplug()
        await until(lambda: said(logs, "link_lost"))
        clock.turn(60)
        await asyncio.sleep(0.5)  # some attempts to open
        await peer.plug()
        await until(lambda: memory.notes("link_back"))
    assert (said(logs, "link_lost"), said(logs, "link_back")) == (1, 1)
    assert [len(memory.notes(name)) for name in ("link_lost", "link_back")] == [1, 1]
    assert memory.notes("link_back")[0].data == {"after_s": 60.0}


async def test_a_device_that_was_never_there_is_said_once_too(
    hub: DeviceHub, peer: Any, memory: Any, running: Any, until: Any, logs: list[Any]
) -> None:
    peer.unplug()
    async with running(hub):
        await until(is_(hub, LinkState.LOST))
        await peer.plug()
        await until(is_(hub, LinkState.UP))
        await until(lambda: memory.notes("link_back"))
    assert (said(logs, "link_lost"), said(logs, "link_back")) == (1, 1)


async def test_a_loose_contact_does_not_fill_the_journal(
    hub: DeviceHub, peer: Any, memory: Any, clock: Any, running: Any, until: Any, logs: list[Any]
) -> None:
    async with running(hub):
        for time in range(1, 5):
            await until(lambda time=time: peer.opened == time and is_(hub, LinkState.UP)())
            peer.hang_up()
        peer.unplug()
        await until(is_(hub, LinkState.LOST))
        assert (said(logs, "link_lost"), said(logs, "link_back"), len(memory.entries)) == (1, 1, 2)
        # The last loss came too soon to be told; it is told when it may be, though nothing new happens.
        clock.turn(10)
        await until(lambda: len(memory.notes("link_lost")) == 2)
        await peer.plug()
        await until(lambda: len(memory.notes("link_back")) == 2)


async def test_a_peer_that_hangs_up_at_once_is_asked_ever_more_slowly(
    hub: DeviceHub, peer: Any, running: Any, until: Any
) -> None:
    loop = asyncio.get_running_loop()
    async with running(hub):
        opened = []
        for time in range(1, 5):
            await until(lambda time=time: peer.opened == time)
            opened.append(loop.time())
            peer.hang_up()
    assert [
        round(later - earlier, 3) >= pause for earlier, later, pause in zip(opened, opened[1:], (0.1, 0.2, 0.4), strict=False)
    ]
    assert opened[3] - opened[0] >= 0.7


async def test_garbage_is_noted_once_and_stops_nobody(
    hub: DeviceHub, peer: Any, memory: Any, clock: Any, running: Any, until: Any
) -> None:
    async with running(hub):
        await until(lambda: peer.opened)
        peer.say(b"\xff\xfe\x00 no line of this protocol \r\n" * 2000)
        peer.say("S S 7 g\r\n")
        await until(lambda: hub.live("scale").reading)
        assert len(memory.notes("wire_fault")) == 1
        clock.turn(10)
        peer.say(b"garbage\r\n")
        await until(lambda: len(memory.notes("wire_fault")) == 2)
    assert memory.notes("wire_fault")[1].data["raw"] == "Z2FyYmFnZQ0K"


async def test_garbage_alone_is_no_answer(hub: DeviceHub, peer: Any, clock: Any, running: Any, until: Any) -> None:
    async with running(hub):
        await until(lambda: b"SIR" in peer.heard)
        clock.turn(2)
        await until(is_(hub, LinkState.NO_ANSWER))
        peer.say(b"\xd3\xa0\xd3\xa0\x8d\x0a" * 100)
        await asyncio.sleep(0.1)
        assert is_(hub, LinkState.NO_ANSWER)()


async def test_a_long_frame_is_noted_by_its_head(hub: DeviceHub, peer: Any, memory: Any, running: Any, until: Any) -> None:
    async with running(hub):
        await until(lambda: peer.opened)
        peer.say(b"x" * 5000)
        await until(lambda: memory.notes("wire_fault"))
    assert len(memory.notes("wire_fault")[0].data["raw"]) <= 344


async def test_a_restart_is_noted_though_the_device_has_just_named_itself(
    hub: DeviceHub, peer: Any, memory: Any, running: Any, until: Any
) -> None:
    async with running(hub):
        await until(is_(hub, LinkState.UP))
        await hub.links["scale"].send("identify", "I3")
        peer.say('I3 A "1.20"\r\nI4 A "B2"\r\n')
        await until(lambda: len(memory.notes("device_identified")) == 2)
    assert [note.data["power_up"] for note in memory.notes("device_identified")] == [False, True]


async def test_commands_go_out_and_are_refused_while_the_device_is_away(
    hub: DeviceHub, peer: Any, running: Any, until: Any
) -> None:
    with pytest.raises(LinkLost):
        await hub.links["scale"].send("zero")
    async with running(hub):
        await until(is_(hub, LinkState.UP))
        await hub.links["scale"].send("zero")
        await until(lambda: b"Z\r\n" in peer.heard)
        with pytest.raises(DriverSettingsFault):
            await hub.links["scale"].send("explode")
        peer.unplug()
        await until(is_(hub, LinkState.LOST))
        with pytest.raises(LinkLost):
            await hub.links["scale"].send("zero")


@dataclass
class Always:
    """A transport that never makes anyone wait, as a flooded port."""

    reads: int = 0
    turns: int = 0
    closed: int = 0
    data: bytes = b"?\r\n"

    async def open(self) -> None: ...

    async def read(self) -> bytes:
        self.reads += 1
        assert self.reads < 10_000, "nobody else got a turn"
        return self.data

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Told:
    """What a link's owner hears."""

    states: list[LinkState] = field(default_factory=list)

    def owner(self) -> Owner:
        async def reading(_reading: Any) -> None: ...

        async def note(_name: str, _data: Any) -> None: ...

        async def identified(_identity: str) -> None: ...

        return Owner(reading=reading, state=self.states.append, outdated=lambda: None, identified=identified, note=note)


async def test_a_flooded_port_leaves_the_loop_to_others(clock: Any) -> None:
    port = Always()
    link = DeviceLink("scale", MT_SICS, {}, transport=lambda: port, clock=clock, owner=Told().owner())
    running = asyncio.create_task(link.run())
    for _ in range(50):
        await asyncio.sleep(0)
    assert 10 < port.reads < 1000
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert port.closed == 1


class Bursting:
    """The codec of a driver with a fault of its own."""

    def receive(self, data: bytes, _now_ns: int) -> list[Any]:
        if data:
            raise ZeroDivisionError("a driver's own fault")
        return []

    def poll(self, _now_ns: int) -> bytes | None:
        return None

    def overdue(self, _now_ns: int) -> bool:
        return False


async def test_a_driver_that_bursts_is_lost_closed_and_started_again_while_others_go_on(
    hub: DeviceHub, peer: Any, clock: Any, running: Any, until: Any, logs: list[Any]
) -> None:
    ports: list[Always] = []
    told = Told()

    def port() -> Any:
        ports.append(Always())
        return ports[-1]

    bad = DeviceLink(
        "bad", replace(MT_SICS, make_codec=lambda _settings: Bursting()), {}, transport=port, clock=clock, owner=told.owner()
    )

    async def briefly(_pause_s: float) -> None:
        await asyncio.sleep(0.01)

    async with running(hub):
        task = asyncio.create_task(keep_running("bad", bad.run, sleep=briefly))
        try:
            await until(lambda: len(ports) > 3 and peer.opened)
            peer.say("S S 3 g\r\n")
            await until(lambda: hub.live("scale").reading)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert all(port.closed for port in ports)
    assert told.states[:3] == [LinkState.UP, LinkState.LOST, LinkState.UP]
    assert told.states[-1] is LinkState.LOST
    assert {line["task"] for line in logs if line["event"] == "task_failed"} == {"bad"}


class Gate:
    """A real connection that holds each commit until the gate is open, once it was shut."""

    def __init__(self, path: Path, gate: threading.Event) -> None:
        self._real = connect_sqlite(path)
        self._gate = gate

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT":
            assert self._gate.wait(20)
        return self._real.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Sequence[Row], /) -> sqlite3.Cursor:
        return self._real.executemany(sql, parameters)

    def close(self) -> None:
        self._real.close()


async def test_a_reading_on_its_way_to_the_disk_is_told_though_its_cable_is_pulled(
    peer: Any, clock: Any, device: Any, running: Any, until: Any, open_journal: Any
) -> None:
    gate = threading.Event()
    gate.set()
    async with open_journal(clock, connect=lambda path: Gate(path, gate)) as journal:
        scale = device(peer.port, settings={"mode": "poll"}, capture={"policy": "every"})
        hub = DeviceHub([scale], journal=journal, clock=clock)
        async with hub.events() as events, running(hub):
            await until(is_(hub, LinkState.UP))
            gate.clear()
            peer.say("S S 7 g\r\n")
            await until(lambda: hub.live("scale").reading)
            peer.unplug()
            # The next questions find the cable gone, and end the reader that waits for the disk.
            await until(lambda: clock.turn(1.1) or is_(hub, LinkState.LOST)())
            gate.set()
            async with asyncio.timeout(20):
                heard = [event async for event in first_captured(events)]
    assert [event.reading.value for event in heard] == [7]


async def first_captured(events: Any) -> Any:
    async for event in events:
        if isinstance(event, Captured):
            yield event
            return


async def test_a_broken_journal_stops_no_live_value(
    peer: Any, clock: Any, device: Any, running: Any, until: Any, logs: list[Any]
) -> None:
    class Broken:
        async def append(self, _entry: Any) -> Any:
            raise JournalBroken("a commit failed: disk I/O error")

    hub = DeviceHub([device(peer.port, capture={"policy": "every"})], journal=Broken(), clock=clock)
    async with running(hub):
        await until(lambda: peer.opened)
        peer.say("S S 1 g\r\nwhat\r\nS S 2 g\r\n")
        await until(lambda: hub.live("scale").reading and hub.live("scale").reading.value == 2)
    assert (said(logs, "capture_failed"), said(logs, "note_failed"), said(logs, "task_failed")) == (2, 1, 0)


PTY = {"kind": "serial", "port": "/dev/null-scale"}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"driver": "abacus"}, "no driver 'abacus'"),
        ({"settings": {"mode": "guess"}}, "mode"),
        ({"settings": {"colour": "red"}}, "colour"),
        ({"transport": {}}, "no transport ''"),
        ({"transport": {"kind": "carrier-pigeon"}}, "carrier-pigeon"),
        ({"transport": {"kind": "serial"}}, "port"),
        ({"transport": PTY | {"baudrate": "fast"}}, "baudrate"),
        ({"transport": {"kind": "tcp", "host": "127.0.0.1", "port": 0}}, "port"),
    ],
)
def test_a_device_that_cannot_be_made_is_named_before_anything_starts(
    more: dict[str, Any], named: str, memory: Any, clock: Any
) -> None:
    device = DeviceSettings(**({"id": "scale-9", "driver": "mt-sics", "transport": PTY} | more))
    with pytest.raises(SettingsFault, match=f"scale-9.*{named}"):
        DeviceHub([device], journal=memory, clock=clock)


async def test_introduction_names_each_device_with_all_its_settings(memory: Any, clock: Any, device: Any) -> None:
    devices = [device(1), device(2, name="reader", driver="serial-scanner", settings={"suffix": "\r\n"})]
    await DeviceHub(devices, journal=memory, clock=clock).introduce()
    assert [(entry.device, entry.driver) for entry in memory.entries] == [("scale", "mt-sics"), ("reader", "serial-scanner")]
    assert memory.entries[0].settings == {"mode": "stream", "interval_ms": 100, "end_of_line": "crlf", "weight_command": "SI"}
    assert memory.entries[1].settings["encoding"] == "utf-8"
