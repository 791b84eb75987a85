"""Wakes the workers of this process when work was committed; those of other processes find it by looking."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

RINGS = "jobs_ring"
"""Key of `session.info`: this transaction put work into the table."""

_bells: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()


@contextmanager
def hung() -> Iterator[asyncio.Event]:
    """A bell of the running loop, as long as the block runs. It may ring for work of another database, too."""
    bell = (asyncio.get_running_loop(), asyncio.Event())
    _bells.add(bell)
    try:
        yield bell[1]
    finally:
        _bells.discard(bell)


def ring_at_commit(session: AsyncSession) -> None:
    """Ring every bell once the session's transaction is committed."""
    session.sync_session.info[RINGS] = True


@event.listens_for(Session, "after_commit")
def _ring(session: Session) -> None:
    if session.info.pop(RINGS, False):
        for loop, bell in tuple(_bells):
            if not loop.is_closed():
                loop.call_soon_threadsafe(bell.set)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, _previous: Any) -> None:
    if not session.in_nested_transaction():
        session.info.pop(RINGS, None)
