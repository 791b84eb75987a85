"""What can be wrong with something the other side sent, or with a value that someone wrote.

SyncError
├── TextFault            an id, quantity or entry cannot be read
├── FrameFault           the bytes are not a frame: cut, too long, miscounted, broken chain
├── SignatureFault       the frame is well formed and its signature does not match
├── UnknownKey           the frame names a key that nobody registered
├── PatchFault           a mirror patch does not fit what it is applied to
├── ExportFault          an exported journal is cut, changed, or not what its contents say
└── BundleFault          a bundle is cut, changed, or not what its manifest says
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


class ExportFault(SyncError):
    """An exported journal does not hold; `run` and `seq` are the first bad entry where one can be named."""

    def __init__(self, reason: str, run: str | None = None, seq: int | None = None) -> None:
        super().__init__(reason if run is None else f"{run}:{seq}: {reason}")
        self.reason = reason
        self.run = run
        self.seq = seq


class BundleFault(SyncError):
    """A receipt's bundle does not hold; `member` is the first bad part where one can be named."""

    def __init__(self, reason: str, member: str | None = None) -> None:
        super().__init__(reason if member is None else f"{member} {reason}")
        self.reason = reason
        self.member = member
