"""Filters in SQL select exactly the rows for which the expression is true: both databases, JSON and typed columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, example, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Engine,
    MetaData,
    Table,
    Text,
    create_engine,
    insert,
    select,
    text,
)
from sqlalchemy.sql import ColumnElement

from cloud.db.types import Json, Key, Micro, UtcTime
from cloud.objects.definition import FieldType
from cloud.objects.filtering import NotSql, SqlField, SqlShape, compile_filter, compile_filter_partly
from cloud.objects.filtering_json import index_ddl, index_name, json_field
from sync_protocol.expressions import Expression, ExpressionFault, Given

GIVEN = Given(now=datetime(2026, 11, 22, 14, 30, tzinfo=UTC), today=date(2026, 11, 22))
TYPES: dict[str, FieldType] = {
    "name": "text", "note": "text", "score": "int", "pieces": "int", "budget": "decimal", "price": "money", "open": "bool",
    "paid": "bool", "expires": "date", "due": "date", "arrived": "datetime", "gone": "datetime", "tags": "choices",
}  # fmt: skip
SHAPES: dict[FieldType, SqlShape] = {
    "text": "text", "int": "int", "decimal": "micro", "money": "micro", "bool": "bool", "date": "date", "datetime": "datetime",
    "choices": "json",
}  # fmt: skip
COLUMN_TYPES: dict[FieldType, Any] = {
    "text": Text, "int": BigInteger, "decimal": Micro, "money": Micro, "bool": Boolean, "date": Date, "datetime": UtcTime,
    "choices": Json,
}  # fmt: skip

METADATA = MetaData()
GENERIC = Table(
    "filter_generic", METADATA, Column("id", Key, primary_key=True), Column("kind", Text), Column("data", Json, nullable=False)
)
TYPED = Table(
    "filter_typed",
    METADATA,
    Column("id", Key, primary_key=True),
    *(Column(name, COLUMN_TYPES[kind]) for name, kind in TYPES.items()),
)

# What another kind keeps under the same keys must not disturb anybody.
STRANGE = [
    {**dict.fromkeys(TYPES, "text"), "tags": "cold"},
    {**dict.fromkeys(TYPES, 5), "tags": {"a": 1}, "score": 1.5},
    {**{key: [1] for key in TYPES}, "tags": [1, None]},
    dict.fromkeys(TYPES, True),
]


@dataclass(frozen=True)
class GenericColumns:
    dialect: str

    def column(self, path: tuple[str, ...]) -> SqlField:
        (key,) = path
        return json_field(GENERIC.c.data, key, TYPES[key], self.dialect)


class TypedColumns:
    def column(self, path: tuple[str, ...]) -> SqlField:
        (key,) = path
        return SqlField(TYPED.c[key], SHAPES[TYPES[key]])


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """With empty tables; whoever writes rolls back."""
    if request.param == "sqlite":
        made = create_engine(f"sqlite:///{tmp_path_factory.mktemp('filter') / 'rows.db'}")
    else:
        server: str = request.getfixturevalue("postgres_server")
        made = create_engine(server.replace("postgresql:", "postgresql+psycopg:") + "/postgres")
    METADATA.create_all(made)
    yield made
    METADATA.drop_all(made)
    made.dispose()


def stored(row: dict[str, Any]) -> dict[str, Any]:
    """The form in JSON."""
    found = {}
    for key, value in row.items():
        if isinstance(value, Decimal):
            found[key] = int(value.scaleb(6))
        elif isinstance(value, datetime):
            found[key] = value.astimezone(UTC).isoformat(timespec="microseconds")
        else:
            found[key] = value.isoformat() if isinstance(value, date) else value
    return found


def fill(connection: Connection, rows: list[dict[str, Any]]) -> None:
    generic = [{"id": n, "kind": "deal", "data": stored(row)} for n, row in enumerate(rows)]
    strange = [{"id": 1000 + n, "kind": "other", "data": row} for n, row in enumerate(STRANGE)]
    connection.execute(insert(GENERIC), strange + generic)
    if rows:
        whole = [{"id": n, **dict.fromkeys(TYPES), **row} for n, row in enumerate(rows)]
        connection.execute(insert(TYPED), whole)


def selected(connection: Connection, table: Table, condition: ColumnElement[bool]) -> set[int]:
    statement = select(table.c.id).where(condition)
    if table is GENERIC:
        statement = select(table.c.id).where(condition, table.c.kind == "deal")
    return set(connection.scalars(statement))


def both_columns(dialect: str) -> list[tuple[Table, Any]]:
    return [(GENERIC, GenericColumns(dialect)), (TYPED, TypedColumns())]


LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0") | st.sampled_from(
    "aAbBkK\u212aİiéÉאב%_'\\\"ßΣσς\u0307"
)
TEXTS = st.text(LETTERS, max_size=4)
INTS = st.integers(-20, 20) | st.integers(-(10**9), 10**9)
DECIMALS = st.integers(-30, 30).map(lambda n: Decimal(n) / 4) | st.decimals(-(10**6), 10**6, places=6)
DATES = st.dates(date(2026, 11, 15), date(2026, 11, 30)) | st.dates(date(1900, 1, 1), date(2200, 1, 1))
MOMENTS = st.integers(-2 * 10**11, 2 * 10**11) | st.integers(-(10**16), 10**16)
TIMES = MOMENTS.map(lambda microseconds: GIVEN.now + timedelta(microseconds=microseconds))
TAGS = st.lists(st.sampled_from(["a", "b", "", "é"]) | TEXTS, max_size=3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS, "int": INTS, "decimal": DECIMALS, "money": DECIMALS, "bool": st.booleans(), "date": DATES, "datetime": TIMES,
    "choices": TAGS,
}  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries({}, optional={key: st.none() | VALUES[kind] for key, kind in TYPES.items()}), min_size=1, max_size=6
)


def joined(*parts: Any) -> st.SearchStrategy[str]:
    """Texts and strategies of texts, one behind another in brackets."""
    strategies = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map(lambda found: f"({' '.join(found)})")


def listed(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, max_size=3).map(lambda found: f"[{', '.join(found)}]")


TEXT_CONSTANT = (TEXTS | st.sampled_from(["a", "k", "abc"])).map(repr)
NUMBER_CONSTANT = st.one_of(
    INTS.map(str),
    DECIMALS.map(lambda n: f"{n:f}"),
    st.sampled_from(["0.0000001", "2.5", "-2.5", "1e30", "-1e30", "1e-30", "0", "9e18"]),
)
DATE_CONSTANT = DATES.map(lambda day: f"date('{day.isoformat()}')") | st.just("today()")
DAYS = st.sampled_from(["days(3)", "days(-1)", "days(0.5)", "days(-1.5)", "days(1) + days(2)"])
TIME_CONSTANT = joined("now()", st.sampled_from("+-"), DAYS) | st.just("now()")
ORDER = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
IN = st.sampled_from(["in", "not in"])


def grown(
    kind: str, fields: list[str], constant: st.SearchStrategy[str], conditions: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    plain = st.sampled_from(fields) | st.sampled_from(fields) | constant

    def more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        ways = [
            joined(inner, "if", conditions, "else", inner | st.just("None")),
            st.tuples(inner, inner).map(lambda two: f"coalesce({two[0]}, {two[1]})"),
        ]
        if kind == "number":
            ways += [
                joined(inner, st.sampled_from("+-"), inner), joined("-", inner), inner.map(lambda one: f"abs({one})"),
                st.sampled_from(["len(name)", "len(note)", "len(tags)"]),
            ]  # fmt: skip
        return st.one_of(ways)

    return st.recursive(plain, more, max_leaves=3)


def conditions_over(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    numbers = grown("number", ["score", "pieces", "budget", "price"], NUMBER_CONSTANT, inner)
    names = grown("text", ["name", "note"], TEXT_CONSTANT, inner)
    days = grown("date", ["expires", "due"], DATE_CONSTANT, inner)
    times = grown("datetime", ["arrived", "gone"], TIME_CONSTANT, inner)
    lower = names.map(lambda one: f"lower({one})")
    anything = st.one_of(numbers, names, days, times, st.sampled_from(["open", "paid", "None", "True", "tags", "days(1)"]))
    return st.one_of(
        joined(numbers, ORDER, numbers), joined(numbers, ORDER, numbers, ORDER, numbers), joined(names, ORDER, names),
        joined(days, ORDER, days), joined(times, ORDER, times), joined(anything, st.sampled_from(["==", "!="]), anything),
        joined(anything, st.sampled_from(["is None", "is not None"])), joined(numbers, IN, listed(numbers | st.just("None"))),
        joined(names, IN, listed(names)), joined(days, IN, listed(DATE_CONSTANT)), joined(names, IN, names),
        joined(names, IN, "tags"), joined(anything, IN, listed(anything)), joined(TEXT_CONSTANT, IN, "tags"),
        joined(lower, ORDER, TEXT_CONSTANT), joined(TEXT_CONSTANT, IN, lower), joined(lower, IN, listed(TEXT_CONSTANT)),
        st.tuples(names | lower, TEXT_CONSTANT).map(lambda two: f"starts_with({two[0]}, {two[1]})"),
        joined(st.sampled_from(["expires", "due"]), st.sampled_from("+-"), DAYS, ORDER, DATE_CONSTANT),
        joined(st.sampled_from(["arrived", "gone"]), st.sampled_from("+-"), DAYS, ORDER, TIME_CONSTANT),
        joined(joined("expires", "-", DATE_CONSTANT), ORDER, NUMBER_CONSTANT),
        joined(NUMBER_CONSTANT, ORDER, joined(DATE_CONSTANT, "-", "due")),
        joined(joined("now()", "-", "arrived"), ORDER, st.sampled_from(["2", "0.5", "-1", "1.0000001"])),
        st.sampled_from(["open", "paid", "name", "score", "budget", "expires", "tags", "True", "None", "(not paid)"]),
    )  # fmt: skip


CONDITIONS = st.deferred(
    lambda: st.recursive(
        conditions_over(st.sampled_from(["open", "score > 0", "name == None", "not (budget < price)"])),
        lambda inner: st.one_of(
            joined(inner, "and", inner), joined(inner, "or", inner), inner.map(lambda one: f"(not {one})"),
            joined(inner, "==", inner | st.just("open")), joined(inner, "if", inner, "else", inner),
        ),
        max_leaves=4,
    )
)  # fmt: skip


def expected(expression: Expression, rows: list[dict[str, Any]]) -> set[int]:
    """Of the rows for which it is true; where it cannot be worked out at all there is nothing to compare."""
    try:
        return {n for n, row in enumerate(rows) if expression.holds(row, GIVEN)}
    except ExpressionFault:
        assume(False)
        raise


def check(engine: Engine, rows: list[dict[str, Any]], source: str) -> None:
    """That SQL, alone or with what it leaves, selects what the expression is true of."""
    note(f"{source}\n{rows}")
    expression = Expression(source)
    right = expected(expression, rows)
    with engine.connect() as connection:
        fill(connection, rows)
        for table, columns in both_columns(engine.dialect.name):
            partly = compile_filter_partly(expression, columns, GIVEN, engine.dialect.name)
            narrowed = selected(connection, table, partly.condition)
            rest = partly.rest
            assert right == {n for n in narrowed if rest is None or rest.holds(rows[n], GIVEN)}
            assert (rest is None) == (partly.why is None)
            try:
                condition = compile_filter(expression.tree, columns, GIVEN, engine.dialect.name)
            except NotSql:
                event("not SQL")
                assert partly.why is not None
                assert 1 <= partly.why.column <= len(source)
            else:
                event("SQL")
                assert selected(connection, table, condition) == right
                assert selected(connection, table, ~condition) <= set(range(len(rows))) - right
        connection.rollback()


LENIENT = [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow]


@settings(max_examples=150, deadline=None, suppress_health_check=LENIENT)
@example(rows=[{}, {"tags": []}, {"tags": ["a"]}], source="'' not in tags")
@example(rows=[{}, {"name": "\u212a"}, {"name": "K"}, {"name": "\u0130"}], source="lower(name) == 'k' or 'i' in lower(name)")
@example(rows=[{"score": 2}, {"score": 3}, {}], source="score < 2.5 or not (score >= 2.5)")
@example(rows=[{"expires": GIVEN.today}, {}], source="expires + days(0.5) == today() and expires - days(0.5) < today()")
@example(rows=[{"due": GIVEN.today}, {}], source="2.5 > date('2026-11-24') - due")
@example(rows=[{}, {"open": True}, {"open": False}], source="not (not ((True not in [score]) == open))")
@example(rows=[{}, {"open": True}, {"name": "a", "open": True}], source="starts_with(name, '') == open")
@example(rows=[{"name": "é"}, {"name": "z"}, {"name": "A"}, {"name": "א"}], source="name > 'a' and name < 'é'")
@given(rows=ROWS, source=CONDITIONS)
def test_sql_selects_the_rows_for_which_it_is_true(engine: Engine, rows: list[dict[str, Any]], source: str) -> None:
    check(engine, rows, source)


@pytest.mark.deep
@pytest.mark.timeout(900)
@settings(max_examples=4000, deadline=None, suppress_health_check=LENIENT)
@given(rows=ROWS, source=CONDITIONS)
def test_sql_selects_them_whatever_the_expression(engine: Engine, rows: list[dict[str, Any]], source: str) -> None:
    check(engine, rows, source)


RECORD = Table(
    "record",
    MetaData(),
    Column("id", Key, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("data", Json, nullable=False),
)
"""The columns of the product's table that an index is made of."""

