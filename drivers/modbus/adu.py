"""Modbus messages: what is asked, the answers' frames (RTU with CRC, TCP with its header), and the exceptions.

Source: MODBUS Application Protocol V1.1b3, ch. 6 and 7; MODBUS over Serial Line V1.02, 2.5.1 and appendix B (CRC);
MODBUS Messaging on TCP/IP V1.0b, 3.1.3 (header).
"""

import struct
from dataclasses import dataclass
from functools import lru_cache

READ_BITS = frozenset({1, 2})
READS = frozenset({1, 2, 3, 4})
WRITES = frozenset({5, 6, 15, 16})
EXCEPTION = 0x80

MAX_REGISTERS = 125
MAX_BITS = 2000
"""Of one answer by the standard; devices may allow less."""

MAX_ADU = 260
"""Bytes of the longest message (TCP header 7, PDU 253)."""

MAX_NOISY = 2 * MAX_ADU
"""Bytes in which an answer is looked for: an echo or noise in front, and the answer."""

BUSY = 6

REASONS = {
    1: "the device does not know this function",
    2: "the device has no such register",
    3: "the device refuses the number of registers or the value",
    4: "the device could not do this",
    5: "the device needs more time",
    BUSY: "the device is busy",
    8: "a parity error in the device's memory",
    0x0A: "the gateway has no path to the device",
    0x0B: "the device behind the gateway does not answer",
}


class AduFault(ValueError):
    """Bytes that are not the answer to what was asked; never leaves this package."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a unit: registers or bits to read, or the bytes of a write. `to_origin` names it in an envelope."""

    unit: int
    function: int
    start: int
    count: int

    def to_origin(self) -> str:
        verb = "read" if self.function in READS else "write"
        return f"{verb}:{self.unit}:{self.function}:{self.start}:{self.count}"


@lru_cache(maxsize=256)
def query_of(origin: str) -> Query:
    """The query that an envelope's origin names. Raises AduFault."""
    verb, *rest = origin.split(":")
    if len(rest) != 4 or not all(part.isascii() and part.isdigit() and len(part) <= 5 for part in rest):
        raise AduFault("the origin is no Modbus query")
    query = Query(*(int(part) for part in rest))
    if query.function not in (READS if verb == "read" else WRITES if verb == "write" else ()):
        raise AduFault("the origin is no Modbus query")
    if query.unit > 255 or query.start + query.count > 65_536 or not 1 <= query.count <= MAX_BITS:
        raise AduFault("the origin is no Modbus query")
    return query


@dataclass(frozen=True, slots=True)
class Answer:
    """What a unit answered: the bytes after the function, or the code of an exception."""

    function: int
    data: bytes
    exception: int | None = None

    def words(self) -> tuple[int, ...]:
        """The registers of a read."""
        return struct.unpack(f">{len(self.data) // 2}H", self.data)

    def bits(self, count: int) -> tuple[int, ...]:
        """The bits of a read, first asked first."""
        return tuple(self.data[at // 8] >> (at % 8) & 1 for at in range(count))


def crc(data: bytes) -> bytes:
    """The two bytes that end an RTU frame, low byte first (polynomial 0xA001)."""
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ _CRC[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")


def answer(adu: bytes, query: Query) -> Answer:
    """The answer in what came: a frame of either kind, with noise around an RTU frame. Raises AduFault where none fits."""
    # RTU first: its check is 16 bits strong, the TCP header's is a few zeroes.
    if len(adu) >= 4 and adu[0] == query.unit and crc(adu[:-2]) == adu[-2:]:
        return _answer(adu[1:-2], query)
    if len(adu) >= 9 and adu[2:4] == b"\0\0" and int.from_bytes(adu[4:6]) == len(adu) - 6:
        if adu[6] != query.unit:
            raise AduFault(f"unit {adu[6]} answered what unit {query.unit} was asked")
        return _answer(adu[7:], query)
    within = [frame for frame, whole in rtu_answers(adu[:MAX_NOISY]) if whole and frame[0] == query.unit]
    if len(within) != 1:
        raise AduFault("neither an RTU frame with a right check nor a TCP frame")
    return _answer(within[0][1:-2], query)


def _answer(pdu: bytes, query: Query) -> Answer:
    function = pdu[0]
    if function == query.function | EXCEPTION:
        if len(pdu) != 2:
            raise AduFault("an exception of another length")
        return Answer(query.function, b"", exception=pdu[1])
    if function != query.function:
        raise AduFault(f"function {function} answered what function {query.function} was asked")
    if function in WRITES:
        if len(pdu) != 5 or int.from_bytes(pdu[1:3]) != query.start:
            raise AduFault("the answer to another write")
        return Answer(function, pdu[3:])
    size = (query.count + 7) // 8 if function in READ_BITS else query.count * 2
    if len(pdu) != 2 + size or pdu[1] != size:
        raise AduFault(f"{len(pdu) - 2} bytes came where {size} were asked for")
    return Answer(function, pdu[2:])


def rtu_answers(capture: bytes) -> list[tuple[bytes, bool]]:
    """A recorded line of RTU answers, cut into frames (True) and the bytes between them (False)."""
    found: list[tuple[bytes, bool]] = []
    stray = at = 0
    while at < len(capture):
        size = _rtu_size(capture[at : at + MAX_ADU])
        if size and crc(capture[at : at + size - 2]) == capture[at + size - 2 : at + size]:
            if stray < at:
                found.append((capture[stray:at], False))
            found.append((capture[at : at + size], True))
            at = stray = at + size
        else:
            at += 1
    if stray < len(capture):
        found.append((capture[stray:], False))
    return found


def _rtu_size(head: bytes) -> int:
    """Length of the answer that begins here; 0 where none can or it is not all there."""
    if len(head) < 5:
        return 0
    function = head[1]
    size = 0
    if function & EXCEPTION and function & 0x7F in READS | WRITES:
        size = 5
    elif function in READS:
        size = 5 + head[2]
    elif function in WRITES:
        size = 8
    return size if size <= len(head) else 0


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_CRC = _crc_table()
