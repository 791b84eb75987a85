"""Working an expression out: the tree becomes nested functions once, and then is called for every record.

Missing values: a calculation with one gives none; `<`, `<=`, `>`, `>=`, `in` and `not in` with one are false; `==` and `!=`
compare it like any other value; `and`, `or` and `not` take it for false.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any, Self

from sync_protocol.expressions import nodes
from sync_protocol.expressions.faults import ExpressionFault
from sync_protocol.expressions.functions import FUNCTIONS, TEXT_PER_STEP, Unfit, items, order, pay_for
from sync_protocol.expressions.nodes import Node
from sync_protocol.expressions.parse import parse
from sync_protocol.expressions.schema import Schema
from sync_protocol.expressions.values import CONTEXT, MAX_TEXT, NotAValue, Value, kind_of, value_of

MAX_STEPS = 20_000
"""Steps of one evaluation, a thousand rows with a dozen operations each. They bound the time as well, without a clock: nothing
that one step stands for takes longer than its share (bench/expressions.py measures the worst)."""


@dataclass(frozen=True, slots=True)
class Given:
    """What an expression may know beside the fields: the time as an argument, and answers that only its host has."""

    now: datetime
    today: date
    ask: Mapping[str, Callable[..., Value]] = field(default_factory=dict)


@dataclass(slots=True)
class Budget:
    """Steps that many evaluations may take together; each still has its own limit."""

    left: int


@dataclass(slots=True)
class _Frame:
    fields: Mapping[str, object]
    given: Given
    left: int
    column: int = 1
    own: tuple[str, Value] | None = None

    @property
    def now(self) -> datetime:
        return self.given.now

    @property
    def today(self) -> date:
        return self.given.today

    @property
    def ask(self) -> Mapping[str, Callable[..., Value]]:
        return self.given.ask

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise ExpressionFault("budget", self.column, f"more than {MAX_STEPS} steps")


_Step = Callable[[_Frame], Value]


class Expression:
    """An expression ready to be worked out many times; safe to share."""

    def __init__(self, text: str, schema: Schema | None = None) -> None:
        """Raises ExpressionFault with any code but `value` and `budget`."""
        self._be(text, parse(text, schema))

    def _be(self, text: str, tree: Node) -> Self:
        self.text = text
        self.tree = tree
        self._run = _step(tree)
        return self

    @classmethod
    def of_tree(cls, tree: Node, text: str = "") -> Self:
        """From (a part of) a tree that was read before; `text` is what its columns count in."""
        return cls.__new__(cls)._be(text, tree)  # noqa: SLF001 - its own

    def names(self) -> frozenset[tuple[str, ...]]:
        """Paths of the fields that it uses; `lines` and `lines.qty` for a `for` over lines."""
        return frozenset(nodes.paths(self.tree))

    def value(self, fields: Mapping[str, object], given: Given, budget: Budget | None = None) -> Value:
        """Its value for these fields; a field that is not there is missing. Raises ExpressionFault (`value`, `budget`)."""
        frame = _Frame(fields, given, MAX_STEPS)
        try:
            return self._run(frame)
        except RecursionError as exc:
            raise ExpressionFault("too_large", 1, "nested too deeply") from exc
        finally:
            if budget is not None:
                budget.left -= MAX_STEPS - frame.left

    def holds(self, fields: Mapping[str, object], given: Given, budget: Budget | None = None) -> bool:
        """Whether it is true for these fields; missing is not true."""
        return bool(self.value(fields, given, budget))


def _step(node: Node) -> _Step:
    return _STEPS[type(node)](node)


def _guarded(node: Node, work: Callable[[_Frame], Value]) -> _Step:
    """Counts a step, with the constants below it, and gives every fault its column."""
    column = node.column
    cost = 1 + sum(isinstance(child, nodes.Constant) for child in nodes.children(node))

    def run(frame: _Frame) -> Value:
        frame.left -= cost
        if frame.left < 0:
            raise ExpressionFault("budget", column, f"more than {MAX_STEPS} steps")
        frame.column = column
        try:
            return work(frame)
        except Unfit as exc:
            raise ExpressionFault("value", column, str(exc)) from exc
        except NotAValue as exc:
            raise ExpressionFault("value", column, f"{exc} cannot be worked with") from exc
        except (DecimalException, OverflowError) as exc:
            raise ExpressionFault("value", column, _arithmetic(exc)) from exc

    return run


def _arithmetic(exc: Exception) -> str:
    return "division by zero" if "ByZero" in type(exc).__name__ or "Undefined" in type(exc).__name__ else "too large a number"


def _constant(node: nodes.Constant) -> _Step:
    value = node.value
    return lambda _frame: value


def _field(node: nodes.Field) -> _Step:
    first, rest = node.path[0], node.path[1:]

    def work(frame: _Frame) -> Value:
        own = frame.own
        found = own[1] if own is not None and own[0] == first else value_of(frame.fields.get(first))
        for name in rest:
            if found is None:
                return None
            if type(found) is not dict and not isinstance(found, Mapping):
                raise Unfit(f"{kind_of(found)} has no {name}")
            found = value_of(found.get(name))
        return found

    return _guarded(node, work)


def _negative(node: nodes.Negative) -> _Step:
    operand = _step(node.operand)

    def work(frame: _Frame) -> Value:
        value = operand(frame)
        if value is None:
            return None
        if isinstance(value, timedelta):
            return -value
        if isinstance(value, Decimal):
            return CONTEXT.minus(value)
        raise Unfit(f"{kind_of(value)} cannot be negative")

    return _guarded(node, work)


def _not(node: nodes.Not) -> _Step:
    operand = _step(node.operand)
    return _guarded(node, lambda frame: not operand(frame))


_DECIMALS: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": CONTEXT.add,
    "-": CONTEXT.subtract,
    "*": CONTEXT.multiply,
    "/": CONTEXT.divide,
    "%": CONTEXT.remainder,
}


def _calculation(node: nodes.Calculation) -> _Step:
    left, right, op = _step(node.left), _step(node.right), node.op
    decimals = _DECIMALS[op]

    def work(frame: _Frame) -> Value:
        one, other = left(frame), right(frame)
        if one is None or other is None:
            return None
        if isinstance(one, Decimal) and isinstance(other, Decimal):
            return decimals(one, other)
        return _other_sum(frame, op, one, other)

    return _guarded(node, work)


def _other_sum(frame: _Frame, op: str, one: Value, other: Value) -> Value:
    """What else can be added or taken away: dates and lengths of time, texts."""
    if op == "+" and isinstance(one, str) and isinstance(other, str):
        frame.spend((len(one) + len(other)) // TEXT_PER_STEP)
        if len(one) + len(other) > MAX_TEXT:
            raise Unfit(f"text of more than {MAX_TEXT} characters")
        return one + other
    if op in "+-" and isinstance(one, date | timedelta) and isinstance(other, timedelta):
        moved: Any = one + other if op == "+" else one - other
        result: Value = moved
        return result
    if (
        op == "-"
        and isinstance(one, date)
        and isinstance(other, date)
        and isinstance(one, datetime) == isinstance(other, datetime)
    ):
        try:
            return _in_days(one - other)
        except TypeError as exc:
            raise Unfit("times with and without a zone") from exc
    raise Unfit(f"{kind_of(one)} {op} {kind_of(other)}")


def _in_days(length: timedelta) -> Decimal:
    whole = Decimal(length.days)
    seconds = Decimal(length.seconds) + Decimal(length.microseconds).scaleb(-6)
    return whole if not seconds else CONTEXT.add(whole, CONTEXT.divide(seconds, Decimal(86_400)))


def _compared(node: nodes.Compared) -> _Step:
    first = _step(node.first)
    rest = [(_COMPARISONS[op], _step(right)) for op, right in node.rest]

    def work(frame: _Frame) -> Value:
        left = first(frame)
        for holds, step in rest:
            right = step(frame)
            if not holds(frame, left, right):
                return False
            left = right
        return True

    return _guarded(node, work)


def _equal(frame: _Frame, left: Value, right: Value) -> bool:
    if type(left) is type(right) and type(left) in _SIMPLE:
        return left == right
    for one in (left, right):
        if isinstance(one, str | Sequence | Mapping):
            frame.spend(len(one) // (TEXT_PER_STEP if isinstance(one, str) else 1))
    if isinstance(left, Sequence | Mapping) and isinstance(right, Sequence | Mapping):
        if isinstance(left, str) or isinstance(right, str):
            return left == right
        raise Unfit("lists and records are not compared")
    if isinstance(left, bool) != isinstance(right, bool) or isinstance(left, datetime) != isinstance(right, datetime):
        # Python takes True for 1; a person who asks whether a number is "yes" has made a mistake, and gets no.
        return False
    return left == right


_SIMPLE = frozenset({type(None), bool, Decimal, date, datetime, timedelta})
"""Compared at one step, whatever they hold."""


def _ordered(holds: Callable[[int], bool]) -> Callable[[_Frame, Value, Value], bool]:
    def compare(frame: _Frame, left: Value, right: Value) -> bool:
        if left is None or right is None:
            return False
        pay_for(frame, left)
        return holds(order(left, right))

    return compare


def _contained(frame: _Frame, left: Value, right: Value) -> bool:
    if left is None or right is None:
        return False
    if isinstance(right, str):
        if not isinstance(left, str):
            raise Unfit(f"{kind_of(left)} is not looked for in text")
        frame.spend((len(left) + len(right)) // TEXT_PER_STEP)
        return left in right
    return any(_equal(frame, left, one) for one in items(frame, right))


_COMPARISONS: dict[str, Callable[[_Frame, Value, Value], bool]] = {
    "==": _equal,
    "!=": lambda frame, left, right: not _equal(frame, left, right),
    "<": _ordered(lambda sign: sign < 0),
    "<=": _ordered(lambda sign: sign <= 0),
    ">": _ordered(lambda sign: sign > 0),
    ">=": _ordered(lambda sign: sign >= 0),
    "in": _contained,
    # A missing value is neither in a list nor out of it.
    "not in": lambda frame, left, right: left is not None and right is not None and not _contained(frame, left, right),
}


def _both(node: nodes.Both) -> _Step:
    steps, stop_at = [_step(part) for part in node.parts], node.op == "or"

    def work(frame: _Frame) -> Value:
        # Yes or no, not one of the operands: what a condition gives must not depend on the order of its parts.
        return next((stop_at for step in steps if bool(step(frame)) is stop_at), not stop_at)

    return _guarded(node, work)


def _choice(node: nodes.Choice) -> _Step:
    condition, then, otherwise = _step(node.condition), _step(node.then), _step(node.otherwise)
    return _guarded(node, lambda frame: then(frame) if condition(frame) else otherwise(frame))


def _listed(node: nodes.Listed) -> _Step:
    steps = [_step(item) for item in node.items]
    return _guarded(node, lambda frame: [step(frame) for step in steps])


def _each(node: nodes.Each) -> _Step:
    source, item, conditions = _step(node.source), _step(node.item), [_step(one) for one in node.conditions]
    name = node.name

    def work(frame: _Frame) -> Value:
        rows = source(frame)
        if rows is None:
            return []
        found = []
        try:
            for row in items(frame, rows):
                frame.own = (name, row)
                if not conditions or all(condition(frame) for condition in conditions):
                    found.append(item(frame))
        finally:
            frame.own = None
        return found

    return _guarded(node, work)


def _call(node: nodes.Call) -> _Step:
    do = FUNCTIONS[node.function].do
    steps = [_step(argument) for argument in node.arguments]
    named = [(key, _step(argument)) for key, argument in node.named]

    def work(frame: _Frame) -> Value:
        given = [step(frame) for step in steps]
        frame.column = node.column
        return do(frame, *given, **{key: step(frame) for key, step in named})

    return _guarded(node, work)


_STEPS: dict[type, Callable[[Any], _Step]] = {
    nodes.Constant: _constant,
    nodes.Field: _field,
    nodes.Negative: _negative,
    nodes.Not: _not,
    nodes.Calculation: _calculation,
    nodes.Compared: _compared,
    nodes.Both: _both,
    nodes.Choice: _choice,
    nodes.Listed: _listed,
    nodes.Each: _each,
    nodes.Call: _call,
}
