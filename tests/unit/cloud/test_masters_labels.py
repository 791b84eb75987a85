"""Suppliers' labels are read by rules, and rules that cannot work or never end are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import Refused
from cloud.masters.labels import DATE_FORMS, FIELDS, MAX_RULES, MAX_TEXT, WAYS, Rule, read_label, rules_of


def rule(**said: Any) -> dict[str, Any]:
    return {"field": "lot", "way": "prefix", "mark": "L:", **said}


CASES = [
    ([rule()], "X1;L:2211A", {"lot": "2211A"}),
    ([rule(until=";")], "L:2211A;Q:4", {"lot": "2211A"}),
    ([rule(way="part", mark="|", first=2)], "ALM|2211A|25.000", {"lot": "2211A"}),
    ([rule(way="positions", mark="", first=4, last=8)], "ALM2211A25", {"lot": "2211A"}),
    ([rule(way="regex", mark=r"LOT ?([A-Z0-9]{3,10})")], "x LOT 2211A y", {"lot": "2211A"}),
    ([rule(field="expiry", form="DDMMYY")], "L:311227", {"expiry": "2027-12-31"}),
    ([rule(field="expiry", form="YYYY-MM-DD", until=" ")], "L:2027-12-31 ", {"expiry": "2027-12-31"}),
    ([rule(field="made_on", form="DD.MM.YY")], "L:01.02.26", {"made_on": "2026-02-01"}),
    ([rule(field="weight", decimals=3)], "L:012340", {"weight": "12.340"}),
    ([rule(field="quantity")], "L:12,5", {"quantity": "12.5"}),
    ([rule(required=False), rule(field="code", mark="C:")], "C:ALM", {"code": "ALM"}),
]


@pytest.mark.parametrize(("rows", "text", "found"), CASES)
def test_a_label_is_read_by_its_rules(rows: list[dict[str, Any]], text: str, found: dict[str, str]) -> None:
    assert read_label(rules_of(rows), text) == found


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (rule(), "nothing"),
        (rule(), "L: "),
        (rule(way="part", mark="|", first=3), "a|b"),
        (rule(way="positions", first=2, last=9), "short"),
        (rule(way="regex", mark="x([0-9]+)"), "y1"),
        (rule(field="expiry", form="DDMMYY"), "L:310227"),
        (rule(field="expiry", form="YYMMDD"), "L:2712"),
        (rule(field="weight", decimals=2), "L:12.5"),
        (rule(field="quantity"), "L:twelve"),
        (rule(), "L:" + "x" * MAX_TEXT),
    ],
)
def test_what_is_not_there_or_not_of_its_form_is_said(row: dict[str, Any], text: str) -> None:
    with pytest.raises(Refused, match="label_unread"):
        read_label(rules_of([row]), text)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (rule(field="colour"), "field"),
        (rule(way="magic"), "way"),
        (rule(mark=""), "mark"),
        (rule(way="part", mark="", first=1), "mark"),
        (rule(way="part", mark="|"), "first"),
        (rule(way="positions", first=5, last=4), "first"),
        (rule(way="positions", first=0, last=4), "first"),
        (rule(field="expiry"), "form"),
        (rule(form="DDMMYY"), "form"),
        (rule(decimals=2), "decimals"),
        (rule(first="x"), "number"),
        *[(rule(way="regex", mark=mark), "mark") for mark in (
            "", "no group", "(a)(b)", "(a", "(a+)+", "(a*)*b", "(?:a)", "(?=a)(b)", r"(a)\1", "a*a*a*(b)", "(a){1,9}",
            "[a-z]+[a-z]+[a-z]+([0-9]+)", "(x" * 60,
        )],
    ],
)  # fmt: skip
def test_a_rule_that_cannot_work_is_refused(row: dict[str, Any], what: str) -> None:
    with pytest.raises(Refused) as refused:
        rules_of([rule(), row])
    assert (refused.value.code, refused.value.values) == ("label_rule", {"rule": "2", "what": what})


def test_rules_have_a_number() -> None:
    for rows in ([], [rule()] * (MAX_RULES + 1)):
        with pytest.raises(Refused, match="label_rules"):
            rules_of(rows)


def test_the_costliest_pattern_ends() -> None:
    (worst,) = rules_of([rule(way="regex", mark="a+(a+)b")])
    with pytest.raises(Refused, match="label_unread"):
        read_label([worst], "a" * MAX_TEXT)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "field": st.sampled_from(FIELDS),
                "way": st.sampled_from(WAYS),
                "mark": st.text("aL:|([0-9]+)*\\", max_size=12),
                "first": st.integers(-2, 20),
                "last": st.integers(-2, 20),
                "form": st.sampled_from(["", *DATE_FORMS]),
                "decimals": st.integers(0, 3),
            }
        ),
        max_size=4,
    ),
    st.text(max_size=40),
)
def test_any_rules_and_any_text_end_in_fields_or_a_refusal(rows: list[dict[str, Any]], text: str) -> None:
    try:
        rules: tuple[Rule, ...] = rules_of(rows)
        found = read_label(rules, text)
    except Refused:
        return
    assert found.keys() <= {one.field for one in rules}
    assert all(found.values())
