"""Reading an expression: Python's own parser, then a list of what is allowed."""

import ast
import warnings
from collections.abc import Callable
from decimal import Decimal

from sync_protocol.expressions import nodes
from sync_protocol.expressions.faults import ExpressionFault
from sync_protocol.expressions.functions import FUNCTIONS
from sync_protocol.expressions.kinds import check_kinds
from sync_protocol.expressions.nodes import Node
from sync_protocol.expressions.schema import REF, Schema

MAX_CHARACTERS = 2_000
"""A condition that a person can still read; a page of text is a program."""

MAX_NODES = 300
MAX_DEPTH = 40
"""Python's parser and whoever walks the tree recurse once a level."""

MAX_PATH = 8
"""Names with dots between them: from a line to its order to its customer's parent is four."""

MAX_NUMBER_CHARACTERS = 40

_ARITHMETIC: dict[type[ast.operator], nodes.Arithmetic] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Mod: "%",
}
_COMPARISON: dict[type[ast.cmpop], nodes.Comparison] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "==",
    ast.IsNot: "!=",
}
_NAMES: dict[type[ast.AST], str] = {
    ast.Pow: "powers",
    ast.Lambda: "lambda",
    ast.Subscript: "indexing with [ ]",
    ast.JoinedStr: "text with { } inside",
    ast.NamedExpr: "assignment",
    ast.Dict: "{ }",
    ast.Set: "{ }",
    ast.Starred: "*",
    ast.Await: "await",
    ast.FloorDiv: "//",
}


def parse(text: str, schema: Schema | None = None) -> Node:
    """The expression as a tree. Raises ExpressionFault.

    With a schema names are looked up and kinds compared, and a record where a value is needed becomes its `ref`.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionFault("too_large", MAX_CHARACTERS, f"longer than {MAX_CHARACTERS} characters")
    if not text.strip():
        raise ExpressionFault("syntax", 1, "nothing is written")
    # Python takes it for the end of a line, and columns would be counted in other lines than ours.
    text = text.replace("\r", " ")
    _check_brackets(text)
    try:
        with warnings.catch_warnings():
            # "5 is 5" earns a warning from the compiler; here it means ==.
            warnings.simplefilter("ignore")
            # Inside brackets line breaks and a first blank mean nothing.
            body = ast.parse(f"(\n{text}\n)", mode="eval").body
    except SyntaxError as exc:
        raise ExpressionFault("syntax", _column(text, exc.lineno, exc.offset), exc.msg or "cannot be read") from exc
    except (ValueError, MemoryError, RecursionError) as exc:
        raise ExpressionFault("syntax", 1, "cannot be read") from exc
    if isinstance(body, ast.Tuple) and body.lineno == 1:  # our own brackets
        raise ExpressionFault("syntax", 1, "a list is written with [ ] around it")
    tree = _Reader(text, schema).read(body)
    if schema is not None:
        check_kinds(tree, schema)
    return tree


def _check_brackets(text: str) -> None:
    # A closing bracket too many would close the pair that `parse` puts around the text.
    opened: list[int] = []
    quote, skip = "", False
    for column, char in enumerate(text, 1):
        if skip:
            skip = False
        elif quote:
            skip = char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#":
            raise ExpressionFault("forbidden", column, "comments are not allowed")
        else:
            _count_bracket(char, column, opened)
    if opened:
        raise ExpressionFault("syntax", opened[-1], "a bracket is opened that is not closed")


def _count_bracket(char: str, column: int, opened: list[int]) -> None:
    if char in "([{":
        opened.append(column)
        if len(opened) > MAX_DEPTH:
            raise ExpressionFault("too_large", column, f"nested deeper than {MAX_DEPTH}")
    elif char in ")]}":
        if not opened:
            raise ExpressionFault("syntax", column, "a bracket is closed that was not opened")
        opened.pop()


def _column(text: str, line: int | None, offset: int | None) -> int:
    """A place in the parser's lines (ours begins on its second) as a column of the whole text, from 1."""
    lines = text.split("\n")
    if (line or 2) - 2 >= len(lines):
        return len(text) + 1
    row = min(max((line or 2) - 2, 0), len(lines) - 1)
    return min(sum(len(one) + 1 for one in lines[:row]) + max(offset or 1, 1), len(text) + 1)


