"""A climate transmitter of the common make: two input registers of tenths, temperature (signed) and humidity."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from firmware_sim import actions
from firmware_sim.actions import Action
from firmware_sim.errors import ActionRefused
from firmware_sim.modbus import RegisterRefused, unit_of

NO_SENSOR = 0x8000

BOOT_NS = 1_000_000_000


class ClimateLogger:
    """Register 0 is the temperature in tenths of a degree, register 1 the relative humidity in tenths of a percent."""

    functions = frozenset({3, 4})
    size = 2
    RANGES: Mapping[str, tuple[Decimal, Decimal]] = {
        "temperature": (Decimal(-40), Decimal(120)),
        "humidity": (Decimal(0), Decimal(100)),
    }

    def __init__(self, options: Mapping[str, object]) -> None:
        self.unit_id = unit_of(options)
        self._values: dict[str, Decimal | None] = {"temperature": Decimal("21.5"), "humidity": Decimal("45.0")}
        self._up_ns = 0

    def is_up(self, now_ns: int) -> bool:
        return now_ns >= self._up_ns

    def allows(self, count: int) -> bool:
        return count <= self.size

    def read(self, now_ns: int) -> Sequence[int]:  # noqa: ARG002 - what it measures does not change by itself
        return [NO_SENSOR if value is None else int(value * 10) & 0xFFFF for value in self._values.values()]

    def write(self, address: int, words: Sequence[int], now_ns: int) -> None:  # noqa: ARG002 - nothing can be written
        raise RegisterRefused(1)

    def receive(self, data: bytes, now_ns: int) -> bytes:  # noqa: ARG002 - it is asked by registers
        return b""

    def tick(self, now_ns: int) -> bytes:  # noqa: ARG002 - it never speaks first
        return b""

    def due_ns(self, now_ns: int) -> int | None:  # noqa: ARG002 - as above
        return None

    def act(self, action: Action, now_ns: int) -> bytes:
        """Warm, cool, moisten, pull the sensor out, switch off and on; raises ActionRefused."""
        match action:
            case actions.Measure():
                self._measure(action)
            case actions.PowerCycle():
                self._up_ns = now_ns + BOOT_NS
            case _:
                raise ActionRefused(f"a climate transmitter cannot {action.action}")
        return b""

    def state(self, now_ns: int) -> Mapping[str, object]:
        return {name: None if value is None else f"{value:f}" for name, value in self._values.items()} | {
            "up": self.is_up(now_ns)
        }

    def _measure(self, action: actions.Measure) -> None:
        what = action.what or "temperature"
        if what not in self.RANGES:
            raise ActionRefused(f"a climate transmitter measures {' and '.join(self.RANGES)}, not {what[:20]!r}")
        low, high = self.RANGES[what]
        # Outside what its sensor can, it has no value to give.
        self._values[what] = action.value if action.value is not None and low <= action.value <= high else None
