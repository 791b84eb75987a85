"""Takes one frame: opens it, finds its place in its run under a lock, stores it, and answers after the commit.

Several workers may do this at once. The lock on the run's row orders them, the primary key (run, seq) is the net below.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import Box, BoxStatus
from cloud.boxes.registry import keys_of
from cloud.db.engine import Sessions
from cloud.errors import BoxFault
from cloud.ingest import branches, place
from cloud.ingest.bulk import Rows, insert_entries
from cloud.ingest.looking import JOURNAL_LOST, READING, Look, look
from cloud.ingest.losses import note_lost_journal
from cloud.ingest.models import BATCH, QuarantinedFrame, Reissued
from cloud.ingest.opening import Keys, Unopened, open_frame, unpacked
from cloud.ingest.place import Place
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import record_refusal
from sync_protocol.answers import Ack, Answer, Need, Refusal, Refused
from sync_protocol.entries import NoteEntry, RunEntry
from sync_protocol.frame import Batch, body_of
from sync_protocol.ids import EntryId
from sync_protocol.inbox import Fork, Gap, Have, Position, Take, judge
from sync_protocol.packing import ZSTD

MAX_QUARANTINED = 64
"""Frames kept aside per box, 17 MiB at most: enough to see what happened, too few to fill a disk."""

RETRY_REVOKED_S = 3600.0
"""A revoked box that asks again every hour hears soon enough that it was let in again."""

CODINGS = (ZSTD,)

_ADD_BATCH = insert(BATCH)


@dataclass(frozen=True, slots=True)
class _Call:
    """One frame on its way in: whose it is, the key of the certificate it came with (None where that was checked), and when."""

    box: str
    spki: bytes | None
    frame: bytes
    now: datetime
    keys: Keys

    @property
    def taken(self) -> Taken:
        return Taken(Actor.box(self.box), self.now)

    def check(self, spki: bytes | None) -> None:
        """Compare with the key that the box has now, None for no such box. Raises BoxFault."""
        if self.spki is not None and self.spki != spki:
            raise BoxFault("unknown_box" if spki is None else "wrong_key", self.box)


@dataclass(frozen=True, slots=True)
class Arriving:
    """A frame as it comes over any binding. `box` is the id that the client's certificate or the broker proved; `spki` the
    certificate's key, to be compared with the box's own, or None where nothing shows it."""

    box: str
    frame: bytes
    packed: bool = False
    spki: bytes | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a frame, and how many entries the frame held; 0 where it was not opened. `more`: not readings alone."""

    answer: Answer
    entries: int
    more: bool = False


async def receive_frame(sessions: Sessions, *, box: str, frame: bytes, now: datetime, keys: Keys | None = None) -> Answer:
    """As `receive`, for a frame that is not packed, of a box whose certificate was checked."""
    return (await receive(sessions, Arriving(box, frame), now=now, keys=keys or Keys())).answer


async def receive(sessions: Sessions, arriving: Arriving, *, now: datetime, keys: Keys) -> Outcome:
    """Store what is new in the frame and answer.

    Nothing is answered before it is committed. Database errors pass through: the box then sends again. Raises BoxFault for a
    certificate that is not the box's.
    """
    box = arriving.box
    frame = unpacked(arriving.frame) if arriving.packed else arriving.frame
    call = _Call(box, arriving.spki, frame if isinstance(frame, bytes) else arriving.frame, now, keys)
    if isinstance(frame, Unopened):
        return Outcome(await _refuse(sessions, call, frame), 0)
    opened = open_frame(keys, box, frame)
    if isinstance(opened, Unopened):
        async with sessions.read() as session:
            keys.keep(box, await keys_of(session, box))
        opened = open_frame(keys, box, frame)
    if isinstance(opened, Unopened):
        return Outcome(await _refuse(sessions, call, opened), 0)
    looks = [look(content) for content in opened.entries]
    async with sessions.write(first=True) as session:
        answer = await _file(session, call, opened, looks)
    # Only now, behind the commit.
    return Outcome(answer, opened.header.n, any(each is not READING for each in looks))


async def _refuse(sessions: Sessions, call: _Call, why: Unopened) -> Refused:
    async with sessions.write() as session:
        box = await session.get(Box, call.box)
        call.check(box.spki if box else None)
        if box is None or box.status == BoxStatus.REVOKED:
            return await _revoked(session, call)
        await record_refusal(session, call.taken, action=why.event, kind="box", ref=call.box, found=why.found)
    return Refused(err=why.err, detail=why.event)


async def _revoked(session: AsyncSession, call: _Call) -> Refused:
    await record_refusal(session, call.taken, action="box_revoked", kind="box", ref=call.box)
    return Refused(err="revoked", retry_s=RETRY_REVOKED_S, detail="box_revoked")


