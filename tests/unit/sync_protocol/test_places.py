"""Where goods may lie: one rule, which box, core and the checks of a receipt ask."""

from decimal import Decimal

import pytest

from sync_protocol.places import CLASSES, PlaceFacts, kept_between, place_faults

CHILLED = {"temp_min": Decimal(0), "temp_max": Decimal(8)}


@pytest.mark.parametrize(
    ("place", "bounds", "found"),
    [
        (PlaceFacts("stock"), {}, []),
        (PlaceFacts("stock", archived=True), {}, ["place_archived"]),
        (PlaceFacts("supplier"), {}, ["place_not_internal"]),
        (PlaceFacts("stock", owner="ours"), {}, []),
        (PlaceFacts("stock", owner="theirs"), {}, ["place_of_other"]),
        (PlaceFacts("stock"), CHILLED, []),
        (PlaceFacts("stock", temperature_class="chilled"), CHILLED, []),
        (PlaceFacts("stock", temperature_class="ambient"), CHILLED, ["place_temperature"]),
        (PlaceFacts("stock", temperature_class="frozen"), CHILLED, []),
        (PlaceFacts("stock", temp_min=Decimal("-0.1"), temp_max=Decimal(8)), CHILLED, ["place_temperature"]),
        (PlaceFacts("stock", temp_max=Decimal("8.1")), CHILLED, ["place_temperature"]),
        (PlaceFacts("customer", archived=True, owner="theirs"), {}, ["place_archived", "place_not_internal", "place_of_other"]),
    ],
)  # fmt: skip
def test_goods_lie_where_they_may(place: PlaceFacts, bounds: dict[str, Decimal], found: list[str]) -> None:
    asked: dict[str, Decimal | None] = {"temp_min": None, "temp_max": None, **bounds}
    assert place_faults(place, owner="ours", **asked) == found


def test_own_degrees_of_a_place_count_before_its_class() -> None:
    place = PlaceFacts("stock", temperature_class="frozen", temp_max=Decimal(4))
    assert kept_between(place) == (None, Decimal(4))


def test_every_class_has_an_upper_bound_above_its_lower() -> None:
    assert all(high is not None and (low is None or low < high) for low, high in CLASSES.values())
