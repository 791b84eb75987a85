"""What a bad line does to bytes: cuts them, glues them, delays, loses, adds some, sends parity bits, or is unplugged.

Deterministic: the same plan, the same writes at the same times give the same pieces at the same times. A serial line keeps the
order of bytes, so nothing here reorders.
"""

from collections import deque
from dataclasses import dataclass, field
from random import Random

MAX_HELD = 65_536
"""Bytes held back on one line: above a second of the fastest serial line in use (460800 baud). What comes on top is lost."""

KINDS = ("split", "delay", "drop", "noise", "unplug")


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """How bad one direction of a line is. Probabilities are 0..1; the default is a perfect line."""

    split: float = 0.0
    """Chance that a write is cut into pieces of 1 to `split_bytes` bytes, `split_gap_ns` apart."""
    split_bytes: int = 3
    split_gap_ns: int = 2_000_000
    glue_ns: int = 0
    """Writes that follow each other within this time leave as one piece."""
    delay_ns: tuple[int, int] = (0, 0)
    drop: float = 0.0
    """Chance for each byte to be lost, as in an overrun."""
    noise: float = 0.0
    """Chance that a random byte appears in front of a byte."""
    unplug: float = 0.0
    """Chance that a write ends with the plug being pulled, for a time between the two of `away_ns`."""
    away_ns: tuple[int, int] = (500_000_000, 3_000_000_000)
    parity_7e1: bool = False
    """The line is set to 7 data bits with even parity, while the host reads 8 bits without parity."""


@dataclass(frozen=True, slots=True)
class LineFaults:
    """Both directions of a line; the default is a perfect one."""

    from_device: FaultPlan = field(default_factory=FaultPlan)
    to_device: FaultPlan = field(default_factory=FaultPlan)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that arrive together."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PlugPulled:
    """The line is dead for this long."""

    away_ns: int


Happening = Piece | PlugPulled


class FaultLayer:
    """One direction of one line: `push` what is written, `pull` what has arrived by now."""

    def __init__(self, plan: FaultPlan, seed: int) -> None:
        self.plan = plan
        self.lost = 0
        """Bytes that did not arrive: dropped, cut off by an unplug, or above the cap."""
        # Each kind of fault draws for itself, so that setting one does not move where the others strike.
        self._random = {kind: Random(f"{seed}:{kind}") for kind in KINDS}  # noqa: S311 - repeatable, not secret
        self._held: deque[tuple[int, Happening]] = deque()
        self._held_bytes = 0
        self._last_release_ns = 0
        self._glue = bytearray()
        self._glue_until_ns: int | None = None

    def push(self, data: bytes, now_ns: int) -> None:
        """Write bytes to the line."""
        room = MAX_HELD - self._held_bytes - len(self._glue)
        self.lost += max(len(data) - room, 0)
        data = data[: max(room, 0)]
        if not data:
            return
        self._flush_glue(now_ns)
        if self.plan.glue_ns == 0:
            self._send(data, now_ns)
            return
        self._glue += data
        if self._glue_until_ns is None:
            self._glue_until_ns = now_ns + self.plan.glue_ns

    def pull(self, now_ns: int) -> list[Happening]:
        """What arrives up to now, in order."""
        self._flush_glue(now_ns)
        arrived: list[Happening] = []
        while self._held and self._held[0][0] <= now_ns:
            _, happening = self._held.popleft()
            if isinstance(happening, Piece):
                self._held_bytes -= len(happening.data)
            arrived.append(happening)
        return arrived

    def due_ns(self) -> int | None:
        """When the next thing arrives."""
        due = [self._held[0][0]] if self._held else []
        if self._glue_until_ns is not None:
            due.append(self._glue_until_ns)
        return min(due, default=None)

    def cut(self) -> None:
        """The line was unplugged: what is on it is lost."""
        self.lost += self._held_bytes + len(self._glue)
        self._held.clear()
        self._held_bytes = 0
        self._glue.clear()
        self._glue_until_ns = None

    def _flush_glue(self, now_ns: int) -> None:
        if self._glue_until_ns is not None and now_ns >= self._glue_until_ns:
            glued, at_ns = bytes(self._glue), self._glue_until_ns
            self._glue.clear()
            self._glue_until_ns = None
            self._send(glued, at_ns)

    def _send(self, data: bytes, now_ns: int) -> None:
        spoiled = self._spoil(data)
        release_ns = now_ns + self._random["delay"].randint(*self.plan.delay_ns)
        for piece in self._pieces(spoiled):
            self._last_release_ns = max(release_ns, self._last_release_ns)
            self._held.append((self._last_release_ns, Piece(piece)))
            self._held_bytes += len(piece)
            release_ns += self.plan.split_gap_ns
        if self._happens("unplug", self.plan.unplug):
            self._held.append((self._last_release_ns, PlugPulled(self._random["unplug"].randint(*self.plan.away_ns))))

    def _spoil(self, data: bytes) -> bytes:
        spoiled = bytearray()
        for byte in data:
            if self._happens("noise", self.plan.noise):
                spoiled.append(self._random["noise"].randrange(256))
            if self._happens("drop", self.plan.drop):
                self.lost += 1
            else:
                spoiled.append(even_parity(byte) if self.plan.parity_7e1 else byte)
        return bytes(spoiled)

    def _pieces(self, data: bytes) -> list[bytes]:
        if not data:
            return []
        if not self._happens("split", self.plan.split):
            return [data]
        pieces: list[bytes] = []
        start = 0
        while start < len(data):
            end = start + self._random["split"].randint(1, self.plan.split_bytes)
            pieces.append(data[start:end])
            start = end
        return pieces

    def _happens(self, kind: str, chance: float) -> bool:
        return self._random[kind].random() < chance


def even_parity(byte: int) -> int:
    """Seven data bits with the even parity bit in bit 7: what a host set to 8N1 sees of a 7E1 line."""
    seven = byte & 0x7F
    return seven | (0x80 if seven.bit_count() % 2 else 0)


def seen_as_7e1(data: bytes) -> bytes:
    """What a 7E1 instrument makes of bytes sent as 8N1: bit 7 is set on each byte whose parity is wrong."""
    return bytes((byte & 0x7F) | (0x80 if byte.bit_count() % 2 else 0) for byte in data)
