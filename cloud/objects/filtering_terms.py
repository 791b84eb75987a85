"""What a filter is made of in SQL: columns with the shape of their values, and comparisons that mean what expressions mean.

NotSql (control flow, caught by `compile_filter_partly`): a part of an expression that the database cannot work out alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Numeric,
    and_,
    cast,
    false,
    func,
    literal,
    literal_column,
    or_,
    true,
    type_coerce,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import collate

from cloud.db.types import BIGGEST, MICRO
from sync_protocol.expressions.values import Value

SqlShape = Literal["text", "micro", "int", "bool", "date", "datetime", "id", "json"]
"""`micro`: whole millionths; `json`: a JSON array of texts; `id`: a whole number."""

Dialect = Literal["sqlite", "postgresql"]
Kind = Literal["text", "lowered", "number", "bool", "date", "datetime", "list"]
Ordering = Literal["<", "<=", ">", ">="]

MIRRORED: dict[str, str] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class NotSql(Exception):
    """This part cannot be translated; `column` is its place in the expression's text, from 1."""

    def __init__(self, column: int, what: str) -> None:
        super().__init__(f"column {column}: {what}")
        self.column = column
        self.what = what


@dataclass(frozen=True, slots=True)
class SqlField:
    """One column or expression of a row; SQL's NULL is a missing value.

    `bind` turns a Python date or time into what the column holds (None: the column's own type does); two fields are compared
    only if they share it. `collated` says that a text is already compared by code point (on PostgreSQL: COLLATE "C").
    """

    expr: ColumnElement[Any]
    shape: SqlShape
    bind: Callable[[Any], Any] | None = None
    collated: bool = False


class Columns(Protocol):
    def column(self, path: tuple[str, ...]) -> SqlField:
        """Where a path leads. Raises KeyError or NotSql (with any column) for what no column holds."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value that does not depend on the row."""

    value: Value


@dataclass(frozen=True, slots=True)
class Term:
    """A value of the row. Numbers are whole: `scale` says how many decimal places they count in."""

    expr: ColumnElement[Any]
    kind: Kind
    scale: int = 0
    bind: Callable[[Any], Any] | None = None
    collated: bool = False
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Cond:
    """A condition; `total` when it is never NULL."""

    expr: ColumnElement[bool]
    total: bool = False

    def certain(self) -> ColumnElement[bool]:
        """Never NULL: what is not known is not so."""
        return self.expr if self.total else func.coalesce(self.expr, false())


Operand = Known | Term
NEVER, ALWAYS = Cond(false(), total=True), Cond(true(), total=True)

_KINDS: dict[SqlShape, tuple[Kind, int]] = {
    "text": ("text", 0),
    "micro": ("number", MICRO),
    "int": ("number", 0),
    "id": ("number", 0),
    "bool": ("bool", 0),
    "date": ("date", 0),
    "datetime": ("datetime", 0),
    "json": ("list", 0),
}


def term_of(field: SqlField, dialect: str) -> Term:
    kind, scale = _KINDS[field.shape]
    expr: ColumnElement[Any] = field.expr
    if field.shape == "micro":
        # The column's own type would scale what it is compared with a second time.
        expr = type_coerce(expr, BigInteger())
    elif field.shape == "json":
        # A column of JSON keeps None as JSON's null.
        json_null: ColumnElement[Any] = literal_column("'null'::jsonb" if dialect == "postgresql" else "'null'")
        expr = func.nullif(type_coerce(expr, JSONB() if dialect == "postgresql" else SqlText()), json_null)
    # SQLite compares the bytes of UTF-8, whose order is that of code points.
    return Term(expr, kind, scale, field.bind, field.collated or dialect == "sqlite")


def kind_of_known(value: Value) -> str:
    for kinds, name in _PYTHON:
        if isinstance(value, kinds):
            return name
    return "nothing" if value is None else "record"


_PYTHON: tuple[tuple[Any, str], ...] = (
    (bool, "bool"),
    (Decimal, "number"),
    (str, "text"),
    (datetime, "datetime"),
    (date, "date"),
    (timedelta, "length"),
    (list, "list"),
)


def plain_kind(operand: Operand) -> str:
    """Its kind as the evaluator sees it."""
    kind = operand.kind if isinstance(operand, Term) else kind_of_known(operand.value)
    return "text" if kind == "lowered" else kind


def missing(term: Term) -> ColumnElement[bool]:
    return term.expr.is_(None)


def bound(term: Term, value: Any, column: int) -> ColumnElement[Any]:
    """A known value as the term's column holds it. Raises NotSql for what no column holds."""
    if isinstance(value, Decimal):
        floor, exact = _whole(value, term.scale)
        if not exact:
            raise NotSql(column, "a number finer or larger than a column takes")
        return literal(floor, BigInteger())
    if isinstance(value, str) and not _is_storable(value):
        raise NotSql(column, "text that no column holds")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise NotSql(column, "a time without zone")
    return literal(value, term.expr.type) if term.bind is None else literal(term.bind(value), term.expr.type)


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _whole(value: Decimal, scale: int) -> tuple[int, bool]:
    """The largest whole number not above value x 10^scale, and whether it is the same; kept to what columns hold."""
    sign, digits, exponent = value.as_tuple()
    if not value or not isinstance(exponent, int):
        return 0, not value
    if value.adjusted() + scale > 19:
        return (-BIGGEST - 1 if sign else BIGGEST), False
    if value.adjusted() + scale < -1:
        return (-1 if sign else 0), False
    number, shift = int("".join(map(str, digits))) * (-1 if sign else 1), exponent + scale
    floor, rest = (number * 10**shift, 0) if shift >= 0 else divmod(number, 10**-shift)
    if not -BIGGEST - 1 < floor <= BIGGEST:
        return (-BIGGEST - 1 if sign else BIGGEST), False
    return floor, not rest


