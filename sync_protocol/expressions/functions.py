"""The functions that an expression may call. What is missing stays missing; `coalesce` and lists' functions look past it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from sync_protocol.expressions.faults import ExpressionFault
from sync_protocol.expressions.values import CONTEXT, NotAValue, Value, kind_of, value_of

MAX_DAYS = 100_000
"""Of `days`: a quarter of a millennium in either direction."""

MAX_PLACES = 12
"""Of `round`."""

TEXT_PER_STEP = 100
"""Characters that are compared, searched, joined or changed for one step."""


STEPS_PER_QUESTION = 100
"""What an answer of the host costs: it may be a look into a database."""


class Unfit(Exception):
    """The arguments cannot be worked with; the text says why."""


class World(Protocol):
    """What a function may know beside its arguments."""

    @property
    def now(self) -> datetime: ...

    @property
    def today(self) -> date: ...

    @property
    def ask(self) -> Mapping[str, Callable[..., Value]]: ...

    def spend(self, steps: int) -> None:
        """Count work that a function does on many values."""


@dataclass(frozen=True, slots=True)
class Function:
    """`least` to `most` arguments in order (most None: any number), and the names that may be given besides."""

    do: Callable[..., Value]
    least: int
    most: int | None
    named: frozenset[str] = frozenset()

    def check(self, name: str, column: int, count: int, named: Sequence[str]) -> None:
        """Raises ExpressionFault when a call does not fit."""
        if count < self.least or (self.most is not None and count > self.most):
            wanted = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most or 'any number'}"
            raise ExpressionFault("arguments", column, f"{name} takes {wanted}, not {count}")
        strange = next((one for one in named if one not in self.named), None)
        if strange is not None or len(set(named)) != len(named):
            raise ExpressionFault("arguments", column, f"{name} takes no {strange or named[-1]} here")


def number(value: Value) -> Decimal:
    if isinstance(value, Decimal):
        return value
    raise Unfit(f"{kind_of(value)} where a number is needed")


def text(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise Unfit(f"{kind_of(value)} where text is needed")


def items(world: World, value: Value) -> list[Value]:
    """A list's values; paid for before they are taken, since a list may be as long as it likes."""
    if type(value) is list or (isinstance(value, Sequence) and not isinstance(value, str)):
        world.spend(len(value))
        try:
            return [value_of(one) for one in value]
        except NotAValue as exc:
            raise Unfit(f"{exc} in a list") from exc
    raise Unfit(f"{kind_of(value)} where a list is needed")


