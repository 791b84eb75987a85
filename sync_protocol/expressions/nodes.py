"""An expression as a tree of ours: what Python's parser gives is checked once and not looked at again.

Whoever translates expressions, for instance into a database's filter, walks this tree.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Arithmetic = Literal["+", "-", "*", "/", "%"]
Comparison = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


@dataclass(frozen=True, slots=True)
class Constant:
    column: int
    value: Decimal | str | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """A field, or a field of a field: `party.name` is `("party", "name")`. The first may be a comprehension's own name."""

    column: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Negative:
    column: int
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Not:
    column: int
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Calculation:
    column: int
    op: Arithmetic
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Compared:
    """A chain as in `1 <= score <= 10`: every neighbouring pair has to hold."""

    column: int
    first: "Node"
    rest: tuple[tuple[Comparison, "Node"], ...]


@dataclass(frozen=True, slots=True)
class Both:
    """`and` or `or` over two or more."""

    column: int
    op: Literal["and", "or"]
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if condition else otherwise`."""

    column: int
    condition: "Node"
    then: "Node"
    otherwise: "Node"


@dataclass(frozen=True, slots=True)
class Listed:
    column: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Each:
    """`item for name in source if condition...`."""

    column: int
    item: "Node"
    name: str
    source: "Node"
    conditions: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Call:
    column: int
    function: str
    arguments: tuple["Node", ...]
    named: tuple[tuple[str, "Node"], ...] = ()


Node = Constant | Field | Negative | Not | Calculation | Compared | Both | Choice | Listed | Each | Call


def children(node: Node) -> tuple[Node, ...]:
    """The parts directly below, in the order in which they are written (an `Each`: source, item, conditions)."""
    match node:
        case Negative() | Not():
            return (node.operand,)
        case Calculation():
            return (node.left, node.right)
        case Compared():
            return (node.first, *(right for _op, right in node.rest))
        case Both():
            return node.parts
        case Choice():
            return (node.condition, node.then, node.otherwise)
        case Listed():
            return node.items
        case Each():
            return (node.source, node.item, *node.conditions)
        case Call():
            return (*node.arguments, *(argument for _name, argument in node.named))
        case _:
            return ()


def paths(node: Node) -> Iterator[tuple[str, ...]]:
    """Every field that is used, by its path from the record: `l.qty for l in lines` gives `lines` and `lines.qty`."""
    match node:
        case Field():
            yield node.path
        case Each():
            yield from paths(node.source)
            source = node.source.path if isinstance(node.source, Field) else None
            for path in (path for part in (node.item, *node.conditions) for path in paths(part)):
                if path[0] != node.name:
                    yield path
                elif source is not None:
                    yield (*source, *path[1:])
        case _:
            for child in children(node):
                yield from paths(child)
