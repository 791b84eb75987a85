"""How long to wait after a failure: full jitter, doubling from one second to a cap."""

from collections.abc import Callable
from dataclasses import dataclass

FIRST_S = 1.0


@dataclass(slots=True)
class Backoff:
    """`random` gives a number in [0, 1). Full jitter spreads a thousand boxes after one outage evenly."""

    cap_s: float
    random: Callable[[], float]
    _failures: int = 0

    def reset(self) -> None:
        self._failures = 0

    def pause(self, asked_s: float | None = None) -> float:
        """Seconds to wait now; at least what the cloud asked for."""
        ceiling = min(self.cap_s, FIRST_S * float(2**self._failures))
        self._failures = min(self._failures + 1, 30)
        return max(asked_s or 0.0, ceiling * (0.2 + 0.8 * self.random()))
