"""A scale with the NCI protocol (SCP-01): letter and CR; a weight with its status, or the status alone.

Sources: Mettler-Toledo DIVA service manual, 6.1.2; Fairbanks PC2250 manual, p. 61.
"""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from firmware_sim.balance import Reach, Weight
from firmware_sim.pos_lines import LineScale, below_zero, sayable

OUNCES = 16
MORE = 0x40
"""Bit 6 of a status byte: another one follows."""

BLANK = 0x30
"""Bits 4 and 5 are always set."""


class NciOptions(BaseModel):
    """How the scale is set up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    letter: bool = True
    """Whether S stands in front of the status."""
    compound: bool = False
    """Pounds and ounces on a scale that weighs in pounds."""


class NciScale(LineScale):
    """W H S Z T U; an unknown letter is answered by a question mark."""

    def command(self, text: str, now_ns: int) -> bytes:
        match text:
            case "W" | "H":
                return self._weight(now_ns, more_digits=0 if text == "W" else 1)
            case "S":
                return self._lines(b"", now_ns)
            case "Z":
                if self.balance.weigh(now_ns).stable:
                    self.balance.zero(now_ns)
                return self._lines(b"", now_ns)
            case "T":
                if self.balance.weigh(now_ns).stable:
                    self.balance.tare(now_ns)
                return self._lines(b"", now_ns)
            case "U":
                return self._lines(self.balance.spec.unit.upper().encode("ascii"), now_ns)
            case "":
                return b""
        return b"\n?\r\x03"

    def _weight(self, now_ns: int, *, more_digits: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        return self._lines(self._digits(weight.net, 6 + more_digits) if sayable(weight) else b"", now_ns)

    def _digits(self, net: Decimal, width: int) -> bytes:
        unit = self.balance.spec.unit
        if self.options["compound"] and unit == "lb":
            pounds, rest = divmod(net * OUNCES, OUNCES)
            return f"{int(pounds):02d}LB {rest:04.1f}OZ".encode("ascii")
        places = max(0, -int(net.as_tuple().exponent))
        return f"{net:0{width}.{places + width - 6}f}{unit.upper()}".encode("ascii")

    def _lines(self, weight_line: bytes, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        status = (b"S" if self.options["letter"] else b"") + _status(weight)
        return b"\n" + (weight_line + b"\r\n" if weight_line else b"") + status + b"\r\x03"


def _status(weight: Weight) -> bytes:
    first = BLANK | (0x01 if not weight.stable else 0) | (0x02 if weight.gross == 0 and weight.reach is Reach.IN else 0)
    second = BLANK | (0x01 if below_zero(weight) else 0) | (0x02 if weight.reach is Reach.OVER else 0)
    third = BLANK | (0x04 if weight.tare else 0) | (0x08 if weight.reach is Reach.NOT_ZEROED else 0)
    return bytes([first, second]) if third == BLANK else bytes([first, second | MORE, third])
