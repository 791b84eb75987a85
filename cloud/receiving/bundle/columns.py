"""Rows as a bundle tells them and as they are read back: columns by name, amounts and times as texts, no database ids."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import inspect

from cloud.db.base import Base
from cloud.db.types import Exact, Micro, UtcTime
from sync_protocol.errors import BundleFault
from sync_protocol.quantity import plain

Said = dict[str, Any]


def told(row: Base) -> Said:
    """A row's own columns. Numbers of other rows are left out: they mean nothing outside."""
    found: Said = {}
    for column in inspect(type(row)).columns:
        if not column.primary_key and not (column.foreign_keys and column.key.endswith("_id") and column.key != "box_id"):
            found[column.key] = _text(getattr(row, column.key))
    return found


def _text(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return plain(value)
        case bytes():
            return value.hex()
    return str(value) if isinstance(value, str) else value


def read(model: type[Base], said: Mapping[str, Any]) -> Any:
    """A row that belongs to no session, of what a bundle tells. Columns that it does not tell stay None.

    Raises BundleFault where a value has another form than its column.
    """
    found: dict[str, Any] = {}
    for column in inspect(model).columns:
        value = said.get(column.key)
        if column.key in said and not (column.primary_key and value is None):
            found[column.key] = None if value is None else _value(model, column, value)
    return model(**found)


def _value(model: type[Base], column: Any, value: Any) -> Any:
    exact = isinstance(column.type, Exact | Micro)
    wanted = datetime if isinstance(column.type, UtcTime) else Decimal if exact else column.type.python_type
    try:
        found = _READ[wanted](value) if wanted in _READ else value
    except (ValueError, TypeError, ArithmeticError) as exc:
        raise BundleFault(f"{model.__tablename__}.{column.key} has another form") from exc
    if not isinstance(found, wanted) or isinstance(found, bool) is not (wanted is bool):
        raise BundleFault(f"{model.__tablename__}.{column.key} has another form")
    return found


_READ: Mapping[type, Callable[[Any], Any]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    Decimal: Decimal,
    bytes: bytes.fromhex,
}
