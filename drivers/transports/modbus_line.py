"""A Modbus line: pymodbus' client on a TCP connection or a serial port, used by several devices, one request at a time.

What a codec writes are envelopes of queries (`read:<unit>:<function>:<start>:<count>`, `write:...`); what it reads are the
answers as they came over the wire, in envelopes of the same origin. No bytes in an answer means that none came in time.
"""

import asyncio
import logging
import socket
import struct
import termios
from collections import deque
from collections.abc import Hashable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator
from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from drivers.api import LinkLost, Settings, Transport
from drivers.envelope import EnvelopeBuffer, Message
from drivers.modbus.adu import READS, AduFault, Query, query_of
from drivers.settings import read_settings
from drivers.transports.shared import Shared
from drivers.transports.tcp import KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES

MAX_WAITING = 64
"""Queries of one device that wait for the line: eight blocks a round and a few commands are usual."""

MAX_SILENT = 12
"""Requests in a row on TCP to which nobody answered: the gateway itself is gone, and is connected anew."""

NEVER = 1_000_000_000
"""pymodbus closes a connection after so many silent requests; on a line of many devices one that is off must not."""

# Every time-out and every answer that came too late would be a line; the box says once that a device is silent.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class ModbusSettings(Settings):
    """Where the line is and how it is set. With `host` it is a TCP connection, else a serial port."""

    host: str | None = Field(default=None, min_length=1, max_length=253, description="Address of the device or gateway.")
    port: int | str = Field(
        default=502, description="TCP port beside `host`, else the serial port, best below /dev/serial/by-id."
    )
    framing: Literal["tcp", "rtu"] | None = Field(
        default=None, description="`rtu` for a serial device server that passes RTU frames over TCP."
    )
    baudrate: int = Field(default=9600, ge=300, le=4_000_000, description="Speed of the serial line.")
    bytesize: Literal[7, 8] = Field(default=8, description="Data bits; RTU needs 8.")
    parity: Literal["N", "E", "O"] = Field(
        default="N", description="Parity of the serial line; the standard says E, most say N."
    )
    stopbits: Literal[1, 2] = Field(default=1, description="Stop bits of the serial line.")
    echo: bool = Field(default=False, description="The adapter gives back what it sends, as some two-wire adapters do.")
    timeout_s: float = Field(default=0.5, gt=0, le=10, description="How long an answer is waited for.")
    retries: int = Field(default=1, ge=0, le=5, description="How often a read is repeated; a write never is.")
    connect_timeout_s: float = Field(default=3.0, gt=0, le=60, description="How long a connection may take.")

    @model_validator(mode="after")
    def _names_one_place(self) -> Self:
        if self.host is None and (not isinstance(self.port, str) or not self.port):
            raise ValueError("`host` with its port, or the path of a serial `port`, is needed")
        if self.host is not None and not (isinstance(self.port, int) and 1 <= self.port <= 65_535):
            raise ValueError("the port beside `host` is a number from 1 to 65535")
        return self

    @property
    def where(self) -> str:
        return str(self.port) if self.host is None else f"{self.host}:{self.port}"


