"""Expressions: what they mean, what they refuse and where they say so; nothing they are given costs more than its budget."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync_protocol.expressions import Expression, ExpressionFault, Given, Schema
from sync_protocol.expressions.evaluate import MAX_STEPS
from sync_protocol.expressions.parse import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES
from sync_protocol.expressions.values import CONTEXT

GIVEN = Given(
    now=datetime(2026, 11, 22, 14, 30, tzinfo=UTC),
    today=date(2026, 11, 22),
    ask={"has_document": lambda kind, *, signed: kind == "contract" and signed},
)
RECORD = {
    "name": "Deal",
    "score": 3,
    "budget": Decimal("120.50"),
    "expires": date(2026, 12, 31),
    "arrived": datetime(2026, 11, 20, 14, 30, tzinfo=UTC),
    "open": True,
    "tags": ["cold", "fish"],
    "lines": [{"qty": 2, "price": Decimal("1.10")}, {"qty": 1, "price": Decimal("0.05")}, {"qty": None, "price": Decimal(9)}],
    "party": {"name": "גליל", "parent": None},
}
SCHEMA = Schema(
    {
        **dict.fromkeys(("name", "score", "budget", "expires", "arrived", "open"), "value"),
        "tags": "values",
        "lines": "rows",
        "party": "record",
    },
    {"lines": Schema({"qty": "value", "price": "value"}), "party": Schema({"name": "value"})},
)


def value(text: str, record: dict[str, Any] | None = None) -> Any:
    return Expression(text).value(RECORD if record is None else record, GIVEN)


def fault(text: str, schema: Schema | None = None, record: dict[str, Any] | None = None) -> tuple[str, int]:
    with pytest.raises(ExpressionFault) as caught:
        Expression(text, schema).value(RECORD if record is None else record, GIVEN)
    assert str(caught.value).startswith(f"column {caught.value.column}: ")
    return caught.value.code, caught.value.column


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1 + 0.2 == 0.3", True),
        ("0.1 * 3", Decimal("0.3")),
        ("1_000 + 0x10", Decimal(1016)),
        ("10 % 3", Decimal(1)),
        ("-score", Decimal(-3)),
        ("1 <= score <= 10", True),
        ("1 <= score < 3", False),
        ("score == 3 and not open", False),
        ("open or missing", True),
        ("'b' if missing else 'a'", "a"),
        ("name + '!'", "Deal!"),
        ("'ea' in name", True),
        ("'fish' in tags", True),
        ("score in [1, 2, 3]", True),
        ("score not in (1, 2)", True),
        ("party.name == 'גליל'", True),
        ("party.parent.name is None", True),
        ("sum(l.qty * l.price for l in lines)", Decimal("2.25")),
        ("count(lines)", Decimal(3)),
        ("count(l.qty > 1 for l in lines)", Decimal(1)),
        ("[l.qty for l in lines if l.price < 1]", [Decimal(1)]),
        ("any(l.qty > 1 for l in lines)", True),
        ("all(l.qty > 0 for l in lines)", False),
        ("mean(1, 2, 3, 4)", Decimal("2.5")),
        ("mean(l.qty for l in lines)", Decimal("1.5")),
        ("min(3, 1, 2)", Decimal(1)),
        ("max(l.price for l in lines)", Decimal(9)),
        ("max('a', 'b')", "b"),
        ("sum([])", Decimal(0)),
        ("mean([])", None),
        ("min([])", None),
        ("round(2.5)", Decimal(3)),
        ("round(-2.5)", Decimal(-3)),
        ("round(1.005, 2)", Decimal("1.01")),
        ("abs(-2.50)", Decimal("2.50")),
        ("len(tags) + len(name)", Decimal(6)),
        ("lower('ABC')", "abc"),
        ("starts_with(name, 'De')", True),
        ("coalesce(missing, None, score)", Decimal(3)),
        ("expires - today()", Decimal(39)),
        ("now() - arrived", Decimal(2)),
        ("expires > today() + days(30)", True),
        ("date('2026-01-31') + days(1)", date(2026, 2, 1)),
        ("date(arrived)", date(2026, 11, 20)),
        ("days(2)", timedelta(days=2)),
        ("has_document('contract', signed=True)", True),
        ("has_document('contract')", False),
        ("\n 1 +\n 2 ", Decimal(3)),
    ],
)
def test_expression_means(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("missing + 1", None),
        ("-missing", None),
        ("missing < 1", False),
        ("missing >= 1", False),
        ("missing == None", True),
        ("missing is None", True),
        ("missing is not None", False),
        ("missing != 1", True),
        ("missing in [1]", False),
        ("missing not in [1]", False),
        ("1 in missing", False),
        ("not missing", True),
        ("round(missing, 2)", None),
        ("sum(l.qty for l in nowhere)", Decimal(0)),
        ("starts_with(missing, 'a')", None),
        ("days(missing)", None),
        ("a.b.c", None),
    ],
)
def test_what_is_missing_stays_missing_and_makes_nothing_true(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("", "syntax", 1),
        ("  ", "syntax", 1),
        ("1 +", "syntax", 4),
        ("(1 + 2", "syntax", 1),
        ("1) + (2", "syntax", 2),
        ("1, 2", "syntax", 1),
        ("x = 3", "syntax", 1),
        ("x; y", "syntax", 2),
        ("score # why", "forbidden", 7),
        ("1 + 2 ** 9", "forbidden", 5),
        ("7 // 2", "forbidden", 1),
        ("f'{score}'", "forbidden", 1),
        ("1 + (lambda: 1)()", "forbidden", 5),
        ("[x for x in tags for y in tags]", "forbidden", 1),
        ("[[y for y in tags] for x in tags]", "forbidden", 2),
        ("[a for a, b in tags]", "forbidden", 1),
        ("1 + open('x')", "unknown_function", 5),
        ("__import__('os')", "unknown_function", 1),
        ("name.__class__", "forbidden", 1),
        ("name.upper()", "forbidden", 1),
        ("tags[0]", "forbidden", 1),
        ("{'a': 1}", "forbidden", 1),
        ("(y := 3)", "forbidden", 2),
        ("score is 3", "forbidden", 10),
        ("sum(*tags)", "forbidden", 1),
        ("round()", "arguments", 1),
        ("'אבג' + round(1, 2, 3)", "arguments", 9),
        ("sum(tags, signed=True)", "arguments", 1),
        ("b'x'", "forbidden", 1),
        ("1j", "forbidden", 1),
        ("...", "forbidden", 1),
        ("1 +\r\n\r x.__class__", "forbidden", 8),
    ],
)
def test_what_is_not_allowed_is_refused_where_it_stands_before_it_runs(text: str, code: str, column: int) -> None:
    with pytest.raises(ExpressionFault) as caught:
        Expression(text)
    assert (caught.value.code, caught.value.column) == (code, column)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("score + 1 / 0", 9),
        ("name + 1", 1),
        ("'a' * 9", 1),
        ("name < 3", 1),
        ("expires < arrived", 1),
        ("lines == lines", 1),
        ("-name", 1),
        ("round(1, 99)", 1),
        ("round(1, 0.5)", 1),
        ("days(1000000)", 1),
        ("date('tomorrow')", 1),
        ("expires + days(100000) + days(100000) + days(100000) + days(100000) * 1", 56),
        ("date('9999-12-31') + days(1)", 1),
        ("9e6000 * 9e6000", 1),
        ("3 in name", 1),
        ("len(3)", 1),
        ("score.name", 1),
        ("1 + sum(tags)", 5),
        ("weight + 1", 1),
    ],
)
def test_values_that_do_not_fit_are_named_with_their_column(text: str, column: int) -> None:
    assert fault(text, record={**RECORD, "weight": 0.1}) == ("value", column)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("party.name == name", None),
        ("sum(l.qty for l in lines)", None),
        ("scoer > 1", "did you mean score?"),
        ("party.nmae", "did you mean name?"),
        ("lines.qty", "no fields"),
        ("sum(l.quantity for l in lines)", "no field quantity"),
        ("[s for s in score]", "is not a list"),
        ("[score for score in lines]", "cannot be the name"),
    ],
)
def test_names_are_looked_up_in_the_definition(text: str, expected: str | None) -> None:
    if expected is None:
        Expression(text, SCHEMA)
        return
    with pytest.raises(ExpressionFault, match=expected.replace("?", r"\?")):
        Expression(text, SCHEMA)


class Endless(Sequence[int]):
    """As long as a list can say it is; taking it would never end."""

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, index: Any) -> Any:
        raise AssertionError("it was touched")


@pytest.mark.parametrize(
    "text",
    ["sum(1 for i in big)", "sum(big)", "max(big)", "3 in big", "any(big)", "count(big)", "mean(big)", "[i for i in big]"],
)
def test_a_list_without_end_is_refused_before_it_is_touched(text: str) -> None:
    assert fault(text, record={"big": Endless()})[0] == "budget"


def test_work_is_counted_over_all_parts() -> None:
    rows = [{"q": 1}] * 3000
    assert value("sum(l.q for l in rows)", {"rows": rows}) == 3000
    assert fault("sum(l.q + l.q + l.q + l.q for l in rows)", record={"rows": rows})[0] == "budget"


@pytest.mark.parametrize(
    "text",
    [
        f"[[{'1,' * 250}] for i in rows]",
        f"[max({'1,' * 250}1) for i in rows]",
        f"[{'1 <= ' * 250}1 for i in rows]",
        f"[{'True and ' * 140}True for i in rows]",
        "[has_document('contract') for i in rows]",
        "[lower(t) for i in rows]",
        "[starts_with(t, t) for i in rows]",
        "max(texts)",
    ],
)
def test_nothing_is_free_of_charge(text: str) -> None:
    record = {"rows": [1] * 250, "t": "x" * 20_000, "texts": ["x" * 20_000] * 250}
    assert fault(text, record=record)[0] == "budget"


def test_whole_number_that_no_decimal_holds_is_refused() -> None:
    assert value("a", {"a": 10**33}) == 10**33
    assert fault("a", record={"a": 10**40}) == ("value", 1)


def test_text_that_grows_is_stopped() -> None:
    assert fault("t + t + t + t", record={"t": "x" * 4000})[0] == "value"
    long = "x" * 1_000_000
    assert fault("[t == u for l in rows]", record={"t": long, "u": long, "rows": [1] * 50})[0] == "budget"


@pytest.mark.parametrize(
    "text",
    [
        "1" * (MAX_CHARACTERS + 1),
        "+".join(["1"] * (MAX_NODES + 1)),
        "(" * 400 + ")" * 400,
        "not " * (MAX_DEPTH + 1) + "1",
        "9" * 41,
        "a" + ".a" * 900,
    ],
)
def test_what_is_too_large_is_refused(text: str) -> None:
    with pytest.raises(ExpressionFault) as caught:
        Expression(text)
    assert caught.value.code == "too_large"


def column_of(text: str) -> int:
    """Where it is at fault; 1 for an expression that is not."""
    try:
        Expression(text, SCHEMA).value(RECORD, GIVEN)
    except ExpressionFault as exc:
        return exc.column
    return 1


@example("\rA")
@example("\x0c\r\n\tA.b +")
@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_a_fault(text: str) -> None:
    assert 1 <= column_of(text) <= len(text) + 1


VOCABULARY = """
( ) [ ] , . + - * / % == != < <= > >= in not and or is None True False if else for l lines tags score name party expires arrived
budget open sum( min( round( count( any( len( days( date( coalesce( today() 'a' 0 1 2.5 1e9 'x' l.qty
"""
WORDS = st.lists(st.sampled_from(VOCABULARY.split()), max_size=14)


@given(WORDS)
def test_any_string_of_words_is_an_expression_or_a_fault(words: list[str]) -> None:
    text = " ".join(words)
    assert 1 <= column_of(text) <= len(text) + 1


NUMBERS = st.decimals(-999, 999, places=3)
TREES = st.recursive(
    NUMBERS.map(lambda number: f"({number})") | st.sampled_from(["a", "b", "c"]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=12,
)


@given(TREES, st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_numbers_are_worked_out_as_python_would_with_decimals(text: str, values: tuple[Decimal, Decimal, Decimal]) -> None:
    record = dict(zip("abc", values, strict=True))
    namespace = {"D": Decimal, **record}
    exact = re.sub(r"-?\d+\.\d+", lambda found: f"D('{found.group()}')", text)
    with localcontext(CONTEXT):
        expected = eval(exact, namespace)  # noqa: S307 - made here, of digits and three names
    assert value(text, record) == expected


@given(st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5), st.dates()), st.sampled_from(["==", "!="]))
def test_everything_equals_itself_and_nothing_else_of_another_kind(found: object, op: str) -> None:
    assert value(f"a {op} a", {"a": found}) is (op == "==")
    assert value(f"a {op} b", {"a": found, "b": [1]}) is (op == "!=") if not isinstance(found, str) else True


def test_budget_is_what_it_says() -> None:
    assert MAX_STEPS == 20_000
