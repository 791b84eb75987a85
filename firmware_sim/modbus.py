"""Devices of registers instead of bytes, and how they are plugged in: pymodbus' server speaks for them over the site's wires.

The server sits behind the same wires and faults as every other simulated device, so its frames are split, spoilt and lost
as theirs are.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field
from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from firmware_sim.config import DeviceConfig
from firmware_sim.device import Simulated
from firmware_sim.faults import LineFaults
from firmware_sim.plugged import Clock, Plug, PluggedDevice
from firmware_sim.wires import PtyWire, TcpWire, Wire

WRITES = frozenset({6, 16})


class RegisterRefused(Exception):
    """The device answers with an exception; `code` is its number."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class Registers(Protocol):
    """What a device of registers does. Addresses are those on the wire, from 0."""

    @property
    def functions(self) -> frozenset[int]: ...

    @property
    def unit_id(self) -> int: ...

    @property
    def size(self) -> int:
        """Registers that it has, from address 0."""
        ...

    def is_up(self, now_ns: int) -> bool:
        """False while it boots: it says nothing then."""
        ...

    def read(self, now_ns: int) -> Sequence[int]:
        """All its registers."""
        ...

    def write(self, address: int, words: Sequence[int], now_ns: int) -> None:
        """Raises RegisterRefused."""
        ...

    def allows(self, count: int) -> bool:
        """Whether so many registers may be read at once."""
        ...


class UnitOptions(BaseModel):
    """Options that every simulated Modbus device has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit_id: int = Field(default=1, ge=1, le=247)
    framing: Literal["tcp", "rtu"] | None = None
    """`rtu` on a TCP port: a serial device server that passes frames on."""


class _Served:
    """The server as a device of a wire: bytes in, and what it answers later out by `say`."""

    def __init__(self, registers: Registers, clock: Clock, *, rtu: bool) -> None:
        self._registers = registers
        self._clock = clock
        self.plug: PluggedDevice | None = None
        device = SimDevice(
            registers.unit_id,
            simdata=[SimData(0, count=registers.size, values=0, datatype=DataType.REGISTERS)],
            action=self._act,
        )
        # Never started: it is the wire that listens.
        self._server = ModbusTcpServer(
            device,
            framer=FramerType.RTU if rtu else FramerType.SOCKET,
            address=("127.0.0.1", 0),
        )
        # pymodbus leaves its hooks untyped.
        self._handler = ServerRequestHandler(self._server, None, self._heard, None)  # type: ignore[no-untyped-call]
        self._handler.connection_made(_Answers(self))

    def receive(self, data: bytes, now_ns: int) -> bytes:  # noqa: ARG002 - the server asks the clock itself
        self._handler.data_received(data)
        return b""

    def tick(self, now_ns: int) -> bytes:  # noqa: ARG002 - Modbus devices never speak first
        return b""

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - as above
        return None

    def say(self, data: bytes) -> None:
        if self.plug is not None:
            self.plug.say(data)

    def _heard(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        mine = pdu.dev_id == self._registers.unit_id and self._registers.is_up(self._clock())
        # pymodbus takes no message for one to be left unanswered, as a device does that is another or still boots.
        return pdu if sending or mine else cast("ModbusPDU", None)

    async def _act(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        current: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        now_ns = self._clock()
        if function not in self._registers.functions:
            return ExcCodes.ILLEGAL_FUNCTION
        if values is None and not self._registers.allows(count):
            return ExcCodes.ILLEGAL_VALUE
        try:
            if values is not None:
                self._registers.write(address, [int(value) for value in values], now_ns)
        except RegisterRefused as refused:
            return ExcCodes(refused.code)
        words = self._registers.read(now_ns)
        current[: len(words)] = words[start:]
        return None


class _Answers(asyncio.Transport):
    """Where the server writes."""

    def __init__(self, served: _Served) -> None:
        super().__init__()
        self._served = served

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._served.say(bytes(data))

    def close(self) -> None:
        pass


class ModbusPlug:
    """A device of registers on a pseudo-terminal (RTU) or a TCP port."""

    def __init__(self, device: Registers, config: DeviceConfig, directory: Path, clock: Clock) -> None:
        self._device = device
        self._config = config
        self._clock = clock
        self._wire = _wire(config, directory)
        self._rtu = config.pty is not None or config.options.get("framing") == "rtu"
        self._faults = config.faults.faults()
        self._plugged: PluggedDevice | None = None

    @property
    def address(self) -> str:
        return self._wire.address

    @property
    def is_plugged(self) -> bool:
        return self._wire.plugged

    async def start(self) -> None:
        """Make the address appear. Raises WireTaken."""
        served = _Served(self._device, self._clock, rtu=self._rtu)
        served.plug = self._plugged = PluggedDevice(served, self._wire, clock=self._clock, faults=self._faults)
        await self._plugged.start()

    async def run(self) -> None:
        if self._plugged is not None:
            await self._plugged.run()

    def close(self) -> None:
        if self._plugged is not None:
            self._plugged.close()

    def unplug(self) -> None:
        if self._plugged is not None:
            self._plugged.unplug()

    async def replug(self) -> None:
        if self._plugged is not None:
            await self._plugged.replug()

    def say(self, data: bytes) -> None:
        """Nothing: a Modbus device only ever answers."""

    def set_faults(self, faults: LineFaults) -> None:
        if self._plugged is not None:
            self._plugged.set_faults(faults)


def plug(device: Simulated, config: DeviceConfig, directory: Path, clock: Clock) -> Plug:
    """A device of registers where the site has it. Raises nothing yet; `start` does."""
    return ModbusPlug(cast("Registers", device), config, directory, clock)


def words_of(value: int) -> tuple[int, int]:
    """A 32-bit number as two registers, high word first; negative ones as two's complement."""
    return value >> 16 & 0xFFFF, value & 0xFFFF


def unit_of(options: Mapping[str, object]) -> int:
    return cast("int", options["unit_id"])


def _wire(config: DeviceConfig, directory: Path) -> Wire:
    if config.pty is not None:
        link = directory / config.pty
        link.parent.mkdir(parents=True, exist_ok=True)
        return PtyWire(link)
    return TcpWire(config.host, config.tcp or 0)