class Line:
    """One client on one wire. Devices take turns; when it breaks, all of them lose it."""

    def __init__(self, settings: ModbusSettings) -> None:
        self._settings = settings
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self._turn = asyncio.Lock()
        self._heard = b""
        self._late: asyncio.Future[None] | None = None
        self._silent = 0
        self._broken: str | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    async def open(self) -> None:
        """Connect. Raises LinkLost."""
        wanted = self._settings
        self._client = client = self._make()
        client.set_max_no_responses(NEVER)
        client.ctx.comm_params.timeout_connect = wanted.connect_timeout_s
        try:
            connected = await client.connect()
        # termios.error is no OSError; ValueError is a speed that the adapter refuses; UnicodeError a host that IDNA refuses.
        except (OSError, termios.error, ValueError) as exc:
            raise LinkLost(f"{wanted.where} cannot be opened: {exc}") from exc
        if not connected:
            raise LinkLost(f"{wanted.where} cannot be opened or does not answer")
        client.ctx.comm_params.timeout_connect = wanted.timeout_s
        if wanted.host is not None and client.ctx.transport is not None:
            try:
                _tune(client.ctx.transport.get_extra_info("socket"))
            except OSError as exc:  # closed again by the other side
                raise LinkLost(f"{wanted.where} cannot be opened: {exc}") from exc

    async def close(self) -> None:
        """Never raises; whoever waits gets LinkLost."""
        self._break("was closed")
        client, self._client = self._client, None
        if client is None:
            return
        transport = client.ctx.transport
        client.close()
        if isinstance(transport, asyncio.Transport):
            transport.abort()
        # The socket is closed by the loop's next turn.
        await asyncio.sleep(0)

    async def ask(self, query: Query, payload: bytes) -> bytes:
        """What came to a query, as it was on the wire; nothing when nothing came in time. Raises LinkLost."""
        tries = 1 + (self._settings.retries if query.function in READS else 0)
        async with self._turn:
            for _ in range(tries):
                heard = await self._ask(query, payload)
                if heard:
                    self._silent = 0
                    return heard
                self._silent += 1
                if self._settings.host is not None and self._silent >= MAX_SILENT:
                    self._break("does not answer any more")
                    raise self._lost()
            return b""

    def watch(self, waiter: asyncio.Future[None]) -> None:
        """Raise LinkLost in whoever waits for this, when the line breaks."""
        if self._broken is not None:
            raise self._lost()
        self._waiting.add(waiter)

    def unwatch(self, waiter: asyncio.Future[None]) -> None:
        self._waiting.discard(waiter)

    async def _ask(self, query: Query, payload: bytes) -> bytes:
        client = self._client
        if client is None or self._broken is not None:
            raise self._lost()
        self._heard = b""
        try:
            await client.execute(no_response_expected=False, request=_request(query, payload))
        except ConnectionException as exc:
            raise self._lost() from exc
        except ModbusIOException:
            await self._let_late_answers_pass()
        except ModbusException as exc:  # pragma: no cover - what else pymodbus declares and an answer cannot cause
            raise LinkLost(f"{self._settings.where}: {exc}") from exc
        if self._broken is not None:
            raise self._lost()
        return self._heard

    async def _let_late_answers_pass(self) -> None:
        """RTU answers carry no number: one that comes late would be taken for the answer to the next question."""
        if self._heard or not self._is_rtu:
            return
        self._late = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._late
        except TimeoutError:
            pass
        finally:
            self._late = None
        # What came belongs to a question that was given up.
        self._heard = b""

    @property
    def _is_rtu(self) -> bool:
        return self._settings.framing == "rtu" or (self._settings.host is None and self._settings.framing is None)

    def _make(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        wanted = self._settings
        if wanted.host is None:
            return AsyncModbusSerialClient(
                str(wanted.port),
                framer=FramerType.RTU,
                baudrate=wanted.baudrate,
                bytesize=wanted.bytesize,
                parity=wanted.parity,
                stopbits=wanted.stopbits,
                handle_local_echo=wanted.echo,
                reconnect_delay=0,
                timeout=wanted.timeout_s,
                retries=0,
                trace_packet=self._trace,
                trace_connect=self._connected,
            )
        return AsyncModbusTcpClient(
            wanted.host,
            port=int(wanted.port),
            framer=FramerType.RTU if self._is_rtu else FramerType.SOCKET,
            reconnect_delay=0,
            timeout=wanted.timeout_s,
            retries=0,
            trace_packet=self._trace,
            trace_connect=self._connected,
        )

    def _trace(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self._heard = data
            if self._late is not None and not self._late.done():
                self._late.set_result(None)
        return data

    def _connected(self, connected: bool) -> None:
        if not connected:
            self._break("is gone")

    def _break(self, how: str) -> None:
        self._broken = self._broken or f"{self._settings.where} {how}"
        for waiter in (*self._waiting, self._late):
            if waiter is not None and not waiter.done():
                waiter.set_exception(self._lost())
        # pymodbus lets whoever waits for an answer wait out its time; the line is known to be gone now.
        answer = None if self._client is None else self._client.ctx.response_future
        if answer is not None and not answer.done():
            answer.set_exception(ConnectionException(self._broken))
            answer.exception()  # marks it as seen: nobody may be waiting

    def _lost(self) -> LinkLost:
        return LinkLost(self._broken or f"{self._settings.where} is not open")


class ModbusTransport:
    """One device's place on a line."""

    def __init__(self, settings: ModbusSettings, shared: Shared) -> None:
        self._settings = settings
        self._shared = shared
        self._key: Hashable = ("modbus", settings)
        self._line: Line | None = None
        self._queries = EnvelopeBuffer()
        self._waiting: deque[tuple[Query, Message]] = deque()
        self._ready: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Take part in the line, which is opened by the first. Raises LinkLost."""
        if self._line is None:
            self._line = await self._shared.hold(self._key, lambda: Line(self._settings))

    async def read(self) -> bytes:
        """The envelope of the next answer. Raises LinkLost."""
        line = self._held()
        try:
            while not self._waiting:
                await self._written(line)
            query, message = self._waiting.popleft()
            return Message(message.origin, await line.ask(query, message.payload)).to_bytes()
        except LinkLost:
            # Whoever opens the line next gets a new one.
            self._shared.drop(self._key, line)
            raise

    async def write(self, data: bytes) -> None:
        """Queue the queries in the envelopes; commands go first. Raises LinkLost."""
        self._held()
        for item in self._queries.feed(data):
            if not isinstance(item, Message):
                continue
            try:
                query = query_of(item.origin)
                if query.function not in READS:
                    _request(query, item.payload)
            except (AduFault, struct.error) as exc:
                raise LinkLost(f"{self._settings.where}: {exc}") from exc
            if len(self._waiting) >= MAX_WAITING:
                raise LinkLost(f"{self._settings.where} does not keep up with what is asked")
            if query.function in READS:
                self._waiting.append((query, item))
            else:
                self._waiting.appendleft((query, item))
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    async def close(self) -> None:
        """Leave the line; the last one closes it. Never raises."""
        line, self._line = self._line, None
        self._waiting.clear()
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(LinkLost(f"{self._settings.where} was closed"))
        if line is not None:
            await self._shared.release(self._key, line)

    async def _written(self, line: Line) -> None:
        """Wait until there is something to ask; raises LinkLost when the line breaks meanwhile."""
        self._ready = ready = asyncio.get_running_loop().create_future()
        try:
            line.watch(ready)
            await ready
        finally:
            line.unwatch(ready)
            ready.cancel()
            self._ready = None

    def _held(self) -> Line:
        if self._line is None:
            raise LinkLost(f"{self._settings.where} is not open")
        return self._line


_READ_REQUESTS: Mapping[int, type[ModbusPDU]] = {
    1: ReadCoilsRequest,
    2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
}


def _request(query: Query, payload: bytes) -> ModbusPDU:
    """The query as pymodbus' message. Raises AduFault for a write that it is not made for."""
    read = _READ_REQUESTS.get(query.function)
    if read is not None:
        return read(dev_id=query.unit, address=query.start, count=query.count)
    words = list(struct.unpack(f">{query.count}H", payload))
    match query.function:
        case 5:
            return WriteSingleCoilRequest(dev_id=query.unit, address=query.start, bits=[words[0] != 0])
        case 6:
            return WriteSingleRegisterRequest(dev_id=query.unit, address=query.start, registers=words)
        case 16:
            return WriteMultipleRegistersRequest(dev_id=query.unit, address=query.start, registers=words)
    raise AduFault(f"function {query.function} is not sent")


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)


def make(settings: Mapping[str, object], shared: Shared) -> Transport:
    """A closed place on a line that all devices with the same settings share. Raises SettingsFault."""
    return ModbusTransport(read_settings(ModbusSettings, settings), shared)
