"""The hash chain over the entries of one run: h[n] = SHA-256(h[n-1] || uint64be(n) || bytes[n])."""

import hashlib
from collections.abc import Iterable

from sync_protocol.ids import RunId

HASH_BYTES = 32

_SEED = b"BOX1-RUN"


def seed(run: RunId) -> bytes:
    """h[-1] of a run, so that no two runs share a chain."""
    return hashlib.sha256(_SEED + bytes.fromhex(run)).digest()


def link(previous: bytes, seq: int, entry: bytes) -> bytes:
    """The hash at `seq` from the hash before it and the entry's bytes."""
    return hashlib.sha256(previous + seq.to_bytes(8, "big") + entry).digest()


def links(previous: bytes, first: int, entries: Iterable[bytes]) -> list[bytes]:
    """The hashes at `first`, `first + 1`... for consecutive entries."""
    hashes = []
    for seq, entry in enumerate(entries, first):
        previous = link(previous, seq, entry)
        hashes.append(previous)
    return hashes
