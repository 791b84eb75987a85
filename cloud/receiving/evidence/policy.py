"""What a product demands of its values: `required` ones rest on a reading, or on a supervisor's word that is kept.

No setting of a check's severity takes anything from it: a check may be softened to a remark, the product's policy may not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cloud.masters.models import Product
from cloud.people.models import Role
from cloud.receiving.models import Evidence, LineStanding, Receipt, ReceiptException, ReceiptLine
from sync_protocol.quantity import UNITS

REQUIRED = "required"

NO_DECIDERS = frozenset({Role.OPERATOR, Role.VIEWER})
"""Whose word does not stand for a reading that is missing, whatever they were once allowed."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One policy: its column of the product, and the check whose accepted exception stands for the reading."""

    policy: str
    check: str


DEMANDS: Mapping[str, Demand] = {
    "identity": Demand("identity_policy", "identity_not_measured"),
    "quantity": Demand("weight_policy", "weight_not_measured"),
}
"""By field of a line."""

DOUBTS: Mapping[str, tuple[str, ...]] = {
    "identity": (),
    "quantity": ("weight_not_stable", "weight_old", "scale_out_of_calibration", "reading_used_twice"),
}
"""Checks that say of a required field's reading that it is worth less: each one that came up needs its own decision."""


def policy_problems(receipt: Receipt) -> list[str]:
    """`policy_unmet:<line>.<field>` for required fields of lines that count, without a reading and without a decision; and for
    readings in doubt that nobody decided about. Of rows at hand; `quantity` is demanded of products counted by mass."""
    found: list[str] = []
    for line in receipt.lines:
        if line.standing == LineStanding.CONFIRMED and line.product is not None:
            found += [f"policy_unmet:{line.number}.{name}" for name in _unmet(receipt, line, line.product)]
    return found


def _unmet(receipt: Receipt, line: ReceiptLine, product: Product) -> Iterator[str]:
    evidence = {row.field: row for row in receipt.evidence if row.line is line}
    raised = {row.check: row for row in receipt.exceptions if row.line_number == line.number}
    for name, demand in DEMANDS.items():
        if getattr(product, demand.policy) != REQUIRED or (name == "quantity" and not _by_mass(product)):
            continue
        rests = _measured(name, evidence) or _agreed(raised.get(demand.check))
        if not rests or not all(_agreed(raised[check]) for check in DOUBTS[name] if check in raised):
            yield name


def _measured(name: str, evidence: Mapping[str, Evidence]) -> bool:
    """Read by a device, or worked out from what a device read: a net weight from the gross."""
    row = evidence.get(name)
    if row is None:
        return False
    if row.mode == "derived" and row.formula == "gross - tare":
        row = evidence.get("gross")
    return row is not None and row.mode == "device"


def _agreed(row: ReceiptException | None) -> bool:
    return row is not None and row.decision == "accept" and bool(row.reason) and row.role not in NO_DECIDERS


def _by_mass(product: Product) -> bool:
    return product.unit in UNITS and UNITS[product.unit][0] == "mass"
