"""Weight transmitters of registers: Laumas (TLU manual p.30, LCB manual p.3) and Flintec FT-112 (technical manual 13.2.1).

They refuse in different manners: a Laumas leaves everything as it was, an FT-112 answers with exception 4.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal

from firmware_sim.actions import Action
from firmware_sim.balance import Balance, Reach, Weight
from firmware_sim.errors import ActionRefused, SiteFault
from firmware_sim.modbus import RegisterRefused, unit_of, words_of
from firmware_sim.specs import TerminalSpec
from firmware_sim.weighing import act_on, state_of


class RegisterScale(ABC):
    """A balance behind registers. Silent while it boots."""

    KEYS: tuple[str, ...] = ("zero", "tare", "clear_tare")
    functions = frozenset({3, 6, 16})
    size = 60

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        self.balance = balance
        self.spec = spec
        self.unit_id = unit_of(options)
        self._up_ns = 0

    @abstractmethod
    def read(self, now_ns: int) -> Sequence[int]: ...

    @abstractmethod
    def write(self, address: int, words: Sequence[int], now_ns: int) -> None: ...

    @abstractmethod
    def allows(self, count: int) -> bool: ...

    def is_up(self, now_ns: int) -> bool:
        return now_ns >= self._up_ns

    def receive(self, data: bytes, now_ns: int) -> bytes:  # noqa: ARG002 - it is asked by registers
        return b""

    def tick(self, now_ns: int) -> bytes:  # noqa: ARG002 - it never speaks first
        return b""

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - as above
        return None

    def press(self, key: str, now_ns: int) -> bytes:
        """Press one of KEYS; raises ActionRefused for another. While it boots, nothing happens."""
        if key not in self.KEYS:
            raise ActionRefused(f"the transmitter has no key {key!r}, only {', '.join(self.KEYS)}")
        if self.is_up(now_ns):
            self._do(key, now_ns)
        return b""

    def power_cycle(self, now_ns: int) -> None:
        """Off and on: silent until booted."""
        self.balance.restart(now_ns)
        self._up_ns = now_ns + self.spec.boot_ns

    def act(self, action: Action, now_ns: int) -> bytes:
        """Do what an operator does; raises ActionRefused."""
        return act_on(self, action, now_ns)

    def state(self, now_ns: int) -> Mapping[str, object]:
        return state_of(self.balance, now_ns)

    def _do(self, what: str, now_ns: int) -> bool:
        """Zero, tare or clear the tare; False when the balance cannot now."""
        weight = self.balance.weigh(now_ns)
        if what == "clear_tare":
            self.balance.clear_tare()
            return True
        if not weight.stable or weight.reach is not Reach.IN:
            return False
        return (self.balance.zero if what == "zero" else self.balance.tare)(now_ns) is Reach.IN

    def _digits(self) -> int:
        exponent = self.balance.spec.increment.as_tuple().exponent
        return max(-exponent, 0) if isinstance(exponent, int) else 0

    def _counts(self, amount: Decimal) -> int:
        return int(amount.scaleb(self._digits()))


class Laumas(RegisterScale):
    """40001 is address 0. Magnitudes without sign and point; the signs are in the status."""

    DIVISIONS = (100, 50, 20, 10, 5, 2, 1, *(Decimal(digit).scaleb(-place) for place in range(1, 5) for digit in (5, 2, 1)))
    """The number of a division is its place here: 0 is 100, 15 is 0.001."""
    UNITS: Mapping[str, int] = {"kg": 0, "g": 1, "t": 2, "lb": 3}
    COMMANDS: Mapping[int, str] = {7: "tare", 8: "zero", 9: "clear_tare"}
    MAX_READ = 32

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        if balance.spec.increment not in self.DIVISIONS:
            raise SiteFault(f"a Laumas has no division of {balance.spec.increment}", key="scale.increment")
        if balance.spec.unit not in self.UNITS:
            raise SiteFault(f"a Laumas does not show {balance.spec.unit}", key="scale.unit")
        self._division = self.DIVISIONS.index(balance.spec.increment)
        self._unit = self.UNITS[balance.spec.unit]

    def allows(self, count: int) -> bool:
        return count <= self.MAX_READ

    def read(self, now_ns: int) -> Sequence[int]:
        weight = self.balance.weigh(now_ns)
        words = [0] * self.size
        words[0:5] = [112, 24, 2024, 4711, 3]
        words[6] = self._status(weight)
        words[7:9] = words_of(abs(self._counts(weight.gross)))
        words[9:11] = words_of(abs(self._counts(weight.net)))
        words[11:13] = words_of(abs(self._counts(weight.gross)))
        words[13] = self._unit << 8 | self._division
        return words

    def write(self, address: int, words: Sequence[int], now_ns: int) -> None:
        if address != 5 or len(words) != 1:
            raise RegisterRefused(2)
        what = self.COMMANDS.get(words[0])
        if what is None:
            raise RegisterRefused(3)
        # Whether it could be done shows in the status, nowhere else.
        self._do(what, now_ns)

    def _status(self, weight: Weight) -> int:
        net = weight.tare != 0
        centre = abs(weight.gross) * 4 <= self.balance.spec.increment
        bits = {
            3: weight.reach is Reach.OVER,
            7: weight.gross < 0,
            8: weight.net < 0,
            10: net,
            11: weight.stable,
            12: centre,
        }
        return sum(1 << bit for bit, is_set in bits.items() if is_set)


class Ft112(RegisterScale):
    """Pairs of registers, high word first; 40001 is address 0. Answers functions 3 and 16 only."""

    functions = frozenset({3, 16})
    COMMANDS: Mapping[int, str] = {1: "zero", 2: "tare", 3: "clear_tare"}
    POINT_BITS: Mapping[int, int] = {0: 31, 1: 30, 2: 29, 3: 28, 4: 27}
    BEAT_NS = 100_000_000
    CANNOT = 4
    """Operation error (technical manual, exception codes)."""

    def __init__(self, balance: Balance, spec: TerminalSpec, options: Mapping[str, object]) -> None:
        super().__init__(balance, spec, options)
        if self._digits() not in self.POINT_BITS:
            raise SiteFault("an FT-112 shows at most 4 decimals", key="scale.increment")
        self._stuck = options.get("stuck") is True

    def allows(self, count: int) -> bool:
        return count <= 125

    def read(self, now_ns: int) -> Sequence[int]:
        weight = self.balance.weigh(now_ns)
        words = [0] * self.size
        shown = weight.net if weight.tare else weight.gross
        for at, value in (
            (0, self._counts(shown)),
            (2, self._counts(weight.tare)),
            (4, self._counts(weight.gross)),
            (6, self._status(weight)),
            (8, 1 << 4 if weight.reach is Reach.OVER else 1 << 3 if weight.reach is Reach.UNDER else 0),
            (10, 1 if self._stuck else max(now_ns - self._up_ns, 0) // self.BEAT_NS),
        ):
            words[at : at + 2] = words_of(value)
        return words

    def write(self, address: int, words: Sequence[int], now_ns: int) -> None:
        if address != 24:
            raise RegisterRefused(2)
        if len(words) != 2:
            raise RegisterRefused(3)
        what = self.COMMANDS.get(words[0] << 16 | words[1])
        if what is None:
            raise RegisterRefused(3)
        if not self._do(what, now_ns):
            raise RegisterRefused(self.CANNOT)

    def _status(self, weight: Weight) -> int:
        bits = {
            2: not weight.stable,
            3: weight.tare != 0,
            4: self.balance.tare_preset,
            5: weight.reach is not Reach.NOT_ZEROED,
            12: abs(weight.gross) * 4 <= self.balance.spec.increment,
            self.POINT_BITS[self._digits()]: True,
        }
        return sum(1 << bit for bit, is_set in bits.items() if is_set)
