"""Kinds of values, as far as a schema knows them: what could never be worked out or never be true is refused when it is read.

What is not known passes, and so does a missing value: this is for mistakes, the evaluator decides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sync_protocol.expressions import nodes
from sync_protocol.expressions.faults import ExpressionFault
from sync_protocol.expressions.nodes import Node
from sync_protocol.expressions.schema import Schema
from sync_protocol.expressions.values import kind_of

TEXT, NUMBER, BOOL, DATE, DATETIME, LENGTH, LIST, NOTHING = (
    "text",
    "number",
    "bool",
    "date",
    "datetime",
    "length",
    "list",
    "nothing",
)

_CALLED = {
    TEXT: "text",
    NUMBER: "a number",
    BOOL: "yes or no",
    DATE: "a date",
    DATETIME: "a time",
    LENGTH: "a length of time",
    LIST: "a list",
    NOTHING: "nothing",
}
"""As `kind_of` calls values."""

_BY_NAME = {called: kind for kind, called in _CALLED.items()}

_ORDERED = frozenset({TEXT, NUMBER, DATE, DATETIME, LENGTH})

_SUMS: dict[tuple[str, str, str], str] = {
    (TEXT, "+", TEXT): TEXT,
    (DATE, "-", DATE): NUMBER,
    (DATETIME, "-", DATETIME): NUMBER,
    **{(NUMBER, op, NUMBER): NUMBER for op in "+-*/%"},
    **{(kind, op, LENGTH): kind for kind in (DATE, DATETIME, LENGTH) for op in "+-"},
}


@dataclass(frozen=True, slots=True)
class _Type:
    """`kind` None is not known; `each` is the kind of a list's values, as far as known and one; `items` column and kind of
    values that are written out; `rows` the fields of a list's records."""

    kind: str | None = None
    each: str | None = None
    items: tuple[tuple[int, str | None], ...] = ()
    rows: Schema | None = None


_UNKNOWN = _Type()


@dataclass(frozen=True, slots=True)
class _Signature:
    """Kinds of the arguments in order (the last for all further ones; empty: any); `gives` None: what the arguments are."""

    takes: tuple[frozenset[str], ...]
    gives: str | None


def _takes(*kinds: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(kind.split("|")) for kind in kinds)


_SIGNATURES: dict[str, _Signature] = {
    "abs": _Signature(_takes(NUMBER), NUMBER),
    "all": _Signature(_takes(LIST), BOOL),
    "any": _Signature(_takes(LIST), BOOL),
    "coalesce": _Signature((), None),
    "count": _Signature(_takes(LIST), NUMBER),
    "date": _Signature(_takes("text|date|datetime"), DATE),
    "days": _Signature(_takes(NUMBER), LENGTH),
    "has_document": _Signature(_takes(TEXT), BOOL),
    "len": _Signature(_takes("text|list"), NUMBER),
    "lower": _Signature(_takes(TEXT), TEXT),
    "max": _Signature((), None),
    "mean": _Signature(_takes("number|list"), NUMBER),
    "min": _Signature((), None),
    "now": _Signature((), DATETIME),
    "round": _Signature(_takes(NUMBER), NUMBER),
    "starts_with": _Signature(_takes(TEXT), BOOL),
    "sum": _Signature(_takes("number|list"), NUMBER),
    "today": _Signature((), DATE),
}


def check_kinds(tree: Node, schema: Schema) -> None:
    """Raises ExpressionFault (`kind`) with the column of what does not fit."""
    _Checker(schema).type_of(tree)


def _misfit(column: int, message: str) -> ExpressionFault:
    return ExpressionFault("kind", column, message)


def _common(types: Sequence[_Type]) -> _Type:
    """What all of them are, missing values aside."""
    kinds = {one for one in types if one.kind != NOTHING}
    return kinds.pop() if len(kinds) == 1 else _UNKNOWN


