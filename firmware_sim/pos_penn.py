"""A Pennsylvania 7600 counting scale: three letters and CR in, words out; its echo may lose its first letter.

Source: Pennsylvania Sterling 7600 technical manual 7600TM2021REV7, remote commands, emulation modes.
"""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from firmware_sim.balance import GRAMS_PER, Reach
from firmware_sim.pos_lines import LineScale

RANGES = {Reach.OVER: "OLOLOL", Reach.UNDER: "ULULUL", Reach.NOT_ZEROED: "-------"}

NOT_KNOWN, WRONG_DATA = "Err.81", "Err.80"


class PennOptions(BaseModel):
    """How the scale is set up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    echo: Literal["off", "on", "clipped"] = "off"
    """The echo of a command; clipped: without its first letters, as captured on a site."""
    piece_grams: str = Field(default="10", pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?$")


class PennScale(LineScale):
    """SGW SNW STW SCO SVN ZRO ATW ITW."""

    def command(self, text: str, now_ns: int) -> bytes:
        text = text.strip("\n")
        return self._echo(text) + self._answer(text, now_ns).encode("ascii") + b"\r\n"

    def _echo(self, text: str) -> bytes:
        match self.options["echo"]:
            case "on":
                return text.encode("latin-1")
            case "clipped":
                return text[-1:].encode("latin-1")
        return b""

    def _answer(self, text: str, now_ns: int) -> str:
        word, _, argument = text.partition(" ")
        match word:
            case "SGW" | "SNW" | "SCO":
                return self._weight(word, now_ns)
            case "STW":
                return f"Tare {self.balance.weigh(now_ns).tare:f} {self.balance.spec.unit}."
            case "ZRO" | "ATW":
                return self._taken(word, now_ns)
            case "ITW":
                return self._preset(argument)
            case "SVN":
                return "V 2.01"
        return NOT_KNOWN

    def _weight(self, word: str, now_ns: int) -> str:
        weight = self.balance.weigh(now_ns)
        if weight.reach in RANGES:
            return RANGES[weight.reach]
        unit = self.balance.spec.unit
        if word == "SCO":
            return f"Count {round(weight.net * GRAMS_PER[unit] / Decimal(str(self.options['piece_grams'])))} Pieces"
        return f"Gross {weight.gross:f} {unit}." if word == "SGW" else f"Net {weight.net:f} {unit}."

    def _taken(self, word: str, now_ns: int) -> str:
        if not self.balance.weigh(now_ns).stable:
            return RANGES[Reach.NOT_ZEROED]
        take = self.balance.zero if word == "ZRO" else self.balance.tare
        reach = take(now_ns)
        return "OK" if reach is Reach.IN else RANGES[reach]

    def _preset(self, argument: str) -> str:
        digits = argument.strip()
        if not digits.replace(".", "", 1).isdecimal() or not digits.isascii():
            return WRONG_DATA
        return "OK" if self.balance.preset_tare(Decimal(digits)) else WRONG_DATA
