"""Texts of records: cleaned of what cannot be shown, and never shortened without a word."""

import pytest

from cloud.objects.definition import FieldDef, Label
from cloud.objects.values import Unfit, accept

LONG = FieldDef("note", "long", Label("Note"), max_length=10_000)
SHORT = FieldDef("name", "text", Label("Name"))
FREE = FieldDef("data", "json", Label("Data"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a" * 10_000, "a" * 10_000),
        ("one\r\ntwo\n\n\tthree", "one\ntwo\n\n\tthree"),
        (" \n edge \n ", "edge"),
        ("bell\x07\u202e", "bell\u2407"),
        ("\u202e", None),
    ],
)
def test_a_long_text_keeps_its_lines_and_its_length(given: str, kept: str | None) -> None:
    assert accept(LONG, given) == kept


def test_a_text_is_one_line() -> None:
    assert accept(SHORT, "one\n two\tthree") == "one two three"
    assert accept(SHORT, "x" * 200) == "x" * 200


@pytest.mark.parametrize(("field", "given"), [(LONG, "a" * 10_001), (SHORT, "a" * 201)])
def test_what_is_too_long_is_refused_not_cut(field: FieldDef, given: str) -> None:
    with pytest.raises(Unfit) as caught:
        accept(field, given)
    assert caught.value.code == "too_long"


def test_json_takes_texts_of_every_length() -> None:
    given = {"lines": ["x" * 5000, "a\nb"]}
    assert accept(FREE, given) == given
    with pytest.raises(Unfit):
        accept(FREE, {"a": "nul\x00"})
