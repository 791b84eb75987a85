"""A till's scale with the Toledo 8217 or 8213 protocol: one letter in, one short answer out.

Sources: Mettler-Toledo DIVA service manual, 6.1.3 and 6.1.4; Transcell PC-150 manual, B.1.4 (clones).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from firmware_sim.balance import Balance, Reach, Weight
from firmware_sim.pos_lines import below_zero, sayable
from firmware_sim.specs import TerminalSpec
from firmware_sim.weighing import WeighingDevice

TARE_ANSWER_NS = 150_000_000
"""After a tare command the scale thinks for this long (6.1.3)."""

TARE_DIGITS = 5

PLACES = {"kg": 3, "lb": 2}


class ToledoOptions(BaseModel):
    """How the scale is set up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Literal["8217", "8213", "8213-clone"] = "8217"
    tare_enabled: bool = True
    memory_fault: bool = False


class ToledoScale(WeighingDevice):
    """Letters are commands, wherever they stand; T takes digits up to CR."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._model = str(options["model"])
        self._tare_input: bytearray | None = None
        self._tare_due_ns: int | None = None
        self._echoing = False
        self._tested = False

    def hear(self, data: bytes, now_ns: int) -> bytes:
        return b"".join(self._letter(bytes([byte]), now_ns) for byte in data)

    def speak(self, now_ns: int) -> bytes:
        if self._tare_due_ns is None or now_ns < self._tare_due_ns:
            return b""
        self._tare_due_ns = None
        return self._state(now_ns)

    def next_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - one time only
        return self._tare_due_ns

    def forget(self) -> None:
        self._tare_input = None
        self._tare_due_ns = None
        self._echoing = False
        self._tested = False

    def _letter(self, letter: bytes, now_ns: int) -> bytes:
        if self._echoing:
            if letter == b"F":
                self._echoing = False
                return b""
            return letter
        if self._tare_input is not None:
            return self._tare_letter(letter, now_ns)
        match letter:
            case b"W":
                return self._weight(now_ns, more_digits=0)
            case b"H":
                return self._weight(now_ns, more_digits=1)
            case b"Z":
                return self._zero(now_ns)
            case b"C":
                self.balance.clear_tare()
                return self._state(now_ns)
            case b"T":
                self._tare_input = bytearray()
                return b""
        return self._service(letter, now_ns)

    def _service(self, letter: bytes, now_ns: int) -> bytes:
        match letter:
            case b"A":
                self._tested = True
                return b"\x02\r"
            case b"B":
                tested, self._tested = self._tested, False
                result = 0x02 if self.options["memory_fault"] else 0x40
                return _framed(b"?" + bytes([result if tested else 0x00]))
            case b"E":
                self._echoing = True
                return b"\x02E\r"
            case b"F" | b"\r" | b"\n":
                return b""
        return self._state(now_ns, bad_command=True)

    def _weight(self, now_ns: int, *, more_digits: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        if not sayable(weight):
            return self._state(now_ns)
        places = PLACES.get(self.balance.spec.unit, 2) + more_digits
        width = 3 + places + (1 if self._model.startswith("8213") else 0)
        digits = f"{weight.net:0{width}.{places}f}"
        return _framed(digits.encode("ascii") + (b"N" if weight.tare else b""))

    def _zero(self, now_ns: int) -> bytes:
        if self.balance.weigh(now_ns).stable:
            self.balance.zero(now_ns)
        return self._state(now_ns)

    def _tare_letter(self, letter: bytes, now_ns: int) -> bytes:
        if self._tare_input is None:
            return b""
        if letter != b"\r":
            if letter.isdigit() and len(self._tare_input) < TARE_DIGITS:
                self._tare_input += letter
                return b""
            self._tare_input = None
            return self._state(now_ns, bad_command=True)
        digits, self._tare_input = bytes(self._tare_input), None
        if not self.options["tare_enabled"]:
            return b""
        if digits:
            places = PLACES.get(self.balance.spec.unit, 2)
            self.balance.preset_tare(Decimal(digits.decode("ascii")).scaleb(-places))
        elif self.balance.weigh(now_ns).stable:
            self.balance.tare(now_ns)
        self._tare_due_ns = now_ns + TARE_ANSWER_NS
        return b""

    def _state(self, now_ns: int, *, bad_command: bool = False) -> bytes:
        weight = self.balance.weigh(now_ns)
        bits = [
            not weight.stable,
            weight.reach is Reach.OVER,
            below_zero(weight),
            self._outside_zero(weight),
            weight.gross == 0 and weight.reach is Reach.IN,
            bool(weight.tare) if self._model != "8213-clone" else True,
            bad_command if self._model == "8217" else True,
        ]
        return _framed(b"?" + bytes([sum(1 << place for place, bit in enumerate(bits) if bit)]))

    def _outside_zero(self, weight: Weight) -> bool:
        spec = self.balance.spec
        return weight.reach is Reach.NOT_ZEROED or abs(weight.gross) > spec.zero_share * spec.capacity


def _framed(content: bytes) -> bytes:
    return b"\x02" + content + b"\r"
