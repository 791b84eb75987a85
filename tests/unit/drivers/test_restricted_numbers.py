"""Numbers with prefix 2: what they say by a layout, and when nobody may use it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Reading, SettingsFault
from drivers.scanners.aim import Tagged
from drivers.scanners.codes import CodeReader, CodeSettings
from drivers.scanners.gtin import NumberFault, check_digit
from drivers.scanners.meaning import Rules, interpret
from drivers.scanners.restricted import REGIONS, Layout, Variable, read_variable, template_fault
from drivers.settings import read_settings
from drivers.vocabulary import describe


def number(body: str) -> str:
    return f"0{body}{check_digit(body)}"


def reading(text: str, **settings: object) -> Reading:
    found = CodeReader(read_settings(CodeSettings, settings)).read(text, b"raw")
    assert isinstance(found, Reading)
    return found


@pytest.mark.parametrize(
    ("template", "sound"),
    [
        ("21IIIIIWWWWWC", True),
        ("22IIIIVPPPPPC", True),
        ("02IIIIIIPPPPC", True),
        ("2IIIIIIINNNNC", True),
        ("21IIIIIWWWWW", False),
        ("21IIIIIWWWWWW", False),
        ("31IIIIIWWWWWC", False),
        ("21IIIIIIIIIIC", False),
        ("21WWWWWWWWWWC", False),
        ("21IIIWWWPPPPC", False),
        ("21WWWWWIIIIIC", False),
        ("22IIIVPPPPPPC", False),
        ("21iiiiiwwwwwc", False),
        ("21IIIII     C", False),
    ],
)
def test_layout_is_a_prefix_an_item_and_one_measure(template: str, *, sound: bool) -> None:
    assert (template_fault(template) is None) is sound
    if not sound:
        with pytest.raises(NumberFault):
            Layout(template, 3)
        with pytest.raises(SettingsFault) as caught:
            read_settings(CodeSettings, {"layout": template})
        assert caught.value.setting == "layout"


def test_details_say_item_and_weight_in_the_words_of_a_receipt() -> None:
    found = reading("2112345012506", layout="21IIIIIWWWWWC", decimals=3)
    assert found.value == "2112345012506"
    assert found.details == {
        "gtin": "02112345012506",
        "restricted": "true",
        "variable": "weight",
        "item": "12345",
        "net_weight_kg": "1.250",
    }


def test_details_say_price_with_its_currency_and_whose_layout_it_was() -> None:
    layouts = [{"layout": "23IIIIIPPPPPC", "decimals": 2, "supplier": "Galil Meat"}]
    found = reading("2354321023902", layouts=layouts)
    assert {name: found.details[name] for name in ("item", "price", "currency", "supplier")} == {
        "item": "54321",
        "price": "23.90",
        "currency": "ILS",
        "supplier": "Galil Meat",
    }
    assert describe(found)["variable"] == {"item": "54321", "price": "23.90", "currency": "ILS"}
    assert reading("2354321023902", layouts=layouts, currency="EUR").details["currency"] == "EUR"


def test_wrong_check_digit_of_the_code_forbids_the_weight() -> None:
    found = reading("2112345012507", layout="21IIIIIWWWWWC")
    assert "net_weight_kg" not in found.details
    with_identifier = reading("]E02112345012507", layout="21IIIIIWWWWWC")
    assert "net_weight_kg" not in with_identifier.details
    assert "check digit" in with_identifier.details["fault"]


def test_wrong_internal_check_digit_forbids_the_weight() -> None:
    body = "281111506870"
    assert "internal check digit" in reading(f"{body}{check_digit(body)}", region="DE").details["fault"]


def test_switched_off_or_without_a_layout_the_number_says_nothing() -> None:
    for settings in ({}, {"layout": "21IIIIIWWWWWC", "rcn": "off"}, {"region": "IL"}, {"layout": "29IIIIIWWWWWC"}):
        assert set(reading("2112345012506", **settings).details) == {"gtin", "restricted"}


def test_layouts_of_two_suppliers_that_both_fit_are_no_ones() -> None:
    two = [{"layout": "21IIIIIWWWWWC", "supplier": "A"}, {"layout": "21IIIIIIWWWWC", "supplier": "B"}]
    assert "not certain" in reading("2112345012506", layouts=two).details["fault"]
    longer = [{"layout": "2112IIIWWWWWC", "supplier": "A"}, {"layout": "2134IIIWWWWWC", "supplier": "B"}]
    assert reading("2112345012506", layouts=longer).details["supplier"] == "A"


def test_internal_check_digit_tells_two_suppliers_apart() -> None:
    layouts = (Layout("28IIIIVWWWWWC", 3, supplier="A"), Layout("28IIIIIIWWWWC", 3, supplier="B"))
    assert read_variable("02811111068708", layouts[:1]) == Variable("1111", "weight", "6.870", None, "A")
    # The first's own digit is wrong, so that only the second can have printed it.
    assert read_variable(number("281111506870"), layouts) == Variable("111150", "weight", "6.870", None, "B")


def test_own_layouts_come_before_those_of_the_region() -> None:
    assert reading("2811111068708", region="DE").details["item"] == "1111"
    assert reading("2811111068708", region="DE", layout="28IIIIIIWWWWC").details["item"] == "111110"


def test_first_of_several_layouts_of_one_supplier_counts() -> None:
    two = [{"layout": "21IIIIIWWWWWC"}, {"layout": "21IIIIIIWWWWC"}]
    assert reading("2112345012506", layouts=two).details["item"] == "12345"
    assert reading("2112345012506", layouts=two[::-1]).details["item"] == "123450"


def test_measure_in_the_number_and_beside_it_is_a_fault() -> None:
    found = interpret(Tagged("]E0", "2112345012506|]e03103001251"), Rules(layouts=(Layout("21IIIIIWWWWWC", 3),)))
    assert found.fault is not None
    assert interpret(Tagged("]E0", "2112345012506|]e010AB"), Rules(layouts=(Layout("21IIIIIWWWWWC", 3),))).variable is not None


def test_article_of_a_producer_is_never_searched_for_a_weight() -> None:
    assert reading("7290001234563", layout="21IIIIIWWWWWC", region="DE").details == {"gtin": "07290001234563"}


def test_upc_a_of_number_system_2_is_read_as_13_digits() -> None:
    body = "21234501250"
    found = reading(f"]E0{body}{check_digit(body)}", layout="02IIIIIWWWWWC")
    assert (found.details["item"], found.details["net_weight_kg"]) == ("12345", "1.250")


@given(data=st.data())
def test_what_a_layout_renders_is_read_back(data: st.DataObject) -> None:
    region = data.draw(st.sampled_from(sorted(set(REGIONS) - {"DE", "GB"})))  # theirs have internal check digits
    layout = data.draw(st.sampled_from(REGIONS[region]))
    places = {letter: layout.template.count(letter) for letter in "IWPN"}
    item = data.draw(st.text("0123456789", min_size=places["I"], max_size=places["I"]))
    measure = max("WPN", key=lambda letter: places[letter])
    digits = data.draw(st.text("0123456789", min_size=places[measure], max_size=places[measure]))
    found = read_variable(number(layout.template[:2] + item + digits), REGIONS[region])
    assert found is not None
    assert (found.item, found.kind) == (item, layout.kind)
    assert found.amount.replace(".", "").zfill(len(digits)) == digits.zfill(layout.decimals + 1)
    assert len(found.amount.partition(".")[2]) == layout.decimals


@given(st.text(max_size=20), st.sampled_from(sorted(REGIONS)))
def test_any_text_gives_a_meaning(text: str, region: str) -> None:
    for symbology_id in (None, "]E0", "]E3", "]E4", "]I1", "]I3", "]C1", "]d5", "]X0", "]C4"):
        interpret(Tagged(symbology_id, text), Rules(layouts=REGIONS[region]))
