"""GS1 Digital Links: what is one, what is nearly one, and what is somebody's web page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.scanners import digital_link, gs1
from drivers.scanners.aim import Tagged
from drivers.scanners.gs1 import ElementFault
from drivers.scanners.gtin import check_digit
from drivers.scanners.meaning import Rules, interpret

GTIN = "09520123456788"


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        (f"https://id.gs1.org/01/{GTIN[:-1]}9", "check digit"),
        (f"https://id.gs1.org/01/{GTIN}/21/1/10/A", "not followed by 21/10"),
        (f"https://id.gs1.org/01/{GTIN}/235/X/10/A", "not followed by"),
        ("https://id.gs1.org/00/106141412345678908/10/A", "not followed by"),
        (f"https://id.gs1.org/01/{GTIN}?999=1", "no application identifier"),
        (f"https://id.gs1.org/01/{GTIN}?10=A%20B", "does not fit"),
        (f"https://id.gs1.org/01/{GTIN}?10=A+B", "does not fit"),
        (f"https://id.gs1.org/01/{GTIN}?10=", "does not fit"),
        (f"https://id.gs1.org/01/{GTIN}?10=A&10=B", "twice"),
        (f"https://id.gs1.org/01/{GTIN}?10=%D7%A9", "does not fit"),
        (f"https://id.gs1.org/01/{GTIN}/10/%zz", "per cent"),
        (f"https://id.gs1.org/01/{GTIN}?17=270230", "no day 30"),
        (f"https://id.gs1.org/01/{GTIN}?10=<b>", "in the query"),
        ("https://id.gs1.org/01/614141123452", "does not fit"),
        (f"https://id.gs1.org:70000/01/{GTIN}", "web address"),
        (f"https://[fe80::1%25eth0]/01/{GTIN}", "web address"),
        (f"Https://id.gs1.org/01/{GTIN}", "web address"),
        (f"ftp://id.gs1.org/01/{GTIN}", "web address"),
        ("https://id.gs1.org/products/4711", "no GS1 key"),
        ("https://id.gs1.org/01", "no GS1 key"),
        (f"https://id.gs1.org/01/{GTIN}/x", "no GS1 key"),
        ("https://id.gs1.org", "web address"),
        (f"https://id.gs1.org/{'a' * 2048}/01/{GTIN}", "2048"),
    ],
)
def test_address_that_is_no_digital_link_is_refused_with_its_reason(uri: str, why: str) -> None:
    with pytest.raises(ElementFault, match=why):
        digital_link.parse(uri)


@pytest.mark.parametrize(
    ("uri", "ais"),
    [
        (f"https://a/01/1/01/{GTIN}", {"01": GTIN}),
        (f"https://a/01/{GTIN}/10/01/21/22", {"01": GTIN, "10": "01", "21": "22"}),
        (f"https://a/01/{GTIN}/10/A%2FB+C", {"01": GTIN, "10": "A/B+C"}),
        (f"https://a/01/{GTIN}?10=A%2BC;21=7", {"01": GTIN, "10": "A+C", "21": "7"}),
        (f"https://a/01/{GTIN}?linkType=gs1:pip&lot#10=X", {"01": GTIN}),
        (f"https://a/01/{GTIN}?10", {"01": GTIN}),
    ],
)
def test_last_key_of_the_path_counts_and_the_rest_is_the_shops(uri: str, ais: dict[str, str]) -> None:
    assert digital_link.parse(uri).ais == ais


def test_short_gtin_is_taken_only_where_that_is_allowed() -> None:
    uri = "https://example.com/01/614141123452"
    assert digital_link.parse(uri, permit_zero_suppressed_gtin=True).ais == {"01": "00614141123452"}
    assert interpret(Tagged("]Q1", uri)).warning is not None
    assert interpret(Tagged("]Q1", uri), Rules(permit_zero_suppressed_gtin=True)).gtin == "00614141123452"


def test_plain_symbol_with_a_digital_link_names_the_item() -> None:
    found = interpret(Tagged("]Q1", f"https://id.gs1.org/01/{GTIN}/10/ABC?17=270600"))
    assert (found.gtin, found.content) == (GTIN, "digital_link")
    assert found.derived == {"expiry": "2027-06-30"}
    assert interpret(Tagged(None, f"https://id.gs1.org/01/{GTIN}")).gtin == GTIN


def test_digital_link_with_a_wrong_digit_is_text_with_a_warning_and_no_number() -> None:
    found = interpret(Tagged("]Q1", f"https://id.gs1.org/01/{GTIN[:-1]}9"))
    assert (found.gtin, found.fault) == (None, None)
    assert found.warning is not None
    assert "check digit" in found.warning


@pytest.mark.parametrize("uri", ["https://example.com/blog/2026/01/15", "https://example.com", "https://a/01/x?y=z"])
def test_ordinary_web_address_is_text_without_a_word(uri: str) -> None:
    found = interpret(Tagged("]Q1", uri))
    assert (found.gtin, found.warning, found.fault, found.content) == (None, None, None, None)


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for candidate in (text, f"https://a/{text}", f"https://a/01/{GTIN}?{text}", f"https://a/01/{GTIN}/10/{text}"):
        try:
            found = digital_link.parse(candidate)
        except ElementFault:
            continue
        assert found.ais


CSET82 = st.text(
    alphabet="!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=20
)


@given(item=st.from_regex(r"[0-9]{13}", fullmatch=True), lot=CSET82, serial=CSET82, expiry=st.dates())
def test_link_and_element_string_of_the_same_label_mean_the_same(item: str, lot: str, serial: str, expiry: object) -> None:
    number = f"{item}{check_digit(item)}"
    date = f"{expiry:%y%m%d}"

    def escaped(text: str) -> str:
        return "".join(f"%{ord(char):02X}" for char in text)

    try:
        label = gs1.parse_elements(f"01{number}17{date}10{lot}\x1d21{serial}")
    except ElementFault:
        return  # 29 February of a century that is not meant
    link = digital_link.parse(f"https://a.b/c/01/{number}/10/{escaped(lot)}/21/{escaped(serial)}?17={date}")
    assert link.ais == dict(label.ais)
    assert link.derived == label.derived
