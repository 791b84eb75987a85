"""Filters in SQL: how they are written, what is left to Python and where it stands."""

import sys
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, Date, MetaData, Table, Text
from sqlalchemy.dialects import postgresql, sqlite

from cloud.db.types import Json, Micro, UtcTime
from cloud.objects.filtering import NotSql, SqlField, SqlShape, compile_filter, compile_filter_partly
from cloud.objects.filtering_json import json_field
from cloud.objects.filtering_terms import is_plainly_cased
from sync_protocol.expressions import Expression, ExpressionFault, Given

GIVEN = Given(now=datetime(2026, 11, 22, 14, 30, tzinfo=UTC), today=date(2026, 11, 22))
SHAPES: dict[str, SqlShape] = {
    "name": "text",
    "score": "int",
    "budget": "micro",
    "open": "bool",
    "expires": "date",
    "arrived": "datetime",
    "tags": "json",
}
ROW = Table(
    "t",
    MetaData(),
    Column("name", Text),
    Column("score", BigInteger),
    Column("budget", Micro),
    Column("open", Boolean),
    Column("expires", Date),
    Column("arrived", UtcTime),
    Column("tags", Json),
    Column("data", Json),
)


class Typed:
    def column(self, path: tuple[str, ...]) -> SqlField:
        if path == ("party", "ref"):
            raise NotSql(1, "behind a reference")
        (key,) = path
        return SqlField(ROW.c[key], SHAPES[key])


def written(text: str, dialect: str = "sqlite") -> str:
    found = compile_filter(Expression(text).tree, Typed(), GIVEN, dialect)
    target = sqlite.dialect() if dialect == "sqlite" else postgresql.dialect()  # type: ignore[no-untyped-call]
    return str(found.compile(dialect=target, compile_kwargs={"literal_binds": True})).replace("t.", "")


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("score == 3", "score = 3"),
        ("score > 2.5", "score > 2"),
        ("score >= 2.5", "score > 2"),
        ("score < 2.5", "score <= 2"),
        ("score <= -2.5", "score <= -3"),
        ("score == 2.5", "0"),
        ("score != 2.5", "1"),
        ("budget == 12.5", "budget = 12500000"),
        ("budget > 0.0000001", "budget > 0"),
        ("budget == 0.0000001", "0"),
        ("budget < 1e30", "budget <= 9223372036854775807"),
        ("budget > -1e300", "budget > -9223372036854775808"),
        ("3 < score", "score > 3"),
        ("1 <= score <= 10", "score >= 1 AND score <= 10"),
        ("score != 3", "score IS NULL OR score != 3"),
        ("name == None", "name IS NULL"),
        ("not (score > 3)", "coalesce(score > 3, 0) = 0"),
        ("score in [1, 2.5, None, 'x']", "score IN (1)"),
        ("score in []", "0"),
        ("score not in [1]", "score IS NOT NULL AND coalesce(score IN (1), 0) = 0"),
        ("'x' in name", "instr(name, 'x') > 0"),
        ("expires > today() + days(30)", "expires > '2026-12-22'"),
        ("expires - days(30) > today()", "expires > '2026-12-22'"),
        ("expires - today() <= 30.5", "expires <= '2026-12-22'"),
        ("today() - expires > 3", "expires < '2026-11-19'"),
        ("now() - arrived < 0.5", "arrived > '2026-11-22 02:30:00.000000'"),
        ("open", "open IS 1"),
        ("name", "name != ''"),
        ("name == 5", "0"),
        ("name == score", "name IS NULL AND score IS NULL"),
        ("1 + 1 == 2 and score == 3", "score = 3"),
    ],
)
def test_conditions_are_written_plainly(text: str, sql: str) -> None:
    assert written(text) == sql


