"""docs/STOCK.md says what the ledger does: its states, usages, buckets and the table of lots."""

from cloud.stock.buckets import BUCKETS
from cloud.stock.lot_machine import LOT
from cloud.stock.places import AT_SITE, NAMED, NOWHERE
from cloud.stock.quants import INTERNAL
from tests.arch.pages import page, section, table
from tests.arch.stock_tables import page_with

TEXT = page("docs/STOCK.md")


def test_the_diagram_is_that_of_the_machine() -> None:
    assert page_with(TEXT) == TEXT


def test_every_state_of_a_lot_has_its_row() -> None:
    assert {row["state"].strip("`") for row in table(section(TEXT, "Lots"))} == LOT.states


def test_places_and_buckets_are_called_as_in_the_program() -> None:
    places, owners = section(TEXT, "Places"), section(TEXT, "Owners")
    for word in (
        *INTERNAL,
        *NOWHERE,
        *(one.code for one in NOWHERE.values()),
        *(f"SITE-{one.code}" for one in AT_SITE.values()),
    ):
        assert f"`{word}`" in places, word
    for word in NAMED:
        assert f"`{word}`" in places + owners
    for word in BUCKETS:
        assert f"`{word}`" in section(TEXT, "Buckets")
