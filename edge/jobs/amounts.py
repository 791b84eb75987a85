"""How much a receipt holds of an order's line, beside what was received before: exact, in the line's unit. Pure."""

from collections.abc import Iterable
from fractions import Fraction

from edge.jobs.facts import quantity_of
from edge.jobs.receive import Line, ReceiveJob
from sync_protocol.masters import OrderLine
from sync_protocol.receiving.measures import in_unit


def held(lines: Iterable[Line], unit: str) -> Fraction:
    """What these lines hold together, but for discarded ones and amounts of another dimension."""
    fields = (line.amount for line in lines if line.live)
    amounts = (in_unit(quantity_of(field), unit) for field in fields if field is not None)
    return sum((one for one in amounts if one is not None), Fraction(0))


def here(job: ReceiveJob, row: OrderLine) -> Fraction:
    """What the receipt holds of the order's line."""
    return held((line for line in job.lines if line.item.order_line == row.line), row.unit)


def still_open(job: ReceiveJob, row: OrderLine) -> Fraction:
    """What is still to come of the line after this receipt: nothing of a closed one."""
    if row.closed:
        return Fraction(0)
    return max(Fraction(0), Fraction(row.quantity) - Fraction(row.received) - here(job, row))
