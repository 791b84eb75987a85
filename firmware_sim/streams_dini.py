"""A Dini Argeo terminal: READ and its relatives on demand, or the standard string continuously; alone or with an address."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from firmware_sim.balance import Balance, Reach, Weight
from firmware_sim.specs import TerminalSpec
from firmware_sim.streams import StreamingTerminal

MAX_COMMAND = 64
"""Bytes of an unfinished command that are kept; the longest command known has 30."""

SHORT = {"R": "READ", "T": "TARE", "Z": "ZERO", "C": "CLEAR"}

TARE = re.compile(r"[0-9]{1,6}|(?=.{1,6}$)[0-9]+\.[0-9]+", re.ASCII)


class DiniOptions(BaseModel):
    """How the terminal's port is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: Literal["on_demand", "continuous"] = "on_demand"
    address: str = Field(default="", pattern=r"^([0-9]{2})?$")


class DiniTerminal(StreamingTerminal):
    """Answers each command line with a string, OK or an error. Without its address in front it is not meant."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._continuous = options.get("output") == "continuous"
        self._address = str(options.get("address", ""))
        self._buffer = bytearray()
        self._commands: dict[str, Callable[[int], str]] = {
            "READ": lambda now: self._standard(self.balance.weigh(now)),
            "REXT": lambda now: self._extended(self.balance.weigh(now)),
            "TARE": self._tare,
            "ZERO": self._zero,
            "CLEAR": self._clear,
            "VER": lambda _now: f"VER,{self.spec.software[:5]},{self.spec.model}",
        }

    def streams(self) -> bool:
        return self._continuous

    def frame(self, now_ns: int) -> bytes:
        return self._line(self._standard(self.balance.weigh(now_ns)))

    def hear(self, data: bytes, now_ns: int) -> bytes:
        said = b""
        for byte in data:
            self._buffer.append(byte)
            if self._buffer.endswith(b"\r\n"):
                command = bytes(self._buffer[:-2]).decode("latin-1")
                self._buffer.clear()
                said += self._answer(command, now_ns)
            elif len(self._buffer) > MAX_COMMAND:
                self._buffer.clear()
        return said

    def forget(self) -> None:
        super().forget()
        self._buffer.clear()

    def _answer(self, command: str, now_ns: int) -> bytes:
        if not command.startswith(self._address):
            return b""
        return self._line(self._do(command.removeprefix(self._address), now_ns))

    def _do(self, command: str, now_ns: int) -> str:
        name = SHORT.get(command, command)
        if name in self._commands:
            return self._commands[name](now_ns)
        if name.startswith("TMAN"):
            return self._preset(name.removeprefix("TMAN"))
        known = any(name.startswith(word) for word in self._commands)
        return "ERR01" if known else "ERR04"

    def _tare(self, now_ns: int) -> str:
        if not self.balance.weigh(now_ns).stable:
            return "ERR03"
        return "OK" if self.balance.tare(now_ns) is Reach.IN else "ERR03"

    def _zero(self, now_ns: int) -> str:
        if not self.balance.weigh(now_ns).stable:
            return "ERR03"
        return "OK" if self.balance.zero(now_ns) is Reach.IN else "ERR03"

    def _clear(self, _now_ns: int) -> str:
        self.balance.clear_tare()
        return "OK"

    def _preset(self, text: str) -> str:
        if not TARE.fullmatch(text):
            return "ERR02"
        return "OK" if self.balance.preset_tare(Decimal(text)) else "ERR02"

    def _standard(self, weight: Weight) -> str:
        value, net = self.shown(weight)
        head = self._head(weight)
        number = f"{value:f}" if head in {"ST", "US"} else ""
        return f"{head},{'NT' if net else 'GS'},{number:>8},{self._unit()}"

    def _extended(self, weight: Weight) -> str:
        head = self._head(weight)
        if head not in {"ST", "US"}:
            return f"{head},1,{'':>8},{'':>10},{0:>10},{self._unit()}"
        tare = f"{weight.tare:f}"
        return f"{head},1,{weight.net:>8f},{'PT' if self.balance.tare_preset else '  '}{tare:>8},{0:>10},{self._unit()}"

    def _unit(self) -> str:
        return f"{self.balance.spec.unit:>2}"

    @staticmethod
    def _head(weight: Weight) -> str:
        if weight.reach is Reach.OVER:
            return "OL"
        # Without a zero since it was switched on the display shows dashes, as below the range.
        if weight.reach in {Reach.UNDER, Reach.NOT_ZEROED}:
            return "UL"
        return "ST" if weight.stable else "US"

    def _line(self, text: str) -> bytes:
        return f"{self._address}{text}\r\n".encode("ascii")
