"""A balance that speaks the Radwag command set: every command that takes time is first understood (A), then done (D) or not.

Sources: Radwag WTC manual p. 46-48, PS manual p. 82, R series manual p. 85-88, AS manual p. 88 (tare commands).
"""

import re
from decimal import Decimal

from firmware_sim.balance import Reach, Weight
from firmware_sim.lab_scale import LabScale, line

MARKS = {Reach.OVER: "^", Reach.UNDER: "v"}

MASS_WIDTH = 9

_TARE = re.compile(r"UT ?([0-9]{1,8}(?:\.[0-9]{1,6})?)", re.ASCII)


class Radwag(LabScale):
    """The instrument as seen from its port. Its basic unit and its current unit are the same."""

    def command(self, text: str, now_ns: int) -> bytes:
        match text:
            case "SI" | "SUI":
                return self._frame(text, self.balance.weigh(now_ns))
            case "S" | "SU":
                return line(f"{text} A") + self.when_stable(
                    lambda weight, _at_ns: self._frame(text, weight), line(f"{text} E"), now_ns
                )
            case "C1" | "CU1":
                self.start_stream(now_ns)
                return line(f"{text} A")
            case "C0" | "CU0":
                self.stop_stream()
                return line(f"{text} A")
            case "Z" | "T":
                return line(f"{text} A") + self.when_stable(
                    lambda _weight, at_ns: self._changed(text, at_ns), line(f"{text} E"), now_ns
                )
            case "OT":
                return line(f"OT {self.balance.weigh(now_ns).tare:>{MASS_WIDTH}f} {self.balance.spec.unit:<3}")
            case _:
                return self._plain(text)

    def busy(self, text: str) -> bytes:
        return line(f"{text[:4]} I")

    def _plain(self, text: str) -> bytes:
        if text == "NB":
            return line(f'NB A "{self.spec.serial_number}"')
        if text == "BN":
            return line(f'BN A "{self.spec.model}"')
        if (tare := _TARE.fullmatch(text)) is not None:
            return line("UT OK" if self.balance.preset_tare(Decimal(tare[1])) else "UT I")
        return line("ES")

    def _changed(self, letter: str, now_ns: int) -> bytes:
        reach = self.balance.zero(now_ns) if letter == "Z" else self.balance.tare(now_ns)
        if reach is Reach.NOT_ZEROED:
            return line(f"{letter} I")
        return line(f"{letter} {MARKS.get(reach, 'D')}")

    def weight_line(self, now_ns: int) -> bytes:
        return self._frame("SI", self.balance.weigh(now_ns))

    def _frame(self, command: str, weight: Weight) -> bytes:
        if weight.reach is Reach.NOT_ZEROED:
            return line(f"{command} I")
        unit = f"{self.balance.spec.unit:<3}"
        if weight.reach is not Reach.IN:
            return line(f"{command:<3}{MARKS[weight.reach]}  {'':>{MASS_WIDTH}} {unit}")
        mark = " " if weight.stable else "?"
        sign = "-" if weight.net < 0 else " "
        return line(f"{command:<3}{mark} {sign}{abs(weight.net):>{MASS_WIDTH}f} {unit}")
