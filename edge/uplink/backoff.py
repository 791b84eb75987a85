"""How long to wait after a failure: full jitter, doubling from one second to a cap."""

from collections.abc import Callable
from dataclasses import dataclass

FIRST_S = 1.0

ASKED_CAP_S = 3600.0
"""What the cloud may ask for: an hour's rest helps a cloud in trouble, a wrong number must not silence a box for good."""


@dataclass(slots=True)
class Backoff:
    """`random` gives a number in [0, 1). Full jitter spreads a thousand boxes after one outage evenly."""

    cap_s: float
    random: Callable[[], float]
    _failures: int = 0

    def reset(self) -> None:
        self._failures = 0

    def pause(self, asked_s: float | None = None) -> float:
        """Seconds to wait now; at least what the cloud asked for, as far as that makes sense."""
        ceiling = min(self.cap_s, FIRST_S * float(2**self._failures))
        self._failures = min(self._failures + 1, 30)
        wanted = asked_s if asked_s is not None and asked_s > 0 else 0.0  # false for NaN, which JSON readers let through
        return max(min(wanted, ASKED_CAP_S), ceiling * (0.2 + 0.8 * self.random()))
