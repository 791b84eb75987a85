"""Damage by keyboard layouts: repaired where the layout is known, suspected where it shows, never repaired in silence."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Malformed, Reading
from drivers.scanners.codes import TypedSettings, typed_codes
from drivers.scanners.damage import typed_by, typed_through
from drivers.scanners.layouts import KEY_CODES, LAYOUTS, NAMES, NONE, LayoutName, repair
from drivers.settings import read_settings

US = LAYOUTS["us"]
GS = "\x1d"


def through(text: str, layout: LayoutName) -> str:
    """What a computer of that layout makes of the keys of a reader set to US, character by character."""
    found = ""
    for char in text:
        for seen, meant in zip(LAYOUTS[layout].levels(), US.levels(), strict=False):
            if char in meant:
                found += seen[meant.index(char)]
                break
        else:
            found += char
    return found


def read(text: str, **settings: object) -> Reading | Malformed:
    found = typed_codes(read_settings(TypedSettings, settings)).read(text, text.encode())
    assert isinstance(found, Reading | Malformed)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_table_has_a_place_for_every_key(name: LayoutName) -> None:
    layout = LAYOUTS[name]
    assert {len(level) for level in layout.levels()} == {len(KEY_CODES)} == {len(set(KEY_CODES))}
    assert set(layout.dead) <= set(layout.plain + layout.shifted)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "us"])
def test_known_layout_is_undone(name: LayoutName) -> None:
    keys = [char for char in US.plain + US.shifted if NONE not in through(char, name)]
    text = "".join(dict.fromkeys(keys)) + " 7290001234563" + GS
    # A character of two keys cannot be told apart; US has two for the backslash, others give one twice themselves.
    unambiguous = "".join(char for char in text if through(text, name).count(through(char, name)) == text.count(char))
    assert len(unambiguous) > 80
    assert repair(through(unambiguous, name), typed_through=name).text == unambiguous


def test_repaired_text_says_so_and_keeps_what_came() -> None:
    came = through("]C0lot-42/a", "il")
    found = read(came, keyboard_layout="il")
    assert isinstance(found, Reading)
    assert (found.value, found.details["repaired"], found.details["symbology_id"]) == ("lot-42/a", "il", "]C0")
    assert found.raw.decode() == came
    same = read("7290001234563", keyboard_layout="il")
    assert isinstance(same, Reading)
    assert "repaired" not in same.details


def test_separator_passes_the_repair() -> None:
    found = read(through("]C110ab", "il") + GS + through("21x/1", "il"), keyboard_layout="il")
    assert isinstance(found, Reading)
    assert (found.details["ai.10"], found.details["ai.21"]) == ("ab", "x/1")


def test_character_that_the_layout_does_not_type_is_told() -> None:
    found = read("lotא€", keyboard_layout="de")
    assert isinstance(found, Reading)
    assert "does not type" in found.details["warning"]


@pytest.mark.parametrize(
    ("meant", "layout"),
    [
        ("]E07290001234563", "il"),
        ("]C0LOT-42/A", "il"),
        ("https://id.gs1.org/01/09520123456788", "il"),
        ("7290001234563", "fr"),
        ("]d2010729001234567810ab", "fr"),
        ("https://example.com/x", "de"),
    ],
)
def test_damage_by_a_layout_nobody_told_is_suspected_and_left_alone(meant: str, layout: LayoutName) -> None:
    came = through(meant, layout)
    found = read(came)
    assert isinstance(found, Reading)
    assert found.value == came
    assert f"layout {layout}" in found.details["warning"]
    assert {"gtin", "repaired"} & set(found.details) == set()


def test_hebrew_in_an_order_that_no_word_has_is_suspected() -> None:
    for lower in ("lot-a", "kilo/b"):
        found = read(through(lower, "il"))
        assert isinstance(found, Reading)
        assert "Hebrew" in found.details["warning"]


@pytest.mark.parametrize(
    "text", ["שלום", "שולחן 4", "LOT-42/A", "abc", "[x]", "a;b", "7290001234564", "ג׳ינס", "Müller-Straße 5"]
)
def test_honest_text_is_not_suspected(text: str) -> None:
    found = read(text)
    assert isinstance(found, Reading)
    assert "warning" not in found.details


def test_missing_identifier_names_the_layout_that_may_have_eaten_it() -> None:
    found = read(through("]E07290001234563", "il"), aim_prefix=True)
    assert isinstance(found, Malformed)
    assert "layout il" in found.reason


@given(st.text(max_size=60), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_any_text_is_repaired_and_judged_without_a_fault(text: str, layout: LayoutName, reader: LayoutName) -> None:
    assert len(repair(text, typed_through=layout, reader=reader).text) == len(text)
    typed_through(text, reader)
    typed_by(text, layout)


_XKB = Path("/usr/share/X11/xkb/symbols")
_ROWS = ["TLDE", *(f"{row}{place:02}" for row in ("AE", "AD") for place in range(1, 13)), "BKSL"]
_PLACES = [*_ROWS, *(f"AC{place:02}" for place in range(1, 12)), "LSGT", *(f"AB{place:02}" for place in range(1, 11))]
"""The keys of KEY_CODES as xkb names them."""


def test_hebrew_table_is_the_one_of_the_system() -> None:
    if not (_XKB / "il").is_file():
        pytest.skip("xkb-data is not installed")
    text = re.sub(r"//.*", "", (_XKB / "il").read_text(encoding="utf-8")).partition('"basic"')[2].partition("\n};")[0]
    letters = ["aleph", "bet", "gimel", "dalet", "he", "waw", "zain", "chet", "tet", "yod", "finalkaph", "kaph", "lamed"]
    letters += ["finalmem", "mem", "finalnun", "nun", "samech", "ayin", "finalpe", "pe", "finalzade", "zade", "qoph"]
    letters += ["resh", "shin", "taw"]
    found = 0
    for place, first in re.findall(r"key\s*<(\w+)>\s*\{\s*\[\s*hebrew_(\w+)", text):
        assert LAYOUTS["il"].plain[_PLACES.index(place)] == chr(ord("א") + letters.index(first))
        found += 1
    assert found == 27