def test_postgresql_compares_texts_by_code_point() -> None:
    assert written("name < 'a'", "postgresql") == '(name COLLATE "C") < (\'a\' COLLATE "C")'
    assert written("name == 'a'", "postgresql") == "name = 'a'"


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("score == 1 or score * 2 > 3", 15, "* of fields"),
        ("any(t == 'a' for t in tags)", 1, "any of a field"),
        ("round(budget, 1) == 2", 1, "round of a field"),
        ("score == 1 / 0", 10, "division by zero"),
        ("has_document('contract')", 1, "has_document of a field"),
        ("score > 1 and nothing == 3", 15, "nothing is not in the database"),
        ("score > 1 and party.ref == 'x'", 15, "behind a reference"),
        ("name > 5", 8, "text > number"),
        ("lower(name) == 'é'", 16, "upper and lower case"),
        ("lower(name) > 'a'", 15, "text > text"),
        ("tags == ['a']", 9, "lists are not compared"),
        ("name + 'x' == 'ax'", 1, "text + text"),
        ("name == '\\0'", 9, "text that no column holds"),
        ("expires + days(1) > expires", 1, "date + length"),
        ("score + 0.0000001 > 3", 1, "finer or larger"),
        ("[score]", 1, "a list as a value"),
        ("date(arrived) == today()", 1, "date of a field"),
    ],
)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_what_cannot_be_translated_is_named_with_its_column(text: str, column: int, what: str, dialect: str) -> None:
    with pytest.raises(NotSql) as caught:
        written(text, dialect)
    assert caught.value.column == column
    assert what in caught.value.what
    assert str(caught.value).startswith(f"column {column}: ")


def test_parts_that_translate_narrow_down_and_the_rest_is_left() -> None:
    text = "score > 3 and round(budget) == 2 and open and score * 2 < 100"
    partly = compile_filter_partly(Expression(text), Typed(), GIVEN, "sqlite")
    assert str(partly.condition.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})) == (  # type: ignore[no-untyped-call]
        "t.score > 3 AND t.open IS 1"
    )
    assert partly.why is not None
    assert partly.why.column == 15
    assert partly.rest is not None
    assert partly.rest.names() == {("budget",), ("score",)}
    assert not partly.rest.holds({"budget": 2, "score": 50}, GIVEN)
    assert partly.rest.holds({"budget": 2, "score": 49}, GIVEN)


def test_an_or_with_one_part_that_does_not_translate_is_left_whole() -> None:
    expression = Expression("score > 3 or round(budget) == 2")
    partly = compile_filter_partly(expression, Typed(), GIVEN, "sqlite")
    assert partly.rest is not None
    assert partly.rest.tree == expression.tree


def test_one_part_alone_stays_itself() -> None:
    partly = compile_filter_partly(Expression("score > 3"), Typed(), GIVEN, "sqlite")
    assert (partly.rest, partly.why) == (None, None)


def test_letters_that_change_case_beyond_ascii_are_known() -> None:
    letters = [chr(number) for number in range(sys.maxunicode + 1)]
    changing = [letter for letter in letters if letter.lower() != letter and not letter.isascii()]
    # The two that become letters of ASCII are replaced by name; every other lower case is one of which nothing is claimed.
    assert {letter for letter in changing if any(part.isascii() for part in letter.lower())} == {"\u212a", "\u0130"}
    reached = {part for letter in changing for part in letter.lower() if not part.isascii()} | set(changing)
    assert not [letter for letter in reached if is_plainly_cased(letter)]
    assert is_plainly_cased("abc XYZ 123 גליל %_")


VOCABULARY = """
( ) [ ] , . + - * / % == != < <= > >= in not and or is None True False if else for l tags score name expires arrived budget open
sum( min( round( count( any( len( days( date( coalesce( abs( lower( starts_with( today() now() 'a' 'É' '' 0 1 2.5 1e400 1e-400
"""


@settings(max_examples=200)
@given(st.lists(st.sampled_from(VOCABULARY.split()), max_size=12), st.sampled_from(["sqlite", "postgresql"]))
def test_any_expression_is_written_in_sql_or_left_to_python(words: list[str], dialect: str) -> None:
    try:
        expression = Expression(" ".join(words))
    except ExpressionFault:
        return
    partly = compile_filter_partly(expression, Typed(), GIVEN, dialect)
    target = sqlite.dialect() if dialect == "sqlite" else postgresql.dialect()  # type: ignore[no-untyped-call]
    assert str(partly.condition.compile(dialect=target, compile_kwargs={"literal_binds": True}))
    assert (partly.rest is None) == (partly.why is None)


@pytest.mark.parametrize("key", ["", "a'b", "A", "a.b", "a b", "_a", "1a", "a" * 200])
def test_paths_into_json_are_made_of_names_alone(key: str) -> None:
    with pytest.raises(ValueError, match="key of a field"):
        json_field(ROW.c.data, key, "text", "sqlite")


def test_what_lies_in_another_table_is_not_read_from_json() -> None:
    with pytest.raises(ValueError, match="not kept in JSON"):
        json_field(ROW.c.data, "parties", "refs", "sqlite")
