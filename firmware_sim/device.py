"""What every simulated device is, to the wire that carries it."""

from typing import Protocol


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
