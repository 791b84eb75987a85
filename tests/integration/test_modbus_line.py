"""A shared Modbus line against pymodbus' own server: TCP, RTU over a pseudo-terminal, two units, exceptions, silence, noise."""

import asyncio
import contextlib
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.api import LinkLost, SettingsFault, Transport
from drivers.envelope import Message
from drivers.modbus.adu import Query, answer
from drivers.transports import Shared, make_transport

DEADLINE_S = 20.0


@dataclass
class Units:
    """Registers of two units, and what the test wants of the line."""

    words: dict[int, list[int]] = field(default_factory=lambda: {1: [0] * 20, 2: [0] * 20})
    delay_s: float = 0.0
    refuse: ExcCodes | None = None
    asked: list[tuple[int, int, int, int]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def device(self, unit: int) -> SimDevice:
        async def act(function: int, _start: int, address: int, count: int, current: list[int], values: Any) -> ExcCodes | None:
            self.asked.append((unit, function, address, count))
            said = list(self.words[unit])
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await asyncio.sleep(self.delay_s)
            finally:
                self.at_once -= 1
            if self.refuse is not None:
                return self.refuse
            if values:
                self.words[unit][address : address + count] = values
            current[: len(said)] = said
            return None

        return SimDevice(unit, simdata=[SimData(0, count=20, values=0, datatype=DataType.REGISTERS)], action=act)

    def devices(self) -> list[SimDevice]:
        return [self.device(unit) for unit in self.words]


def read_query(unit: int = 1, start: int = 0, count: int = 2) -> Query:
    return Query(unit, 3, start, count)


async def ask(transport: Transport, query: Query, payload: bytes = b"") -> bytes:
    """The answer's frame to one query."""
    await transport.write(Message(query.to_origin(), payload).to_bytes())
    async with asyncio.timeout(DEADLINE_S):
        message = Message.from_bytes(await transport.read())
    assert message.origin == query.to_origin()
    return message.payload


@asynccontextmanager
async def tcp_server(units: Units, port: int = 0, framer: FramerType = FramerType.SOCKET) -> AsyncIterator[int]:
    server = ModbusTcpServer(units.devices(), address=("127.0.0.1", port), framer=framer)
    await server.serve_forever(background=True)
    try:
        assert isinstance(server.transport, asyncio.Server)
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()
        await asyncio.sleep(0.01)


@dataclass
class Cable:
    """Two pseudo-terminals that pass on what the other is told: `box` and `device` are the paths at its ends."""

    box: str
    device: str
    noise: bytes = b""
    cut: Callable[[], None] = lambda: None


@asynccontextmanager
async def cable() -> AsyncIterator[Cable]:
    """A null-modem cable; `noise` goes in front of everything that the device says."""
    ends = [os.openpty(), os.openpty()]
    loop = asyncio.get_running_loop()
    for master, slave in ends:
        tty.setraw(slave)
        os.set_blocking(master, False)
    laid = Cable(os.ttyname(ends[0][1]), os.ttyname(ends[1][1]))

    def carry(source: int, sink: int, *, from_device: bool) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(source, 4096)
            os.write(sink, (laid.noise if from_device else b"") + data)

    loop.add_reader(ends[0][0], lambda: carry(ends[0][0], ends[1][0], from_device=False))
    loop.add_reader(ends[1][0], lambda: carry(ends[1][0], ends[0][0], from_device=True))
    open_files = {file for end in ends for file in end}

    def cut() -> None:
        loop.remove_reader(ends[0][0])
        for file in ends[0]:
            os.close(file)
            open_files.discard(file)

    laid.cut = cut
    try:
        yield laid
    finally:
        for master, _ in ends:
            if master in open_files:
                loop.remove_reader(master)
        for file in open_files:
            os.close(file)


@asynccontextmanager
async def rtu_server(units: Units) -> AsyncIterator[Cable]:
    async with cable() as laid:
        server = ModbusSerialServer(units.devices(), port=laid.device, framer=FramerType.RTU, baudrate=19200)
        await server.serve_forever(background=True)
        try:
            yield laid
        finally:
            await server.shutdown()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(*settings: dict[str, object], shared: Shared | None = None) -> AsyncIterator[list[Transport]]:
    """Places on lines, open; those of the same settings are on one line."""
    line = shared or Shared()
    places = [make_transport("modbus", one, line) for one in settings]
    try:
        for place in places:
            await place.open()
        yield places
    finally:
        for place in places:
            await place.close()
        await asyncio.sleep(0)


async def test_two_units_share_one_connection_one_request_at_a_time() -> None:
    units = Units(delay_s=0.01)
    units.words[1][:2], units.words[2][:2] = [0, 11], [0, 22]
    async with tcp_server(units) as port:
        settings: dict[str, object] = {"host": "127.0.0.1", "port": port}
        async with opened(settings, settings) as (first, second):
            both = await asyncio.gather(
                *(ask(first, read_query(1)) for _ in range(1)), *(ask(second, read_query(2)) for _ in range(1))
            )
            assert [answer(adu, read_query(unit)).words() for unit, adu in zip((1, 2), both, strict=True)] == [(0, 11), (0, 22)]
    assert units.most_at_once == 1


async def test_rtu_over_a_pseudo_terminal_carries_the_frames_as_they_are() -> None:
    units = Units()
    units.words[2][:3] = [1, 2, 3]
    async with rtu_server(units) as laid, opened({"port": laid.box, "baudrate": 19200}) as (place,):
        adu = await ask(place, read_query(2, count=3))
        assert adu[:3] == b"\x02\x03\x06"
        assert answer(adu, read_query(2, count=3)).words() == (1, 2, 3)
        written = Query(2, 16, 4, 2)
        echo = await ask(place, written, b"\x00\x07\x00\x08")
        assert answer(echo, written).data == b"\x00\x02"
        assert units.words[2][4:6] == [7, 8]


async def test_rtu_frames_pass_a_serial_device_server() -> None:
    units = Units()
    units.words[1][0] = 77
    settings: dict[str, object] = {"host": "127.0.0.1", "framing": "rtu"}
    async with tcp_server(units, framer=FramerType.RTU) as port, opened({"port": port, **settings}) as (place,):
        adu = await ask(place, read_query(count=1))
    assert adu[0] == 1
    assert answer(adu, read_query(count=1)).words() == (77,)


@pytest.mark.parametrize(("function", "payload"), [(1, b""), (2, b""), (4, b""), (5, b"\xff\x00"), (6, b"\x00\x09")])
async def test_every_function_is_sent_as_such(function: int, payload: bytes) -> None:
    units = Units()
    query = Query(1, function, 3, 1)
    async with tcp_server(units) as port, opened({"host": "127.0.0.1", "port": port}) as (place,):
        assert answer(await ask(place, query, payload), query).exception is None
    assert units.asked[0][:2] == (1, function)


async def test_an_exception_is_an_answer() -> None:
    units = Units(refuse=ExcCodes.DEVICE_BUSY)
    async with tcp_server(units) as port, opened({"host": "127.0.0.1", "port": port}) as (place,):
        assert answer(await ask(place, read_query()), read_query()).exception == 6
        assert answer(await ask(place, Query(1, 6, 0, 1), b"\0\1"), Query(1, 6, 0, 1)).exception == 6


async def test_silence_is_an_empty_answer_and_only_reads_are_repeated() -> None:
    units = Units(delay_s=3600)
    settings: dict[str, object] = {"host": "127.0.0.1", "timeout_s": 0.05, "retries": 2}
    async with tcp_server(units) as port, opened({"port": port, **settings}) as (place,):
        assert await ask(place, read_query()) == b""
        assert [one[1] for one in units.asked] == [3, 3, 3]
        assert await ask(place, Query(1, 6, 0, 1), b"\0\1") == b""
        assert [one[1] for one in units.asked] == [3, 3, 3, 6]


async def test_a_unit_that_is_off_does_not_close_the_line_for_others() -> None:
    units = Units()
    units.words[1][0] = 5
    async with tcp_server(units) as port:
        settings: dict[str, object] = {"host": "127.0.0.1", "port": port, "timeout_s": 0.1, "retries": 0}
        async with opened(settings, settings) as (dead, alive):
            units.delay_s = 3600
            for _ in range(8):
                assert await ask(dead, read_query(2)) == b""
            units.delay_s = 0.0
            assert answer(await ask(alive, read_query(1, count=1)), read_query(1, count=1)).words() == (5,)


async def test_a_gateway_that_answers_for_nobody_any_more_is_connected_anew() -> None:
    units = Units(delay_s=3600)
    settings: dict[str, object] = {"host": "127.0.0.1", "timeout_s": 0.02, "retries": 5}
    async with tcp_server(units) as port, opened({"port": port, **settings}) as (place,):
        assert await ask(place, read_query()) == b""
        with pytest.raises(LinkLost, match="does not answer any more"):
            await ask(place, read_query())


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next() -> None:
    units = Units(delay_s=0.6)
    settings: dict[str, object] = {"baudrate": 19200, "timeout_s": 0.4, "retries": 0}
    async with rtu_server(units) as laid, opened({"port": laid.box, **settings}) as (place,):
        units.words[1][0] = 1
        assert await ask(place, read_query(count=1)) == b""
        units.words[1][0], units.delay_s = 2, 0.3
        assert answer(await ask(place, read_query(count=1)), read_query(count=1)).words() == (2,)


async def test_noise_in_front_of_an_answer_is_kept_and_the_answer_found() -> None:
    units = Units()
    units.words[1][0] = 9
    async with rtu_server(units) as laid:
        laid.noise = b"\x00\xff"
        async with opened({"port": laid.box, "baudrate": 19200}) as (place,):
            adu = await ask(place, read_query(count=1))
    assert adu.startswith(b"\x00\xff")
    assert answer(adu, read_query(count=1)).words() == (9,)


async def test_noise_alone_comes_out_as_what_it_is() -> None:
    async with cable() as laid:
        device = os.open(laid.device, os.O_RDWR | os.O_NOCTTY)
        try:
            async with opened({"port": laid.box, "timeout_s": 0.1, "retries": 0}) as (place,):
                await place.write(Message(read_query().to_origin(), b"").to_bytes())
                await asyncio.sleep(0.03)
                os.write(device, b"\x01\x03\x04\x00\x00\x00\x01\xde\xad")
                async with asyncio.timeout(DEADLINE_S):
                    message = Message.from_bytes(await place.read())
        finally:
            os.close(device)
    assert message.payload == b"\x01\x03\x04\x00\x00\x00\x01\xde\xad"


async def test_a_broken_line_is_lost_for_all_and_comes_back_for_all() -> None:
    units = Units()
    shared = Shared()
    async with tcp_server(units) as port:
        settings: dict[str, object] = {"host": "127.0.0.1", "port": port}
        async with opened(settings, settings, shared=shared) as (first, second):
            await ask(first, read_query())
            waiting = [asyncio.create_task(place.read()) for place in (first, second)]
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in waiting)
            await _drop_clients(units, port)
            async with asyncio.timeout(DEADLINE_S):
                results = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(result) for result in results] == [LinkLost, LinkLost]
            for place in (first, second):
                await place.close()
        async with opened(settings, settings, shared=shared) as (first, second):
            assert await ask(first, read_query(1))
            assert await ask(second, read_query(2))


