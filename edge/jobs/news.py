"""What pages are told: that something changed, and how the last scan or press ended."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

QUEUE_CAP: Final = 32
"""Notices a slow page may be behind. The oldest fall out first: each says only that newer state is there to be fetched."""


class Sound(StrEnum):
    """How a scan or press ended; one sound each."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    LOOK_HERE = "look_here"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One ending, told three ways. `code` is a translation key, `values` fill it; `number` counts from 1."""

    number: int
    sound: Sound
    code: str
    values: Mapping[str, str]
    at_ns: int


@dataclass(frozen=True, slots=True)
class Changed:
    """The station's state has this version now."""

    version: int


Notice = Outcome | Changed


@dataclass(frozen=True, slots=True)
class Listener:
    """What one page has not been told yet; `wake` is set with every notice."""

    notices: deque[Notice]
    wake: asyncio.Event


@dataclass(slots=True)
class News:
    """Fans notices out to every listener; never waits for one."""

    version: int = 0
    last: Outcome | None = None
    _told: int = 0
    _listeners: list[Listener] = field(default_factory=list)

    def changed(self) -> None:
        self.version += 1
        self._send(Changed(self.version))

    def tell(self, sound: Sound, code: str, values: Mapping[str, str], at_ns: int) -> Outcome:
        self._told += 1
        self.last = Outcome(self._told, sound, code, values, at_ns)
        self._send(self.last)
        return self.last

    def poke(self) -> None:
        """Wake every listener without a notice: something outside the job changed."""
        for listener in self._listeners:
            listener.wake.set()

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Notices from now on."""
        listener = Listener(deque(maxlen=QUEUE_CAP), asyncio.Event())
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    def _send(self, notice: Notice) -> None:
        for listener in self._listeners:
            listener.notices.append(notice)
            listener.wake.set()
