"""Making frames of the journal: one read, one signature, packed where the cloud reads that; off the loop when it is heavy."""

import asyncio
from dataclasses import dataclass

from edge.journal.reader import Stretch
from edge.journal.service import Journal
from sync_protocol import packing
from sync_protocol.frame import Sign, seal
from sync_protocol.ids import BoxId, RunId
from sync_protocol.outbox import Send

INLINE_BYTES = 16 * 1024
"""Entries up to this size are sealed in the loop: a few tens of microseconds, less than handing them to a thread costs."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the box is to the cloud."""

    box: BoxId
    key_id: bytes
    sign: Sign


@dataclass(frozen=True, slots=True)
class Terms:
    """What a frame depends on beside its entries: the cloud's generation as last heard, and whether the cloud unpacks."""

    gen: int
    packed: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frame that is ready to go."""

    send: Send
    terms: Terms
    data: bytes
    stretch: Stretch

    @property
    def count(self) -> int:
        return len(self.stretch.entries)

    @property
    def following(self) -> Send:
        """What comes next in the run when all of this was taken."""
        return Send(self.send.run, self.send.first + self.count)

    def hash_at(self, seq: int) -> bytes | None:
        """Our hash at an entry of this frame, or at the one before it; None elsewhere."""
        place = seq - self.send.first
        if place == -1:
            return self.stretch.before
        return self.stretch.hashes[place] if 0 <= place < self.count else None


async def prepare(journal: Journal, who: Credentials, send: Send, terms: Terms, limit: int) -> Prepared | None:
    """The frame of up to `limit` entries for `send`; None when the journal has let go of what it would begin with."""
    stretch = await journal.reader.stretch(send.run, send.first, limit)
    if stretch is None:
        return None
    if sum(map(len, stretch.entries)) <= INLINE_BYTES:
        data = _sealed(who, send.run, stretch, terms)
    else:
        data = await asyncio.to_thread(_sealed, who, send.run, stretch, terms)
    return Prepared(send, terms, data, stretch)


def _sealed(who: Credentials, run: RunId, stretch: Stretch, terms: Terms) -> bytes:
    frame = seal(
        box=who.box,
        run=run,
        first=stretch.first,
        prev=stretch.before,
        last=stretch.hashes[-1],
        entries=stretch.entries,
        gen=terms.gen,
        key_id=who.key_id,
        sign=who.sign,
    )
    return packing.pack(frame) if terms.packed else frame
