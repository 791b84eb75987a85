"""Checks of what a line's numbers rest on, and of its net weight (12, 14)."""

from collections.abc import Iterator

from sync_protocol.masters import Product
from sync_protocol.receiving.facts import LineFacts
from sync_protocol.receiving.finding import Finding
from sync_protocol.receiving.measures import KILOGRAM, in_unit, is_weighed, shown
from sync_protocol.receiving.settings import READING_AGE_S

UNSTABLE = frozenset({"motion", "overload", "underload"})
"""Flags of a reading that is no weight."""


def tare(line: LineFacts) -> Iterator[Finding]:
    """12: net is gross less a tare that is known or was weighed, and not below nothing."""
    if line.gross is None:
        return
    if line.tare is None or not line.tare_known:
        yield Finding("tare_missing", line.number, found=str(line.tare) if line.tare is not None else None)
    if line.tare is None:
        return
    gross, less = in_unit(line.gross, KILOGRAM), in_unit(line.tare, KILOGRAM)
    if gross is None or less is None:
        yield Finding("unit_differs", line.number, expected=KILOGRAM, found=f"{line.gross.unit}, {line.tare.unit}")
        return
    if gross < less:
        yield Finding("net_negative", line.number, expected=str(line.gross), found=str(line.tare))
        return
    said = in_unit(line.quantity, KILOGRAM) if line.quantity is not None else None
    if said is not None and said != gross - less:
        yield Finding("net_differs", line.number, expected=shown(gross - less, KILOGRAM), found=shown(said, KILOGRAM))


def below_nothing(line: LineFacts) -> Iterator[Finding]:
    """12: an amount is no debt."""
    if line.quantity is not None and line.quantity.value < 0:
        yield Finding("net_negative", line.number, found=str(line.quantity))


def policies(line: LineFacts, product: Product) -> Iterator[Finding]:
    """14: what has to come from a device does."""
    if product.identity_policy == "required" and line.identity_mode != "device":
        yield Finding("identity_not_measured", line.number, expected="device", found=line.identity_mode)
    if is_weighed(product.unit) and product.weight_policy == "required" and not _measured(line):
        yield Finding("weight_not_measured", line.number, expected="device", found=line.quantity_mode)


def _measured(line: LineFacts) -> bool:
    return line.quantity_mode == "device" or (line.quantity_mode == "derived" and line.weight is not None)


def reading(line: LineFacts) -> Iterator[Finding]:
    """14: the reading was at rest, fresh, from a calibrated scale, and stands for this line alone."""
    weight = line.weight
    if weight is None:
        return
    if weight.flags & UNSTABLE or (weight.kind == "mass" and "stable" not in weight.flags):
        yield Finding("weight_not_stable", line.number, expected="stable", found=" ".join(sorted(weight.flags)) or None)
    if weight.age_s is not None and weight.age_s > READING_AGE_S:
        yield Finding("weight_old", line.number, expected=f"{READING_AGE_S} s", found=f"{weight.age_s:.0f} s")
    if weight.calibrated is False or "out_of_calibration" in weight.flags:
        yield Finding("scale_out_of_calibration", line.number)
    if weight.used_by is not None:
        yield Finding("reading_used_twice", line.number, found=weight.used_by)
