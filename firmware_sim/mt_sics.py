"""A balance that speaks MT-SICS levels 0 and 1, SNR and, where the model has it, SIX1: command lines in, answer lines out.

Commands are done one after the other: while S, Z or T waits for stability, what follows waits in the input buffer, as it does
in the instrument; only @ goes ahead of them.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from firmware_sim.actions import Action
from firmware_sim.balance import SAMPLE_NS, Balance, Reach
from firmware_sim.errors import ActionRefused
from firmware_sim.mt_sics_lines import (
    LEVEL_VERSIONS,
    MAX_LINE,
    REACH_LETTER,
    Command,
    amount,
    command_list,
    read_amount,
    read_command,
    read_text,
    six1_line,
    weight_line,
)
from firmware_sim.mt_sics_repeat import Continuous, OnChange, Repeat
from firmware_sim.specs import TerminalSpec
from firmware_sim.weighing import act_on, state_of

MAX_WAITING = 16
"""Commands kept while one waits for stability; a full input buffer answers EL, so a flood cannot grow the memory."""

KEYS = {"zero": 6, "tare": 7}
"""Key -> number in `K C <number>`. The numbering differs between models; this is the simulated one's."""

WEIGHING = frozenset({"S", "SI", "SIR", "SR", "SNR", "@"})
"""Commands that end a repeated sending (11780711, command SIR)."""


@dataclass(slots=True)
class _Waiting:
    name: str
    give_up_ns: int
    due_ns: int


