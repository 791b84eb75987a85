"""The reason codes an operator may choose from, by occasion. At most five each: more cannot be read at a glance.

The codes go into the journal and are translated by whoever shows them.
"""

from enum import StrEnum
from typing import Final

from edge.errors import JobRefused


class Occasion(StrEnum):
    """What a reason is given for."""

    NO_DOCUMENT = "no_document"
    TYPED = "typed"
    WEIGHT_TYPED = "weight_typed"
    ARRIVAL_TYPED = "arrival_typed"
    LEARN = "learn"
    DAMAGE = "damage"
    KEEP = "keep"
    DECIDE = "decide"
    SHORT = "short"
    DISCARD = "discard"
    ABANDON = "abandon"


REASONS: Final[dict[Occasion, tuple[str, ...]]] = {
    Occasion.NO_DOCUMENT: ("not_supplied", "comes_later", "unreadable"),
    Occasion.TYPED: ("no_barcode", "unreadable", "scanner_down"),
    Occasion.WEIGHT_TYPED: ("scale_down", "too_large", "label_weight"),
    Occasion.ARRIVAL_TYPED: ("no_device", "from_paper", "from_display"),
    Occasion.LEARN: ("new_label", "new_pack", "supplier_agreed"),
    Occasion.DAMAGE: ("crushed", "wet", "torn", "leaking", "too_warm"),
    Occasion.KEEP: ("checked_again", "supervisor_agreed", "supplier_agreed", "set_apart"),
    Occasion.DECIDE: ("checked_again", "supplier_agreed", "set_apart", "not_acceptable"),
    Occasion.SHORT: ("supplier_cannot", "not_needed", "small_rest"),
    Occasion.DISCARD: ("wrong_item", "wrong_amount", "damaged", "scanned_twice"),
    Occasion.ABANDON: ("wrong_order", "delivery_refused", "started_by_mistake"),
}

COUNTED: Final = "counted"
"""Reason of every counted amount: a count is always a person's word."""
TYPED: Final = "typed"
"""Reason of a delivery-note number that was keyed in; it is no measured value, so nothing more is asked."""
ANNOUNCED: Final = "announced"
"""Reason of every value that was taken over from the notice because a person said that it is so."""
PACKAGING: Final = "packaging"
"""Reason of a tare that is known by the packaging's code."""
GOOD: Final = "good"
"""Reason of a condition that was set back."""
UNDO: Final = "undo"
"""Reason of the discard that an undo writes."""


def known(occasion: Occasion, reason: str) -> str:
    """The reason itself; raises JobRefused when it is none of the occasion's codes."""
    if reason not in REASONS[occasion]:
        raise JobRefused("unknown_reason", reason=reason[:40])
    return reason
