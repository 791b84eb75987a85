"""Cutting a stream into frames that are known by their start, their length and their columns, with noise between them.

A shape says of a place in the buffer whether a frame is there; `ShapeFramer` finds the frames and keeps what lies between.
"""

from collections.abc import Callable

from drivers.framing import Frame

MORE = 0
"""A frame may begin here; more bytes will tell."""

NO = -1
"""No frame begins here, whatever comes."""

Shape = Callable[[bytearray, int], int]
"""(buffer, place) -> length of the frame at that place, MORE or NO. The place is inside the buffer."""

STRAY = 256
"""Bytes. Noise is handed out in blocks of this size: enough to see what a line of the wrong speed or protocol says."""

LF = 0x0A


def columns(*wanted: frozenset[int] | None) -> Shape:
    """Frames of a fixed length: for each byte the values it may have, None for any."""

    def shape(buffer: bytearray, at: int) -> int:
        for place, allowed in enumerate(wanted, start=at):
            if place >= len(buffer):
                return MORE
            if allowed is not None and buffer[place] not in allowed:
                return NO
        return len(wanted)

    return shape


def delimited(start: int, end: int, cap: int) -> Shape:
    """Frames from a start byte to an end byte, at most `cap` long. A second start inside says that the first was cut off."""

    def shape(buffer: bytearray, at: int) -> int:
        if buffer[at] != start:
            return NO
        stop = buffer.find(end, at + 1, at + cap)
        if buffer.find(start, at + 1, at + cap if stop < 0 else stop) >= 0:
            return NO
        if stop >= 0:
            return stop - at + 1
        return NO if len(buffer) - at >= cap else MORE

    return shape


def line(end: int, cap: int) -> Shape:
    """Everything up to an end byte, at most `cap` long, for protocols whose frames have no start of their own."""

    def shape(buffer: bytearray, at: int) -> int:
        stop = buffer.find(end, at, at + cap)
        if stop >= 0:
            return stop - at + 1
        return NO if len(buffer) - at >= cap else MORE

    return shape


def word(text: bytes) -> Shape:
    """Exactly these bytes."""
    return columns(*(frozenset({byte}) for byte in text))


def either(*shapes: Shape) -> Shape:
    """The first shape that fits; undecided as long as one before it is."""

    def shape(buffer: bytearray, at: int) -> int:
        for one in shapes:
            size = one(buffer, at)
            if size != NO:
                return size
        return NO

    return shape


class ShapeFramer:
    """Gives frames of a shape, and what is between them, each as a `Frame` that has ended; only their grammar tells them apart.

    The result depends on the bytes alone, never on how they were split. With `line_feed`, an LF behind a frame belongs to it:
    whether the device sends one is seen at the first frame, which waits for the byte behind it; later ones do not wait.
    """

    def __init__(self, shape: Shape, *, line_feed: bool = False) -> None:
        self._shape = shape
        self._line_feed = line_feed
        self._sends_lf: bool | None = None
        self._bytes = bytearray()
        self._behind_frame = False

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
        """What is left; a whole frame that waited for its LF has ended, anything else has not."""
        if not self._bytes:
            return None
        whole = self._shape(self._bytes, 0) == len(self._bytes)
        raw = self._take(len(self._bytes))
        self._sends_lf = None
        self._behind_frame = False
        return Frame(raw, ended=whole)

    def _next(self) -> Frame | None:
        if not self._bytes:
            return None
        if self._behind_frame and self._line_feed and self._bytes[0] == LF:
            self._sends_lf = None  # it sends one after all: look again at the next frame
        at, size = self._find()
        if at >= STRAY:
            return self._stray(STRAY)
        if size <= 0:
            return None  # noise in front is held until it is sure where it ends, so that no split can cut it in two
        if at:
            return self._stray(at)
        size = self._with_line_feed(size)
        if not size:
            return None
        self._behind_frame = True
        return Frame(self._take(size), ended=True)

    def _find(self) -> tuple[int, int]:
        """The first place where a frame is or may be, and what the shape says of it."""
        at = 0
        while at < min(len(self._bytes), STRAY):
            size = self._shape(self._bytes, at)
            if size != NO:
                return at, size
            at += 1
        return at, NO

    def _with_line_feed(self, size: int) -> int:
        if not self._line_feed or self._sends_lf is False:
            return size
        if len(self._bytes) == size:
            return 0
        self._sends_lf = self._bytes[size] == LF
        return size + 1 if self._sends_lf else size

    def _stray(self, size: int) -> Frame:
        self._behind_frame = False
        return Frame(self._take(size), ended=True)

    def _take(self, size: int) -> bytes:
        raw = bytes(self._bytes[:size])
        del self._bytes[:size]
        return raw