async def _drop_clients(units: Units, port: int) -> None:
    """The server closes its connections and goes on listening."""
    del units, port
    server = ModbusTcpServer.active_server
    assert server is not None
    for connection in list(server.active_connections.values()):
        transport = connection.transport
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
    await asyncio.sleep(0)


async def test_a_cable_that_is_pulled_during_a_question_is_lost_at_once() -> None:
    units = Units(delay_s=3600)
    async with rtu_server(units) as laid, opened({"port": laid.box, "baudrate": 19200, "timeout_s": 10}) as (place,):
        await place.write(Message(read_query().to_origin(), b"").to_bytes())
        reading = asyncio.create_task(place.read())
        await asyncio.sleep(0.05)
        laid.cut()
        async with asyncio.timeout(5):
            with pytest.raises(LinkLost):
                await reading


async def test_closing_wakes_the_reader_and_the_last_closes_the_line() -> None:
    units = Units()
    async with tcp_server(units) as port:
        settings: dict[str, object] = {"host": "127.0.0.1", "port": port}
        async with opened(settings, settings) as (first, second):
            reading = asyncio.create_task(first.read())
            await asyncio.sleep(0.02)
            await first.close()
            with pytest.raises(LinkLost):
                await reading
            assert await ask(second, read_query()), "the other still has the line"
            with pytest.raises(LinkLost):
                await first.read()


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "127.0.0.1", "port": 1},
        {"host": "no host at all", "port": 502},
        {"port": "/dev/no-such-port"},
        {"port": "/dev/null"},
    ],
)
async def test_what_cannot_be_opened_is_lost(settings: dict[str, object]) -> None:
    with pytest.raises(LinkLost):
        async with opened({**settings, "connect_timeout_s": 2}):
            pass


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({}, None),
        ({"host": "a", "port": "/dev/ttyS0"}, None),
        ({"host": "a", "port": 0}, None),
        ({"port": "/dev/ttyS0", "parity": "M"}, "parity"),
        ({"port": "/dev/ttyS0", "speed": 1}, "speed"),
    ],
)
def test_settings_that_name_no_line_are_refused(settings: dict[str, object], setting: str | None) -> None:
    with pytest.raises(SettingsFault) as caught:
        make_transport("modbus", settings)
    assert caught.value.setting == setting


async def test_more_questions_than_the_line_can_take_are_a_lost_line() -> None:
    units = Units()
    async with tcp_server(units) as port, opened({"host": "127.0.0.1", "port": port}) as (place,):
        one = Message(read_query().to_origin(), b"").to_bytes()
        await place.write(one * 64)
        with pytest.raises(LinkLost, match="keep up"):
            await place.write(one)


@pytest.mark.parametrize("origin", ["write:1:6:0:2", "write:1:15:0:1", "read:1:3:0", "weigh"])
async def test_what_is_no_query_is_never_sent(origin: str) -> None:
    units = Units()
    async with tcp_server(units) as port, opened({"host": "127.0.0.1", "port": port}) as (place,):
        with pytest.raises(LinkLost):
            await place.write(Message(origin, b"\0\1").to_bytes())
    assert units.asked == []
