"""How a command can end on the box, as exceptions and as what is journaled.

CommandEnded
├── CommandRefused   the box's or the device's: it can be asked, and says no; `code` says why
└── CommandFailed    nobody's: it could not be asked, or the answer did not come; `code` says why
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edge.errors import EdgeError

Outcome = Literal["done", "refused", "failed", "fenced", "expired", "interrupted"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command; `detail` is a word of the device's or the box's, `data` what came out of it."""

    outcome: Outcome
    detail: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class CommandEnded(EdgeError):
    """Root of how a deed ends that was not done."""

    outcome: Outcome = "failed"

    def __init__(self, code: str, reason: str | None = None) -> None:
        super().__init__(code if reason is None else f"{code}: {reason}")
        self.code = code
        self.reason = reason

    def result(self) -> Result:
        """As it is journaled."""
        return Result(self.outcome, self.code, {} if self.reason is None else {"reason": self.reason})


class CommandRefused(CommandEnded):
    """It will not be done, and asking again would not help."""

    outcome: Outcome = "refused"


class CommandFailed(CommandEnded):
    """It could not be done, or nobody knows whether it was."""
