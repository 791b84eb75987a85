"""Where a page of a list ended, as text that goes to whoever asks for the next one and comes back."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from cloud.db.types import BIGGEST, Micro, from_micro, to_micro
from cloud.errors import Refused
from cloud.objects.filtering import SqlField
from cloud.objects.values import storable


class BadQuery(Refused):
    """The list cannot be asked for so: `code` says which part (`filter`, `sort`, `after`), `values` what is wrong."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the sorted field's value and the row's number."""

    value: Any
    id: int

    def __str__(self) -> str:
        value, kind = _packed(self.value)
        return base64.urlsafe_b64encode(json.dumps([kind, value, self.id], ensure_ascii=False).encode()).decode().rstrip("=")


def _packed(value: Any) -> tuple[Any, str]:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(), "t"
    if isinstance(value, date):
        return value.isoformat(), "d"
    if isinstance(value, Decimal):
        return str(value), "n"
    return value, "v"


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at.astimezone(UTC)


_UNPACK: dict[str, Callable[[Any], Any]] = {
    "t": lambda one: _utc(datetime.fromisoformat(one)),
    "d": date.fromisoformat,
    "n": Decimal,
    "v": lambda one: one,
}


def place_of(text: str) -> Place | None:
    """Raises BadQuery for what no page gave out."""
    if not text:
        return None
    try:
        kind, value, number = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        unpacked = _UNPACK[kind](value)
    except (binascii.Error, ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as exc:
        raise BadQuery("bad_after") from exc
    if type(number) is not int or not 0 <= number <= BIGGEST or not _sound(unpacked):
        raise BadQuery("bad_after")
    return Place(unpacked, number)


def _sound(value: object) -> bool:
    """Whether a database could have given it."""
    if isinstance(value, Decimal):
        return value.is_finite() and abs(value) <= BIGGEST
    if isinstance(value, int):
        return abs(value) <= BIGGEST
    return value is None or isinstance(value, date) or (isinstance(value, str) and storable(value))


def bound(field: SqlField, value: Any) -> Any:
    """The value as the column's own type takes it. Raises BadQuery for one of another kind."""
    kind = type(value)
    if field.shape in {"int", "micro", "id"} and kind in {int, Decimal}:
        return _number(field, Decimal(value))
    if field.shape == "bool" and value in {0, 1}:
        return bool(value)
    in_json = field.bind is not None
    wanted = {"date": str if in_json else date, "datetime": str if in_json else datetime, "text": str}.get(field.shape)
    if kind is not wanted:
        raise BadQuery("bad_after")
    return value


def _number(field: SqlField, value: Decimal) -> Decimal | int:
    try:
        if isinstance(field.expr.type, Micro):
            return from_micro(to_micro(value))
    except ValueError as exc:
        raise BadQuery("bad_after") from exc
    if value != int(value):
        raise BadQuery("bad_after")
    return int(value)
