"""A balance that speaks A&D standard format, with or without answers to commands (menu 5if, erCd).

Sources: A&D FX-i/FZ-i manual ch. 16-2 (acknowledge and error codes), GC manual ch. 16.2, HC-i manual p. 48.
"""

from pydantic import BaseModel, ConfigDict, Field

from firmware_sim.balance import Reach, Weight
from firmware_sim.lab_scale import LabScale, line

DIGITS = 8
"""Characters of the value behind its sign."""

UNKNOWN, NOT_READY, TIME_OUT, UNSTABLE, OUT_OF_RANGE = "E01", "E02", "E03", "E11", "E17"


class AndOptions(BaseModel):
    """How the balance's menu is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    acknowledge: bool = Field(default=False, description="Whether commands are answered by AK and EC (erCd 1).")


class AndStandard(LabScale):
    """The instrument as seen from its port."""

    def command(self, text: str, now_ns: int) -> bytes:
        match text:
            case "Q" | "SI":
                return self.weight_line(now_ns)
            case "S":
                return self.when_stable(lambda _weight, at_ns: self.weight_line(at_ns), self._refuse(TIME_OUT), now_ns)
            case "SIR":
                self.start_stream(now_ns)
                return self.speak(now_ns)
            case "C":
                self.stop_stream()
                return self._accept()
            case "Z" | "R" | "T":
                return self._accept() + self.when_stable(
                    lambda _weight, at_ns: self._change(text, at_ns), self._refuse(UNSTABLE), now_ns
                )
            case _:
                return self._refuse(UNKNOWN)

    def busy(self, text: str) -> bytes:
        if text == "C":
            self.cancel_waiting()
            return self._accept()
        return self._refuse(NOT_READY)

    def _change(self, letter: str, now_ns: int) -> bytes:
        reach = self.balance.tare(now_ns) if letter == "T" else self.balance.zero(now_ns)
        if letter == "R" and reach is Reach.OVER:
            # RE-ZERO zeroes inside the zero range and tares outside it.
            reach = self.balance.tare(now_ns)
        return self._accept() if reach is Reach.IN else self._refuse(OUT_OF_RANGE)

    def _accept(self) -> bytes:
        return b"\x06\r\n" if self.options["acknowledge"] else b""

    def _refuse(self, code: str) -> bytes:
        return line(f"EC,{code}") if self.options["acknowledge"] else b""

    def weight_line(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        unit = f"{self.balance.spec.unit:>3}"
        if weight.reach is not Reach.IN:
            return line(f"OL,{'-' if weight.reach is Reach.UNDER else '+'}{_nines(weight)}{unit}")
        return line(f"{'ST' if weight.stable else 'US'},{weight.net:+0{DIGITS + 1}f}{unit}")


def _nines(weight: Weight) -> str:
    """All nines with the point where the weight has it."""
    _, point, places = f"{abs(weight.net):f}".partition(".")
    return "9" * (DIGITS - len(point) - len(places)) + point + "9" * len(places)
