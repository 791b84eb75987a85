"""Ids, quantities and wire text: exact, round-tripping, and strict about form."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol import ids, quantity
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId
from sync_protocol.quantity import Quantity
from sync_protocol.wiretext import BIDI_CONTROLS, clean

RUN = "0123456789abcdef" * 2


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_a_uuid7_has_its_version_variant_and_time(now_ms: int, entropy: bytes) -> None:
    made = ids.uuid7(now_ms, entropy)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == now_ms


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_later_ids_sort_later(now_ms: int, one: bytes, other: bytes) -> None:
    assert ids.uuid7(now_ms, one) < ids.uuid7(now_ms + 1, other)
    assert ids.new_box_id(now_ms, one) < ids.new_box_id(now_ms + 1, other)
    assert ids.box_id(ids.new_box_id(now_ms, one)) == ids.new_box_id(now_ms, one)


@given(st.integers(0, 2**63))
def test_an_entry_id_reads_back(seq: int) -> None:
    placed = EntryId(ids.run_id(RUN), seq)
    assert EntryId.parse(str(placed)) == placed


@pytest.mark.parametrize(
    "text", ["", RUN, f"{RUN}:", f"{RUN}:-1", f"{RUN}:01", f"{RUN}:1 ", f"{RUN}:²", f"{RUN[:-1]}:1", f"{RUN.upper()}:1"]
)
def test_what_is_no_entry_id_is_refused(text: str) -> None:
    with pytest.raises(TextFault):
        EntryId.parse(text)


@pytest.mark.parametrize("text", ["", "8" * 26, "01J0000000000000000000000U", "01j00000000000000000000000", "01J0"])
def test_what_is_no_box_id_is_refused(text: str) -> None:
    with pytest.raises(TextFault):
        ids.box_id(text)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6),
    st.sampled_from(sorted(quantity.UNITS)),
)
def test_a_quantity_reads_back_with_its_digits(value: Decimal, unit: str) -> None:
    written = Quantity(value, unit)
    assert str(Quantity.parse(str(written)).value) == quantity.plain(value)


@pytest.mark.parametrize("text", ["", "1e3", "+1", " 1", "1.", ".5", "٣", "1,5", "NaN", "0x1", "1_000", "-", "9" * 19])
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(TextFault):
        quantity.decimal(text)


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [
        ("12.340 kg", "g", "12340"),
        ("500 g", "kg", "0.5"),
        ("1 [lb_av]", "g", "453.59237"),
        ("1 [in_i]", "mm", "25.4"),
        ("0.000001 t", "g", "1"),
    ],
)
def test_conversion_is_exact(amount: str, unit: str, expected: str) -> None:
    converted = Quantity.parse(amount).to(unit)
    assert converted.value == Decimal(expected)
    assert converted.same_as(Quantity.parse(amount))


def test_a_conversion_without_finite_digits_asks_how_many() -> None:
    with pytest.raises(TextFault, match="how many"):
        Quantity.parse("1 kg").to("[lb_av]")
    assert str(Quantity.parse("1 kg").to("[lb_av]", decimals=4)) == "2.2046 [lb_av]"


def test_dimensions_do_not_mix() -> None:
    with pytest.raises(TextFault):
        Quantity.parse("1 kg").to("mm")
    assert not Quantity.parse("1 kg").same_as(Quantity.parse("1 m"))


@given(st.text(max_size=400))
def test_cleaned_text_is_short_and_shows_everything(text: str) -> None:
    shown = clean(text)
    assert len(shown) <= 256
    assert not BIDI_CONTROLS & set(shown)
    assert all(char >= " " and char != "\x7f" for char in shown)


def test_a_group_separator_is_shown_as_its_picture() -> None:
    assert clean("10AB\x1d17270630\u202e") == "10AB␝17270630"
