"""Messages as bytes: how a link that carries messages (Modbus, Bluetooth, MQTT, HID reports, key events) looks to a codec.

One envelope is `1E`, the kind in one byte, two bytes length of the origin, four bytes length of the payload (both big-endian),
the origin as UTF-8, the payload. The origin says where the payload came from or goes to, in the words of its transport
(a characteristic's UUID, a topic, `read:3:6:5`); the payload is what was on the wire, unchanged. An envelope is what a
reading keeps as its raw bytes, so that it can be decoded again without knowing anything but the driver's settings.
"""

import struct
from dataclasses import dataclass

MARK = 0x1E
"""First byte of each envelope: the ASCII record separator."""

DATA = 0x44
"""Kind `D`: a message of the device, or one for it."""

_HEAD = struct.Struct(">BBHI")

MAX_ORIGIN = 1024
"""Bytes: an MQTT topic as long as brokers commonly allow; all other origins are shorter."""

MAX_PAYLOAD = 65_536
"""Bytes: more than any instrument says at once (a Modbus reply 260, a BLE notification 512, an MQTT message a few thousand)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a device, or one for it."""

    origin: str
    payload: bytes

    def to_bytes(self) -> bytes:
        """The envelope. Raises ValueError for an origin or a payload above its cap."""
        origin = self.origin.encode()
        if len(origin) > MAX_ORIGIN or len(self.payload) > MAX_PAYLOAD:
            raise ValueError(
                f"origin of {len(origin)} and payload of {len(self.payload)} bytes are more than an envelope takes"
            )
        return _HEAD.pack(MARK, DATA, len(origin), len(self.payload)) + origin + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> "Message":
        """The message of exactly one envelope. Raises ValueError for anything else."""
        found = EnvelopeBuffer().feed(data)
        if len(found) == 1 and isinstance(found[0], Message) and found[0].to_bytes() == data:
            return found[0]
        raise ValueError("not one envelope")


@dataclass(frozen=True, slots=True)
class Stray:
    """Bytes that are no envelope."""

    raw: bytes


class EnvelopeBuffer:
    """Collects bytes and gives envelopes. The result depends on the bytes alone, never on how they were split.

    Bytes in front of a head that can be one are handed out as Stray, in blocks of at most `STRAY` bytes.
    """

    STRAY = 256

    def __init__(self) -> None:
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes)

    def feed(self, data: bytes) -> list[Message | Stray]:
        """Take bytes, give what is complete."""
        self._bytes += data
        found: list[Message | Stray] = []
        while (one := self._next()) is not None:
            found.append(one)
        return found

    def flush(self) -> list[Stray]:
        """What is left; the buffer is empty afterwards."""
        raw = bytes(self._bytes)
        self._bytes.clear()
        return [Stray(raw)] if raw else []

    def _next(self) -> Message | Stray | None:
        stray = self._stray()
        if stray:
            # Held back until a whole head shows where it ends, so that no split can cut it in two.
            if stray + _HEAD.size <= len(self._bytes) or stray >= self.STRAY:
                return Stray(self._take(min(stray, self.STRAY)))
            return None
        if len(self._bytes) < _HEAD.size:
            return None
        _, _, origin_size, size = _HEAD.unpack_from(self._bytes)
        whole = _HEAD.size + origin_size + size
        if len(self._bytes) < whole:
            return None
        raw = self._take(whole)
        try:
            origin = raw[_HEAD.size : _HEAD.size + origin_size].decode()
        except UnicodeDecodeError:
            return Stray(raw)
        return Message(origin, raw[_HEAD.size + origin_size :])

    def _stray(self) -> int:
        """How many bytes in front cannot begin an envelope."""
        at = 0
        while at < len(self._bytes) and at < self.STRAY and not self._may_begin(at):
            at += 1
        return at

    def _may_begin(self, at: int) -> bool:
        head = self._bytes[at : at + _HEAD.size]
        if head[0] != MARK or (len(head) > 1 and head[1] != DATA):
            return False
        if len(head) < _HEAD.size:
            # The lengths' first bytes already tell what is above its cap.
            head = head + bytes(_HEAD.size - len(head))
        _, _, origin_size, size = _HEAD.unpack(head)
        return bool(origin_size <= MAX_ORIGIN and size <= MAX_PAYLOAD)

    def _take(self, size: int) -> bytes:
        raw = bytes(self._bytes[:size])
        del self._bytes[:size]
        return raw