INDEXED: dict[str, tuple[FieldType, str]] = {
    "email": ("text", "email == 'n77@example.com'"),
    "score": ("int", "score == 77"),
    "amount": ("money", "amount > 1990"),
    "expires": ("date", "expires > today() + days(1990)"),
    "arrived": ("datetime", "now() - arrived < -1990"),
    "party": ("ref", "party == 77"),
}


class RecordColumns:
    def __init__(self, dialect: str) -> None:
        self._dialect = dialect

    def column(self, path: tuple[str, ...]) -> SqlField:
        return json_field(RECORD.c.data, path[0], INDEXED[path[0]][0], self._dialect)


@pytest.fixture(scope="module")
def indexed(engine: Engine) -> Iterator[Connection]:
    """Two thousand records of one kind, each field with its index."""
    dialect = engine.dialect.name
    with engine.connect() as connection:
        RECORD.create(connection)
        rows = [
            {
                "kind": kind,
                "data": {
                    "email": f"n{n}@example.com",
                    "score": n,
                    "amount": n * 1_000_000,
                    "expires": (GIVEN.today + timedelta(days=n)).isoformat(),
                    "arrived": stored({"at": GIVEN.now + timedelta(days=n)})["at"],
                    "party": n,
                },
            }
            for n in range(2000)
            for kind in ("deal", "task")
        ]
        connection.execute(insert(RECORD), [*rows, *({"kind": "other", "data": dict.fromkeys(INDEXED, "?")} for _ in range(9))])
        for key, (field_type, _) in INDEXED.items():
            connection.execute(text(index_ddl("deal", key, field_type, dialect)[0]))
        connection.execute(text("ANALYZE record"))
        connection.commit()
        yield connection
        RECORD.drop(connection)
        connection.commit()


