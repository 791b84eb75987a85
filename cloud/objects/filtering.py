"""Filters in SQL: an expression's tree becomes a condition over a row that holds for exactly the rows for which it is true.

SQL knows three answers and an expression two. At the top, under `and` and `or`, "not known" selects nothing, as "no" does, and
conditions are written plainly, so that indexes serve them; below `not`, and as values, "not known" is turned into "no".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Boolean, ColumnElement, and_, case, cast, false, func, literal, null, or_, true
from sqlalchemy import Numeric as SqlNumeric
from sqlalchemy import Text as SqlText

from cloud.db.types import MICRO
from cloud.objects import filtering_text as texts
from cloud.objects.filtering_terms import (
    ALWAYS,
    NEVER,
    Columns,
    Cond,
    Known,
    NotSql,
    Operand,
    SqlField,
    SqlShape,
    Term,
    alike,
    bound,
    by_code_point,
    equal,
    is_whole,
    missing,
    ordered,
    plain_kind,
    rescaled,
    term_of,
    unequal,
)
from cloud.objects.filtering_times import moved
from sync_protocol.expressions import Expression, ExpressionFault, Given, nodes
from sync_protocol.expressions.nodes import Node

__all__ = ["Columns", "NotSql", "Partly", "SqlField", "SqlShape", "compile_filter", "compile_filter_partly"]


@dataclass(frozen=True, slots=True)
class Partly:
    """`condition` narrows down in SQL; `rest` is still to be worked out on what it selects (None: nothing); `why` says what
    could not be translated first."""

    condition: ColumnElement[bool]
    rest: Expression | None = None
    why: NotSql | None = None


def compile_filter(tree: Node, columns: Columns, given: Given, dialect_name: str) -> ColumnElement[bool]:
    """The condition under which the expression is true of a row (NULL counts as no). Raises NotSql with the first part that
    the database cannot work out with the same meaning."""
    return _Compiler(columns, given, dialect_name).condition(tree).expr


def compile_filter_partly(expression: Expression, columns: Columns, given: Given, dialect_name: str) -> Partly:
    """As much of it as can be translated: of the parts that `and` joins at the top, each by itself."""
    tree = expression.tree
    parts = tree.parts if isinstance(tree, nodes.Both) and tree.op == "and" else (tree,)
    compiler = _Compiler(columns, given, dialect_name)
    done: list[ColumnElement[bool]] = []
    left: list[Node] = []
    why = None
    for part in parts:
        try:
            done.append(compiler.condition(part).expr)
        except NotSql as exc:
            why = why or exc
            left.append(part)
    rest = None
    if left:
        whole = left[0] if len(left) == 1 else nodes.Both(tree.column, "and", tuple(left))
        rest = Expression.of_tree(whole, expression.text)
    return Partly(and_(true(), *done), rest, why)


class _Compiler:
    def __init__(self, columns: Columns, given: Given, dialect: str) -> None:
        self._columns = columns
        self._given = given
        self._dialect = dialect

    def condition(self, node: Node) -> Cond:
        if _is_known(node):
            return ALWAYS if self._worked_out(node).value else NEVER
        find = _CONDITIONS.get(type(node))
        if find is not None:
            return find(self, node)
        if isinstance(node, nodes.Call) and node.function == "starts_with":
            # Of a missing text it is missing: as a condition that is no, as a value it would not be.
            return texts.begins(self.operand(node.arguments[0]), self.operand(node.arguments[1]), node.column)
        return texts.truth(self.operand(node), self._dialect, node.column)

    def operand(self, node: Node) -> Operand:
        if _is_known(node):
            return self._worked_out(node)
        if type(node) in _CONDITIONS:
            # Nothing shorter: a NOT beside a comparison would be read as one around it.
            return Term(case((self.condition(node).expr, true()), else_=false()), "bool")
        find = _OPERANDS.get(type(node))
        if find is None:
            raise NotSql(node.column, _NAMES[type(node)])
        return find(self, node)

    def _worked_out(self, node: Node) -> Known:
        try:
            return Known(Expression.of_tree(node).value({}, self._given))
        except ExpressionFault as exc:
            raise NotSql(exc.column, exc.message) from exc

    def both(self, node: nodes.Both) -> Cond:
        parts = [self.condition(part) for part in node.parts]
        join = and_ if node.op == "and" else or_
        return Cond(join(*(part.expr for part in parts)), total=all(part.total for part in parts))

    def negation(self, node: nodes.Not) -> Cond:
        return Cond(~self.condition(node.operand).certain(), total=True)

    def compared(self, node: nodes.Compared) -> Cond:
        pairs = []
        left = node.first
        for op, right in node.rest:
            pairs.append(self._pair(op, left, right))
            left = right
        return pairs[0] if len(pairs) == 1 else Cond(and_(*(one.expr for one in pairs)), total=all(one.total for one in pairs))

    def _pair(self, op: nodes.Comparison, left: Node, right: Node) -> Cond:
        if _is_known(left) and _is_known(right):
            return self.condition(nodes.Compared(right.column, left, ((op, right),)))
        if op in {"in", "not in"}:
            return self._membership(op, left, right)
        dates = moved(op, left, right, lambda field: self.field(field).kind, self._known)
        if dates is not None:
            return _COMPARE[dates[0]](self.field(dates[1]), dates[2], right.column)
        return _COMPARE[op](self.operand(left), self.operand(right), right.column)

    def _known(self, node: Node) -> Known | None:
        return self._worked_out(node) if _is_known(node) else None

    def _membership(self, op: str, left: Node, right: Node) -> Cond:
        one = self.operand(left)
        if isinstance(right, nodes.Listed) and not _is_known(right):
            found, listed = self._in_written_list(one, right), None
        else:
            listed = self.operand(right)
            found = texts.contained(one, listed, self._dialect, right.column)
        if op == "in":
            return found
        if Known(None) in (one, listed):
            return NEVER
        # What is missing is neither in a list nor out of it.
        there = [~missing(each) for each in (one, listed) if isinstance(each, Term)]
        return Cond(and_(*there, ~found.certain()), total=True)

    def _in_written_list(self, one: Operand, right: nodes.Listed) -> Cond:
        if one == Known(None):
            return NEVER
        same = [
            equal(one, self.operand(item), item.column) if not self._two_known(one, item) else NEVER for item in right.items
        ]
        found = or_(*(each.expr for each in same))
        return Cond(and_(~missing(one), found) if isinstance(one, Term) else found)

    def _two_known(self, one: Operand, item: Node) -> bool:
        if not isinstance(one, Known) or not _is_known(item):
            return False
        if one == self._worked_out(item):
            raise NotSql(item.column, "a value that is in the list anyway")
        return True

    def field(self, node: nodes.Field) -> Term:
        try:
            return term_of(self._columns.column(node.path), self._dialect)
        except KeyError as exc:
            raise NotSql(node.column, f"{'.'.join(node.path)} is not in the database") from exc
        except NotSql as exc:
            raise NotSql(node.column, exc.what) from exc

    def negative(self, node: nodes.Negative) -> Term:
        term = self._number(node.operand)
        return replace(term, expr=-_roomy(term), computed=True)

    def _number(self, node: Node) -> Term:
        term = self.operand(node)
        if not isinstance(term, Term) or term.kind != "number":
            raise NotSql(node.column, f"a sum with {plain_kind(term)}")
        return term

    def calculation(self, node: nodes.Calculation) -> Term:
        if node.op not in {"+", "-"}:
            raise NotSql(node.column, f"{node.op} of fields")
        left, right = self.operand(node.left), self.operand(node.right)
        if "number" not in {plain_kind(left), plain_kind(right)} or plain_kind(left) != plain_kind(right):
            raise NotSql(node.column, f"{plain_kind(left)} {node.op} {plain_kind(right)}")
        one, other = self._alike([left, right], node.column)
        left_expr, right_expr = _roomy(one), _roomy(other)
        expr = left_expr + right_expr if node.op == "+" else left_expr - right_expr
        return replace(one, expr=expr, computed=True)

    def choice(self, node: nodes.Choice) -> Operand:
        then, otherwise = self._alike([self.operand(node.then), self.operand(node.otherwise)], node.column)
        expr = case((self.condition(node.condition).expr, then.expr), else_=otherwise.expr)
        return replace(then, expr=expr, computed=then.computed or otherwise.computed)

    def call(self, node: nodes.Call) -> Operand:
        if node.function == "coalesce":
            given = [self.operand(argument) for argument in node.arguments]
            terms = self._alike([one for one in given if one != Known(None)], node.column)
            return replace(
                terms[0], expr=func.coalesce(*(one.expr for one in terms)), computed=any(one.computed for one in terms)
            )
        if node.function == "abs":
            term = self._number(node.arguments[0])
            return replace(term, expr=func.abs(_roomy(term)), computed=True)
        if node.function == "lower":
            found = self.operand(node.arguments[0])
            if isinstance(found, Term):
                return texts.lowered(found, self._dialect, node.column)
        if node.function == "len":
            return texts.length(self.operand(node.arguments[0]), self._dialect, node.column)
        raise NotSql(node.column, f"{node.function} of a field")

    def _alike(self, operands: list[Operand], column: int) -> list[Term]:
        """All as terms of one kind and scale: they may stand for each other."""
        kinds = {plain_kind(one) for one in operands} - {"nothing"}
        if len(kinds) != 1 or not kinds <= {"text", "number", "bool", "date", "datetime"}:
            raise NotSql(column, " beside ".join(sorted(kinds)) or "nothing")
        pattern = next((one for one in operands if isinstance(one, Term)), None) or _plain_pattern(kinds.pop(), column)
        if any(isinstance(one, Known) and not is_whole(one.value, pattern.scale) for one in operands):
            pattern = rescaled(pattern, MICRO)
        for one in operands:
            if isinstance(one, Term):
                # Raises where two of them cannot stand beside each other.
                pattern, _ = alike(pattern, one, column)
        return [self._as_pattern(one, pattern, column) for one in operands]

    def _as_pattern(self, one: Operand, pattern: Term, column: int) -> Term:
        if isinstance(one, Term):
            return (
                rescaled(one, pattern.scale)
                if pattern.kind == "number"
                else by_code_point(one)
                if pattern.kind == "text"
                else one
            )
        expr = null() if one.value is None else bound(pattern, one.value, column)
        return replace(pattern, expr=expr)


def _plain_pattern(kind: str, column: int) -> Term:
    """What known values alone are written as."""
    if kind == "number":
        return Term(literal(0, SqlNumeric()), "number", 6, collated=True)
    if kind == "text":
        return Term(literal("", SqlText()), "text", collated=True)
    if kind == "bool":
        return Term(literal(False, Boolean()), "bool")
    raise NotSql(column, "dates that no column says the form of")


def _roomy(term: Term) -> ColumnElement[Any]:
    """For calculating with: on PostgreSQL a sum of large whole numbers would be an error."""
    return term.expr if term.computed else cast(term.expr, SqlNumeric)


def _is_known(node: Node) -> bool:
    """Whether its value is the same for every row."""
    return next(nodes.paths(node), None) is None and not _asks(node)


def _asks(node: Node) -> bool:
    return (isinstance(node, nodes.Call) and node.function == "has_document") or any(_asks(one) for one in nodes.children(node))


_COMPARE: Mapping[str, Callable[[Operand, Operand, int], Cond]] = {
    "==": equal,
    "!=": unequal,
    "<": partial(ordered, "<"),
    "<=": partial(ordered, "<="),
    ">": partial(ordered, ">"),
    ">=": partial(ordered, ">="),
}
_CONDITIONS: Mapping[type, Callable[[_Compiler, Any], Cond]] = {
    nodes.Both: _Compiler.both,
    nodes.Not: _Compiler.negation,
    nodes.Compared: _Compiler.compared,
}
_OPERANDS: Mapping[type, Callable[[_Compiler, Any], Operand]] = {
    nodes.Field: _Compiler.field,
    nodes.Negative: _Compiler.negative,
    nodes.Calculation: _Compiler.calculation,
    nodes.Choice: _Compiler.choice,
    nodes.Call: _Compiler.call,
}
_NAMES = {nodes.Each: "`for` over a list", nodes.Listed: "a list as a value"}
