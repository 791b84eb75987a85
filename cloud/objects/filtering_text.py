"""Texts and lists in a filter: what contains what, how it begins, how long it is, and `lower` as far as databases agree."""

from dataclasses import replace

from sqlalchemy import BigInteger, ColumnElement, and_, func, literal, literal_column, select
from sqlalchemy import Text as SqlText

from cloud.objects.filtering_terms import (
    NEVER,
    Cond,
    Known,
    NotSql,
    Operand,
    Term,
    any_equal,
    bound,
    is_plainly_cased,
    kind_of_known,
    missing,
    plain_kind,
)

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ\u212a"
_LOWER = "abcdefghijklmnopqrstuvwxyzk"
"""With the Kelvin sign, whose lower case is a plain k."""

_DOTTED, _DOTTED_LOWER = "\u0130", "i\u0307"
"""Turkish capital I with a dot: the one other letter whose lower case begins with one of ASCII's."""


def lowered(term: Term, dialect: str, column: int) -> Term:
    """In lower case as far as letters that end up in ASCII go; only such texts may be compared with it."""
    if term.kind == "lowered":
        return term
    if term.kind != "text":
        raise NotSql(column, f"lower of {term.kind}")
    expr = func.replace(term.expr, _DOTTED, _DOTTED_LOWER, type_=SqlText())
    if dialect == "postgresql":
        return replace(term, expr=func.translate(expr, _UPPER, _LOWER, type_=SqlText()), kind="lowered")
    # SQLite's own changes A to Z only.
    return replace(term, expr=func.lower(func.replace(expr, _UPPER[-1], _LOWER[-1]), type_=SqlText()), kind="lowered")


def contained(left: Operand, right: Operand, dialect: str, column: int) -> Cond:
    """`left in right`; missing on either side is not."""
    if Known(None) in (left, right):
        return NEVER
    if isinstance(right, Known) and isinstance(right.value, list):
        if isinstance(left, Known) or left.kind == "list":
            raise NotSql(column, "a list in a list")
        return any_equal(left, right.value, column)
    if plain_kind(right) == "list":
        return _one_of_list(left, right, dialect, column)
    if plain_kind(left) != "text" or plain_kind(right) != "text":
        raise NotSql(column, f"{plain_kind(left)} in {plain_kind(right)}")
    return _within(left, right, dialect, column)


def _within(left: Operand, right: Operand, dialect: str, column: int) -> Cond:
    if isinstance(left, Term) and left.kind == "lowered":
        raise NotSql(column, "a search for changed text")
    if (
        isinstance(right, Term)
        and right.kind == "lowered"
        and not (isinstance(left, Known) and is_plainly_cased(str(left.value)))
    ):
        raise NotSql(column, "a search in changed text")
    haystack, needle = _text(right, left, column), _text(left, right, column)
    place = func.instr if dialect == "sqlite" else func.strpos
    return Cond(place(haystack, needle, type_=BigInteger()) > 0)


def _text(operand: Operand, beside: Operand, column: int) -> ColumnElement[str]:
    if isinstance(operand, Term):
        return operand.expr
    assert isinstance(beside, Term)  # noqa: S101 - two known texts were worked out before
    return bound(beside, operand.value, column)


def _one_of_list(left: Operand, right: Operand, dialect: str, column: int) -> Cond:
    if not isinstance(right, Term):
        raise NotSql(column, "a list that is put together")
    kind = plain_kind(left)
    if isinstance(left, Known) and kind != "text":
        if kind == "list":
            raise NotSql(column, "a list in a list")
        return NEVER
    if kind != "text" or (isinstance(left, Term) and left.kind != "text"):
        raise NotSql(column, f"{kind} in a list of texts")
    value = left.expr if isinstance(left, Term) else bound(Term(literal("", SqlText()), "text"), left.value, column)
    if dialect == "postgresql":
        return Cond(right.expr.op("?", is_comparison=True)(value))
    each = func.json_each(right.expr).table_valued("value")
    return Cond(and_(~missing(right), select(literal_column("1")).select_from(each).where(each.c.value == value).exists()))


def begins(term: Operand, start: Operand, column: int) -> Cond:
    """`starts_with(term, start)` for a known start."""
    if Known(None) in (term, start):
        return NEVER
    if not isinstance(term, Term) or not isinstance(start, Known) or not isinstance(start.value, str):
        raise NotSql(column, "starts_with of anything but a field and a known text")
    if plain_kind(term) != "text" or (term.kind == "lowered" and not is_plainly_cased(start.value)):
        raise NotSql(column, f"starts_with of {term.kind}")
    head = func.substr(term.expr, 1, len(start.value), type_=SqlText())
    return Cond(head == bound(term, start.value, column))


def length(term: Operand, dialect: str, column: int) -> Term:
    """Characters of a text, values of a list."""
    if not isinstance(term, Term) or term.kind not in {"text", "list"}:
        raise NotSql(column, f"len of {plain_kind(term)}")
    if term.kind == "text":
        return Term(func.length(term.expr, type_=BigInteger()), "number")
    if dialect == "sqlite":
        return Term(func.json_array_length(term.expr, type_=BigInteger()), "number")
    return Term(func.jsonb_array_length(term.expr, type_=BigInteger()), "number")


def truth(operand: Operand, dialect: str, column: int) -> Cond:
    """Python's idea of what counts as true: not missing, not zero, not empty."""
    if isinstance(operand, Known):
        raise NotSql(column, f"{kind_of_known(operand.value)} as a condition")
    if operand.kind == "bool":
        return Cond(operand.expr.is_(True), total=True)
    if operand.kind in {"text", "lowered"}:
        return Cond(operand.expr != literal("", SqlText()))
    if operand.kind == "number":
        return Cond(operand.expr != literal(0, BigInteger()))
    if operand.kind == "list":
        return Cond(length(operand, dialect, column).expr > 0)
    return Cond(~missing(operand), total=True)
