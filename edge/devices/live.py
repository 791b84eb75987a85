"""What the rest of the box sees of a device: its live value, its events, and the one way to keep a reading."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drivers.api import Reading
from sync_protocol.ids import EntryId

FRESH_NS = 2_000_000_000
"""A live value older than this is no value: it is greyed and cannot be taken. Two seconds is what an operator notices."""


PRINTED_NS = 20_000_000_000
"""A device that sends each weighing once says nothing more of it; so long may an operator take what it sent. A judgement: long
enough to turn round to the screen, short enough that the next item is not taken for this one."""


class LinkState(StrEnum):
    """Whether a device can be heard."""

    CONNECTING = "connecting"
    UP = "up"
    NO_ANSWER = "no_answer"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class LiveValue:
    """The newest reading of a device and when it came (`Clock.now_ns`); None before the first.

    `at_ns` alone is None when the reading holds no longer: the device was lost, silent, restarted, or has refused since.
    """

    device: str
    link: LinkState
    reading: Reading | None
    at_ns: int | None
    keeps_ns: int = FRESH_NS
    """How long the reading is what the device says now: PRINTED_NS for devices that send each weighing once."""

    def fresh(self, now_ns: int) -> bool:
        return self.link is LinkState.UP and self.at_ns is not None and now_ns - self.at_ns <= self.keeps_ns


@dataclass(frozen=True, slots=True)
class LiveChanged:
    """A device's live value or link state changed."""

    live: LiveValue


@dataclass(frozen=True, slots=True)
class Captured:
    """A reading is durable in the journal under `entry`."""

    device: str
    entry: EntryId
    reading: Reading


HubEvent = LiveChanged | Captured


class Hub(Protocol):
    """All devices of the box."""

    def devices(self) -> tuple[str, ...]: ...

    def live(self, device: str) -> LiveValue:
        """The newest value; raises KeyError for an unknown device."""
        ...

    def events(self) -> AbstractAsyncContextManager[AsyncIterator[HubEvent]]:
        """Events from now on. A slow listener misses live values (the newest is kept), never a Captured.

        One that falls too far behind gets ListenerBehind, after every Captured up to the first that it misses.
        """
        ...

    async def take(self, device: str) -> Captured:
        """Write the live reading to the journal; returns when it is durable. Raises TakeRefused or JournalFault.

        Refused unless the link is up, the value is fresh, stable, and a number in range; and when a device that sends each
        weighing once has sent nothing since the last take.
        """
        ...
