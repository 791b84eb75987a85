"""All cross-checks of a receipt with how grave they are unless the house says otherwise, and which need a person's decision."""

from collections.abc import Mapping
from enum import StrEnum


class Severity(StrEnum):
    """What an exception asks: nothing, a supervisor's decision, or that the receipt is never posted as it is."""

    INFO = "info"
    DECISION = "decision"
    STOP = "stop"


_I, _D, _S = Severity.INFO, Severity.DECISION, Severity.STOP

CHECKS: Mapping[str, Severity] = {
    "no_lines": _D,
    "steps_contradict": _D,
    "line_left_open": _D,
    "operator_unknown": _D,
    "station_unknown": _D,
    "document_missing": _D,
    # 1. Order and notice.
    "order_missing": _D,
    "order_unknown": _D,
    "order_not_confirmed": _D,
    "supplier_differs": _D,
    "currency_differs": _D,
    "notice_unknown": _D,
    "notice_not_open": _D,
    # 2. What was announced or ordered.
    "product_unknown": _S,
    "product_not_on_order": _D,
    "product_not_on_notice": _D,
    # 3. Codes.
    "code_unknown": _D,
    "code_of_other_product": _D,
    "code_ambiguous": _D,
    "code_learned": _D,
    # 4. Units of measure.
    "unit_differs": _S,
    # 5, 6. Amounts against the order, over all its deliveries.
    "over_tolerance": _D,
    "under_tolerance": _I,
    # 7. Buckets.
    "buckets_differ": _S,
    # 8. Serial numbers.
    "serial_count": _D,
    "serial_twice": _S,
    "serial_in_stock": _D,
    "serial_not_announced": _D,
    # 9, 10, 11. Lots and their dates.
    "lot_missing": _D,
    "lot_expiry_differs": _S,
    "expiry_missing": _D,
    "expired": _D,
    "life_too_short": _D,
    "lot_blocked": _D,
    # 12. Tare.
    "tare_missing": _D,
    "net_negative": _S,
    "net_differs": _S,
    # 13. Weights beside each other.
    "weight_off_notice": _D,
    "weight_off_count": _D,
    # 14. What numbers rest on.
    "identity_not_measured": _D,
    "weight_not_measured": _D,
    "weight_not_stable": _D,
    "weight_old": _D,
    "scale_out_of_calibration": _D,
    "reading_used_twice": _S,
    # 15. Containers.
    "container_check_digit": _D,
    "container_differs": _D,
    "seal_differs": _D,
    # 16. Cold chain.
    "temperature_missing": _I,
    "temperature_out_of_range": _D,
    # 17, 18. Twice.
    "document_again": _D,
    "sscc_again": _D,
    "sscc_check_digit": _D,
    # 19. Times.
    "arrival_in_future": _D,
    "arrival_before_shipping": _D,
    # 20. Places.
    "location_unfit": _D,
    "location_of_other_owner": _D,
    # 21. Damage.
    "damaged": _D,
    "photo_missing": _D,
    # 22. Who decides: a guard of the decision, named here so that it has its place in the list.
    "approver_is_counter": _S,
    "kept_by_operator": _I,
    "not_verified": _S,
}
"""Code (a translation key) to severity. The numbers are those of docs/RECEIVING.md."""

READING_AGE_S = 600
"""How old a reading may be when it is taken into a line: full and then empty are both weighed within one amount."""

NUMBERS: Mapping[int, tuple[str, ...]] = {
    1: (
        "order_missing",
        "order_unknown",
        "order_not_confirmed",
        "supplier_differs",
        "currency_differs",
        "notice_unknown",
        "notice_not_open",
    ),
    2: ("product_unknown", "product_not_on_order", "product_not_on_notice"),
    3: ("code_unknown", "code_of_other_product", "code_ambiguous", "code_learned"),
    4: ("unit_differs",),
    5: ("over_tolerance",),
    6: ("under_tolerance",),
    7: ("buckets_differ",),
    8: ("serial_count", "serial_twice", "serial_in_stock", "serial_not_announced"),
    9: ("lot_missing", "lot_expiry_differs"),
    10: ("expiry_missing", "expired", "life_too_short"),
    11: ("lot_blocked",),
    12: ("tare_missing", "net_negative", "net_differs"),
    13: ("weight_off_notice", "weight_off_count"),
    14: (
        "identity_not_measured",
        "weight_not_measured",
        "weight_not_stable",
        "weight_old",
        "scale_out_of_calibration",
        "reading_used_twice",
    ),
    15: ("container_check_digit", "container_differs", "seal_differs"),
    16: ("temperature_missing", "temperature_out_of_range"),
    17: ("document_again",),
    18: ("sscc_again", "sscc_check_digit"),
    19: ("arrival_in_future", "arrival_before_shipping"),
    20: ("location_unfit", "location_of_other_owner"),
    21: ("damaged", "photo_missing"),
    22: ("approver_is_counter",),
}
"""The numbers of docs/RECEIVING.md; what is in none of them is about the steps themselves."""

ALWAYS = frozenset(
    {"product_unknown", "unit_differs", "serial_twice", "net_negative", "buckets_differ", "not_verified", "reading_used_twice"}
)
"""Stops that no setting can soften: there would be nothing right to post."""


def severity(check: str, sku: str | None, said: Mapping[tuple[str, str | None], Severity]) -> Severity:
    """The product's setting, else the house's, else the table's."""
    if check in ALWAYS:
        return CHECKS[check]
    return said.get((check, sku)) or said.get((check, None)) or CHECKS[check]
