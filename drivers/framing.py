"""Cutting a byte stream into frames that end in a terminator: the buffer, its cap, and the signs of wrong line settings."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One stretch of the stream. `ended` is False for what ran into the cap or was left when the input ended."""

    raw: bytes
    ended: bool


class Cutter(ABC):
    """What all that cut a stream into frames share: bytes are collected, and given out as often as `_next` finds something.

    The result depends on the bytes alone, never on how they were split, as long as `_next` looks at nothing else.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes)

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes, give what is complete."""
        self._bytes += data
        frames: list[Frame] = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def flush(self) -> Frame | None:
        """What is left; the buffer is empty afterwards."""
        return self._take(len(self._bytes), ended=False) if self._bytes else None

    @abstractmethod
    def _next(self) -> Frame | None:
        """What comes next, taken off the bytes with `_take`; None while more bytes must tell."""

    def _take(self, size: int, *, ended: bool) -> Frame:
        raw = bytes(self._bytes[:size])
        del self._bytes[:size]
        return Frame(raw, ended)


class FrameBuffer:
    """Collects bytes and gives frames up to and including each terminator.

    The result depends on the bytes alone, never on how they were split: a stretch without a terminator is handed out in
    blocks of exactly `cap` bytes, and the block that the next terminator ends still belongs to it (`ended` False). `also` may
    find the length of a frame in front that ends in another way.
    """

    def __init__(self, ends: tuple[bytes, ...], cap: int, also: Callable[[bytes], int | None] | None = None) -> None:
        self._ends = ends
        self._cap = cap
        self._also = also
        self._bytes = bytearray()
        self._overflowed = False

    def __len__(self) -> int:
        return len(self._bytes)

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes, give what is complete."""
        self._bytes += data
        frames: list[Frame] = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def flush(self) -> Frame | None:
        """What is left; the buffer is empty afterwards."""
        raw = bytes(self._bytes)
        self._bytes.clear()
        self._overflowed = False
        return Frame(raw, ended=False) if raw else None

    def _next(self) -> Frame | None:
        size = self._terminated()
        if size is not None:
            frame = Frame(self._take(size), ended=not self._overflowed)
            self._overflowed = False
            return frame
        if len(self._bytes) >= self._cap:
            self._overflowed = True
            return Frame(self._take(self._cap), ended=False)
        return None

    def _terminated(self) -> int | None:
        """Length of the first frame with its terminator, when that fits the cap."""
        found = [at + len(end) for end in self._ends if (at := self._bytes.find(end, 0, self._cap)) >= 0]
        if self._also is not None and (size := self._also(bytes(self._bytes[: self._cap]))) is not None:
            found.append(size)
        return min(found, default=None)

    def _take(self, size: int) -> bytes:
        raw = bytes(self._bytes[:size])
        del self._bytes[:size]
        return raw


PARITIES = ("even", "odd", "mark")


def parity_of(raw: bytes) -> str | None:
    """`even`, `odd` or `mark` when every byte carries that parity in bit 7 and the rest is printable ASCII, CR, LF, STX or ETX.

    A 7-bit device read with 8 data bits and no parity looks like this. None without any bit 7 set, and for other bytes.
    """
    if not any(byte & 0x80 for byte in raw):
        return None
    if not all(0x20 <= byte & 0x7F < 0x7F or byte & 0x7F in b"\r\n\x02\x03\x1d\t" for byte in raw):
        return None
    ones = {byte.bit_count() % 2 for byte in raw}
    if ones == {0}:
        return "even"
    if ones == {1}:
        return "odd"
    return "mark" if all(byte & 0x80 for byte in raw) else None


def with_parity(raw: bytes, parity: str) -> bytes:
    """7-bit bytes as a device with `even`, `odd` or `mark` parity puts them on a line that is read with 8 bits."""
    if parity == "mark":
        return bytes(byte | 0x80 for byte in raw)
    wanted = 0 if parity == "even" else 1
    return bytes(byte if byte.bit_count() % 2 == wanted else byte ^ 0x80 for byte in raw)


def without_parity(raw: bytes, parity: str) -> bytes | None:
    """The 7-bit bytes of a capture whose bit 7 carries `even` or `odd` parity; None when a byte does not."""
    wanted = 0 if parity == "even" else 1
    if any(byte.bit_count() % 2 != wanted for byte in raw):
        return None
    return bytes(byte & 0x7F for byte in raw)
