"""The cloud's half of the conversation as pure functions: what a batch means at the position the cloud has for its run.

The caller holds a lock on the position from reading it until its commit; the answer leaves only after the commit.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sync_protocol import chain
from sync_protocol.frame import Batch
from sync_protocol.ids import RunId

StoredHash = Callable[[int], bytes | None]
"""The chain hash stored at an entry of this run."""


@dataclass(frozen=True, slots=True)
class Position:
    """The cloud holds entries 0..acked-1 of a run, and the chain ends at `hash`."""

    acked: int
    hash: bytes

    @classmethod
    def start(cls, run: RunId) -> "Position":
        return cls(0, chain.seed(run))


@dataclass(frozen=True, slots=True)
class Take:
    """Store the batch's entries from index `skip` on and move to `position`."""

    skip: int
    position: Position


@dataclass(frozen=True, slots=True)
class Have:
    """All of it is here already, with the same content."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries before the batch are missing; ask for them."""


@dataclass(frozen=True, slots=True)
class Fork:
    """The run has other content here at entry `seq`: keep the frame aside, store nothing of it."""

    seq: int


Verdict = Take | Have | Gap | Fork


def judge(position: Position, batch: Batch, stored_hash: StoredHash) -> Verdict:
    """What to do with a batch whose signature and chain were checked."""
    if batch.first > position.acked:
        return Gap()
    if batch.first < position.acked:
        return _overlapping(position, batch, stored_hash)
    if batch.prev != position.hash:
        return Fork(batch.first)
    return Take(0, Position(batch.end, batch.hashes[-1]))


def _overlapping(position: Position, batch: Batch, stored_hash: StoredHash) -> Verdict:
    known = min(batch.end, position.acked) - batch.first
    theirs = batch.hashes[known - 1]
    ours = position.hash if batch.first + known == position.acked else stored_hash(batch.first + known - 1)
    if ours != theirs:
        return Fork(batch.first + known - 1)
    if batch.end <= position.acked:
        return Have()
    return Take(known, Position(batch.end, batch.hashes[-1]))