def plan_of(connection: Connection, statement: Any) -> str:
    """Of the statement as it is sent: its values bound, not written out."""
    sqlite = connection.dialect.name == "sqlite"
    shown = statement.compile(connection, compile_kwargs={"render_postcompile": True})
    given = shown.construct_params()
    values = tuple(given[name] for name in shown.positiontup) if sqlite else given
    explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
    return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {shown}", values))


@pytest.mark.parametrize("key", INDEXED)
def test_filter_on_an_indexed_field_is_read_from_its_index(indexed: Connection, key: str) -> None:
    dialect = indexed.dialect.name
    condition = compile_filter(Expression(INDEXED[key][1]).tree, RecordColumns(dialect), GIVEN, dialect)
    statement = select(RECORD.c.id).where(RECORD.c.kind == "deal", condition)
    assert index_name("deal", key) in plan_of(indexed, statement)
    assert len(indexed.scalars(statement).all()) in {1, 9}


@pytest.mark.parametrize("key", INDEXED)
def test_page_in_the_order_of_an_indexed_field_is_read_from_its_index(indexed: Connection, key: str) -> None:
    field = RecordColumns(indexed.dialect.name).column((key,))
    order = field.expr if indexed.dialect.name == "sqlite" else field.expr.nulls_first()
    statement = select(RECORD.c.id).where(RECORD.c.kind == "deal").order_by(order, RECORD.c.id).limit(20)
    plan = plan_of(indexed, statement)
    assert index_name("deal", key) in plan
    assert "sort" not in plan.lower().replace("temp b-tree", "sort")


def test_index_goes_as_it_came(indexed: Connection) -> None:
    for kind, key in (("a", "b_c"), ("a_b", "c")):
        make, remove = index_ddl(kind, key, "text", indexed.dialect.name)
        for statement in (make, remove, remove):
            indexed.execute(text(statement))
    indexed.commit()


def test_names_of_indexes_differ_and_fit() -> None:
    names = [index_name("a", "b_c"), index_name("a_b", "c"), index_name("a" * 60, "b"), index_name("a" * 60, "c")]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 63 for name in names)
    assert index_name("deal", "email") == "ix_record_deal_email"


@pytest.mark.parametrize(
    ("kind", "key", "field_type"),
    [
        ("deal", "Email", "text"),
        ("deal", "a'b", "text"),
        ("Deal", "a", "text"),
        ("deal", "a", "choices"),
        ("deal", "a", "long"),
    ],
)
def test_what_is_no_name_or_has_no_order_gets_no_index(kind: str, key: str, field_type: FieldType) -> None:
    with pytest.raises(ValueError):
        index_ddl(kind, key, field_type, "sqlite")
