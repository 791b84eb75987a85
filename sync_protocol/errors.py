"""What can be wrong with something the other side sent, or with a value that someone wrote.

SyncError
├── TextFault            an id, quantity or entry cannot be read
├── FrameFault           the bytes are not a frame: cut, too long, miscounted, broken chain
├── SignatureFault       the frame is well formed and its signature does not match
├── UnknownKey           the frame names a key that nobody registered
└── PatchFault           a mirror patch does not fit what it is applied to
"""


class SyncError(Exception):
    """Root of everything this package raises."""


class TextFault(SyncError, ValueError):
    """A value's text does not have the form that its type demands."""


class FrameFault(SyncError):
    """The sender broke the frame format; nothing of the frame may be used."""


class SignatureFault(SyncError):
    """The signature does not cover these bytes; nothing of the frame may be used."""


class UnknownKey(SyncError):
    """The frame's key id is not known to the receiver."""

    def __init__(self, key_id: bytes) -> None:
        super().__init__(f"no box is registered with key {key_id.hex()}")
        self.key_id = key_id


class PatchFault(SyncError):
    """The patch was made for another state of the mirror; ask for a full one."""
