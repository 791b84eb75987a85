"""A Kern balance: single letters without an end in, one line for each out.

Sources: KERN PCB instructions p. 35 and FKB p. 37 (bench: columns, `Error`), KFN-TM p. 49 and SFB p. 51 (platform: `ST,GS`).
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from firmware_sim.balance import Balance, Reach
from firmware_sim.lab_scale import LabScale, line
from firmware_sim.specs import TerminalSpec


class KernOptions(BaseModel):
    """Which of the two kinds it is, and how its menu is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    letters: Literal["bench", "platform"] = Field(default="bench", description="bench: w s t; platform: W S T Z P.")
    short_lines: bool = Field(
        default=False, description="Leave the unit's column out while the load moves (FKB), not blank (PCB)."
    )
    continuous: bool = Field(default=False, description="Send continuously (menu AU PC).")


class KernPrint(LabScale):
    """The instrument as seen from its port."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        if options["continuous"]:
            self.start_stream(0)

    def booted(self, now_ns: int) -> bytes:
        if self.options["continuous"]:
            self.start_stream(now_ns)
        return b""

    def hear(self, data: bytes, now_ns: int) -> bytes:
        """Each byte is a command of its own; while one waits for rest the others are lost."""
        said = b""
        for letter in data.decode("latin-1"):
            known = letter.islower() is (self.options["letters"] == "bench")
            if known and not self.waits:
                said += self.command(letter.upper(), now_ns)
        return said

    def command(self, text: str, now_ns: int) -> bytes:
        match text:
            case "W":
                return self.weight_line(now_ns)
            case "S":
                return self.when_stable(lambda _weight, at_ns: self.weight_line(at_ns), b"", now_ns)
            case "T":
                return self.when_stable(lambda _weight, at_ns: self._silently(self.balance.tare(at_ns)), b"", now_ns)
            case "Z" if self.options["letters"] == "platform":
                return self.when_stable(lambda _weight, at_ns: self._silently(self.balance.zero(at_ns)), b"", now_ns)
            case _:
                return b""

    def _silently(self, _reach: Reach) -> bytes:
        return b""

    def weight_line(self, now_ns: int) -> bytes:
        return self._headed(now_ns) if self.options["letters"] == "platform" else self._columns(now_ns)

    def _columns(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        short = bool(self.options["short_lines"])
        if weight.reach is not Reach.IN:
            return line(f"{'Error':>{12 if short else 16}}")
        text = f" {'-' if weight.net < 0 else ' '}{abs(weight.net):>10f} "
        if weight.stable:
            return line(f"{text}{self.balance.spec.unit:<3}")
        return line(text if short else f"{text}   ")

    def _headed(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        header = "NT" if weight.tare else "GS"
        if weight.reach is not Reach.IN:
            return line(f"OL,{header}{'-' if weight.reach is Reach.UNDER else ' '}")
        state = "ST" if weight.stable else "US"
        return line(f"{state},{header}{'-' if weight.net < 0 else ' '}{abs(weight.net):>7f}{self.balance.spec.unit.upper()}")
