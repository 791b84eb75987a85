"""Sartorius xBPI on the wire: frames with a length in front and a byte sum behind, and what their bodies say.

Not published by the maker; found out on MSE, WZA and BCE balances (sartoriuslib, docs/protocol.md sections 3, 4, 6 and 8).
"""

import math
import struct
from dataclasses import dataclass
from decimal import Decimal

from drivers.api import Acknowledged, Decoded, Flag, Identity, Kind, Malformed, Reading, Refused, Status
from drivers.framing import Cutter, Frame
from sync_protocol.wiretext import clean

MARKER = 0x41
"""Second byte of everything that a balance sends."""

SHORTEST, LONGEST = 3, 64
"""Values of the length byte. The longest answer seen (a list of modules) has 50; a length of 0x41 could not be told from the
marker."""

MAX_NOISE = 64
"""Bytes between frames that are handed out as one stretch."""

OUT_OF_SCALE = b"\x7f\xff\xff\xff\xff"
"""Section 8.1: in place of the value and its echo, over and under alike."""

UNITS = {0x02: "g", 0x03: "kg", 0x0D: "mg", 0x17: "N"}
"""Section 8.4; others were never seen on a wire."""

ERRORS = {
    0x03: "the value is out of the allowed range",
    0x04: "the balance does not know the command",
    0x06: "not applicable now",
    0x07: "an argument is wrong or missing",
    0x10: "an index is out of its range",
    0x11: "refused (a code of unknown meaning)",
}
"""Section 6."""

FLOAT_BITS = 24
"""Binary digits of a 32-bit float. Where its last one is worth more than the display's last digit, that digit is lost."""

AT_REST = 0x40
STATE_OVER, STATE_UNDER, STATE_AT_REST = 0x02, 0x04, 0x08


def request(opcode: int, *, source: int, target: int) -> bytes:
    """A question or command without arguments: length, source, target, opcode, byte sum."""
    head = bytes([4, source, target, opcode])
    return head + bytes([sum(head) & 0xFF])


def is_whole(raw: bytes) -> bool:
    """Whether this is exactly one frame of a balance with its sum."""
    if len(raw) <= SHORTEST or raw[0] + 1 != len(raw) or raw[1] != MARKER:
        return False
    return sum(raw[:-1]) & 0xFF == raw[-1]


class XbpiFramer(Cutter):
    """Cuts a stream into frames that start with a length and the marker and whose byte sum is right.

    The result depends on the bytes alone. A stretch whose sum is wrong is given up to the next place in it that could be a
    start, so that a real frame behind a false start is found.
    """

    def _next(self) -> Frame | None:
        start = self._start(0, MAX_NOISE + 1)
        if start is None:
            return self._take(MAX_NOISE, ended=False) if len(self._bytes) > MAX_NOISE else None
        if start:
            return self._take(start, ended=False)
        size = self._bytes[0] + 1
        if len(self._bytes) < size:
            return None
        if sum(self._bytes[: size - 1]) & 0xFF == self._bytes[size - 1]:
            return self._take(size, ended=True)
        return self._take(self._start(1, size) or size, ended=False)

    def _start(self, first: int, end: int) -> int | None:
        """The first place from `first` where a frame could start, with both its bytes in front of `end`."""
        for at in range(first, min(end, len(self._bytes)) - 1):
            if self._bytes[at + 1] == MARKER and SHORTEST <= self._bytes[at] <= LONGEST:
                return at
        return None


@dataclass(frozen=True, slots=True)
class _Body:
    subtype: int
    data: bytes


def read_frame(raw: bytes, asked: str | None) -> Decoded:
    """One frame whose sum is right. The reply does not say what it answers; `asked` does. Never raises."""
    body = _Body(raw[2], raw[3:-1])
    if body.subtype == 0x00:
        return Acknowledged("received", raw)
    if body.subtype == 0x01 and len(body.data) == 1:
        code = body.data[0]
        return Refused(f"{code:02X}", ERRORS.get(code, "refused with an unknown code"), raw)
    if body.subtype == 0x48 and len(body.data) in {8, 17}:
        return _state(body.data, raw) if _is_status_block(body.data) else _measured(body.data, raw, asked)
    if body.subtype >> 4 == 5:
        return Identity(clean(body.data.rstrip(b"\x00 ").decode("latin-1")), raw, what="model")
    if body.subtype == 0x45 and len(body.data) == 5:
        return Identity(body.data.hex(), raw, what="serial")
    if body.subtype == 0x4A:
        return Identity(body.data.hex("-"), raw, what="software")
    return Status(f"{body.subtype:02x}: {body.data.hex(' ')}", raw)


def _is_status_block(data: bytes) -> bool:
    return len(data) == 8 and data[1:3] == b"\x00\x81" and data[5:7] == b"\x10\x00"


def _state(data: bytes, raw: bytes) -> Reading:
    flags = {Flag.STATUS}
    if data[3] & STATE_OVER:
        flags.add(Flag.OVERLOAD)
    elif data[3] & STATE_UNDER:
        flags.add(Flag.UNDERLOAD)
    else:
        flags.add(Flag.STABLE if data[3] & STATE_AT_REST else Flag.MOTION)
    return Reading(Kind.MASS, None, None, frozenset(flags), raw)


KINDS = {"gross": Flag.GROSS, "tare_value": Flag.TARE}


def _measured(data: bytes, raw: bytes, asked: str | None) -> Decoded:
    flag = KINDS.get(asked or "", Flag.NET)
    if data[:5] == OUT_OF_SCALE:
        return Reading(Kind.MASS, None, None, frozenset({flag, Flag.UNAVAILABLE}), raw, details={"off_scale": "true"})
    value = _exact(data[:4], data[5] >> 4)
    if value is None:
        return Malformed("a value that is no number, or has more digits than its 32 bits hold", raw)
    code = UNITS.get(data[6] & 0x3F)
    if code is None:
        return Malformed(f"unknown unit {data[6] & 0x3F:02x}: the value cannot be used", raw)
    at_rest = Flag.STABLE if data[7] & AT_REST else Flag.MOTION
    return Reading(Kind.MASS, value, code, frozenset({flag, at_rest}), raw)


def _exact(packed: bytes, decimals: int) -> Decimal | None:
    """The digits that the display shows: the float is the nearest one to them."""
    (approximate,) = struct.unpack(">f", packed)
    if not math.isfinite(approximate):
        return None
    last_digit = Decimal(1).scaleb(-decimals)
    _, exponent = math.frexp(approximate)
    if approximate and Decimal(math.ldexp(1.0, exponent - FLOAT_BITS)) > last_digit:
        return None
    return Decimal(approximate).quantize(last_digit)
