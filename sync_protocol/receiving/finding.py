"""One check that did not come out clean."""

from dataclasses import dataclass

from sync_protocol.receiving.settings import Severity


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`expected` and `found` are values, not sentences; `line` None speaks of the receipt as a whole."""

    check: str
    line: int | None = None
    expected: str | None = None
    found: str | None = None
    severity: Severity = Severity.DECISION
