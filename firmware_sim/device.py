"""What every simulated device is, to the wire that carries it and to whoever stands before it."""

from collections.abc import Mapping
from typing import Protocol

from firmware_sim.actions import Action


class Device(Protocol):
    """A state machine without I/O and without a clock. Any bytes in any split are legal input; nothing is raised for them."""

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Take bytes from the host and give what the device answers at once."""
        ...

    def tick(self, now_ns: int) -> bytes:
        """Give what the device says by itself up to now."""
        ...

    def due_ns(self, now_ns: int) -> int | None:
        """When `tick` is wanted next; None while the device has nothing in hand."""
        ...


class Simulated(Device, Protocol):
    """A device that can be handled."""

    def act(self, action: Action, now_ns: int) -> bytes:
        """Do what an operator does, and give what the device says because of it. Raises ActionRefused."""
        ...

    def state(self, now_ns: int) -> Mapping[str, object]:
        """How it is, for people and tests; JSON values."""
        ...
