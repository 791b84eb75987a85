"""The first whole picture of a multipart/x-mixed-replace stream, as cameras really write it. No I/O.

Sources: RFC 2046 5.1 (multipart), Netscape "An exploration of dynamic documents" (x-mixed-replace); the deviations below were
seen with cameras of several makers: boundaries declared with their dashes, undeclared ones, line feeds alone, wrong lengths.
"""

from email.message import Message
from enum import Enum, auto

from drivers.api import WireFault
from drivers.cameras.pictures import MAX_PICTURE

MAX_HEAD = 16 * 1024
"""Bytes of a part's headers, or of what stands before the first boundary."""

MAX_PARTS = 16
"""Parts that are no picture (a text, an empty one) before the stream is taken for something else."""

DASHES = b"--"


class _At(Enum):
    BOUNDARY = auto()
    HEAD = auto()
    BODY = auto()


def boundary_of(content_type: str) -> bytes | None:
    """What the lines that part the stream are called, without dashes in front; None where the header does not say.

    Raises WireFault when the header does not speak of a stream.
    """
    message = Message()
    message["content-type"] = content_type
    if message.get_content_maintype() != "multipart":
        raise WireFault(f"a stream of pictures expected, not {message.get_content_type()[:60]}")
    named = message.get_param("boundary")
    if not isinstance(named, str) or not named:
        return None
    return named.lstrip("-").encode("latin-1", "replace") or None


class PartReader:
    """Feed it bytes until it gives a picture. The result depends on the bytes alone, not on how they were split."""

    def __init__(self, boundary: bytes | None) -> None:
        self._name = boundary
        self._line = b""
        """The boundary's line as the stream has it."""
        self._buffer = bytearray()
        self._at = _At.BOUNDARY
        self._length: int | None = None
        self._looked = 0
        self._parts = 0

    def feed(self, data: bytes) -> bytes | None:
        """The first whole picture once it is there. Raises WireFault for a stream that has none."""
        self._buffer += data
        while True:
            match self._at:
                case _At.BOUNDARY:
                    if not self._find_boundary():
                        return None
                case _At.HEAD:
                    if not self._read_head():
                        return None
                case _At.BODY:
                    body = self._read_body()
                    if body is None:
                        return None
                    self._at, self._looked = _At.BOUNDARY, 0
                    if body:
                        return body
                    self._parts += 1
                    if self._parts >= MAX_PARTS:
                        raise WireFault(f"{MAX_PARTS} parts of the stream are no picture")

    def _find_boundary(self) -> bool:
        """Drop everything up to and with the next boundary's line."""
        while (end := self._buffer.find(b"\n")) >= 0:
            _check_cap(end + 1, MAX_HEAD, "no boundary")
            line = bytes(self._buffer[: end + 1]).strip()
            del self._buffer[: end + 1]
            if not line.startswith(DASHES) or len(line) == len(DASHES):
                continue
            # Compared without any dashes: half of the cameras declare them, and some then send two more.
            if self._name is None or line.lstrip(b"-") == self._name:
                self._line, self._at = line, _At.HEAD
                return True
            if line.strip(b"-") == self._name.strip(b"-"):
                raise WireFault("the stream ended without a picture")
        _check_cap(len(self._buffer), MAX_HEAD, "no boundary")
        return False

    def _read_head(self) -> bool:
        """The part's headers, which may end in either kind of line."""
        ends = [(at + len(end), at) for end in (b"\r\n\r\n", b"\n\n") if (at := self._buffer.find(end)) >= 0]
        if self._buffer.startswith((b"\r\n", b"\n")):  # no headers at all
            ends.append((2 if self._buffer.startswith(b"\r\n") else 1, 0))
        if not ends:
            _check_cap(len(self._buffer), MAX_HEAD, "headers without an end")
            return False
        behind, end = min(ends)
        _check_cap(behind, MAX_HEAD, "headers without an end")
        self._length = _length(bytes(self._buffer[:end]))
        del self._buffer[:behind]
        self._at, self._looked = _At.BODY, 0
        return True

    def _read_body(self) -> bytes | None:
        if self._length is not None:
            if len(self._buffer) < self._length:
                return None
            body = bytes(self._buffer[: self._length])
            del self._buffer[: self._length]
            return body
        parting = b"\n" + self._line
        end = self._buffer.find(parting, self._looked)
        _check_cap(len(self._buffer) if end < 0 else end + len(parting), MAX_PICTURE, "a picture without an end")
        if end < 0:
            # The boundary may begin in what is here already.
            self._looked = max(0, len(self._buffer) - len(self._line))
            return None
        body = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return body


def _check_cap(size: int, cap: int, what: str) -> None:
    if size > cap:
        raise WireFault(f"{what} within {cap} bytes of the stream")


def _length(head: bytes) -> int | None:
    for line in head.split(b"\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            text = value.strip()
            if not text.isdigit() or len(text) > 10:
                raise WireFault("a part's Content-Length is no number")
            if int(text) > MAX_PICTURE:
                raise WireFault(f"a part of more than {MAX_PICTURE} bytes")
            return int(text)
    return None
