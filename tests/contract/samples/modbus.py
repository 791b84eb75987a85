"""Frames and arguments of the drivers in the area `modbus`."""

import struct

from drivers.envelope import Message
from drivers.modbus.adu import crc


def _message(function: int, start: int, words: list[int]) -> bytes:
    """An answer of unit 1 to a read, over RTU."""
    data = b"".join(word.to_bytes(2) for word in words)
    return _rtu(f"read:1:{function}:{start}:{len(words)}", bytes([function, len(data)]) + data)


def _rtu(origin: str, pdu: bytes) -> bytes:
    adu = b"\x01" + pdu
    return Message(origin, adu + crc(adu)).to_bytes()


def _tcp(origin: str, pdu: bytes) -> bytes:
    return Message(origin, b"\x00\x2a\0\0" + (len(pdu) + 1).to_bytes(2) + b"\x01" + pdu).to_bytes()


def _floats(*values: float) -> list[int]:
    """High word first."""
    return [word for value in values for word in struct.unpack(">HH", struct.pack(">f", value))]


REFUSED = _rtu("read:1:3:0:8", b"\x83\x02")
BUSY = _tcp("read:1:3:0:8", b"\x83\x06")

# Where the unit or the point is not sent and no setting says it, a fresh driver can read what needs neither: states and faults.
SAMPLES: dict[str, list[bytes]] = {
    "modbus": [REFUSED, BUSY, _rtu("write:1:6:5:1", b"\x06\x00\x05\x00\x08")],
    "modbus-laumas": [
        _message(3, 6, [0x0800, 0, 12345, 0, 12345, 0, 20000, 0x000F]),
        _message(3, 6, [0x0D00, 0, 1750, 0, 250, 0, 20000, 0x010F]),
        _message(3, 6, [0x0008, 0, 65000, 0, 65000, 0, 65000, 0x000F]),
        _message(3, 6, [0x0001, 0, 0, 0, 0, 0, 0, 0x000F]),
        _rtu("write:1:6:5:1", b"\x06\x00\x05\x00\x08"),
        REFUSED,
    ],
    "modbus-cas-ci-600d": [_message(3, 6, [0x0004, 0, 65000, 0, 65000]), _message(3, 6, [0x0002, 0, 0, 0, 0]), BUSY],
    "modbus-ft-112": [
        _message(3, 0, [0, 12345, 0, 2000, 0, 14345, 0x1000, 0x000C, 0, 0x0010, 0, 77]),
        _message(3, 0, [0, 12345, 0, 2000, 0, 14345, 0x1000, 0x0040, 0, 0, 0, 78]),
        _message(3, 0, [0, 0, 0, 0, 0, 0, 0x1000, 0, 0, 0x0020, 0, 79]),
        BUSY,
    ],
    "modbus-ft-12": [
        _message(3, 0, [0, 0, 0x4000, 0, 0, 0, 0]),
        _message(3, 0, [0, 0, 0x2000, 0, 0, 0, 0]),
        _message(3, 0, [0, 0, 0, 0, 0, 0, 0]),
    ],
    "modbus-dad-141": [_message(3, 0x3500, [*_floats(70.5, 70.5), 2]), _message(3, 0x3500, [*_floats(-1.5, -1.5), 1]), REFUSED],
    "modbus-eagle": [REFUSED, BUSY],
    "modbus-hardy": [_message(3, 0, [0, 0, 0, 0, 0, 0, *_floats(1.5, 2.5), 0, 1, 0, 0]), BUSY],
    "modbus-pr5410": [
        _rtu("read:1:1:32:8", b"\x01\x01\x44") + _message(3, 16, [0, 60000]),
        _rtu("read:1:1:32:8", b"\x01\x01\x01") + _message(3, 16, [0, 0]),
        _rtu("write:1:5:112:1", b"\x05\x00\x70\xff\x00"),
    ],
    "modbus-dini-dgt": [_message(4, 0, [0, 60000, 0, 60000, 0x0010, 0]), _message(4, 0, [0, 5, 0, 5, 0x0008, 0])],
    "modbus-radwag-pue": [
        _message(4, 0, [*_floats(1.25, 0.0), 2, 0x0003]),
        _message(4, 0, [*_floats(31.5, 0.0), 2, 0x0101]),
        _message(4, 0, [*_floats(0.0, 0.0), 2, 0x0000]),
    ],
    "modbus-pavone-dat": [_message(3, 0, [0x0020, 0, 60000, 0, 60000]), _message(3, 0, [0x0040, 0, 0, 0, 0])],
    "modbus-rinstrum-300": [_message(3, 0, [0x0002, 0, 0, 60000]), _message(3, 0, [0, 0x8000, 0, 0])],
    # One value of several: the others' registers were not read.
    "modbus-simex-trs": [_message(3, 1, [0xFFF6, 0]), _message(3, 1, [215, 0x40]), _message(3, 3, [455, 0])],
    "modbus-vaisala": [_message(3, 0, [0x9A3D, 0x41B5]), _message(3, 8, [0xF596, 0xC0E7]), _message(3, 8, [0, 0x7FC0])],
    "modbus-ee210": [_message(3, 0x19, [0x2900, 0x41C2])],
    "modbus-comet": [_message(3, 49, [0xFFF6]), _message(3, 50, [455]), _message(3, 49, [0x8000])],
    "modbus-climate": [_message(4, 0, [0xFFF6]), _message(4, 1, [455]), _message(4, 0, [0x8000])],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
