"""Numbers of GS1 and what tells parties apart are kept in one form, or refused."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import Refused
from cloud.masters import identity
from cloud.masters.gtin import gtin14, sscc
from sync_protocol.identifiers import check_digit

GTINS = [  # GS1's own examples and numbers that are printed on goods
    ("9521234543213", "09521234543213"),
    ("4006381333931", "04006381333931"),
    ("73513537", "00000073513537"),
    ("036000291452", "00036000291452"),
    ("07290001234587", "07290001234587"),
    ("729000-1234587", "07290001234587"),
]


@pytest.mark.parametrize(("text", "kept"), GTINS)
def test_a_gtin_is_kept_with_14_digits(text: str, kept: str) -> None:
    assert gtin14(text) == kept


@pytest.mark.parametrize("text", ["4006381333932", "07290001234588", "73513538"])
def test_a_wrong_check_digit_is_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(Refused) as refused:
        gtin14(text)
    assert refused.value.code == "gtin_check_digit"
    assert refused.value.values["digit"] == check_digit(text[:-1])


@pytest.mark.parametrize("text", ["", "12345", "123456789012345", "400638133393a", "٤٠٠٦٣٨١٣٣٣٩٣١", "4006381333931\n"])
def test_what_is_no_gtin_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="gtin_form"):
        gtin14(text)


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(body: str, place: int, by: int) -> None:
    number = body + check_digit(body)
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    with pytest.raises(Refused):
        gtin14(wrong)


def test_an_sscc_has_18_digits_and_its_check_digit() -> None:
    assert sscc("0061 4141 1234 5678 90") == "006141411234567890"
    with pytest.raises(Refused, match="gtin_check_digit"):
        sscc("006141411234567891")
    with pytest.raises(Refused, match="sscc_form"):
        sscc("00614141123456789")


def test_published_barcodes_agree(barcode_vectors: list[dict[str, Any]]) -> None:
    numbers = {
        row["expect"]["gtin"] for row in barcode_vectors if isinstance(row["expect"], dict) and row["expect"].get("gtin")
    }
    assert len(numbers) > 10
    assert {gtin14(one) for one in numbers} == numbers


@pytest.fixture
def barcode_vectors(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    folder = Path(os.environ.get("TALLYBOX_VECTORS") or request.config.rootpath.parent / "shared" / "vectors")
    path = folder / "barcodes.jsonl"
    if not path.exists():
        pytest.skip("no vectors: neither TALLYBOX_VECTORS nor ../shared/vectors has barcodes.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" Dana.Levi@Galil.CO.IL ", "dana.levi@galil.co.il"),
        ("mailto:office@example.com", "office@example.com"),
        ("ｏｆｆｉｃｅ@example.com", "office@example.com"),
        ("דנה@דוגמה.קום", "דנה@דוגמה.קום"),
    ],
)
def test_mail_addresses_have_one_form(text: str, kept: str) -> None:
    assert identity.mail(text) == kept


@pytest.mark.parametrize("text", ["dana", "dana@", "@x.il", "a b@x.il", "a@b", "a@x..il", "a@b@c.il", "a" * 300 + "@x.il"])
def test_what_is_no_mail_address_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="mail_form"):
        identity.mail(text)


@pytest.mark.parametrize(
    ("text", "country", "kept"),
    [
        ("04-6921234", "IL", "+97246921234"),
        ("050 123 4567", "IL", "+972501234567"),
        ("+972 (0)50-123-4567", "US", "+972501234567"),
        ("1-800-555-0199", "US", "+18005550199"),
        ("+44 20 7946 0958", "IL", "+442079460958"),
    ],
)
def test_telephone_numbers_are_e164(text: str, country: str, kept: str) -> None:
    assert identity.phone(text, country) == kept


@pytest.mark.parametrize("text", ["", "abc", "12", "+", "04-6921234 ext. 12", "9" * 40])
def test_what_is_no_telephone_number_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="phone_form"):
        identity.phone(text)


@pytest.mark.parametrize(
    ("text", "kept"), [("51-456789-0", "514567890"), ("gb 123 4567", "GB1234567"), ("51.456.789", "51456789")]
)
def test_company_numbers_have_one_form(text: str, kept: str) -> None:
    assert identity.number(text) == kept


def test_keys_are_made_of_every_way_and_leave_out_what_has_no_form() -> None:
    party = {
        "email": "A@x.il",
        "phone": "050-1234567",
        "reg_no": "51-4567890",
        "vat_no": None,
        "more_ways": [
            {"way": "mail", "value": "b@x.il"},
            {"way": "whatsapp", "value": "+972501234567"},
            {"way": "mail", "value": "not yet"},
            {"way": "pigeon", "value": "x"},
        ],
    }
    assert identity.keys_of(party) == {
        ("mail", "a@x.il"),
        ("mail", "b@x.il"),
        ("phone", "+972501234567"),
        ("reg_no", "514567890"),
    }


def test_ways_stand_once() -> None:
    rows = [{"way": "phone", "value": "0501234567", "note": "work"}, {"way": "phone", "value": "+972501234567"}]
    assert identity.ways_in_order(rows) == [{"way": "phone", "value": "+972501234567", "note": "work"}]
    with pytest.raises(Refused, match="way_unknown"):
        identity.ways_in_order([{"way": "pigeon", "value": "x"}])


@given(st.text(max_size=60))
def test_a_form_is_a_form_of_itself(text: str) -> None:
    for form in (identity.mail, identity.phone, identity.number):
        try:
            once = form(text)
        except Refused:
            continue
        assert form(once) == once
