"""A balance that speaks Sartorius SBI: escape commands in; lines of 16 or 22 characters out, asked for or by itself.

Source: Sartorius LE2202S operating instructions p. 51; command overview of the data interface chapter. The balance says nothing
to zero and tare, done or not, and nothing at all to what it does not know.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from firmware_sim.balance import Balance, Reach, Weight
from firmware_sim.lab_scale import LabScale, line
from firmware_sim.specs import TerminalSpec

ESC = 0x1B

LONG_COMMANDS = b"xfkswz"
"""Letters after ESC that go on to an underscore."""

MAX_LONG = 8
"""Bytes. The longest are five with a digit and the underscore."""

RANGES = {Reach.OVER: ("H", "High"), Reach.UNDER: ("L", "Low")}
"""In 16 and in 22 characters."""


class SbiOptions(BaseModel):
    """How the balance's menu is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    characters: Literal[16, 22] = Field(default=16, description="Length of a line; 22 puts an identifier in front.")
    autoprint: Literal["off", "always", "stable"] = Field(default="off", description="Whether it sends by itself.")


class SartoriusSbi(LabScale):
    """The instrument as seen from its port."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._pending: bytearray | None = None
        if options["autoprint"] != "off":
            self.start_stream(0)

    def booted(self, now_ns: int) -> bytes:
        if self.options["autoprint"] != "off":
            self.start_stream(now_ns)
        return b""

    def forget(self) -> None:
        super().forget()
        self._pending = None

    def hear(self, data: bytes, now_ns: int) -> bytes:
        """ESC, a letter, and for some letters more up to an underscore. CR LF behind it may be left out."""
        said = b""
        for byte in data:
            if byte == ESC:
                self._pending = bytearray()
            elif self._pending is not None:
                self._pending.append(byte)
                if self._pending[0] not in LONG_COMMANDS or byte == ord("_"):
                    name, self._pending = self._pending.decode("latin-1"), None
                    said += self.command(name, now_ns)
                elif len(self._pending) > MAX_LONG:
                    self._pending = None
        return said

    def command(self, text: str, now_ns: int) -> bytes:
        match text:
            case "P":
                if self.options["autoprint"] != "off":
                    self.stop_stream()
                return self.weight_line(now_ns)
            case "V" | "T" | "U":
                return self._change(text, now_ns)
            case "S":
                self.power_cycle(now_ns)
            case "x1_":
                return line(self.spec.model)
            case "x2_":
                return line(self.spec.serial_number)
            case "x3_":
                return line(f"BAC: {self.spec.software[:8]}")
            case _:
                pass
        return b""

    def _change(self, letter: str, now_ns: int) -> bytes:
        if self.options["autoprint"] != "off" and not self.streams:
            self.start_stream(now_ns)

        def done(_weight: Weight, at_ns: int) -> bytes:
            reach = self.balance.tare(at_ns) if letter == "U" else self.balance.zero(at_ns)
            if letter == "T" and reach is Reach.OVER:
                self.balance.tare(at_ns)
            return b""

        return self.when_stable(done, b"", now_ns)

    def streamed(self, now_ns: int) -> bytes:
        if self.options["autoprint"] == "stable" and not self.balance.weigh(now_ns).stable:
            return b""
        return self.weight_line(now_ns)

    def weight_line(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        wide = self.options["characters"] == 22
        if weight.reach in RANGES:
            short, long = RANGES[weight.reach]
            return line(f"{'Stat':<6}{long:^14}" if wide else f"{short:^14}")
        if weight.reach is Reach.NOT_ZEROED:
            return line(f"{'Stat  ERR 054':<20}" if wide else f"{'Err 054':^14}")
        sign = "-" if weight.net < 0 else "+"
        unit = self.balance.spec.unit if weight.stable else ""
        text = f"{sign} {abs(weight.net):>8f} {unit:<3}"
        return line(f"{'N':<6}{text}" if wide else text)