class _Checker:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._own: dict[str, _Type] = {}

    def type_of(self, node: Node) -> _Type:
        return _RULES[type(node)](self, node)

    def constant(self, node: nodes.Constant) -> _Type:
        return _Type(_BY_NAME[kind_of(node.value)])

    def field(self, node: nodes.Field) -> _Type:
        own = self._own.get(node.path[0])
        if own is not None and len(node.path) == 1:
            return _Type(own.each)
        found = (own.rows.kind_of(node.path[1:]) if own.rows else None) if own is not None else self._schema.kind_of(node.path)
        if found is None:
            return _UNKNOWN
        shape, kind = found
        if shape == "values":
            return _Type(LIST, kind)
        return _Type(LIST) if shape == "rows" else _Type(kind if shape == "value" else None)

    def negative(self, node: nodes.Negative) -> _Type:
        found = self.type_of(node.operand)
        if found.kind not in {None, NUMBER, LENGTH, NOTHING}:
            raise _misfit(node.column, f"{_CALLED[found.kind or NOTHING]} cannot be negative")
        return found

    def yes_or_no(self, node: Node) -> _Type:
        for child in nodes.children(node):
            self.type_of(child)
        return _Type(BOOL)

    def calculation(self, node: nodes.Calculation) -> _Type:
        left, right = self.type_of(node.left).kind, self.type_of(node.right).kind
        if left is None or right is None or NOTHING in (left, right):
            return _UNKNOWN
        result = _SUMS.get((left, node.op, right))
        if result is None:
            raise _misfit(node.column, f"{_CALLED[left]} {node.op} {_CALLED[right]}")
        return _Type(result)

    def compared(self, node: nodes.Compared) -> _Type:
        left = self.type_of(node.first)
        for op, part in node.rest:
            right = self.type_of(part)
            if op in {"in", "not in"}:
                self._contained(left, right, part)
            elif left.kind is not None and right.kind is not None and NOTHING not in (left.kind, right.kind):
                self._alike(op, left.kind, right.kind, part.column)
            left = right
        return _Type(BOOL)

    def _alike(self, op: str, left: str, right: str, column: int) -> None:
        if left != right:
            hint = "; a date is written date('2026-12-31')" if {left, right} == {TEXT, DATE} else ""
            raise _misfit(column, f"{_CALLED[left]} {op} {_CALLED[right]}{hint}")
        if left == LIST or (op not in {"==", "!="} and left not in _ORDERED):
            raise _misfit(column, f"{_CALLED[left]} {op} {_CALLED[right]}")

    def _contained(self, left: _Type, right: _Type, part: Node) -> None:
        if right.kind not in {None, TEXT, LIST, NOTHING}:
            raise _misfit(part.column, f"{_CALLED[right.kind or NOTHING]} where a list is needed")
        if left.kind in {None, NOTHING}:
            return
        if right.kind == TEXT and left.kind != TEXT:
            raise _misfit(part.column, f"{_CALLED[left.kind or NOTHING]} is not looked for in text")
        items = right.items or ((part.column, right.each),)
        strange = next(((column, kind) for column, kind in items if kind not in {None, NOTHING, left.kind}), None)
        if right.kind == LIST and strange is not None:
            raise _misfit(strange[0], f"{_CALLED[left.kind or NOTHING]} in a list with {_CALLED[strange[1] or NOTHING]}")

    def choice(self, node: nodes.Choice) -> _Type:
        self.type_of(node.condition)
        return _common([self.type_of(node.then), self.type_of(node.otherwise)])

    def listed(self, node: nodes.Listed) -> _Type:
        types = [self.type_of(item) for item in node.items]
        items = tuple((item.column, found.kind) for item, found in zip(node.items, types, strict=True))
        return _Type(LIST, _common(types).kind, items)

    def each(self, node: nodes.Each) -> _Type:
        source = self.type_of(node.source)
        if source.kind not in {None, LIST, NOTHING}:
            raise _misfit(node.source.column, f"{_CALLED[source.kind or NOTHING]} where a list is needed")
        self._own[node.name] = _Type(LIST, source.each, rows=self._inside(node.source))
        try:
            for condition in node.conditions:
                self.type_of(condition)
            return _Type(LIST, self.type_of(node.item).kind)
        finally:
            del self._own[node.name]

    def _inside(self, source: Node) -> Schema | None:
        return self._schema.shape_of(source.path, source.column)[1] if isinstance(source, nodes.Field) else None

    def call(self, node: nodes.Call) -> _Type:
        types = [self.type_of(argument) for argument in node.arguments]
        for _name, argument in node.named:
            self.type_of(argument)
        signature = _SIGNATURES[node.function]
        for number, (argument, found) in enumerate(zip(node.arguments, types, strict=True)):
            takes = signature.takes[min(number, len(signature.takes) - 1)] if signature.takes else None
            if takes is not None and found.kind is not None and found.kind != NOTHING and found.kind not in takes:
                wanted = " or ".join(sorted(_CALLED[kind] for kind in takes))
                raise _misfit(argument.column, f"{node.function} takes {wanted}, not {_CALLED[found.kind]}")
        if signature.gives is not None:
            return _Type(signature.gives)
        if node.function != "coalesce" and len(types) == 1:
            return _Type(types[0].each)
        return _common(types)


_RULES: dict[type, Callable[[_Checker, Any], _Type]] = {
    nodes.Constant: _Checker.constant,
    nodes.Field: _Checker.field,
    nodes.Negative: _Checker.negative,
    nodes.Not: _Checker.yes_or_no,
    nodes.Calculation: _Checker.calculation,
    nodes.Compared: _Checker.compared,
    nodes.Both: _Checker.yes_or_no,
    nodes.Choice: _Checker.choice,
    nodes.Listed: _Checker.listed,
    nodes.Each: _Checker.each,
    nodes.Call: _Checker.call,
}