def is_whole(value: Value, scale: int) -> bool:
    """Whether a number can be written with so many places; so can everything that is no number."""
    return not isinstance(value, Decimal) or _whole(value, scale)[1]


def equal(left: Operand, right: Operand, column: int) -> Cond:
    """Missing equals missing and nothing else; values of different kinds are never equal."""
    if isinstance(left, Known):
        left, right = right, left
    if isinstance(left, Known):
        raise NotSql(column, "two known values")
    if isinstance(right, Known):
        return _equals_known(left, right, column)
    if left.kind == "list" or right.kind == "list":
        raise NotSql(column, "lists are not compared")
    if plain_kind(left) != plain_kind(right):
        return Cond(and_(missing(left), missing(right)), total=True)
    left, right = alike(left, right, column)
    return Cond(left.expr.is_not_distinct_from(right.expr), total=True)


def _equals_known(term: Term, known: Known, column: int) -> Cond:
    if known.value is None:
        return Cond(missing(term), total=True)
    if term.kind == "list" and isinstance(known.value, list):
        raise NotSql(column, "lists are not compared")
    if plain_kind(term) != kind_of_known(known.value):
        return NEVER
    if isinstance(known.value, Decimal):
        floor, exact = _whole(known.value, term.scale)
        if not exact:
            _refuse_computed(term, known.value, column)
            return NEVER
        return Cond(term.expr == literal(floor, BigInteger()))
    _refuse_cased(term, known.value, column)
    return Cond(term.expr == bound(term, known.value, column))


def unequal(left: Operand, right: Operand, column: int) -> Cond:
    same = equal(left, right, column)
    if same.total:
        return Cond(~same.expr, total=True)
    term = left if isinstance(left, Term) else right
    assert isinstance(term, Term)  # noqa: S101 - two known values were refused above
    return Cond(or_(missing(term), ~same.expr), total=True)


def ordered(op: Ordering, left: Operand, right: Operand, column: int) -> Cond:
    """Missing has no order: neither way is it true."""
    if isinstance(left, Known):
        left, right, op = right, left, MIRRORED[op]  # type: ignore[assignment]
    if isinstance(left, Known) or (isinstance(right, Known) and right.value is None):
        return NEVER
    if plain_kind(left) != plain_kind(right) or left.kind in {"bool", "list", "lowered"}:
        raise NotSql(column, f"{plain_kind(left)} {op} {plain_kind(right)}")
    if isinstance(right, Known) and isinstance(right.value, Decimal):
        return _ordered_number(op, left, right.value, column)
    if isinstance(right, Known):
        right = replace(left, expr=bound(left, right.value, column))
    left, right = alike(left, right, column)
    return Cond(_COMPARE[op](left.expr, right.expr))


def _ordered_number(op: Ordering, term: Term, value: Decimal, column: int) -> Cond:
    floor, exact = _whole(value, term.scale)
    if not exact:
        _refuse_computed(term, value, column)
        # Between two whole numbers: above it is above the lower one.
        op = ">" if op in {">", ">="} else "<="
    return Cond(_COMPARE[op](term.expr, literal(floor, BigInteger())))


def _refuse_computed(term: Term, value: Decimal, column: int) -> None:
    """A sum may be larger than any column: there the ends of the numbers are not the ends."""
    if term.computed and value.adjusted() + term.scale > 17:
        raise NotSql(column, "a number larger than a column takes")


_COMPARE: dict[str, Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _refuse_cased(term: Term, value: Value, column: int) -> None:
    if term.kind == "lowered" and isinstance(value, str) and not is_plainly_cased(value):
        raise NotSql(column, "upper and lower case of other letters than A to Z")


def is_plainly_cased(text: str) -> bool:
    """Whether no letter of it could come from changing the case of one beyond ASCII (test: over all of Unicode)."""
    return all(char.isascii() or (char.lower() == char.upper() == char and char != "\u0307") for char in text)


def alike(left: Term, right: Term, column: int) -> tuple[Term, Term]:
    """Both in one scale, form or collation, ready to be compared. Raises NotSql where they have none."""
    if "lowered" in (left.kind, right.kind) or left.kind != right.kind:
        raise NotSql(column, f"{left.kind} beside {right.kind}")
    if left.kind in {"date", "datetime"} and left.bind is not right.bind:
        raise NotSql(column, "dates that are kept in two forms")
    if left.kind == "number" and left.scale != right.scale:
        return rescaled(left, max(left.scale, right.scale)), rescaled(right, max(left.scale, right.scale))
    if left.kind == "text":
        return by_code_point(left), by_code_point(right)
    return left, right


def rescaled(term: Term, scale: int) -> Term:
    if term.scale == scale:
        return term
    expr = cast(term.expr, Numeric) if not term.computed else term.expr
    return replace(term, expr=expr * literal(10 ** (scale - term.scale), BigInteger()), scale=scale, computed=True)


def by_code_point(term: Term) -> Term:
    return term if term.collated else replace(term, expr=collate(term.expr, "C"), collated=True)


def any_equal(term: Term, values: Sequence[Value], column: int) -> Cond:
    """Whether it is one of the known values; NULL where it is missing."""
    found = []
    for value in values:
        if value is None or plain_kind(term) != kind_of_known(value):
            continue
        if isinstance(value, Decimal) and not _whole(value, term.scale)[1]:
            _refuse_computed(term, value, column)
            continue
        _refuse_cased(term, value, column)
        found.append(bound(term, value, column))
    return Cond(term.expr.in_(found)) if found else NEVER
