"""A price-computing scale with Checkout-Dialog 06: records in, ACK or NAK, and the reason when it is asked for.

Sources: Mettler-Toledo DIVA service manual, p. 54; Ohaus Aviator 7000 service manual, p. 40.
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from firmware_sim import actions
from firmware_sim.actions import Action
from firmware_sim.balance import Balance, Reach, Weight
from firmware_sim.specs import TerminalSpec
from firmware_sim.weighing import WeighingDevice

STX, ETX, EOT, ENQ, ESC = b"\x02", b"\x03", b"\x04", b"\x05", b"\x1b"
ACK, NAK = b"\x06", b"\x15"

MAX_RECORD = 48
"""Bytes. Record 05 with price, tare and text has 32."""

MINIMUM_INCREMENTS = 20
"""Below this many increments nothing is weighed (OIML R 76-1, minimum capacity of class III)."""

LOG_ON_EVERY = 50
"""Weighings after which a log-on is demanded again."""

NUMBER = "A7"
"""The "random" number that the checksums are turned by."""

TO_KG, IN_KG = 3, b"3"


class DialogOptions(BaseModel):
    """How the scale is set up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    polynomial: str | None = Field(default=None, pattern="^1[0-9A-Fa-f]{4}$")
    """Five hexadecimal digits: a log-on is demanded after switching on, after a fault and every 50 weighings."""


class DialogScale(WeighingDevice):
    """Weighs a load once; the next one must have moved in between."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        polynomial = options["polynomial"]
        self._polynomial = None if polynomial is None else int(str(polynomial), 16)
        self._record: bytearray | None = None
        self._price: int | None = None
        self._status = "00"
        self._moved = True
        self._weighings = 0
        self._logged_on = False
        self._said_to_log_on: bytes | None = None

    def act(self, action: Action, now_ns: int) -> bytes:
        if isinstance(action, actions.Put | actions.Remove):
            self._moved = True
        return super().act(action, now_ns)

    def forget(self) -> None:
        self._record = None
        self._price = None
        self._status = "00"
        self._moved = True
        self._weighings = 0
        self._logged_on = False
        self._said_to_log_on = None

    def hear(self, data: bytes, now_ns: int) -> bytes:
        return b"".join(self._byte(bytes([byte]), now_ns) for byte in data)

    def _byte(self, byte: bytes, now_ns: int) -> bytes:
        if byte == EOT:
            self._record = None
            return b""
        if byte == ENQ and self._record is None:
            return self._result(now_ns)
        if byte == STX:
            self._record = bytearray()
            return b""
        if self._record is None:
            return b""
        if byte == ETX:
            record, self._record = bytes(self._record), None
            return self._take(record)
        if len(self._record) < MAX_RECORD:
            self._record += byte
        return b""

    def _take(self, record: bytes) -> bytes:
        number, *fields = record.split(ESC)
        match number:
            case b"08":
                return STX + b"09" + ESC + self._status.encode("ascii") + ETX
            case b"10":
                return self._log_on(fields[0] if fields else b"")
            case b"01":
                return self._priced(fields)
        return self._refuse("10")

    def _priced(self, fields: list[bytes]) -> bytes:
        if not fields or not fields[0].isdigit() or len(fields[0]) not in (5, 6):
            return self._refuse("11")
        if self._polynomial is not None and not self._logged_on:
            return STX + b"11" + ESC + b"2" + NUMBER.encode("ascii") + ETX
        self._price = int(fields[0])
        return ACK

    def _log_on(self, sums: bytes) -> bytes:
        if self._polynomial is None or len(sums) != 8:
            return self._refuse("10")
        left, right = (int(digit, 16) for digit in NUMBER)
        turned, correction = int(sums[:4], 16), int(sums[4:], 16)
        word = _turned(turned, 16 - left) << 16 | _turned(correction, right)
        self._logged_on = _remainder(word, self._polynomial) == 0
        self._said_to_log_on = b"1" if self._logged_on else b"0"
        return ACK

    def _result(self, now_ns: int) -> bytes:
        if self._said_to_log_on is not None:
            told, self._said_to_log_on = self._said_to_log_on, None
            return STX + b"11" + ESC + told + ETX
        if self._price is None:
            return self._refuse("22")
        weight = self.balance.weigh(now_ns)
        if (reason := self._reason_against(weight)) is not None:
            return self._refuse(reason)
        self._moved = False
        self._status = "00"
        self._weighings += 1
        if self._weighings % LOG_ON_EVERY == 0:
            self._logged_on = False
        price, self._price = self._price, None
        grams = int(weight.net.scaleb(TO_KG))
        total = (grams * price + 500) // 1000
        fields = [b"02", IN_KG, b"%05d" % grams, b"%06d" % price, b"%06d" % total]
        return STX + ESC.join(fields) + ETX

    def _reason_against(self, weight: Weight) -> str | None:
        if weight.reach is Reach.OVER:
            return "32"
        if not weight.stable:
            return "20"
        if weight.reach is not Reach.IN or weight.net < 0:
            return "31"
        if weight.net < MINIMUM_INCREMENTS * self.balance.spec.increment:
            return "30"
        return None if self._moved else "21"

    def _refuse(self, reason: str) -> bytes:
        self._status = reason
        self._price = None
        return NAK


def _turned(word: int, left: int) -> int:
    bits = f"{word:016b}"
    left %= 16
    return int(bits[left:] + bits[:left], 2)


def _remainder(word: int, polynomial: int) -> int:
    while word.bit_length() >= polynomial.bit_length():
        word ^= polynomial << (word.bit_length() - polynomial.bit_length())
    return word