def pay_for(world: World, value: Value) -> None:
    """Count going through a text once."""
    if type(value) is str:
        world.spend(len(value) // TEXT_PER_STEP)


def _numbers(world: World, values: tuple[Value, ...]) -> list[Decimal]:
    """Of one list, or of the arguments themselves; what is missing is passed over."""
    found = items(world, values[0]) if len(values) == 1 else list(values)
    return [number(one) for one in found if one is not None]


def _extreme(world: World, values: tuple[Value, ...], better: Callable[[int], bool]) -> Value:
    found = [one for one in (items(world, values[0]) if len(values) == 1 else values) if one is not None]
    best: Value = None
    for one in found:
        pay_for(world, one)
        if best is None or better(order(one, best)):
            best = one
    return best


def order(left: Value, right: Value) -> int:
    """Below, at or above zero as left is before, like or behind right. Raises Unfit for what has no order."""
    if type(left) is Decimal and type(right) is Decimal:
        return (left > right) - (left < right)
    for kinds in ((Decimal,), (str,), (datetime,), (date,), (timedelta,)):
        if isinstance(left, kinds) and isinstance(right, kinds):
            if isinstance(left, datetime) != isinstance(right, datetime):
                break
            try:
                return (left > right) - (left < right)  # type: ignore[operator]
            except TypeError as exc:  # a time with a zone beside one without
                raise Unfit("times with and without a zone") from exc
    raise Unfit(f"{kind_of(left)} and {kind_of(right)} have no order")


def _len(value: Value) -> Value:
    if value is None:
        return None
    if isinstance(value, str | Sequence):
        return Decimal(len(value))
    raise Unfit(f"{kind_of(value)} has no length")


def _sum(world: World, *values: Value) -> Value:
    total = Decimal(0)
    for one in _numbers(world, values):
        total = CONTEXT.add(total, one)
    return total


def _mean(world: World, *values: Value) -> Value:
    found = _numbers(world, values)
    return CONTEXT.divide(number(_sum(world, found)), Decimal(len(found))) if found else None


def _min(world: World, *values: Value) -> Value:
    return _extreme(world, values, lambda sign: sign < 0)


def _max(world: World, *values: Value) -> Value:
    return _extreme(world, values, lambda sign: sign > 0)


def _round(value: Value, places: Value = Decimal(0)) -> Value:
    if value is None:
        return None
    digits = number(places)
    if digits != digits.to_integral_value() or not 0 <= digits <= MAX_PLACES:
        raise Unfit(f"round takes 0 to {MAX_PLACES} places")
    # Half away from zero, as on an invoice; Python's own would give 2 for 2.5.
    return number(value).quantize(Decimal(1).scaleb(-int(digits)), ROUND_HALF_UP, CONTEXT)


def _abs(value: Value) -> Value:
    return None if value is None else CONTEXT.abs(number(value))


def _any(world: World, value: Value) -> Value:
    return any(items(world, value))


def _all(world: World, value: Value) -> Value:
    return all(items(world, value))


def _count(world: World, value: Value) -> Value:
    return Decimal(sum(1 for one in items(world, value) if one is not None and one is not False))


def _coalesce(*values: Value) -> Value:
    return next((one for one in values if one is not None), None)


def _days(value: Value) -> Value:
    if value is None:
        return None
    if abs(number(value)) > MAX_DAYS:
        raise Unfit(f"more than {MAX_DAYS} days")
    return timedelta(days=float(number(value)))


def _date(value: Value) -> Value:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(text(value))
    except ValueError as exc:
        raise Unfit("a date is written as 2026-12-31") from exc


def _lower(world: World, value: Value) -> Value:
    pay_for(world, value)
    return None if value is None else text(value).lower()


def _starts_with(world: World, value: Value, start: Value) -> Value:
    pay_for(world, start)
    return None if value is None or start is None else text(value).startswith(text(start))


def _has_document(world: World, kind: Value, *, signed: Value = None) -> Value:
    answer = world.ask.get("has_document")
    if answer is None:
        raise Unfit("has_document is not known here")
    world.spend(STEPS_PER_QUESTION)
    return answer(text(kind), signed=signed is True)


def _plain(do: Callable[..., Value]) -> Callable[..., Value]:
    """A function that needs nothing of the world."""
    return lambda _world, *values: do(*values)


FUNCTIONS: dict[str, Function] = {
    "abs": Function(_plain(_abs), 1, 1),
    "all": Function(_all, 1, 1),
    "any": Function(_any, 1, 1),
    "coalesce": Function(_plain(_coalesce), 1, None),
    "count": Function(_count, 1, 1),
    "date": Function(_plain(_date), 1, 1),
    "days": Function(_plain(_days), 1, 1),
    "has_document": Function(_has_document, 1, 1, frozenset({"signed"})),
    "len": Function(_plain(_len), 1, 1),
    "lower": Function(_lower, 1, 1),
    "max": Function(_max, 1, None),
    "mean": Function(_mean, 1, None),
    "min": Function(_min, 1, None),
    "now": Function(lambda world: world.now, 0, 0),
    "round": Function(_plain(_round), 1, 2),
    "starts_with": Function(_starts_with, 2, 2),
    "sum": Function(_sum, 1, None),
    "today": Function(lambda world: world.today, 0, 0),
}
