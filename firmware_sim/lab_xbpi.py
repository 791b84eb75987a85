"""A balance that speaks Sartorius xBPI: a binary question in, a binary answer out.

Source: sartoriuslib docs/protocol.md sections 3 to 8 (frames, subtypes, error codes, opcodes, measurement and status bodies).
A question with a wrong sum, or for another bus number, is not answered.
"""

import struct
from collections.abc import Callable, Mapping

from firmware_sim.balance import Balance, Reach, Weight
from firmware_sim.specs import TerminalSpec
from firmware_sim.weighing import WeighingDevice

EVERYBODY = 9
"""The factory's bus number, to which a balance on a line of its own always listens."""

MAX_QUESTION = 64
"""Bytes. The longest questions known carry two arguments of five bytes."""

PAUSE_NS = 100_000_000
"""Half a question is forgotten after this long: no byte of one takes more than 10 ms, even at 1200 baud."""

UNIT_CODES = {"g": 0x02, "kg": 0x03, "mg": 0x0D}

UNKNOWN_OPCODE, NOT_NOW, WRONG_ARGUMENTS = 0x04, 0x06, 0x07

OFF_SCALE = b"\x7f\xff\xff\xff\xff"

STATES = {Reach.OVER: 0x82, Reach.UNDER: 0x84}


class SartoriusXbpi(WeighingDevice):
    """The instrument as seen from its port."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._input = bytearray()
        self._heard_ns = 0
        self._counter = 0
        self._answers: dict[int, Callable[[int], bytes]] = {
            0x01: lambda _now: _answer(0x45, bytes.fromhex(_digits(spec.serial_number))),
            0x02: lambda _now: _answer(0x54, spec.model.encode("ascii")[:20].ljust(20, b"\x00")),
            0x14: lambda now: self._done(balance.tare(now)),
            0x18: lambda now: self._done(balance.zero(now)),
            0x1E: lambda now: self._measurement(balance.weigh(now), "net"),
            0x20: lambda now: self._measurement(balance.weigh(now), "gross"),
            0x22: lambda now: self._measurement(balance.weigh(now), "tare"),
            0x30: lambda now: self._status(balance.weigh(now)),
        }

    def forget(self) -> None:
        self._input.clear()

    def hear(self, data: bytes, now_ns: int) -> bytes:
        """Every whole question is answered; bytes that start none are passed over."""
        if now_ns - self._heard_ns > PAUSE_NS:
            self._input.clear()
        self._heard_ns = now_ns
        self._input += data
        said = b""
        while self._input:
            size = self._input[0] + 1
            if size < 5 or size > MAX_QUESTION:
                del self._input[0]
                continue
            if len(self._input) < size:
                break
            question = bytes(self._input[:size])
            if sum(question[:-1]) & 0xFF != question[-1]:
                del self._input[0]
                continue
            del self._input[:size]
            if question[2] == EVERYBODY:
                said += self._reply(question[3], question[4:-1], now_ns)
        return said

    def _reply(self, opcode: int, arguments: bytes, now_ns: int) -> bytes:
        answer = self._answers.get(opcode)
        if answer is None:
            return _refusal(UNKNOWN_OPCODE)
        return _refusal(WRONG_ARGUMENTS) if arguments else answer(now_ns)

    def _done(self, reach: Reach) -> bytes:
        return _answer(0x00, b"") if reach is Reach.IN else _refusal(NOT_NOW)

    def _measurement(self, weight: Weight, which: str) -> bytes:
        spec = self.balance.spec
        exponent = spec.increment.as_tuple().exponent
        decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        amount = {"net": weight.net, "gross": weight.gross, "tare": weight.tare}[which]
        sign = 0x00 if amount == 0 else 0x40 if amount > 0 else 0x80
        if weight.reach is Reach.IN or which == "tare":
            packed = struct.pack(">f", float(amount))
            packed += packed[-1:]
        else:
            packed = OFF_SCALE
        rest = 0x40 if weight.stable else 0x00
        return _answer(0x48, packed + bytes([decimals << 4, sign | UNIT_CODES.get(spec.unit, 0x02), rest | 0x05]))

    def _status(self, weight: Weight) -> bytes:
        self._counter = (self._counter + 1) & 0xFF
        state = STATES.get(weight.reach, 0x88 if weight.stable else 0x80)
        return _answer(0x48, bytes([0x00, 0x00, 0x81, state, 0x18 if weight.stable else 0x08, 0x10, 0x00, self._counter]))


def _answer(subtype: int, body: bytes) -> bytes:
    head = bytes([len(body) + 3, 0x41, subtype]) + body
    return head + bytes([sum(head) & 0xFF])


def _refusal(code: int) -> bytes:
    return _answer(0x01, bytes([code]))


def _digits(serial_number: str) -> str:
    """Ten digits, as the factory number is packed."""
    return "".join(char for char in serial_number if char.isdigit())[-10:].zfill(10)
