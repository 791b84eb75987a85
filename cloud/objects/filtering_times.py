"""Sums of dates in a filter: what is known goes to the other side of the comparison, so that the column stands alone.

`expires - days(3) > today()` and `expires - today() > 3` both ask for `expires > today() + 3 days`, which an index serves and
every database works out alike. Beyond the last day of the calendar an expression faults, and a filter says yes or no.
"""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

from cloud.objects.filtering_terms import MIRRORED, Known, NotSql, kind_of_known
from sync_protocol.expressions import nodes
from sync_protocol.expressions.nodes import Node
from sync_protocol.expressions.values import CONTEXT

DAY_US = 86_400_000_000
MAX_PLACES = 12
"""Of a number of days: finer ones meet the rounding of the division that makes days of microseconds."""

Moved = tuple[str, nodes.Field, Known]


def moved(
    op: str, left: Node, right: Node, kind_of: Callable[[nodes.Field], str], worked_out: Callable[[Node], Known | None]
) -> Moved | None:
    """The comparison as one of a date's field with a known date; None where it is not of that kind. Raises NotSql."""
    if not isinstance(left, nodes.Calculation):
        left, right, op = right, left, MIRRORED[op]
    known = worked_out(right)
    if not isinstance(left, nodes.Calculation) or known is None or left.op not in {"+", "-"}:
        return None
    field, other, turned = left.left, left.right, False
    if not isinstance(field, nodes.Field) and left.op == "-":
        field, other, turned = other, field, True
    beside = worked_out(other)
    if not isinstance(field, nodes.Field) or beside is None:
        return None
    kind = kind_of(field)
    if kind not in {"date", "datetime"}:
        return None
    try:
        return _move(op, left, field, (kind, beside.value, known.value), turned=turned)
    except OverflowError as exc:
        raise NotSql(left.column, "a date beyond the calendar") from exc


def _move(
    op: str, left: nodes.Calculation, field: nodes.Field, values: tuple[str, object, object], *, turned: bool
) -> Moved | None:
    kind, beside, known = values
    if isinstance(beside, timedelta) and isinstance(known, date) and kind_of_known(known) == kind and not turned:
        return op, field, Known(known - beside if left.op == "+" else known + beside)
    if isinstance(beside, date) and kind_of_known(beside) == kind and isinstance(known, Decimal) and left.op == "-":
        if turned:
            op, known = MIRRORED[op], -known
        op, length = _length(op, known, kind, left.column)
        return op, field, Known(beside + length)
    return None


def _length(op: str, days: Decimal, kind: str, column: int) -> tuple[str, timedelta]:
    """So many days as a length, rounded down to what the kind counts in; the comparison takes the rest into account."""
    exponent = days.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MAX_PLACES or days.adjusted() > MAX_PLACES:
        raise NotSql(column, "a number of days that no date takes")
    unit = timedelta(microseconds=1) if kind == "datetime" else timedelta(days=1)
    count = CONTEXT.multiply(days, Decimal(DAY_US)) if kind == "datetime" else days
    whole = int(count // 1)
    if whole > count:
        whole -= 1
    if whole != count:
        if op in {"==", "!="}:
            raise NotSql(column, "a number of days that no date takes")
        op = ">" if op in {">", ">="} else "<="
    return op, whole * unit
