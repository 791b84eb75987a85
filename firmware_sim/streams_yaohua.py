"""Yaohua XK3190 terminals: an A9 with its frames, its `=` formats and its commands, and an A12E with its lines."""

from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from operator import xor
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from firmware_sim.balance import Balance, Reach, Weight
from firmware_sim.specs import TerminalSpec
from firmware_sim.streams import StreamingTerminal, decimals, digits

FRAME = 6
"""Bytes of a command: STX, address, letter, two check digits, ETX."""


class A9Options(BaseModel):
    """What the terminal's menu says of its output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: Literal["frames", "equals", "equals_reversed", "command"] = "frames"
    address: str = Field(default="A", pattern=r"^[A-Z]$")


class A9Terminal(StreamingTerminal):
    """Sends nothing while it is out of range: its display shows OL then, and the frame has no sign for it."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._output = str(options.get("output", "frames"))
        self._address = str(options.get("address", "A"))
        self._places = decimals(balance.spec.increment)
        self._buffer = bytearray()

    def streams(self) -> bool:
        return self._output != "command"

    def frame(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        if weight.reach is not Reach.IN:
            return b""
        value, _ = self.shown(weight)
        if self._output == "frames":
            return _framed(self._digits(value))
        text = f"{'-' if value < 0 else '0'}{abs(value):0>7f}"
        return ("=" + (text if self._output == "equals" else text[::-1])).encode("ascii")

    def hear(self, data: bytes, now_ns: int) -> bytes:
        if self.streams():
            return b""
        said = b""
        for byte in data:
            if byte == 0x02:
                self._buffer.clear()
            self._buffer.append(byte)
            if len(self._buffer) == FRAME:
                said += self._answer(bytes(self._buffer), now_ns)
                self._buffer.clear()
        return said

    def forget(self) -> None:
        super().forget()
        self._buffer.clear()

    def _answer(self, command: bytes, now_ns: int) -> bytes:
        body = command[1:3]
        if command != _framed(body.decode("latin-1")) or chr(body[0]) != self._address:
            return b""
        letter = chr(body[1])
        weight = self.balance.weigh(now_ns)
        amounts = {"B": weight.gross, "C": weight.tare, "D": weight.net}
        if letter == "A":
            return _framed(self._address + letter)
        if letter not in amounts or weight.reach is not Reach.IN:
            return b""
        return _framed(self._address + letter + self._digits(amounts[letter]))

    def _digits(self, value: Decimal) -> str:
        return f"{'-' if value < 0 else '+'}{digits(value, self._places, 6)[-6:]}{self._places}"


class A12Terminal(StreamingTerminal):
    """Fifteen bytes a line, in kilograms."""

    def frame(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        body = self._body(weight).encode("ascii")
        return body + _check(body).encode("ascii") + b"\r\n"

    def hear(self, data: bytes, now_ns: int) -> bytes:  # noqa: ARG002 - it takes no commands
        return b""

    def _body(self, weight: Weight) -> str:
        if weight.reach is not Reach.IN:
            return f"{'':9}{'OL' if weight.reach is Reach.OVER else 'LO'}"
        value, net = self.shown(weight)
        places = decimals(self.balance.spec.increment)
        sign, width = ("-", 6) if value < 0 else ("", 7)
        number = f"{abs(value):0{width}.{places}f}" if places else f"{abs(value):0{width - 1}.0f} "
        return f"W{'N' if net else 'G'}{sign}{number}{self.balance.spec.unit:>2}"


def _check(body: bytes) -> str:
    return f"{reduce(xor, body, 0):02X}"


def _framed(text: str) -> bytes:
    body = text.encode("latin-1")
    return b"\x02" + body + _check(body).encode("ascii") + b"\x03"
