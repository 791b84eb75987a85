"""Expressions read with a definition: kinds that never fit are refused, records stand for their `ref`, names are known."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.expressions import Expression, ExpressionFault, Given, Schema
from sync_protocol.expressions.functions import FUNCTIONS
from sync_protocol.expressions.kinds import _SIGNATURES

GIVEN = Given(now=datetime(2026, 11, 22, 14, 30, tzinfo=UTC), today=date(2026, 11, 22))
PARTY = Schema(
    {"ref": "value", "name": "value", "parent": "record"}, {}, kinds={"ref": "text", "name": "text"}
)  # the definition of the parent is not followed further
SCHEMA = Schema(
    {
        **dict.fromkeys(("name", "score", "budget", "expires", "arrived", "open", "any_kind"), "value"),
        "tags": "values",
        "lines": "rows",
        "party": "record",
    },
    {
        "lines": Schema(
            {"qty": "value", "note": "value", "product": "record"}, {"product": PARTY}, {"qty": "number", "note": "text"}
        ),
        "party": PARTY,
    },
    {
        "name": "text",
        "score": "number",
        "budget": "number",
        "expires": "date",
        "arrived": "datetime",
        "open": "bool",
        "tags": "text",
    },
)
RECORD: dict[str, Any] = {
    "name": "Deal",
    "score": 3,
    "budget": Decimal("120.50"),
    "expires": date(2026, 12, 31),
    "arrived": datetime(2026, 11, 20, 14, 30, tzinfo=UTC),
    "open": True,
    "tags": ["cold", "fish"],
    "lines": [{"qty": 2, "note": "a", "product": {"ref": "P-1", "name": "Cod"}}, {"qty": 1, "note": None, "product": None}],
    "party": {"ref": "SUP-1", "name": "גליל", "parent": {"ref": "SUP-0"}},
}


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("name > 5", 8),
        ("name == 5", 9),
        ("expires + 'x'", 1),
        ("expires == '2026-12-31'", 12),
        ("expires < arrived", 11),
        ("expires - arrived", 1),
        ("expires + 3", 1),
        ("score + name", 1),
        ("open == 1", 9),
        ("open > False", 8),
        ("name * 3", 1),
        ("-name", 1),
        ("-expires", 1),
        ("1 <= score <= name", 15),
        ("tags == tags", 9),
        ("3 in tags", 6),
        ("score in ['a', 3]", 11),
        ("score in name", 10),
        ("name in score", 9),
        ("score in open", 10),
        ("lower(score)", 7),
        ("round(name, 2)", 7),
        ("round(1, name)", 10),
        ("days(expires)", 6),
        ("sum(name, 3)", 5),
        ("sum(l.note + 1 for l in lines)", 5),
        ("any(l.qty > 'x' for l in lines)", 13),
        ("[l for l in lower(name)]", 13),
        ("any(l.product == 3 for l in lines)", 18),
        ("[t + 1 for t in tags]", 2),
        ("party == 3", 10),
        ("len(score)", 5),
        ("not (name > 5)", 13),
        ("score > 1 and (name if open else name) > 5", 42),
        ("coalesce(score, budget) == 'x'", 28),
        ("max(score, budget) == 'x'", 23),
        ("min(l.note for l in lines) > 3", 30),
        ("all(expires)", 5),
    ],
)
def test_what_can_never_fit_is_refused_when_it_is_read(text: str, column: int) -> None:
    with pytest.raises(ExpressionFault) as caught:
        Expression(text, SCHEMA)
    assert (caught.value.code, caught.value.column) == ("kind", column)
    Expression(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("any_kind > 5 or score == any_kind", False),
        ("name == None", False),
        ("score > None", False),
        ("name in ['a', None]", False),
        ("'fish' in tags", True),
        ("'ea' in name", True),
        ("coalesce(any_kind, 3) == 3", True),
        ("(name if open else score) == 'Deal'", True),
        ("expires - today() == 39", True),
        ("expires - days(3) > today()", True),
        ("arrived + days(1) < now()", True),
        ("date(arrived) == date('2026-11-20')", True),
        ("sum(l.qty for l in lines) == score", True),
        ("max(score, budget) == budget", True),
        ("min(l.note for l in lines) == 'a'", True),
        ("max(t for t in tags) == 'fish'", True),
        ("len(name) == len(tags) + 2", True),
        ("party == 'SUP-1'", True),
        ("party.ref == 'SUP-1'", True),
        ("party is not None and party.name == 'גליל'", True),
        ("party in ['SUP-1', 'SUP-2']", True),
        ("party.parent == 'SUP-0'", True),
        ("any(l.product == 'P-1' for l in lines)", True),
        ("count(l.product is None for l in lines) == 1", True),
        ("name + '!' if open else party", "Deal!"),
    ],
)
def test_what_fits_or_is_not_known_is_worked_out(text: str, expected: object) -> None:
    assert Expression(text, SCHEMA).value(RECORD, GIVEN) == expected


def test_a_missing_reference_is_none() -> None:
    assert Expression("party is None and not (party == 'SUP-1')", SCHEMA).holds({**RECORD, "party": None}, GIVEN)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1 + 2", set()),
        ("score > 1 and party == name", {("score",), ("party", "ref"), ("name",)}),
        ("party.name", {("party", "name")}),
        ("sum(l.qty * score for l in lines if l.note)", {("lines",), ("lines", "qty"), ("score",), ("lines", "note")}),
        ("[t for t in tags]", {("tags",)}),
        ("round(budget, 2) if not open else -score", {("budget",), ("open",), ("score",)}),
        ("has_document(name, signed=open)", {("name",), ("open",)}),
        ("[x for x in [name, score]]", {("name",), ("score",)}),
    ],
)
def test_names_are_the_fields_that_it_uses(text: str, names: set[tuple[str, ...]]) -> None:
    assert Expression(text, SCHEMA).names() == names


def test_part_of_a_tree_is_an_expression_too() -> None:
    whole = Expression("score > 1 and name + 1 == 'x'")
    parts = whole.tree.parts  # type: ignore[union-attr]
    assert Expression.of_tree(parts[0], whole.text).holds(RECORD, GIVEN)
    with pytest.raises(ExpressionFault, match="column 15"):
        Expression.of_tree(parts[1], whole.text).value(RECORD, GIVEN)


def test_lists_in_lists_are_read_once_each() -> None:
    deep = "score in [" * 19 + "score" + "]" * 19
    with pytest.raises(ExpressionFault, match="yes or no"):
        Expression(deep, SCHEMA)


def test_every_function_has_a_signature() -> None:
    assert set(_SIGNATURES) == set(FUNCTIONS)


VOCABULARY = """
( ) [ ] , + - * / % == != < <= > >= in not and or is None True False if else for l lines tags score name party expires arrived
budget open sum( min( round( count( any( len( days( date( coalesce( abs( lower( today() now() 'a' 0 1 2.5 l.qty l.note l.product
"""


def refusal(text: str, schema: Schema | None) -> str | None:
    try:
        Expression(text, schema)
    except ExpressionFault as exc:
        return exc.code
    return None


@given(st.lists(st.sampled_from(VOCABULARY.split()), max_size=14))
def test_any_string_of_words_is_read_or_refused(words: list[str]) -> None:
    text = " ".join(words)
    if refusal(text, SCHEMA) in {None, "kind"}:
        assert refusal(text, None) is None
