"""Lines that end by their length: each begins with the profile's `start` and has as many bytes as it says."""

from drivers.framing import Cutter, Frame

NOISE = 256
"""Bytes in front of a beginning are handed out in blocks of this size."""


class LengthBuffer(Cutter):
    """Collects bytes and gives lines of a fixed length. The result depends on the bytes alone, never on their split."""

    def __init__(self, start: bytes, length: int) -> None:
        super().__init__()
        self._start = start
        self._length = length

    def _next(self) -> Frame | None:
        noise = self._noise()
        if noise:
            # Held back until it is certain where it ends, so that no split can cut it in two.
            certain = noise < len(self._bytes) or noise >= NOISE
            return self._take(min(noise, NOISE), ended=False) if certain else None
        if len(self._bytes) < self._length or not self._bytes.startswith(self._start):
            return None
        return self._take(self._length, ended=True)

    def _noise(self) -> int:
        """How many bytes in front cannot begin a line."""
        at = 0
        while at < len(self._bytes) and at < NOISE and not self._may_begin(at):
            at += 1
        return at

    def _may_begin(self, at: int) -> bool:
        head = bytes(self._bytes[at : at + len(self._start)])
        return head == self._start[: len(head)]
