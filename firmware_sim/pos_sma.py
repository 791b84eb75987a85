"""A scale with the SMA protocol, levels 1 and 2: LF, letter, CR; every answer says everything.

Sources: Sartorius PR 5220 and PR 5211 manuals, SMA chapters; Fairbanks PR 5410 manual, SMA chapter.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from firmware_sim.balance import SAMPLE_NS, Balance, Reach, Weight
from firmware_sim.pos_lines import LineScale
from firmware_sim.specs import TerminalSpec

DASHES = "-" * 10
LEVEL_TWO = frozenset("RTMCAB")


class SmaOptions(BaseModel):
    """How the scale is set up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal[1, 2] = 2
    underscore: bool = False
    """Some devices print the blank of the unit as the standard writes it."""


class SmaScale(LineScale):
    """W H P Q Z T M C D A B R, and ESC, which ends what is under way."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._waits_ns: int | None = None
        self._give_up_ns = 0
        self._repeat_ns: int | None = None
        self._told = 0

    def hear(self, data: bytes, now_ns: int) -> bytes:
        if b"\x1b" in data:
            self._waits_ns = self._repeat_ns = None
        return super().hear(data.replace(b"\x1b", b""), now_ns)

    def command(self, text: str, now_ns: int) -> bytes:
        letter = text.rpartition("\n")[2]
        if "\n" not in text or len(letter) != 1:
            return b"\n!\r"
        self._waits_ns = self._repeat_ns = None
        if letter in LEVEL_TWO and self.options["level"] == 1:
            return b"\n?\r"
        match letter:
            case "W" | "H":
                return self._line(now_ns, high=letter == "H")
            case "P" | "Q":
                self._waits_ns, self._give_up_ns = now_ns, now_ns + self.spec.stable_wait_ns
                return self.speak(now_ns)
            case "Z" | "T":
                return self._taken(letter, now_ns)
            case "C":
                self.balance.clear_tare()
                return self._line(now_ns)
            case "R":
                self._repeat_ns = now_ns
                return self.speak(now_ns)
        return self._told_of_itself(letter, now_ns)

    def speak(self, now_ns: int) -> bytes:
        if self._repeat_ns is not None and now_ns >= self._repeat_ns:
            self._repeat_ns = max(self._repeat_ns + self.spec.repeat_ns, now_ns + 1)
            return self._line(now_ns)
        if self._waits_ns is None or now_ns < self._waits_ns:
            return b""
        if self.balance.weigh(now_ns).stable or now_ns >= self._give_up_ns:
            self._waits_ns = None
            return self._line(now_ns)
        self._waits_ns = now_ns + SAMPLE_NS
        return b""

    def next_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - everything in hand has its own time
        return self._repeat_ns if self._repeat_ns is not None else self._waits_ns

    def forget(self) -> None:
        super().forget()
        self._waits_ns = self._repeat_ns = None

    def _taken(self, letter: str, now_ns: int) -> bytes:
        take = self.balance.zero if letter == "Z" else self.balance.tare
        if self.balance.weigh(now_ns).stable and take(now_ns) is Reach.IN:
            return self._line(now_ns)
        return self._line(now_ns, fault="E" if letter == "Z" else "T")

    def _told_of_itself(self, letter: str, now_ns: int) -> bytes:
        match letter:
            case "M":
                weight = self.balance.weigh(now_ns)
                return self._framed(f" 1T  {weight.tare:>10f}")
            case "D":
                return b"\n    \r"
            case "A":
                self._told = 0
                return f"\nSMA:{self.options['level']}/1.0\r".encode("ascii")
            case "B":
                lines = ("MFG:TALLYBOX", f"MOD:{self.spec.model}", f"REV:{self.spec.software}", "END:")
                told = lines[min(self._told, len(lines) - 1)]
                self._told += 1
                return f"\n{told}\r".encode("ascii")
        return b"\n?\r"

    def _line(self, now_ns: int, *, high: bool = False, fault: str = "") -> bytes:
        weight = self.balance.weigh(now_ns)
        kind = "N" if weight.tare else "G"
        moving = " " if weight.stable else "M"
        state = fault or _state(weight)
        digits = DASHES if state in "EIT" else f"{weight.net:>10f}"
        return self._framed(f"{state}1{kind.lower() if high else kind}{moving} {digits}")

    def _framed(self, content: str) -> bytes:
        unit = self.balance.spec.unit.ljust(3, "_" if self.options["underscore"] else " ")
        return f"\n{content}{unit}\r".encode("ascii")


def _state(weight: Weight) -> str:
    match weight.reach:
        case Reach.OVER:
            return "O"
        case Reach.UNDER:
            return "U"
        case Reach.NOT_ZEROED:
            return "I"
    return "Z" if weight.gross == 0 else " "
