"""A Rice Lake indicator in continuous output, with the keys that can be pressed over the port (EDP commands)."""

from collections.abc import Callable, Mapping

from firmware_sim.balance import Balance, Reach
from firmware_sim.specs import TerminalSpec
from firmware_sim.streams import StreamingTerminal

MAX_COMMAND = 32

UNITS = {"kg": "KG", "lb": "LB", "g": " G", "oz": "OZ"}


class RiceLakeIndicator(StreamingTerminal):
    """Each command line is answered OK when it was done and ?? when it is not known or not possible now."""

    KEYS = ("zero", "tare", "clear_tare", "print")

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        self._buffer = bytearray()
        self._commands: dict[str, Callable[[int], bool]] = {
            "KZERO": lambda now: self.balance.weigh(now).stable and self.balance.zero(now) is Reach.IN,
            "KTARE": lambda now: self.balance.weigh(now).stable and self.balance.tare(now) is Reach.IN,
            "KCLRTAR": self._clear,
            "KPRINT": lambda _now: True,
        }

    def frame(self, now_ns: int) -> bytes:
        weight = self.balance.weigh(now_ns)
        value, net = self.shown(weight)
        unit = "L" if self.balance.spec.unit == "lb" else UNITS.get(self.balance.spec.unit, "KG").strip()
        mode = "N" if net else "G"
        if weight.reach in {Reach.OVER, Reach.UNDER}:
            filled = "^" if weight.reach is Reach.OVER else "]"
            return f"\x02{filled * 8}{unit}{mode}O\r\n".encode("ascii")
        state = " " if weight.stable else "M"
        if weight.reach is Reach.NOT_ZEROED:
            state = "I"
        elif weight.stable and value == 0:
            state = "Z"
        return f"\x02{'-' if value < 0 else ' '}{abs(value):>7f}{unit}{mode}{state}\r\n".encode("ascii")

    def hear(self, data: bytes, now_ns: int) -> bytes:
        said = b""
        for byte in data:
            if byte in b"\r\n":
                line, self._buffer = bytes(self._buffer).decode("latin-1"), bytearray()
                said += self._answer(line, now_ns) if line else b""
            elif len(self._buffer) < MAX_COMMAND:
                self._buffer.append(byte)
        return said

    def forget(self) -> None:
        super().forget()
        self._buffer.clear()

    def key(self, key: str, now_ns: int) -> bytes:
        self._commands[{"zero": "KZERO", "tare": "KTARE", "clear_tare": "KCLRTAR", "print": "KPRINT"}[key]](now_ns)
        return b""

    def _answer(self, line: str, now_ns: int) -> bytes:
        command = self._commands.get(line)
        return b"OK\r\n" if command is not None and command(now_ns) else b"??\r\n"

    def _clear(self, _now_ns: int) -> bool:
        self.balance.clear_tare()
        return True
