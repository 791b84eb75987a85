"""Cutting a stream whose frames start with a mark: what is between frames is kept, and a cut-off frame costs itself only."""

from collections.abc import Callable

from drivers.api import Malformed
from drivers.framing import Cutter, Frame, parity_of, without_parity

NO_FRAME = 0
"""What a `Measure` says where no frame can start."""

Measure = Callable[[bytearray, int], int | None]
"""Length of the frame that starts at an offset; None while more bytes must tell, NO_FRAME where none starts.

More bytes never change an answer once given, and one is given within the cap of the protocol's frames.
"""

STRAY = 256
"""Bytes. What is no frame is handed out in blocks of this size, so that endless noise is seen and does not grow the memory."""


SURE = 4
"""Bytes. As many that all carry the same parity are no accident: one in eight even so, and they are no frame anyway."""


class MarkedFrames(Cutter):
    """Frames as `measure` finds them, and what lies between as frames of its own, which no protocol takes for one of its.

    The result depends on the bytes alone, never on how they were split: bytes in front are held back until a whole frame
    behind them, or their own number, says where they end.
    """

    def __init__(self, measure: Measure) -> None:
        super().__init__()
        self._measure = measure

    def _next(self) -> Frame | None:
        size = self._size()
        return None if size is None else self._take(size, ended=True)

    def _size(self) -> int | None:
        for at in range(min(len(self._bytes), STRAY)):
            size = self._measure(self._bytes, at)
            if size is None:
                return None
            if size != NO_FRAME:
                return at or size
        return STRAY if len(self._bytes) >= STRAY else None


def is_whole(measure: Measure, raw: bytes) -> bool:
    """Whether these bytes are exactly one frame: what lies between two may begin like one that was cut off."""
    return bool(raw) and measure(bytearray(raw), 0) == len(raw)


def between(starts: bytes, ends: bytes, cap: int) -> Measure:
    """Frames from one of `starts` to the first of `ends`, at most `cap` bytes; a start inside says that the first was cut."""

    def measure(data: bytearray, at: int) -> int | None:
        if data[at] not in starts:
            return NO_FRAME
        for offset in range(at + 1, min(len(data), at + cap)):
            if data[offset] in ends:
                return offset + 1 - at
            if data[offset] in starts:
                return NO_FRAME
        return None if len(data) < at + cap else NO_FRAME

    return measure


def stray(raw: bytes) -> Malformed:
    """Bytes that are no frame; a wrong line setting is named where it shows."""
    if (parity := _parity(raw)) is not None:
        return Malformed(
            f"line setting: bytes carry {parity} parity in bit 7; the device sends 7 data bits, the port reads 8", raw
        )
    return Malformed("bytes that belong to no frame: a cut-off start, another protocol or line setting", raw)


def _parity(raw: bytes) -> str | None:
    """As `parity_of`, and for frames with control characters where they are long enough for no accident."""
    if (found := parity_of(raw)) is not None or len(raw) < SURE or not any(byte & 0x80 for byte in raw):
        return found
    return next((parity for parity in ("even", "odd") if without_parity(raw, parity) is not None), None)