class _Reader:
    def __init__(self, text: str, schema: Schema | None) -> None:
        self._lines = text.split("\n")
        self._schema = schema
        self._own: dict[str, Schema | None] = {}
        self._count = 0
        self._depth = 0

    def read(self, node: ast.expr) -> Node:
        self._count += 1
        if self._count > MAX_NODES:
            raise ExpressionFault("too_large", self._at(node), f"more than {MAX_NODES} parts")
        kind = _READERS.get(type(node))
        if kind is None:
            raise self._refused(node)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionFault("too_large", self._at(node), f"nested deeper than {MAX_DEPTH}")
        try:
            return kind(self, node)
        finally:
            self._depth -= 1

    def _at(self, node: ast.expr) -> int:
        row = max(node.lineno - 2, 0)
        # Python counts bytes of UTF-8, people count characters.
        line = self._lines[row] if row < len(self._lines) else ""
        characters = node.col_offset if line.isascii() else len(line.encode()[: node.col_offset].decode("utf-8", "ignore"))
        return sum(len(one) + 1 for one in self._lines[:row]) + characters + 1

    def _refused(self, node: ast.expr, what: ast.AST | None = None) -> ExpressionFault:
        kind = type(what or node)
        return ExpressionFault("forbidden", self._at(node), f"{_NAMES.get(kind, kind.__name__)} is not allowed")

    def constant(self, node: ast.Constant) -> Node:
        value = node.value
        if value is None or isinstance(value, bool | str):
            return nodes.Constant(self._at(node), value)
        if isinstance(value, int | float):
            written = self._lines[node.lineno - 2].encode()[node.col_offset : node.end_col_offset].decode()
            if len(written) > MAX_NUMBER_CHARACTERS:
                raise ExpressionFault("too_large", self._at(node), f"a number of more than {MAX_NUMBER_CHARACTERS} characters")
            try:
                # As written: the float that Python made of it is not exact.
                return nodes.Constant(self._at(node), Decimal(written.replace("_", "")))
            except ArithmeticError:
                return nodes.Constant(self._at(node), Decimal(value))
        raise self._refused(node)

    def name(self, node: ast.Name) -> Node:
        return self._field(node, (node.id,))

    def attribute(self, node: ast.Attribute) -> Node:
        path = [node.attr]
        inner: ast.expr = node.value
        while isinstance(inner, ast.Attribute):
            path.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise ExpressionFault("forbidden", self._at(node), "a dot follows only a field's name")
        return self._field(node, (inner.id, *reversed(path)))

    def _field(self, node: ast.expr, path: tuple[str, ...]) -> Node:
        column = self._at(node)
        if len(path) > MAX_PATH:
            raise ExpressionFault("too_large", column, f"more than {MAX_PATH} names in a row")
        if any(part.startswith("_") for part in path):
            raise ExpressionFault("forbidden", column, "names do not begin with _")
        own = path[0] in self._own
        schema, rest = (self._own[path[0]], path[1:]) if own else (self._schema, path)
        if schema is not None and rest:
            shape, inside = schema.shape_of(rest, column)
            if shape == "record" and (inside is None or REF in inside.shapes):
                path = (*path, REF)
        return nodes.Field(column, path)

    def unary(self, node: ast.UnaryOp) -> Node:
        operand = self.read(node.operand)
        if isinstance(node.op, ast.Not):
            return nodes.Not(self._at(node), operand)
        if isinstance(node.op, ast.USub):
            return nodes.Negative(self._at(node), operand)
        raise self._refused(node, node.op)

    def binary(self, node: ast.BinOp) -> Node:
        op = _ARITHMETIC.get(type(node.op))
        if op is None:
            raise self._refused(node, node.op)
        return nodes.Calculation(self._at(node), op, self.read(node.left), self.read(node.right))

    def boolean(self, node: ast.BoolOp) -> Node:
        parts = tuple(self.read(part) for part in node.values)
        return nodes.Both(self._at(node), "and" if isinstance(node.op, ast.And) else "or", parts)

    def compare(self, node: ast.Compare) -> Node:
        rest = []
        for op, right in zip(node.ops, node.comparators, strict=True):
            read = self.read(right)
            if isinstance(op, ast.Is | ast.IsNot) and not (isinstance(read, nodes.Constant) and read.value is None):
                raise ExpressionFault("forbidden", self._at(right), "`is` goes with None only; compare with ==")
            rest.append((_COMPARISON[type(op)], read))
        return nodes.Compared(self._at(node), self.read(node.left), tuple(rest))

    def choice(self, node: ast.IfExp) -> Node:
        return nodes.Choice(self._at(node), self.read(node.test), self.read(node.body), self.read(node.orelse))

    def listed(self, node: ast.List | ast.Tuple) -> Node:
        return nodes.Listed(self._at(node), tuple(self.read(item) for item in node.elts))

    def each(self, node: ast.ListComp | ast.GeneratorExp) -> Node:
        column = self._at(node)
        if len(node.generators) != 1 or node.generators[0].is_async or not isinstance(node.generators[0].target, ast.Name):
            raise ExpressionFault("forbidden", column, "one `for` with one name")
        loop, name = node.generators[0], node.generators[0].target.id
        if self._own:
            raise ExpressionFault("forbidden", column, "a `for` inside a `for` is not allowed")
        if name.startswith("_") or (self._schema is not None and name in self._schema.shapes):
            raise ExpressionFault(
                "forbidden", column, f"{name} cannot be the name of the `for`: it is a field or begins with _"
            )
        source = self.read(loop.iter)
        self._own[name] = self._rows(source)
        try:
            item = self.read(node.elt)
            conditions = tuple(self.read(condition) for condition in loop.ifs)
        finally:
            del self._own[name]
        return nodes.Each(column, item, name, source, conditions)

    def _rows(self, source: Node) -> Schema | None:
        if self._schema is None or not isinstance(source, nodes.Field):
            return None
        shape, inside = self._schema.shape_of(source.path, source.column)
        if shape not in {"rows", "values"}:
            raise ExpressionFault("unknown_name", source.column, f"{'.'.join(source.path)} is not a list")
        return inside

    def call(self, node: ast.Call) -> Node:
        column = self._at(node)
        if not isinstance(node.func, ast.Name):
            raise ExpressionFault("forbidden", column, "only the listed functions can be called")
        name = node.func.id
        if name not in FUNCTIONS:
            raise ExpressionFault("unknown_function", column, f"there is no function {name}")
        if any(isinstance(argument, ast.Starred) for argument in node.args) or any(one.arg is None for one in node.keywords):
            raise ExpressionFault("forbidden", column, "* is not allowed")
        arguments = tuple(self.read(argument) for argument in node.args)
        named = tuple((str(one.arg), self.read(one.value)) for one in node.keywords)
        FUNCTIONS[name].check(name, column, len(arguments), [key for key, _ in named])
        return nodes.Call(column, name, arguments, named)


_READERS: dict[type[ast.expr], Callable[..., Node]] = {
    ast.Constant: _Reader.constant,
    ast.Name: _Reader.name,
    ast.Attribute: _Reader.attribute,
    ast.UnaryOp: _Reader.unary,
    ast.BinOp: _Reader.binary,
    ast.BoolOp: _Reader.boolean,
    ast.Compare: _Reader.compare,
    ast.IfExp: _Reader.choice,
    ast.List: _Reader.listed,
    ast.Tuple: _Reader.listed,
    ast.ListComp: _Reader.each,
    ast.GeneratorExp: _Reader.each,
    ast.Call: _Reader.call,
}
