"""Column types that mean the same on SQLite and PostgreSQL: exact decimals, aware UTC times, JSON, big numbers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

BIGGEST = (1 << 63) - 1
"""The largest number that a column takes."""

Big = BigInteger()

Key = BigInteger().with_variant(Integer(), "sqlite")
"""A row's own number: SQLite counts up only a column declared INTEGER."""

Json = JSON().with_variant(JSONB(), "postgresql")


class Exact(TypeDecorator[Decimal]):
    """A decimal with its digits kept as given. TEXT on SQLite, which has no decimals: compare in Python, not in SQL."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Numeric() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - the interface's name
        return None if value is None else Decimal(value)


class Micro(TypeDecorator[Decimal]):
    """A decimal of at most six places, kept as a whole number of millionths: sums and comparisons in SQL are exact on both
    databases. Raises ValueError for finer or larger numbers (beyond 9.2e12)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - as above
        return None if value is None else to_micro(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - as above
        return None if value is None else from_micro(int(value))


MICRO = 6
"""Decimal places of `Micro`."""


def to_micro(value: Decimal) -> int:
    """Millionths. Raises ValueError where the number is not a whole number of them, or too large for a column."""
    scaled = value.scaleb(MICRO)
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) > BIGGEST:
        raise ValueError(f"{value} is not a number of at most {MICRO} places that a column takes")
    return int(scaled)


def from_micro(value: int) -> Decimal:
    """The number of so many millionths, without zeros at its end."""
    return Decimal(value).scaleb(-MICRO).normalize() + 0 if value % 1_000_000 else Decimal(value // 1_000_000)


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC. SQLite stores it without zone; a naive time is refused on the way in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as above
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
