"""A CAS scale that is asked with ENQ and DC1, and Mettler-Toledo's cousin, which has its block confirmed.

Sources: CAS SW-II manual, p. 15; Ohaus Aviator 7000 service manual, p. 36; Mettler-Toledo DIVA service manual, 6.1.5.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from firmware_sim.balance import Balance, Reach
from firmware_sim.specs import TerminalSpec
from firmware_sim.weighing import WeighingDevice

ENQ, ACK, DC1, DC2, NAK, CAN = 0x05, 0x06, 0x11, 0x12, 0x15, 0x18

CONFIRMED = b"\r"


class CasOptions(BaseModel):
    """How the scale is set up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: Literal["cas", "ecr"] = "cas"
    misheard: int = 0
    """So many times the cousin does not recognise its own block."""


class CasScale(WeighingDevice):
    """Says it is ready, then its weight; not ready while it has no zero."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._ready = False
        self._sent = b""
        self._returned = bytearray()
        self._mishear = int(str(options["misheard"]))

    def hear(self, data: bytes, now_ns: int) -> bytes:
        return b"".join(self._byte(byte, now_ns) for byte in data)

    def forget(self) -> None:
        self._ready = False
        self._sent = b""
        self._returned.clear()

    def _byte(self, byte: int, now_ns: int) -> bytes:
        if self._sent and byte != ENQ:
            return self._compare(byte)
        match byte:
            case 0x05:
                return self._asked(now_ns)
            case 0x11 | 0x12 if self._ready:
                self._ready = False
                return self._block(now_ns)
        return b""

    def _asked(self, now_ns: int) -> bytes:
        self.forget()
        weight = self.balance.weigh(now_ns)
        if weight.reach is Reach.NOT_ZEROED:
            return bytes([NAK])
        if self.options["variant"] == "ecr" and not weight.stable:
            return bytes([CAN])
        self._ready = True
        return bytes([ACK])

    def _block(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        if self.options["variant"] == "ecr":
            digits = abs(int(weight.net / self.balance.spec.increment * int(self.balance.spec.increment.scaleb(3))))
            content = f"1{digits:05d}".encode("ascii")
            self._sent = b"\x02" + content + bytes([_check(content)]) + b"\x03"
            return self._sent
        sign = "-" if weight.net < 0 else " "
        digits_text = f"{abs(weight.net):06.3f}"
        if weight.reach is Reach.OVER:
            sign, digits_text = "F", " " * 6
        content = f"{'S' if weight.stable else 'U'}{sign}{digits_text}{self.balance.spec.unit.upper():>2}".encode("ascii")
        return b"\x01\x02" + content + bytes([_check(content)]) + b"\x03\x04"

    def _compare(self, byte: int) -> bytes:
        self._returned.append(byte)
        if len(self._returned) < len(self._sent):
            return b""
        same = bytes(self._returned) == self._sent
        self.forget()
        if self._mishear:
            self._mishear -= 1
            same = False
        return CONFIRMED if same else bytes([NAK])


def _check(content: bytes) -> int:
    check = 0
    for byte in content:
        check ^= byte
    return check
