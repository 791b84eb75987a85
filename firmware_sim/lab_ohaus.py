"""A scale that prints Ohaus lines and takes Ohaus commands.

Sources: Ohaus Defender 3000 manual p. 35 (line), RS232 interface manual p. 3 (commands). Zero and tare are not answered; what
it does not know gives ES.
"""

from firmware_sim.balance import Reach, Weight
from firmware_sim.lab_scale import LabScale, line

DISPLAY_ERRORS = {Reach.OVER: "Err8.3", Reach.UNDER: "Err8.4", Reach.NOT_ZEROED: "Err8.1"}
"""What the display shows in place of a weight, and what is printed then."""


class OhausPrint(LabScale):
    """The instrument as seen from its port."""

    def command(self, text: str, now_ns: int) -> bytes:
        match text:
            case "IP" | "P":
                return self.weight_line(now_ns)
            case "SP":
                return self.when_stable(lambda _weight, at_ns: self.weight_line(at_ns), b"", now_ns)
            case "CP":
                self.start_stream(now_ns)
                return self.speak(now_ns)
            case "0P":
                self.stop_stream()
                return b""
            case "Z" | "T":
                return self.when_stable(lambda _weight, at_ns: self._change(text, at_ns), b"", now_ns)
            case "V":
                return line(f"Sr {self.spec.software[:4]}")
            case _:
                return line("ES")

    def _change(self, letter: str, now_ns: int) -> bytes:
        (self.balance.zero if letter == "Z" else self.balance.tare)(now_ns)
        return b""

    def weight_line(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        if weight.reach is not Reach.IN:
            return line(f"{DISPLAY_ERRORS[weight.reach]:>11}")
        return line(_shown(weight, self.balance.spec.unit))


def _shown(weight: Weight, unit: str) -> str:
    """Polarity, blank, weight in 7, blank, unit in 5, `?` while it moves, legend."""
    sign = "-" if weight.net < 0 else " "
    legend = "NET" if weight.tare else "G"
    return f"{sign} {abs(weight.net):>7f} {unit:<5}{' ' if weight.stable else '?'}{legend:<3}"
