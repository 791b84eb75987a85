"""Reading server-sent events: bytes in any split become the data of whole events (WHATWG HTML, 9.2.6).

Names, ids and retry times are passed over: what counts is in the data.
"""

from sync_protocol.commands import MAX_COMMAND_BYTES
from sync_protocol.errors import TextFault

MAX_EVENT = MAX_COMMAND_BYTES + 1024
"""Bytes of one event with its field names; more comes from no cloud of ours."""


class EventReader:
    """`receive` raises TextFault for an event that is too long; the stream cannot be used after that."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def receive(self, piece: bytes) -> list[bytes]:
        """The data of every event that is complete now."""
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        if piece:
            self._after_cr = piece.endswith(b"\r")
        lines = (bytes(self._line) + piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).split(b"\n")
        self._line = bytearray(lines.pop())
        self._cap(len(self._line))
        return [data for line in lines if (data := self._take(line)) is not None]

    def _take(self, line: bytes) -> bytes | None:
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._size += len(value)
                self._cap(0)
                self._data.append(value.removeprefix(b" "))
            return None
        data, self._data, self._size = self._data, [], 0
        return b"\n".join(data) if data else None

    def _cap(self, more: int) -> None:
        if self._size + more > MAX_EVENT:
            raise TextFault(f"an event of more than {MAX_EVENT} bytes")
