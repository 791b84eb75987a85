"""The shared checks as the box shows them: which stop a line, which ask for a reason, and how far a limit is missed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from edge.jobs.facts import facts_of
from edge.jobs.moment import Context
from edge.jobs.receive import Line, ReceiveJob
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity, plain
from sync_protocol.receiving.checks import findings
from sync_protocol.receiving.finding import Finding
from sync_protocol.receiving.settings import Severity

AT_THE_END: Final = frozenset({"under_tolerance", "kept_by_operator", "no_lines"})
"""Checks that say nothing yet while lines come in."""

WITHOUT_AMOUNT: Final = frozenset(
    {
        "product_unknown",
        "product_not_on_order",
        "product_not_on_notice",
        "code_unknown",
        "code_of_other_product",
        "code_ambiguous",
        "code_learned",
        "serial_in_stock",
        "serial_not_announced",
        "lot_blocked",
        "lot_expiry_differs",
        "expired",
        "life_too_short",
        "sscc_again",
        "sscc_check_digit",
    }
)
"""Checks that a line can fail before its amount is there."""

REASON_GIVEN: Final = frozenset({"damaged", "code_learned", "code_unknown"})
"""Checks whose reason an operator gave when the goods were called damaged or the code was learned, here or in an earlier
receipt: it is not asked for twice."""


@dataclass(frozen=True, slots=True)
class Check:
    """A failed check of a line, or of the receipt (`line` None), with its limit and by how much it is missed.

    By `form`: amounts in `unit`, ISO dates (the difference in days), or plain text. `decided` is a supervisor's word.
    """

    code: str
    limit: str | None = None
    found: str | None = None
    difference: str | None = None
    unit: str | None = None
    form: Literal["amount", "date", "text"] = "text"
    line: int | None = None
    severity: Severity = Severity.DECISION
    decided: Literal["accept", "refuse"] | None = None

    @property
    def stops(self) -> bool:
        """The line cannot be kept as it is."""
        return self.severity is Severity.STOP or self.decided == "refuse"

    @property
    def asks(self) -> bool:
        """The line is kept only with a reason, or with a supervisor's word."""
        open_yet = self.severity is Severity.DECISION and self.decided is None
        return open_yet and self.code not in REASON_GIVEN

    @property
    def holds(self) -> bool:
        return self.stops or self.asks

    @property
    def decidable(self) -> bool:
        """Whether a supervisor's word can be asked for."""
        return self.severity is Severity.DECISION and self.decided is None


Failed = Mapping[int | None, tuple[Check, ...]]


def all_checks(job: ReceiveJob, context: Context) -> Failed:
    """Every failed check by the line that it is said of; None: of the receipt as a whole."""
    found: dict[int | None, list[Check]] = {}
    for finding in findings(facts_of(job, context)):
        found.setdefault(finding.line, []).append(_shown(job, finding))
    return {number: tuple(checks) for number, checks in found.items()}


def line_checks(job: ReceiveJob, line: Line, failed: Failed) -> tuple[Check, ...]:
    """What is to be said of a line while lines come in: nothing that is only for information."""
    checks = (one for one in failed.get(line.number, ()) if one.severity is not Severity.INFO and one.code not in AT_THE_END)
    if line.measured is None and line is job.current:
        return tuple(one for one in checks if one.code in WITHOUT_AMOUNT)
    return tuple(checks)


def failed_checks(job: ReceiveJob, line: Line, context: Context) -> tuple[Check, ...]:
    """Every check that the line fails now."""
    return line_checks(job, line, all_checks(job, context))


def _shown(job: ReceiveJob, finding: Finding) -> Check:
    word = job.decided(finding.check, finding.line)
    said = {
        "line": finding.line,
        "severity": finding.severity,
        "decided": word.step.decision if word is not None else None,
    }
    limit, found = finding.expected, finding.found
    if limit is not None and found is not None:
        for read in (_amounts, _dates):
            if (values := read(limit, found)) is not None:
                return Check(finding.check, **values, **said)  # type: ignore[arg-type]
    return Check(finding.check, limit, found, **said)  # type: ignore[arg-type]


def _amounts(limit: str, found: str) -> dict[str, str] | None:
    try:
        allowed, there = Quantity.parse(limit), Quantity.parse(found)
    except TextFault:
        return None
    if allowed.unit != there.unit:
        return None
    values = {"limit": allowed.value, "found": there.value, "difference": abs(there.value - allowed.value)}
    return {name: _short(value) for name, value in values.items()} | {"unit": allowed.unit, "form": "amount"}


def _dates(limit: str, found: str) -> dict[str, str] | None:
    try:
        days = abs((date.fromisoformat(found) - date.fromisoformat(limit)).days)
    except ValueError:
        return None
    return {"limit": limit, "found": found, "difference": str(days), "form": "date"}


def _short(value: Decimal) -> str:
    return plain(value.normalize() + 0)
