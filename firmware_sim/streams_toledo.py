"""A Mettler-Toledo terminal in continuous output, long or short, with or without a check byte. It takes Z, T, C and P."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from firmware_sim.balance import Balance, Reach, Weight
from firmware_sim.specs import TerminalSpec
from firmware_sim.streams import StreamingTerminal, decimals, digits

STEPS = {1: 0b01, 2: 0b10, 5: 0b11}
"""Increment's digit -> bits 4 and 3 of the first status byte."""

UNIT_BITS = {"kg": 0, "lb": 0, "g": 1, "t": 2, "oz": 3, "ozt": 4}


class ToledoOptions(BaseModel):
    """How the terminal's output is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    short: bool = False
    checksum: bool = False


class ToledoTerminal(StreamingTerminal):
    """Commands are single characters; what it cannot do now (motion, out of range) it ignores without a word."""

    KEYS = ("zero", "tare", "clear_tare", "print")

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._short = bool(options.get("short"))
        self._checked = bool(options.get("checksum"))
        self._print = False

    def hear(self, data: bytes, now_ns: int) -> bytes:
        for byte in data:
            self._take(chr(byte), now_ns)
        return b""

    def key(self, key: str, now_ns: int) -> bytes:
        self._take({"zero": "Z", "tare": "T", "clear_tare": "C", "print": "P"}[key], now_ns)
        return b""

    def frame(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        value, net = self.shown(weight)
        places = decimals(self.balance.spec.increment)
        body = bytearray([0x02, self._status_a(places), self._status_b(weight, value, net=net), self._status_c()])
        # Out of range the digits stay what they were; a reader must not use them.
        body += digits(value, places, 6)[-6:].encode("ascii")
        if not self._short:
            body += digits(weight.tare, places, 6)[-6:].encode("ascii")
        body.append(0x0D)
        if self._checked:
            body.append(-sum(byte & 0x7F for byte in body) & 0x7F)
        self._print = False
        return bytes(body)

    def _take(self, letter: str, now_ns: int) -> None:
        weight = self.balance.weigh(now_ns)
        if letter == "Z" and weight.stable:
            self.balance.zero(now_ns)
        elif letter == "T" and weight.stable:
            self.balance.tare(now_ns)
        elif letter == "C":
            self.balance.clear_tare()
        elif letter == "P":
            self._print = True

    def _status_a(self, places: int) -> int:
        step = self.balance.spec.increment.as_tuple().digits[0]
        return 0x20 | STEPS.get(step, 0b01) << 3 | places + 2

    def _status_b(self, weight: Weight, value: Decimal, *, net: bool) -> int:
        return (
            0x20
            | net
            | (value < 0) << 1
            | (weight.reach in {Reach.OVER, Reach.UNDER}) << 2
            | (not weight.stable) << 3
            | (self.balance.spec.unit != "lb") << 4
            | (weight.reach is Reach.NOT_ZEROED) << 6
        )

    def _status_c(self) -> int:
        return 0x20 | UNIT_BITS.get(self.balance.spec.unit, 0) | self._print << 3
