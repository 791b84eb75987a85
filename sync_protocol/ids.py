"""Ids: UUIDv7 for what is created once, run ids, and the id of one journal entry."""

import re
import uuid
from dataclasses import dataclass
from typing import NewType, Self

from sync_protocol.errors import TextFault

RunId = NewType("RunId", str)
"""32 lower-case hex digits: 16 random bytes drawn at one start of the journal's writer."""

BoxId = NewType("BoxId", str)
"""What the cloud calls a box: the common name of its certificate, 26 characters of Crockford base32."""

_RUN = re.compile(r"[0-9a-f]{32}")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BOX = re.compile(f"[0-7][{_CROCKFORD}]{{25}}")


def run_id(text: str) -> RunId:
    """Check the form of a run id."""
    if not _RUN.fullmatch(text):
        raise TextFault(f"a run id is 32 lower-case hex digits, not {text[:40]!r}")
    return RunId(text)


def box_id(text: str) -> BoxId:
    """Check the form of a box id (a ULID)."""
    if not _BOX.fullmatch(text):
        raise TextFault(f"a box id is a ULID of 26 characters, not {text[:40]!r}")
    return BoxId(text)


def new_box_id(now_ms: int, entropy: bytes) -> BoxId:
    """A ULID from milliseconds since 1970 and 10 random bytes."""
    number = (_milliseconds(now_ms) << 80) | _entropy(entropy)
    return BoxId("".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5)))


def uuid7(now_ms: int, entropy: bytes) -> uuid.UUID:
    """A UUIDv7 (RFC 9562, 5.7) from milliseconds since 1970 and 10 random bytes; sorts by time."""
    number = (_milliseconds(now_ms) << 80) | _entropy(entropy)
    number = number & ~(0xF << 76) | (0x7 << 76)
    return uuid.UUID(int=number & ~(0x3 << 62) | (0x2 << 62))


def _milliseconds(now_ms: int) -> int:
    if not 0 <= now_ms < 1 << 48:
        raise TextFault(f"{now_ms} ms does not fit the 48 bits of a time-ordered id")
    return now_ms


def _entropy(entropy: bytes) -> int:
    if len(entropy) != 10:
        raise TextFault(f"a time-ordered id takes 10 random bytes, not {len(entropy)}")
    return int.from_bytes(entropy, "big")


@dataclass(frozen=True, slots=True, order=True)
class EntryId:
    """The business key of one journal entry: `run:seq`. A reading's id is the id of its entry."""

    run: RunId
    seq: int

    @classmethod
    def parse(cls, text: str) -> Self:
        run, colon, seq = text.partition(":")
        if not colon or not seq.isascii() or not seq.isdigit() or (len(seq) > 1 and seq[0] == "0") or len(seq) > 19:
            raise TextFault(f"an entry id is run:seq, not {text[:60]!r}")
        return cls(run_id(run), int(seq))

    def __str__(self) -> str:
        return f"{self.run}:{self.seq}"
