"""What can go wrong with keys, certificates and the files that hold them.

ProvisioningError
├── AlreadyThere         ours: the file exists and may not be written over (an authority, a key)
├── NotThere             ours: a file that was asked for does not exist
├── FileFault            the disk's or a person's: unreadable, too widely readable, not what its name says
├── Busy                 another process is changing the same directory
├── RequestFault         the asker's: a request, name or id that the authority refuses
└── TrustFault           the certificate is for someone else, from someone else, or out of date
"""

from pathlib import Path


class ProvisioningError(Exception):
    """Root of everything this package raises."""


class AlreadyThere(ProvisioningError):
    """`path` exists, and writing over it would lose a key or cut off everyone who trusts it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is already there and is never written over")
        self.path = path


class NotThere(ProvisioningError):
    """`path` was asked for and does not exist."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} does not exist")
        self.path = path


class FileFault(ProvisioningError):
    """`path` cannot be used; the message says why, and what a person can do."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class Busy(ProvisioningError):
    """Another process holds the directory; try again when it has ended."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is being changed by another process")
        self.path = path


class RequestFault(ProvisioningError):
    """The authority refuses what it was asked to certify; nothing was issued."""


class TrustFault(ProvisioningError):
    """A certificate that must not be used or replaced here."""