class MtSicsBalance:
    """The instrument as seen from its port. `balance` holds the physics; operator actions on it are made through this class."""

    def __init__(self, balance: Balance, spec: TerminalSpec) -> None:
        self.balance = balance
        self.spec = spec
        self.shown_text: str | None = None
        """What D wrote on the display, until DW."""
        self._buffer = bytearray()
        self._overlong = False
        self._queue: deque[Command] = deque()
        self._waiting: _Waiting | None = None
        self._repeat: Repeat | None = None
        self._booted_ns: int | None = None
        self._key_mode = 1
        self._handlers: dict[str, Callable[[str | None, int], Iterable[str]]] = {
            "@": self._reset,
            "D": self._display,
            "DW": self._display_weight,
            "K": self._keys,
            "SR": self._send_on_change,
            "SNR": self._send_next_stable,
            "TA": self._tare_memory,
        }
        self._plain: dict[str, Callable[[int], Iterable[str]]] = {
            "I0": lambda _now: command_list(with_six1=spec.six1),
            "I1": lambda _now: ['I1 A "012" ' + " ".join(f'"{version}"' for version in LEVEL_VERSIONS)],
            "I2": lambda _now: [f'I2 A "{spec.model} {balance.spec.capacity:f} {balance.spec.unit}"'],
            "I3": lambda _now: [f'I3 A "{spec.software}"'],
            "I4": lambda _now: [self._identity()],
            "I5": lambda _now: [f'I5 A "{spec.software_id}"'],
            "S": lambda now: self._when_stable("S", now),
            "SI": lambda now: [weight_line(balance.weigh(now), balance.spec.unit)],
            "SIR": self._send_continuously,
            "T": lambda now: self._when_stable("T", now),
            "TAC": self._clear_tare,
            "TI": self._tare_now,
            "Z": lambda now: self._when_stable("Z", now),
            "ZI": self._zero_now,
        }
        if spec.six1:
            self._plain["SIX1"] = lambda now: [six1_line(balance, balance.weigh(now))]

    # -- the wire ------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Answer every whole command line in the input so far; the rest waits for more."""
        if self._booted_ns is not None:
            if now_ns < self._booted_ns:
                return b""
            return self.tick(now_ns) + self.receive(data, now_ns)
        lines: list[str] = []
        for piece in _split_lines(data):
            self._buffer += piece
            if piece.endswith(b"\n"):
                lines += self._line(now_ns)
            elif len(self._buffer) > MAX_LINE:
                self._buffer.clear()
                self._overlong = True
        return _encode(lines)

    def tick(self, now_ns: int) -> bytes:
        lines: list[str] = []
        if self._booted_ns is not None:
            if now_ns < self._booted_ns:
                return b""
            self._booted_ns = None
            lines.append(self._identity())
        if self._repeat is not None and now_ns >= self._repeat.due_ns:
            lines += self._repeat.lines(self.balance.weigh(now_ns), now_ns)
        if self._waiting is not None:
            lines += self._try_waiting(now_ns)
            lines += self._work_queue(now_ns)
        return _encode(lines)

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - everything in hand has its own time
        due = [self._waiting.due_ns] if self._waiting is not None else []
        if self._booted_ns is not None:
            due.append(self._booted_ns)
        if self._repeat is not None:
            due.append(self._repeat.due_ns)
        return min(due, default=None)

    # -- the operator --------------------------------------------------------------------------------------------------

    def put(self, grams: Decimal, now_ns: int) -> None:
        self.balance.put(grams, now_ns)

    def remove(self, now_ns: int, grams: Decimal | None = None) -> None:
        self.balance.remove(now_ns, grams)

    def press(self, key: str, now_ns: int) -> bytes:
        """Press a key of KEYS; what it does and whether the host hears of it depends on the K mode (11780711, command K)."""
        if key not in KEYS:
            raise ActionRefused(f"the balance has no key {key!r}, only {', '.join(KEYS)}")
        if self._booted_ns is not None:
            return b""
        if self._key_mode in (1, 4):
            (self.balance.zero if key == "zero" else self.balance.tare)(now_ns)
        return _encode([f"K C {KEYS[key]}"]) if self._key_mode in (3, 4) else b""

    def press_zero(self, now_ns: int) -> bytes:
        return self.press("zero", now_ns)

    def act(self, action: Action, now_ns: int) -> bytes:
        """Do what an operator does; raises ActionRefused."""
        return act_on(self, action, now_ns)

    def state(self, now_ns: int) -> dict[str, object]:
        return state_of(self.balance, now_ns)

    def power_cycle(self, now_ns: int) -> None:
        """Off and on: silent until booted, then the serial number is sent unasked."""
        self._forget()
        self.balance.restart(now_ns)
        self._booted_ns = now_ns + self.spec.boot_ns

    # -- command lines -------------------------------------------------------------------------------------------------

    def _line(self, now_ns: int) -> list[str]:
        line, overlong = bytes(self._buffer), self._overlong or len(self._buffer) > MAX_LINE + 2
        self._buffer.clear()
        self._overlong = False
        if overlong or not line.endswith(b"\r\n"):
            return ["ES"]
        command = read_command(line[:-2])
        if isinstance(command, str):
            return [command]
        if command.name == "@" or self._waiting is None:
            return [*self._do(command, now_ns)]
        if len(self._queue) >= MAX_WAITING:
            return ["EL"]
        self._queue.append(command)
        return []

    def _do(self, command: Command, now_ns: int) -> Iterable[str]:
        if command.name in WEIGHING:
            self._repeat = None
        if command.name in self._plain:
            return self._plain[command.name](now_ns) if command.argument is None else [f"{command.name} L"]
        handler = self._handlers.get(command.name)
        return handler(command.argument, now_ns) if handler else ["ES"]

    def _work_queue(self, now_ns: int) -> list[str]:
        lines: list[str] = []
        while self._queue and self._waiting is None:
            lines += self._do(self._queue.popleft(), now_ns)
        return lines

    # -- commands that wait for stability --------------------------------------------------------------------------------

    def _when_stable(self, name: str, now_ns: int) -> list[str]:
        self._waiting = _Waiting(name, now_ns + self.spec.stable_wait_ns, now_ns)
        return self._try_waiting(now_ns)

    def _try_waiting(self, now_ns: int) -> list[str]:
        waiting = self._waiting
        if waiting is None:
            return []
        weight = self.balance.weigh(now_ns)
        may_come = weight.reach is Reach.IN or waiting.name == "Z"
        if may_come and not weight.stable and now_ns < waiting.give_up_ns:
            waiting.due_ns = now_ns + SAMPLE_NS
            return []
        self._waiting = None
        if weight.reach is not Reach.IN and waiting.name != "Z":
            return [f"{waiting.name} {REACH_LETTER[weight.reach]}"]
        if not weight.stable:
            return [f"{waiting.name} I"]
        if waiting.name == "S":
            return [weight_line(weight, self.balance.spec.unit)]
        return self._zero_at_rest(now_ns) if waiting.name == "Z" else self._tare_at_rest(now_ns)

    def _zero_at_rest(self, now_ns: int) -> list[str]:
        reach = self.balance.zero(now_ns)
        return [f"Z {REACH_LETTER.get(reach, 'A')}"]

    def _tare_at_rest(self, now_ns: int) -> list[str]:
        reach = self.balance.tare(now_ns)
        return [f"T S {self._tare_text(now_ns)}" if reach is Reach.IN else f"T {REACH_LETTER[reach]}"]

    # -- commands done at once -------------------------------------------------------------------------------------------

    def _zero_now(self, now_ns: int) -> list[str]:
        stable = self.balance.weigh(now_ns).stable
        reach = self.balance.zero(now_ns)
        return [f"ZI {REACH_LETTER.get(reach, 'S' if stable else 'D')}"]

    def _tare_now(self, now_ns: int) -> list[str]:
        stable = self.balance.weigh(now_ns).stable
        reach = self.balance.tare(now_ns)
        if reach is not Reach.IN:
            return [f"TI {REACH_LETTER[reach]}"]
        return [f"TI {'S' if stable else 'D'} {self._tare_text(now_ns)}"]

    def _clear_tare(self, _now_ns: int) -> list[str]:
        self.balance.clear_tare()
        return ["TAC A"]

    def _tare_memory(self, argument: str | None, now_ns: int) -> list[str]:
        if argument is not None:
            value = read_amount(argument, self.balance.spec.unit)
            if value is None or not self.balance.preset_tare(value):
                return ["TA L"]
        return [f"TA A {self._tare_text(now_ns)}"]

    def _tare_text(self, now_ns: int) -> str:
        return amount(self.balance.weigh(now_ns).tare, self.balance.spec.unit)

    def _send_continuously(self, now_ns: int) -> list[str]:
        unit = self.balance.spec.unit
        self._repeat = Continuous(unit, self.spec.repeat_ns, now_ns)
        return self._repeat.lines(self.balance.weigh(now_ns), now_ns)

    def _send_on_change(self, argument: str | None, now_ns: int) -> list[str]:
        return self._start_on_change("SR", argument, now_ns)

    def _send_next_stable(self, argument: str | None, now_ns: int) -> list[str]:
        return self._start_on_change("SNR", argument, now_ns)

    def _start_on_change(self, name: str, argument: str | None, now_ns: int) -> list[str]:
        spec = self.balance.spec
        preset = None if argument is None else read_amount(argument, spec.unit)
        if argument is not None and (preset is None or not spec.increment <= preset <= spec.capacity):
            return ["S L"]
        self._repeat = OnChange(
            unit=spec.unit,
            increment=spec.increment,
            due_ns=now_ns,
            give_up_ns=now_ns + self.spec.stable_wait_ns,
            says_dynamic=name == "SR",
            preset=preset,
        )
        return self._repeat.lines(self.balance.weigh(now_ns), now_ns)

    def _display(self, argument: str | None, _now_ns: int) -> list[str]:
        text = read_text(argument)
        if text is None:
            return ["D L"]
        self.shown_text = text
        return ["D A"]

    def _display_weight(self, argument: str | None, _now_ns: int) -> list[str]:
        if argument is not None:
            return ["DW L"]
        self.shown_text = None
        return ["DW A"]

    def _keys(self, argument: str | None, _now_ns: int) -> list[str]:
        if argument not in ("1", "2", "3", "4"):
            return ["K L"]
        self._key_mode = int(argument)
        return ["K A"]

    def _reset(self, argument: str | None, _now_ns: int) -> list[str]:
        """As after switching on, but without a new zero (11780711, command @)."""
        if argument is not None:
            return ["ES"]
        self._forget()
        self.balance.clear_tare()
        return [self._identity()]

    def _identity(self) -> str:
        return f'I4 A "{self.spec.serial_number}"'

    def _forget(self) -> None:
        self._buffer.clear()
        self._overlong = False
        self._queue.clear()
        self._waiting = None
        self._repeat = None
        self._key_mode = 1
        self.shown_text = None


def _split_lines(data: bytes) -> list[bytes]:
    """Pieces that end in LF, and the rest; CR and other separators stay inside."""
    *whole, rest = data.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


def _encode(lines: Iterable[str]) -> bytes:
    return b"".join(line.encode("ascii") + b"\r\n" for line in lines)
