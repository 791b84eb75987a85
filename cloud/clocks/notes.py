"""Notes where anchors and boots are, as entries come in."""

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.received import Received
from cloud.clocks.models import AnchorRow, RunClock
from cloud.db.types import BIGGEST
from sync_protocol.besttime import Anchor, parse_time
from sync_protocol.entries import AnchorEntry, Entry, RunEntry
from sync_protocol.errors import TextFault

MAX_BOOT_ID = 64
"""A kernel's boot id has 36 characters; the number of a sleep comes behind it."""


def anchor_of(entry: Entry | None) -> Anchor | None:
    """The cloud's time in an entry; None for other entries, and for one that no honest box writes."""
    if not isinstance(entry, AnchorEntry) or entry.srv_time is None or entry.rtt_ns is None:
        return None
    try:
        srv_ns = parse_time(entry.srv_time)
    except TextFault:
        return None
    possible = 0 <= entry.rtt_ns <= entry.mono_ns and abs(srv_ns) <= BIGGEST and storable(entry)
    return Anchor(entry.boot_id, entry.mono_ns, srv_ns, entry.rtt_ns) if possible else None


def storable(entry: Entry) -> bool:
    """Whether the entry's boot and clock fit a table: an honest box's always do."""
    return 0 <= entry.mono_ns <= BIGGEST and len(entry.boot_id) <= MAX_BOOT_ID and "\x00" not in entry.boot_id


async def note_anchor(session: AsyncSession, received: Received) -> None:
    """Remember where an anchor is; doing so again changes nothing."""
    anchor = anchor_of(received.entry)
    if anchor is None or await session.get(AnchorRow, (received.run, received.seq)) is not None:
        return
    session.add(
        AnchorRow(
            run=received.run,
            seq=received.seq,
            box_id=received.box,
            boot_id=anchor.boot_id,
            mono_ns=anchor.mono_ns,
            srv_ns=anchor.srv_ns,
            rtt_ns=anchor.rtt_ns,
        )
    )
    await session.flush()


async def note_boot(session: AsyncSession, received: Received) -> None:
    """Remember which boot a run began in."""
    entry = received.entry
    if not isinstance(entry, RunEntry) or received.seq != 0 or await session.get(RunClock, received.run) is not None:
        return
    if storable(entry):
        session.add(RunClock(run=received.run, box_id=received.box, boot_id=entry.boot_id, mono_ns=entry.mono_ns))
        await session.flush()
