"""Takes one frame: opens it, finds its place in its run under a lock, stores it, and answers after the commit.

Several workers may do this at once. The lock on the run's row orders them, the primary key (run, seq) is the net below.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import Box, BoxStatus
from cloud.boxes.registry import keys_of, saw
from cloud.db.engine import Sessions, is_sqlite
from cloud.db.settings_table import generation
from cloud.ingest.models import JournalEntry, QuarantinedFrame, RunState, StoredBatch
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event, record_refusal
from sync_protocol import signing
from sync_protocol.answers import Ack, Answer, Need, Refusal, Refused
from sync_protocol.entries import Entry, RunEntry, UnknownEntry, parse
from sync_protocol.errors import FrameFault, SignatureFault, TextFault, UnknownKey
from sync_protocol.frame import Batch, Verify, body_of, unseal
from sync_protocol.ids import RunId
from sync_protocol.inbox import Fork, Gap, Have, Position, Take, judge

MAX_QUARANTINED = 64
"""Frames kept aside per box, 17 MiB at most: enough to see what happened, too few to fill a disk."""

RETRY_REVOKED_S = 3600.0
"""A revoked box that asks again every hour hears soon enough that it was let in again."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One frame on its way in: whose it is and when it came."""

    box: str
    frame: bytes
    now: datetime

    @property
    def taken(self) -> Taken:
        return Taken(Actor.box(self.box), self.now)


async def receive_frame(sessions: Sessions, *, box: str, frame: bytes, now: datetime) -> Answer:
    """Store what is new in the frame and answer. `box` is the id that the client's certificate proved.

    Nothing is answered before it is committed. Database errors pass through: the box then sends again.
    """
    call = _Call(box, frame, now)
    async with sessions.read() as session:
        row = await session.get(Box, box)
        keys = await keys_of(session, box)
    if row is None or row.status == BoxStatus.REVOKED:
        return await _refuse(sessions, call, "revoked", "box_revoked", retry_s=RETRY_REVOKED_S)
    opened = _open(call, keys)
    if not isinstance(opened, Batch):
        return await _refuse(sessions, call, opened.err, opened.event, found=opened.found)
    async with sessions.write() as session:
        return await _file(session, call, opened)


@dataclass(frozen=True, slots=True)
class _Unopened:
    err: Refusal
    event: str
    found: str


def _open(call: _Call, keys: Mapping[bytes, bytes]) -> Batch | _Unopened:
    def find_key(key_id: bytes) -> Verify | None:
        return signing.verifier(keys[key_id]) if key_id in keys else None

    try:
        batch = unseal(call.frame, find_key)
    except UnknownKey as exc:
        return _Unopened("sig", "unknown_key", exc.key_id.hex())
    except SignatureFault as exc:
        return _Unopened("sig", "bad_signature", str(exc))
    except FrameFault as exc:
        return _Unopened("schema", "broken_frame", str(exc))
    if batch.box != call.box:
        return _Unopened("sig", "foreign_box", batch.box)
    return batch


async def _refuse(
    sessions: Sessions, call: _Call, err: Refusal, event: str, *, found: str | None = None, retry_s: float | None = None
) -> Refused:
    async with sessions.write() as session:
        await record_refusal(session, call.taken, action=event, kind="box", ref=call.box, found=found)
    return Refused(err=err, retry_s=retry_s, detail=event)