async def _file(session: AsyncSession, call: _Call, batch: Batch, looks: Sequence[Look]) -> Answer:
    found = await place.locked(session, run=batch.run, box=call.box, now=call.now)
    call.check(found.spki)
    if found.status == BoxStatus.REVOKED:
        return await _revoked(session, call)
    await place.note_call(session, found, call.box, call.now)
    if found.status == BoxStatus.SUSPENDED:
        return await _set_aside(session, call, batch, "quarantine", "suspended")
    if found.owner != call.box:
        return await _set_aside(session, call, batch, "fork", "foreign_run")
    known = await place.hash_below(session, found.position, batch)
    verdict = judge(found.position, batch, lambda _seq: known)
    match verdict:
        case Fork(seq):
            refused = await _set_aside(session, call, batch, "fork", "fork", found=f"{batch.run}:{seq}")
            return refused.model_copy(update={"gen": found.gen})
        case Gap():
            return await _gap(session, batch, found)
        case Have():
            await record_refusal(session, call.taken, action="batch_again", kind="run", ref=batch.run, found=str(batch.first))
            return _ack(call, batch, found.position, found)
        case Take(skip, position):
            found = await _store(session, call, batch, _Part(skip, position, looks[skip:], found))
            return _ack(call, batch, position, found)


async def _gap(session: AsyncSession, batch: Batch, found: Place) -> Need:
    position = found.position
    if position.acked == 0:
        await place.forget(session, batch.run)
    return Need(
        run=batch.run,
        need=position.acked,
        hash=position.hash.hex(),
        gen=found.gen,
        enc=CODINGS,
        hold=found.hold(position.acked),
    )


def _ack(call: _Call, batch: Batch, position: Position, found: Place) -> Ack:
    return Ack(
        run=batch.run,
        acked=position.acked,
        hash=position.hash.hex(),
        gen=found.gen,
        srv_time=call.now.isoformat(),
        enc=CODINGS,
        hold=found.hold(position.acked),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What is new in a batch: its entries from `skip` on, `looks` at those, where the run was and where it will be."""

    skip: int
    position: Position
    looks: Sequence[Look]
    found: Place


async def _store(session: AsyncSession, call: _Call, batch: Batch, part: _Part) -> Place:
    """Store the new part; the place again where that may have changed what is held."""
    first = batch.first + part.skip
    rows = Rows(
        run=batch.run,
        box=call.box,
        first=first,
        contents=batch.entries[part.skip :],
        hashes=batch.hashes[part.skip :],
        kinds=[each.kind for each in part.looks],
        received_at=call.now,
    )
    await insert_entries(session, rows)
    values = {
        "run": batch.run,
        "first": batch.first,
        "until": batch.end,
        "header_line": batch.header_line,
        "signature": batch.signature,
        "key_id": batch.key_id,
        "received_at": call.now,
    }
    await (await session.connection()).execute(_ADD_BATCH, values)
    again = [(seq, each.was) for seq, each in enumerate(part.looks, first) if each.was is not None]
    if again:
        await session.execute(
            insert(Reissued),
            [{"run": batch.run, "seq": seq, "was_run": was.run, "was_seq": was.seq, "box_id": call.box} for seq, was in again],
        )
    link = _link(part, first, [was for _, was in again])
    values = {"acked": part.position.acked, "hash": part.position.hash, "box_gen": batch.header.gen, "updated_at": call.now}
    await place.move(session, batch.run, values | link)
    for each in part.looks:
        if isinstance(each.entry, NoteEntry) and each.entry.name == JOURNAL_LOST:
            await note_lost_journal(session, call.taken, batch.run, each.entry)
    beyond = part.found.first_child is not None and part.position.acked - 1 > part.found.first_child
    if link or beyond or part.found.branched:
        await branches.after_take(session, call.taken, EntryId(batch.run, part.position.acked - 1))
        return await place.locked(session, run=batch.run, box=call.box, now=call.now)
    return part.found


def _link(part: _Part, first: int, again: Sequence[EntryId]) -> dict[str, str | int]:
    """Columns that say which run this one continues, where the new part tells."""
    link: dict[str, str | int] = {}
    parent, joins_at = part.found.parent, part.found.joins_at
    entry = part.looks[0].entry
    if first == 0 and isinstance(entry, RunEntry) and entry.parent is not None and 0 <= entry.parent.seq < 1 << 63:
        parent, joins_at = entry.parent.run[:64].replace("\x00", ""), entry.parent.seq
        link = {"parent_run": parent, "parent_seq": joins_at, "joins_at": joins_at}
    # What is said again went another way in the parent that is here: the two share only what came before.
    said = min((was.seq - 1 for was in again if was.run == parent), default=joins_at)
    if said is not None and joins_at is not None and said < joins_at:
        link["joins_at"] = said
    return link


async def _set_aside(
    session: AsyncSession, call: _Call, batch: Batch, err: Refusal, reason: str, *, found: str | None = None
) -> Refused:
    # Of the body: the same entries signed again are the same frame to a person.
    digest = hashlib.sha256(body_of(batch.header_line, batch.entries)).hexdigest()
    kept = await session.scalar(select(func.count()).where(QuarantinedFrame.box_id == call.box)) or 0
    again = await session.scalar(
        select(QuarantinedFrame.id).where(QuarantinedFrame.box_id == call.box, QuarantinedFrame.digest == digest)
    )
    if again is None and kept < MAX_QUARANTINED:
        session.add(
            QuarantinedFrame(box_id=call.box, run=batch.run, digest=digest, frame=call.frame, reason=reason, at=call.now)
        )
    await record_refusal(session, call.taken, action=f"frame_{reason}", kind="run", ref=batch.run, found=found)
    return Refused(err=err, detail=reason)
