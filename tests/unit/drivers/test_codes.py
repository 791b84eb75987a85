"""Numbers, element strings and identifiers: what a code means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.scanners import aim, gs1, gtin
from drivers.scanners.meaning import Meaning, Rules, interpret

GS = "\x1d"


@pytest.mark.parametrize(
    ("upc_e", "upc_a"),
    [
        ("04252614", "042100005264"),
        ("425261", "042100005264"),
        ("0425261", "042100005264"),
        ("01234505", "012000003455"),
        ("01234531", "012300000451"),
        ("01234543", "012340000053"),
        ("01234558", "012345000058"),
    ],
)
def test_upc_e_expands_by_its_last_digit(upc_e: str, upc_a: str) -> None:
    assert gtin.expand_upc_e(upc_e) == upc_a
    assert gtin.is_checked(upc_a)


@pytest.mark.parametrize("text", ["24252614", "04252615", "0425", "04252a", "٠٤٢٥٢٦"])
def test_upc_e_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(gtin.NumberFault):
        gtin.expand_upc_e(text)


@given(st.from_regex(r"[0-9]{7}|[0-9]{11,13}|[0-9]{17}", fullmatch=True))
def test_any_single_wrong_digit_breaks_the_check(body: str) -> None:
    number = f"{body}{gtin.check_digit(body)}"
    assert gtin.is_checked(number)
    for place, digit in enumerate(number):
        wrong = f"{number[:place]}{(int(digit) + 1) % 10}{number[place + 1 :]}"
        assert not gtin.is_checked(wrong)


@pytest.mark.parametrize("text", ["", "5", "１２３４５６７０", "1234567²", " 12345670"])
def test_only_ascii_digits_are_digits(text: str) -> None:
    assert not gtin.is_checked(text)
    with pytest.raises(gtin.NumberFault):
        gtin.gtin14(text)


@pytest.mark.parametrize(
    ("number", "restricted"),
    [
        ("02112345678900", True),
        ("00212345678902", True),
        ("07290001234563", False),
        ("00000096385074", False),
        ("29312345678906", False),
    ],
)
def test_numbers_of_a_shop_are_told_apart(number: str, *, restricted: bool) -> None:
    assert gtin.is_restricted(number) is restricted


@pytest.mark.parametrize(
    ("text", "symbology_id", "rest"),
    [
        ("]C1010", "]C1", "010"),
        ("]E0", "]E0", ""),
        ("]", None, "]"),
        ("]C", None, "]C"),
        ("]!1x", None, "]!1x"),
        ("]C\x1d1", None, "]C\x1d1"),
        ("C1]C1", None, "C1]C1"),
    ],
)
def test_identifier_is_taken_off_the_front(text: str, symbology_id: str | None, rest: str) -> None:
    assert aim.split(text) == aim.Tagged(symbology_id, rest)


def typed(symbology_id: str | None, text: str) -> Meaning:
    return interpret(aim.Tagged(symbology_id, text))


def test_dotcode_carries_element_strings() -> None:
    assert typed("]J1", "0112345678901231").ais == {"01": "12345678901231"}


def test_composite_joins_both_parts() -> None:
    found = typed("]E0", f"2112345678900|]e017270630{GS}10AB")
    assert found.gtin == "02112345678900"
    assert found.ais == {"17": "270630", "10": "AB"}
    assert found.derived == {"expiry": "2027-06-30"}
    assert typed("]C1", "0112345678901231|]e00112345678901248").fault is not None


@pytest.mark.parametrize(
    ("text", "number", "addon"), [("978020137962412", "09780201379624", "12"), ("61414100003612345", "00614141000036", "12345")]
)
def test_add_on_is_split_from_the_number(text: str, number: str, addon: str) -> None:
    found = typed("]E3", text)
    assert (found.gtin, found.addon) == (number, addon)


def test_add_on_without_a_checked_number_is_a_fault() -> None:
    assert typed("]E3", "978020137962312").fault is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("96385074", Meaning(gtin="00000096385074")),  # also a legal AI 96
        ("24012345678905", Meaning(gtin="24012345678905")),  # GTIN-14 that starts like AI 240
        ("157035381410375177", Meaning(sscc="157035381410375177")),
        ("LOT-17", Meaning()),
        ("10ABC", Meaning()),  # nothing vouches for AI 10
        ("0112345678901234", Meaning()),  # starts like AI 01, wrong check digit
    ],
)
def test_untyped_text_is_decided_by_length_and_check_digit_first(text: str, expected: Meaning) -> None:
    assert typed(None, text) == expected


def test_untyped_text_that_starts_with_a_checked_key_is_element_strings() -> None:
    assert typed(None, "01123456789012311727063010AB").ais == {"01": "12345678901231", "17": "270630", "10": "AB"}


@pytest.mark.parametrize("digits", ["04252614", "614141000036", "5901234123457"])
def test_ean_upc_of_all_lengths_that_readers_send(digits: str) -> None:
    assert typed("]E0", digits).gtin is not None


def test_plain_symbols_promise_nothing() -> None:
    assert typed("]C0", "0112345678901231") == Meaning()
    assert typed("]Q1", "https://example.com/blog/2026/01/15") == Meaning()
    assert typed("]I1", "12345678901231").gtin == "12345678901231"
    assert typed("]I1", "123456").gtin is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no data"),
        (GS, "no data"),
        ("8003021123456789010", "check digit"),
        ("30", "does not fit"),
        ("10AB  C", "does not fit"),
        (f"10AB{GS}{GS}21C", "two separators"),
        (f"10AB{GS}10CD", "twice"),
        ("10" + "A" * 21, "does not fit"),
        ("235" + "A" * 28 + "17270630", "does not fit"),
        ("17270231", "no day 31"),
        ("11270001", "does not fit|no month"),
        ("7007270630270601", "ends before"),
        ("70032706302560", "no time of day"),
        ("0112345678٩01231", "does not fit"),
        ("3106000125", "no application identifier"),
        ("414" + "1234567890127", "check digit"),
        (GS.join(["10A"] * 65), "more than"),
        ("10AB\n", "does not fit"),
    ],
)
def test_element_strings_that_break_the_rules_are_refused(text: str, why: str) -> None:
    with pytest.raises(gs1.ElementFault, match=why):
        gs1.parse_elements(text)


@pytest.mark.parametrize("text", [f"{GS}10AB", f"10AB{GS}", f"0112345678901231{GS}10AB", f"10AB{GS}10AB"])
def test_harmless_separators_and_repeats_are_tolerated(text: str) -> None:
    assert gs1.parse_elements(text).ais["10"] == "AB"


@pytest.mark.parametrize(
    ("yymmdd", "iso"),
    [
        ("240200", "2024-02-29"),
        ("250200", "2025-02-28"),
        ("000229", "2000-02-29"),
        ("760101", "2076-01-01"),
        ("770101", "1977-01-01"),
    ],
)
def test_day_00_and_the_century_window(yymmdd: str, iso: str) -> None:
    assert gs1.calendar_date(yymmdd).isoformat() == iso


def test_harvest_range_may_end_in_a_year_that_is_no_hour() -> None:
    assert gs1.parse_elements("7007290630300701").ais == {"7007": "290630300701"}


@pytest.mark.parametrize(
    ("text", "derived"),
    [
        ("3100000125", {"net_weight_kg": "125"}),
        ("3105000125", {"net_weight_kg": "0.00125"}),
        ("3202001250", {"net_weight_lb": "12.50"}),
        ("3303000000", {"gross_weight_kg": "0.000"}),
        ("3932376001250", {"currency": "376", "price": "12.50"}),
        ("30007", {"count": "7"}),
        ("3712", {"count": "12"}),
    ],
)
def test_measures_keep_their_decimals(text: str, derived: dict[str, str]) -> None:
    assert gs1.parse_elements(text).derived == derived


@pytest.mark.parametrize("text", ["10LOT17260101", "10LOT1726010121SER7", "21A15270630310300125"])
def test_swallowed_separator_is_warned_of_and_not_repaired(text: str) -> None:
    found = gs1.parse_elements(text)
    assert found.warning is not None
    assert len(found.ais) == 1


@pytest.mark.parametrize("text", ["10LOT17", "1017260101", "10LOT17269901", "10A17260101B", f"10LOT{GS}17260101"])
def test_ordinary_lots_are_not_warned_of(text: str) -> None:
    assert gs1.parse_elements(text).warning is None


@given(st.text(max_size=60), st.sampled_from([None, "]C1", "]E0", "]E3", "]E4", "]I1", "]Q1", "]e0"]))
def test_interpretation_never_raises(text: str, symbology_id: str | None) -> None:
    typed(symbology_id, text)
    typed("]C1", f"01{text}")


@given(st.from_regex(r"(10[A-Z0-9]{1,20}|21[a-z]{1,20}|37[1-9]{1,8})(\x1d(400|241)[A-Z]{1,30})?", fullmatch=True))
def test_element_strings_round_trip(text: str) -> None:
    found = gs1.parse_elements(text)
    assert GS.join(ai + value for ai, value in found.ais.items()) == text


@pytest.mark.parametrize(
    ("symbology_id", "text", "gtin14"),
    [
        ("]E0", "96385074", "00000096385074"),  # EAN-8 under the identifier of EAN-13
        ("]E0", "04252614", "00042100005264"),  # UPC-E left unexpanded
        ("]I0", "05901234123457", "05901234123457"),
        ("]I0", "05901234123458", None),
        ("]I3", "0590123412345", "05901234123457"),
        ("]I3", "059012341234", None),
        ("]X0", "7290001234563", "07290001234563"),
        ("]X0", "0112345678901231", "12345678901231"),
        ("]X0", "LOT 7", None),
        ("]d5", "0112345678901231", "12345678901231"),
        ("]Q4", "not element strings", None),
        ("]z1", "0112345678901231", "12345678901231"),
        ("]E1", "12", None),
        ("]C2", "0112345678901231", None),
        ("]A0", "7290001234563", None),
    ],
)
def test_identifiers_as_vendors_bend_them(symbology_id: str, text: str, gtin14: str | None) -> None:
    found = typed(symbology_id, text)
    assert (found.gtin, found.fault) == (gtin14, None)


def test_every_identifier_that_means_something_is_one() -> None:
    assert all(aim.is_identifier(symbology_id) for symbology_id in aim.CONTENTS)


@pytest.mark.parametrize(
    ("text", "unknown", "ais"),
    [
        (f"011234567890123110AB{GS}891234", ("891234",), {"01": "12345678901231", "10": "AB"}),
        (f"0112345678901231891234{GS}10AB", ("891234",), {"01": "12345678901231", "10": "AB"}),
        (f"10AB{GS}7999X{GS}2699", ("7999X", "2699"), {"10": "AB"}),
    ],
)
def test_field_of_an_unknown_identifier_is_kept_with_a_warning(
    text: str, unknown: tuple[str, ...], ais: dict[str, str]
) -> None:
    found = typed("]C1", text)
    assert found.unknown == unknown
    assert found.ais == ais
    assert found.fault is None
    assert found.warning is not None
    assert found.gtin == ais.get("01")


@pytest.mark.parametrize(
    "text",
    [
        "891234",  # nothing before it vouches for the message
        "01123456789012312",  # a digit too many
        f"01123456789012315{GS}991234",
        "01123456789012313109001250",  # starts like a weight: those are complete
        f"10AB{GS}19X",
    ],
)
def test_damage_is_never_taken_for_an_unknown_identifier(text: str) -> None:
    assert typed("]C1", text).fault is not None


def test_several_separators_in_a_row_are_one_where_that_is_allowed() -> None:
    text = f"{GS}{GS}10AB{GS}{GS}21C{GS}"
    assert typed("]C1", text).fault is not None
    assert interpret(aim.Tagged("]C1", text), Rules(lenient_separators=True)).ais == {"10": "AB", "21": "C"}


@pytest.mark.parametrize(
    ("symbology_id", "text", "content"),
    [
        ("]d1", "[)>\x1e06\x1d9N111234567842\x1d1TLOT\x1e\x04", "iso15434"),
        (None, "[)>\x1e06\x1d9N111234567842\x1e\x04", "iso15434"),
        ("]C0", "+A123BJC5D6E71G", "hibc"),
        ("]C0", "+4912345678", None),
        ("]C4", "=A9999XYZ100123412", "isbt128"),
        (None, "plain", None),
    ],
)
def test_content_of_other_industries_is_named_and_kept_as_text(
    symbology_id: str | None, text: str, content: str | None
) -> None:
    found = typed(symbology_id, text)
    assert (found.content, found.ais, found.gtin, found.fault) == (content, {}, None, None)


def test_composite_mark_inside_a_plain_symbol_is_text() -> None:
    assert typed("]Q1", "a|]e0b") == Meaning()


def test_add_on_behind_a_blank_is_found() -> None:
    assert typed("]E3", "9780201379624 12").addon == "12"


@pytest.mark.parametrize(
    ("expected", "text", "fits"), [("gtin", "7290001234563", True), ("gtin", "LOT", False), ("sscc", "LOT", False)]
)
def test_code_of_another_kind_than_expected_is_a_fault(expected: str, text: str, *, fits: bool) -> None:
    assert (interpret(aim.Tagged(None, text), Rules(expected_type=expected)).fault is None) is fits
