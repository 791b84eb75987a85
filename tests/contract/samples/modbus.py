"""Frames and arguments of the drivers in the area `modbus`."""

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


REFUSED = _rtu("read:1:3:0:8", b"\x83\x02")
BUSY = _tcp("read:1:3:0:8", b"\x83\x06")

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
    # The unit is not sent, and no setting says it here: what needs none is what a fresh driver can read.
    "modbus-ft-112": [
        _message(3, 0, [0, 12345, 0, 2000, 0, 14345, 0x1000, 0x000C, 0, 0x0010, 0, 77]),
        _message(3, 0, [0, 12345, 0, 2000, 0, 14345, 0x1000, 0x0040, 0, 0, 0, 78]),
        _message(3, 0, [0, 0, 0, 0, 0, 0, 0x1000, 0, 0, 0x0020, 0, 79]),
        BUSY,
    ],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
