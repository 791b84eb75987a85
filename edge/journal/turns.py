"""The writer's connection in other hands between two commits: one guest at a time, and a commit that waits between two."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

from edge.errors import JournalFault


class _Guest(Enum):
    NONE = 0
    WAITS = 1
    HAS_TURN = 2


class Turns:
    """`mutex` is the writer's; `wake` is what the writer's thread, and nobody else, waits for."""

    def __init__(self, mutex: threading.Lock, wake: threading.Condition) -> None:
        self._mutex = mutex
        self._wake = wake
        self._changed = threading.Condition(mutex)
        self._one = threading.Lock()
        self._guest = _Guest.NONE
        self._ended = False

    @property
    def wanted(self) -> bool:
        """Whether a guest waits; the mutex is held."""
        return self._guest is _Guest.WAITS

    @contextmanager
    def turn(self, refusal: Callable[[], JournalFault | None]) -> Iterator[None]:
        """Wait for a turn and hold it to the end of the block; `refusal` says why there is none. Raises that JournalFault."""
        with self._one:
            with self._mutex:
                self._check(refusal)
                self._guest = _Guest.WAITS
                self._wake.notify()
                self._changed.wait_for(lambda: self._guest is _Guest.HAS_TURN or self._ended)
                if self._guest is _Guest.WAITS:
                    self._guest = _Guest.NONE
                    self._check(refusal)
                    raise JournalFault("the journal is closed")
            try:
                yield
            finally:
                with self._mutex:
                    self._guest = _Guest.NONE
                    self._wake.notify()

    def _check(self, refusal: Callable[[], JournalFault | None]) -> None:
        if (fault := refusal()) is not None:
            raise fault

    def lend(self) -> None:
        """Let a guest that waits have its turn; in the writer's thread, the mutex held."""
        if self._guest is _Guest.WAITS:
            self._guest = _Guest.HAS_TURN
            self._changed.notify_all()
            # The next guest may wait already when this one is done.
            self._wake.wait_for(lambda: self._guest is not _Guest.HAS_TURN)

    def end(self) -> None:
        """No more turns; the mutex is held."""
        self._ended = True
        self._changed.notify_all()
