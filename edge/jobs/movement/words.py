"""What the smaller jobs ask for, and the reasons an operator may choose from. Codes are translated by whoever shows them."""

from enum import StrEnum
from typing import Final

from edge.errors import JobRefused


class MoveAwaits(StrEnum):
    """The one input of a move or a put-away."""

    SOURCE = "move_source"
    GOODS = "move_goods"
    WHICH = "move_which"
    LOT = "move_lot"
    MUCH = "move_much"
    TARGET = "move_target"
    WHY = "move_why"
    NOTHING = "nothing"


class CountAwaits(StrEnum):
    """The one input of a count."""

    PLACE = "count_place"
    GOODS = "count_goods"
    LOT = "count_lot"
    MUCH = "count_much"
    NOTHING = "nothing"


class GateAwaits(StrEnum):
    """The one input of a container's passage."""

    CONTAINER = "gate_container"
    DETAILS = "gate_details"
    HOLDS = "gate_holds"
    NOTHING = "nothing"


REASONS: Final[dict[str, tuple[str, ...]]] = {
    "move_why": ("seen_here", "just_arrived", "place_is_new", "counted_again"),
    "typed": ("no_barcode", "unreadable", "scanner_down"),
    "much_typed": ("scale_down", "too_large", "label_weight"),
    "gate_weight": ("weighbridge_ticket", "scale_down", "from_paper"),
    "release": ("hold_lifted", "papers_seen"),
    "give_up": ("started_by_mistake", "wrong_place", "comes_later"),
}
"""By occasion; at most five each, as more cannot be read at a glance."""

COUNTED: Final = "counted"
"""Reason of every counted amount: a count is always a person's word."""
FROM_STOCK: Final = "from_stock"
"""Reason of a place, lot or unit that was not scanned but follows from what the box knows to lie there."""
ALL_THERE: Final = "all_there"
"""Reason of an amount that the operator took over as all that is known to lie there."""
TOUCHED: Final = "touched"
"""Reason of what was touched in a list instead of scanned."""
FROM_SHEET: Final = "from_sheet"
"""Reason of a place that the planned count named."""


def known(occasion: str, reason: str | None) -> str:
    """The reason itself; raises JobRefused when it is none of the occasion's codes."""
    if reason is None or reason not in REASONS[occasion]:
        raise JobRefused("unknown_reason", reason=(reason or "")[:40])
    return reason