async def _file(session: AsyncSession, call: _Call, batch: Batch) -> Answer:
    box = await session.get_one(Box, call.box)
    if box.status == BoxStatus.REVOKED:
        return Refused(err="revoked", retry_s=RETRY_REVOKED_S, detail="box_revoked")
    saw(box, call.now)
    if box.status == BoxStatus.SUSPENDED:
        return await _set_aside(session, call, batch, "quarantine", "suspended")
    state = await _lock(session, call, batch)
    if state.box_id != call.box:
        return await _set_aside(session, call, batch, "fork", "foreign_run")
    position = Position(state.acked, state.hash)
    known = await _hash_below(session, position, batch)
    verdict = judge(position, batch, lambda _seq: known)
    gen = await generation(session)
    match verdict:
        case Fork(seq):
            return await _set_aside(session, call, batch, "fork", "fork", found=f"{batch.run}:{seq}")
        case Gap():
            if position.acked == 0:
                # Nothing of this run is here, so no row for it either: a box cannot make rows without sending entries.
                await session.delete(state)
            return Need(run=batch.run, need=position.acked, hash=position.hash.hex(), gen=gen)
        case Have():
            await record_refusal(session, call.taken, action="batch_again", kind="run", ref=batch.run, found=str(batch.first))
        case Take(skip, position):
            await _store(session, call, batch, skip)
            await _advance(session, call, batch, position)
    return Ack(run=batch.run, acked=position.acked, hash=position.hash.hex(), gen=gen, srv_time=call.now.isoformat())


async def _lock(session: AsyncSession, call: _Call, batch: Batch) -> RunState:
    start = Position.start(batch.run)
    values = {
        "run": batch.run,
        "box_id": call.box,
        "acked": start.acked,
        "hash": start.hash,
        "box_gen": 0,
        "opened_at": call.now,
        "updated_at": call.now,
    }
    upsert = sqlite.insert(RunState) if is_sqlite(session) else postgresql.insert(RunState)
    await session.execute(upsert.values(values).on_conflict_do_nothing(index_elements=["run"]))
    return (await session.scalars(select(RunState).where(RunState.run == batch.run).with_for_update())).one()


async def _hash_below(session: AsyncSession, position: Position, batch: Batch) -> bytes | None:
    if batch.first >= position.acked:
        return None
    seq = min(batch.end, position.acked) - 1
    return await session.scalar(select(JournalEntry.hash).where(JournalEntry.run == batch.run, JournalEntry.seq == seq))


async def _store(session: AsyncSession, call: _Call, batch: Batch, skip: int) -> None:
    rows = [
        {
            "run": batch.run,
            "seq": batch.first + index,
            "box_id": call.box,
            "content": batch.entries[index],
            "hash": batch.hashes[index],
            "kind": _kind(batch.entries[index]),
            "received_at": call.now,
        }
        for index in range(skip, len(batch.entries))
    ]
    await session.execute(insert(JournalEntry), rows)
    session.add(
        StoredBatch(
            run=batch.run,
            first=batch.first,
            until=batch.end,
            header_line=batch.header_line,
            signature=batch.signature,
            key_id=batch.key_id,
            received_at=call.now,
        )
    )


async def _advance(session: AsyncSession, call: _Call, batch: Batch, position: Position) -> None:
    values = {"acked": position.acked, "hash": position.hash, "box_gen": batch.header.gen, "updated_at": call.now}
    if batch.first == 0:
        parent = _parent(batch)
        if parent is not None:
            values |= {"parent_run": parent[0], "parent_seq": parent[1]}
            await _note_sibling(session, call, batch.run, parent)
    await session.execute(update(RunState).where(RunState.run == batch.run).values(values))


async def _note_sibling(session: AsyncSession, call: _Call, run: RunId, parent: tuple[str, int]) -> None:
    """Two runs that continue the same one: a restored or copied disk."""
    other = await session.scalar(
        select(RunState.run).where(RunState.parent_run == parent[0], RunState.box_id == call.box, RunState.run != run).limit(1)
    )
    if other is not None:
        changes = {"sibling": other, "parent": parent[0]}
        await append_event(session, call.taken, action="sibling_run", kind="run", ref=run, changes=changes)


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


def _kind(content: bytes) -> str:
    entry = _read(content)
    if entry is None:
        return "unreadable"
    return "unknown" if isinstance(entry, UnknownEntry) else entry.t


def _read(content: bytes) -> Entry | None:
    try:
        return parse(content)
    except TextFault:
        return None


def _parent(batch: Batch) -> tuple[str, int] | None:
    entry = _read(batch.entries[0])
    if not isinstance(entry, RunEntry) or entry.parent is None or not 0 <= entry.parent.seq < 1 << 63:
        return None
    return entry.parent.run[:64].replace("\x00", ""), entry.parent.seq
