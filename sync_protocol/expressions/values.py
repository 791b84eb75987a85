"""The values an expression works with, and how what comes from a record becomes one of them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow

Value = None | bool | Decimal | str | date | datetime | timedelta | Sequence["Value"] | Mapping[str, "Value"]
"""None is a missing value. Whole numbers are decimals too; a list is a list of values, a record maps names to values."""

MAX_TEXT = 10_000
"""Characters of a text that is put together: no field is longer."""

MAX_BITS = 112
"""Of a whole number: all that 34 digits hold. Turning longer ones into decimals takes time that no step pays for."""

CONTEXT = Context(prec=34, Emax=6144, Emin=-6143, traps=[DivisionByZero, InvalidOperation, Overflow])
"""Decimal128 of IEEE 754: 34 digits, which no quantity needs, and nothing that grows without end."""


class NotAValue(Exception):
    """What a record holds cannot be worked with; the text says what it is."""


def value_of(found: object) -> Value:
    """A record's own value. Raises NotAValue for a float: what it stood for is not known exactly."""
    if type(found) in _AS_THEY_ARE:
        return found  # type: ignore[return-value]
    if isinstance(found, bool | str | Decimal | date | timedelta | Mapping):
        return found
    if isinstance(found, int):
        if found.bit_length() > MAX_BITS:
            raise NotAValue("a number of more than 34 digits")
        return Decimal(found)
    if isinstance(found, Sequence) and not isinstance(found, bytes | bytearray):
        return found
    raise NotAValue(type(found).__name__)


_AS_THEY_ARE = frozenset({type(None), bool, str, Decimal, date, datetime, timedelta, dict, list, tuple})
"""Asked for first: questions about abstract classes cost ten times as much."""


def kind_of(value: Value) -> str:
    """What a person calls it."""
    for kinds, name in _KINDS:
        if isinstance(value, kinds):
            return name
    return "nothing" if value is None else "a record" if isinstance(value, Mapping) else "a list"


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "yes or no"),
    (Decimal, "a number"),
    (str, "text"),
    (datetime, "a time"),
    (date, "a date"),
    (timedelta, "a length of time"),
)
