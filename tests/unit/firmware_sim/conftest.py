"""A balance on a bench: virtual time, command lines in, answer lines out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from firmware_sim.balance import Balance, BalanceSpec
from firmware_sim.mt_sics import MtSicsBalance, TerminalSpec

SECOND = 1_000_000_000


@dataclass
class Bench:
    """One balance of 60 kg x 0.005 kg and its clock."""

    device: MtSicsBalance
    now_ns: int = 1_000 * SECOND
    said: list[str] = field(default_factory=list)

    def send(self, *commands: str) -> list[str]:
        """The lines that come at once."""
        return self.raw("".join(f"{command}\r\n" for command in commands).encode())

    def raw(self, data: bytes) -> list[str]:
        return _lines(self.device.receive(data, self.now_ns))

    def wait(self, seconds: float) -> list[str]:
        """The lines that come by themselves meanwhile; the device is woken exactly when it asked for it."""
        return [line for _, line in self.timed(seconds)]

    def timed(self, seconds: float) -> list[tuple[int, str]]:
        """The same with milliseconds since the call."""
        start_ns, end_ns = self.now_ns, self.now_ns + round(seconds * SECOND)
        heard: list[tuple[int, str]] = []
        while (due := self.device.due_ns(self.now_ns)) is not None and due <= end_ns:
            self.now_ns = max(due, self.now_ns)
            heard += [((self.now_ns - start_ns) // 1_000_000, line) for line in _lines(self.device.tick(self.now_ns))]
        self.now_ns = end_ns
        return heard

    def put(self, grams: str) -> None:
        self.device.put(Decimal(grams), self.now_ns)

    def remove(self, grams: str | None = None) -> None:
        self.device.remove(self.now_ns, None if grams is None else Decimal(grams))

    def load(self, grams: str) -> None:
        """Put a load on and let it come to rest."""
        self.put(grams)
        self.wait(5)


def _lines(data: bytes) -> list[str]:
    assert data == b"" or data.endswith(b"\r\n")
    return data.decode("ascii").split("\r\n")[:-1]


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    def make(*, seed: int = 1, terminal: dict[str, Any] | None = None, **spec: Any) -> Bench:
        settings = {"capacity": Decimal(60), "increment": Decimal("0.005"), "unit": "kg"} | spec
        return Bench(MtSicsBalance(Balance(BalanceSpec(**settings), seed), TerminalSpec(**(terminal or {}))))

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
