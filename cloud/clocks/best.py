"""When entries truly happened, computed from journal entries: stored ones, or only from those that are proved."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import EPOCH
from cloud.clocks.find import AT_ONCE, Beside, Clues, clues_for, contents
from cloud.clocks.notes import anchor_of
from cloud.ingest.models import JournalEntry
from sync_protocol.besttime import Interval, Pin, TBest, best_time, since, until
from sync_protocol.entries import Entry
from sync_protocol.ids import EntryId, RunId

Read = Callable[[EntryId], Entry | None]
"""An entry that may be relied on, None where there is none."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """What tells the times of some entries of one box."""

    clues: Mapping[EntryId, Clues]

    @classmethod
    async def load(cls, session: AsyncSession, box: str, entries: Mapping[EntryId, Entry]) -> "Clocks":
        """Look for what tells their times. `entries` are what is stored at those places, whatever it proves."""
        return cls(await clues_for(session, box, entries))

    @property
    def rests_on(self) -> set[EntryId]:
        """The entries that must be read, or proved, to compute the times."""
        return {at for clues in self.clues.values() for at in clues.entries}

    def unread(self, at: EntryId, read: Read) -> list[EntryId]:
        """Of the entries that tell the time of this one those that cannot be relied on."""
        return sorted(one for one in self.clues[at].entries if read(one) is None)

    def time(self, at: EntryId, read: Read, received_at: datetime) -> TBest:
        """The time of one of the entries, by nothing but what `read` gives and that it came before it was received."""
        entry = read(at)
        received = Interval(hi_ns=ns_of(received_at))
        if entry is None:
            return TBest(received, "order")
        clues = self.clues[at]
        pins = pins_of(clues.marks, entry.boot_id, read)
        if pins:
            return best_time(pins, entry.mono_ns)
        order = [
            *(_pin(beside, entry, read, since) for beside in clues.before),
            *(_pin(beside, entry, read, until) for beside in clues.behind if (said := read(beside.at)) and not said.was),
            Pin(entry.mono_ns, received),
        ]
        return best_time(order, entry.mono_ns, basis="order")


def pins_of(marks: Iterable[EntryId], boot_id: str, read: Read) -> list[Pin]:
    """What the anchors at these places say, those that are of this boot."""
    anchors = (anchor_of(read(at)) for at in marks)
    return [anchor.pin for anchor in anchors if anchor is not None and anchor.boot_id == boot_id]


def _pin(beside: Beside, entry: Entry, read: Read, carry: Callable[[int, Interval], Pin]) -> Pin:
    """What an entry before or behind says, carried over to the entry of this boot that is nearest to it."""
    there = read(beside.at)
    if there is None:
        return Pin(entry.mono_ns, Interval())
    near = read(beside.near)
    mono_ns = near.mono_ns if near is not None and near.boot_id == entry.boot_id else entry.mono_ns
    return carry(mono_ns, best_time(pins_of(beside.marks, there.boot_id, read), there.mono_ns).at)


async def times_of(session: AsyncSession, wanted: Iterable[EntryId]) -> dict[EntryId, TBest]:
    """The times of entries by what is stored, unproved; entries that are not here or cannot be read are left out."""
    places = list(dict.fromkeys(wanted))
    stored = await contents(session, places)
    boxes: dict[str, list[EntryId]] = {}
    received: dict[EntryId, datetime] = {}
    for start in range(0, len(places), AT_ONCE):
        keys = [(at.run, at.seq) for at in places[start : start + AT_ONCE] if at in stored]
        rows = await session.execute(
            select(JournalEntry.run, JournalEntry.seq, JournalEntry.box_id, JournalEntry.received_at).where(
                tuple_(JournalEntry.run, JournalEntry.seq).in_(keys)
            )
        )
        for run, seq, box, received_at in rows:
            at = EntryId(RunId(run), seq)
            boxes.setdefault(box, []).append(at)
            received[at] = received_at
    times: dict[EntryId, TBest] = {}
    for box, own in boxes.items():
        clocks = await Clocks.load(session, box, {at: stored[at] for at in own})
        told = stored | await contents(session, [at for at in clocks.rests_on if at not in stored])
        times |= {at: clocks.time(at, told.get, received[at]) for at in own}
    return times


def ns_of(at: datetime) -> int:
    """A time as nanoseconds since 1970."""
    passed = at - EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000_000 + passed.microseconds * 1_000
