"""Finding out what is at the end of a serial line, on a port that a technician allowed, without changing any measurement.

First it only listens: streams tell what they are. A port where something speaks that nobody knows is never asked anything: it
may be a barcode reader or a laboratory device, for which a letter is a command. A silent port is asked, each driver's question
in the order of `Probe.order`, at each line setting that drivers name.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from drivers.api import Driver, LinkLost, Probe, Transport
from drivers.framing import parity_of, without_parity

log = structlog.get_logger()

LINES = ("9600-8N1", "9600-7E1", "2400-7E1", "4800-8N1", "1200-7O1")
"""Settings of the most devices first; those that only a driver names come after them."""

LISTEN_S = 2.0
"""The slowest streams send twice a second."""

REST_S = 1.0
"""After questions that nobody answered: some devices lock their port for a second or more after what they take for nonsense."""

MAX_HEARD = 4096
"""Bytes that are judged: the kernel's buffer of a port."""

_LINE = re.compile(r"(?P<baud>[0-9]{3,7})-(?P<bits>[78])(?P<parity>[NEO])(?P<stop>[12])", re.ASCII)

PARITY_LETTERS = {"even": "E", "odd": "O"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line setting."""

    baudrate: int
    bytesize: int
    parity: str
    stopbits: int

    @classmethod
    def parse(cls, text: str) -> "Line":
        """From `9600-8N1`. Raises ValueError."""
        found = _LINE.fullmatch(text)
        if found is None:
            raise ValueError(f"not a line setting such as 9600-8N1: {text[:20]!r}")
        return cls(int(found["baud"]), int(found["bits"]), found["parity"], int(found["stop"]))

    def __str__(self) -> str:
        return f"{self.baudrate}-{self.bytesize}{self.parity}{self.stopbits}"

    def settings(self) -> dict[str, object]:
        """As the settings of a serial transport."""
        return {"baudrate": self.baudrate, "bytesize": self.bytesize, "parity": self.parity, "stopbits": self.stopbits}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a port gave. `driver` is None when nothing was recognised; `hint` says in words what was seen."""

    driver: str | None
    line: str | None
    heard: bytes
    hint: str | None = None


OpenLine = Callable[[Line], Transport]


async def find_out(open_line: OpenLine, drivers: Iterable[Driver], lines: Sequence[str] = ()) -> Finding:
    """What is there. `lines` restricts and orders the settings. Raises LinkLost when the port cannot be opened."""
    known = sorted((one for one in drivers if one.info.probe is not None), key=lambda one: _probe(one).order)
    waiting = [Line.parse(text) for text in (lines or _all_lines(known))]
    tried: set[Line] = set()
    strange: Finding | None = None
    opened, refused = False, LinkLost("no line setting to try")
    while waiting:
        line = waiting.pop(0)
        if line in tried:
            continue
        tried.add(line)
        try:
            found = await _at(open_line, line, known)
        except LinkLost as lost:
            # An adapter that cannot be set so is asked at other settings; one that cannot be opened at all is lost.
            refused = lost
            continue
        opened = True
        if found.driver is not None:
            return found
        if (better := _without_parity_fault(line, found.heard)) is not None and not lines:
            waiting.insert(0, better)
        if found.heard and (strange is None or strange.hint is None):
            strange = found
    if not opened:
        raise refused
    return strange or Finding(None, None, b"", "nothing was heard, and nothing was answered")


def _probe(driver: Driver) -> Probe:
    if driver.info.probe is None:
        raise AssertionError("only drivers with a probe are asked")
    return driver.info.probe


def _lines_of(driver: Driver) -> tuple[str, ...]:
    own, shipped = _probe(driver).lines, driver.info.serial_defaults
    if own or not shipped:
        return own
    return (f"{shipped['baudrate']}-{shipped['bytesize']}{shipped['parity']}{shipped['stopbits']}",)


def _all_lines(drivers: Iterable[Driver]) -> list[str]:
    named = [line for driver in drivers for line in _lines_of(driver)]
    return list(dict.fromkeys([*LINES, *named]))


async def _at(open_line: OpenLine, line: Line, drivers: Sequence[Driver]) -> Finding:
    """One line setting: listen, then ask what may be asked there."""
    transport = open_line(line)
    await transport.open()
    try:
        heard = await _heard(transport, LISTEN_S)
        if heard:
            return _judged(heard, line, drivers)
        strange = Finding(None, str(line), b"")
        for driver in drivers:
            probe = _probe(driver)
            if not probe.send or str(line) not in _lines_of(driver):
                continue
            found = await _asked(transport, probe, line, drivers)
            if found.driver is not None:
                return found
            strange = found if found.heard else strange
            if probe.undo:
                await transport.write(probe.undo)
        await asyncio.sleep(REST_S)
        return strange
    finally:
        await transport.close()


async def _asked(transport: Transport, probe: Probe, line: Line, drivers: Sequence[Driver]) -> Finding:
    """One question, asked once more after an answer that is nobody's: letters of earlier questions may stand before it."""
    found = Finding(None, str(line), b"")
    for _ in range(2):
        await transport.write(probe.send)
        found = _judged(await _heard(transport, probe.wait_ms / 1000), line, drivers)
        if found.driver is not None or not found.heard:
            break
    return (
        replace(found, hint=found.hint and f"it answers {probe.send!r}, and as no driver knows") if not found.driver else found
    )


async def _heard(transport: Transport, seconds: float) -> bytes:
    """Everything that comes within the time."""
    data = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while len(data) < MAX_HEARD:
                data += await transport.read()
    except TimeoutError:
        pass
    except LinkLost:
        if not data:
            raise
    return bytes(data[:MAX_HEARD])


def _judged(heard: bytes, line: Line, drivers: Sequence[Driver]) -> Finding:
    """Whose bytes these are: of exactly one driver, else nobody's."""
    if not heard:
        return Finding(None, str(line), b"")
    owners = [driver.info.name for driver in drivers if _probe(driver).recognises(heard)]
    if len(owners) == 1:
        log.info("device_recognised", driver=owners[0], line=str(line))
        return Finding(owners[0], str(line), heard)
    if owners:
        return Finding(None, str(line), heard, f"speaks like several: {', '.join(owners)}")
    found = Finding(None, str(line), heard, "something speaks that no driver knows: it was not asked anything")
    parity = parity_of(heard) if line.bytesize == 8 else None
    if parity is None:
        return found
    return replace(found, hint=f"the device sends 7 data bits with {parity} parity, the port read 8")


def _without_parity_fault(line: Line, heard: bytes) -> Line | None:
    """The setting at which these bytes are right, when they carry a parity bit that this one took for data."""
    parity = parity_of(heard) if line.bytesize == 8 and line.parity == "N" else None
    if parity not in PARITY_LETTERS or without_parity(heard, parity) is None:
        return None
    return replace(line, bytesize=7, parity=PARITY_LETTERS[parity])
