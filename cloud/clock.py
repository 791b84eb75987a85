"""The cloud's clock: the only place of the core that reads time. Everything else takes one."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the time now, aware and in UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> datetime:
    """The machine's wall clock, UTC."""
    return EPOCH + timedelta(microseconds=time.time_ns() // 1000)


def from_wall_ns(wall_ns: int) -> datetime | None:
    """Nanoseconds since 1970 as a time; None where a box's clock says something that no calendar has."""
    try:
        return EPOCH + timedelta(microseconds=wall_ns // 1000)
    except OverflowError:
        return None
