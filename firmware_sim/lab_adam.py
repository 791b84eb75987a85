"""Balances of Adam Equipment: CPWplus, AZExtra, PGL and the 16-character format. None of them says whether it is at rest.

Sources: Adam CPWplus manual p. 14, Highland manual p. 29, PGL manual p. 28; AZExtra: answers a new weight at rest only.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from firmware_sim.balance import Balance, Reach
from firmware_sim.lab_scale import LabScale, line
from firmware_sim.specs import TerminalSpec


class AdamOptions(BaseModel):
    """Which of the family it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Literal["cpw", "azextra", "pgl", "sixteen"] = Field(default="cpw", description="Which commands and lines it has.")


class Adam(LabScale):
    """The instrument as seen from its port. Out of range it shows dashes and sends nothing."""

    KEYS = ("zero", "tare", "clear_tare", "print")

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._told: Decimal | None = None

    def key(self, key: str, now_ns: int) -> bytes:
        return self.weight_line(now_ns) if key == "print" else super().key(key, now_ns)

    def forget(self) -> None:
        super().forget()
        self._told = None

    def command(self, text: str, now_ns: int) -> bytes:
        match self.options["family"]:
            case "cpw":
                return self._cpw(text, now_ns)
            case "pgl":
                return self._pgl(text, now_ns)
            case "azextra":
                return self._azextra(now_ns) if text == "P" else self._keys(text, now_ns)
            case _:
                return self.weight_line(now_ns) if text == "P" else self._keys(text, now_ns)

    def _keys(self, text: str, now_ns: int) -> bytes:
        if text == "Z":
            self.balance.zero(now_ns)
        elif text == "T":
            self.balance.tare(now_ns)
        return b""

    def _zero_tare(self, now_ns: int) -> bytes:
        if self.balance.zero(now_ns) is Reach.OVER:
            self.balance.tare(now_ns)
        return b""

    def _cpw(self, text: str, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        amounts = {"G": weight.gross, "N": weight.net, "T": weight.tare}
        if text in amounts and weight.reach is Reach.IN:
            sign = "-" if amounts[text] < 0 else "+"
            return line(f"{text} {sign} {abs(amounts[text]):>8f} {self.balance.spec.unit}")
        return self._zero_tare(now_ns) if text == "Z" else b""

    def _pgl(self, text: str, now_ns: int) -> bytes:
        if not text.startswith("!"):
            return b""
        if len(text) != 3:
            return line("!EF")
        if text[1] != "K":
            return line("!EU")
        if text[2] not in "TP":
            return line("!EK")
        return self._zero_tare(now_ns) if text[2] == "T" else self.weight_line(now_ns)

    def _azextra(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        if weight.reach is not Reach.IN or not weight.stable or weight.net in {Decimal(0), self._told}:
            return b""
        self._told = weight.net
        return line(f"{weight.net:>7f}{self.balance.spec.unit}")

    def weight_line(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        unit = self.balance.spec.unit
        if weight.reach is not Reach.IN:
            return b""
        if self.options["family"] == "pgl":
            return line(f"{weight.net:f} {unit}")
        sign = "-" if weight.net < 0 else " "
        padded = f" {unit} " if len(unit) == 1 else f"{unit:<3}"
        return line(f"{sign}{abs(weight.net):>12f}{padded}")
