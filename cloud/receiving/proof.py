"""What proves a journal entry: the signed batch that brought it, and the chain of batches back to the first entry of its run.

Nothing here trusts a stored verdict; all is computed again from the bytes, the signatures and the public keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import BoxKey
from cloud.ingest.models import JournalEntry, StoredBatch
from sync_protocol import chain, signing
from sync_protocol.errors import FrameFault, SignatureFault, SyncError, UnknownKey
from sync_protocol.frame import Header, Verify, body_of, unseal
from sync_protocol.ids import EntryId, RunId

Verdict = Literal["good", "bad", "missing"]


@dataclass(frozen=True, slots=True)
class EntryProof:
    """The entry as stored and how far it is proved. `detail` says what is wrong."""

    entry: JournalEntry | None
    signature: Verdict
    chain: Verdict
    detail: str | None = None

    @property
    def good(self) -> bool:
        return self.signature == "good" and self.chain == "good"


@dataclass(slots=True)
class Prover:
    """Proves entries of one box within one session; every batch and chain is computed once."""

    session: AsyncSession
    box: str
    _batches: dict[int, tuple[Verdict, Verdict, str | None]] = field(default_factory=dict)
    _chains: dict[RunId, list[tuple[int, str | None]]] = field(default_factory=dict)
    _keys: dict[bytes, Verify] | None = None

    async def prove(self, at: EntryId) -> EntryProof:
        """The proof of one entry."""
        entry = await self.session.get(JournalEntry, (at.run, at.seq)) if at.seq < 1 << 63 else None
        if entry is None:
            return EntryProof(None, "missing", "missing", "no_such_entry")
        if entry.box_id != self.box:
            return EntryProof(entry, "bad", "bad", "entry_of_another_box")
        batch = await self.session.scalar(
            select(StoredBatch)
            .where(StoredBatch.run == at.run, StoredBatch.until > at.seq)
            .order_by(StoredBatch.until)
            .limit(1)
        )
        if batch is None or batch.first > at.seq:
            return EntryProof(entry, "missing", "missing", "no_batch")
        if batch.id not in self._batches:
            self._batches[batch.id] = await self._check(batch)
        signature, linked, detail = self._batches[batch.id]
        broken = await self._broken_before(RunId(at.run), batch.until)
        if linked == "good" and broken is not None:
            linked, detail = "bad", broken
        return EntryProof(entry, signature, linked, detail)

    async def _check(self, batch: StoredBatch) -> tuple[Verdict, Verdict, str | None]:
        rows = await self._entries(batch)
        if self._keys is None:
            keys = await self.session.scalars(select(BoxKey).where(BoxKey.box_id == self.box))
            self._keys = {key.key_id: signing.verifier(key.spki) for key in keys}
        body = body_of(batch.header_line, [row.content for row in rows])
        frame = len(batch.signature).to_bytes(2, "big") + batch.signature + batch.key_id + body
        try:
            opened = unseal(frame, self._keys.get)
        except (SignatureFault, UnknownKey) as exc:
            return "bad", "bad", str(exc)
        except FrameFault as exc:
            # The signature is checked first: what is wrong behind it was signed so, or the frame's parts do not even split.
            return "bad", "bad", str(exc)
        if (opened.box, opened.run, opened.first, opened.end) != (self.box, batch.run, batch.first, batch.until):
            return "good", "bad", "batch_of_other_entries"
        if [row.hash for row in rows] != list(opened.hashes):
            return "good", "bad", "stored_hash_differs"
        return "good", "good", None

    async def _entries(self, batch: StoredBatch) -> Sequence[JournalEntry]:
        rows = await self.session.scalars(
            select(JournalEntry)
            .where(JournalEntry.run == batch.run, JournalEntry.seq >= batch.first, JournalEntry.seq < batch.until)
            .order_by(JournalEntry.seq)
        )
        return rows.all()

    async def _broken_before(self, run: RunId, until: int) -> str | None:
        if run not in self._chains:
            self._chains[run] = await self._walk(run)
        return next((fault for end, fault in self._chains[run] if end <= until and fault is not None), None)

    async def _walk(self, run: RunId) -> list[tuple[int, str | None]]:
        """From entry 0 on, batch by batch: whether each one starts at the hash where the one before it ended."""
        found: list[tuple[int, str | None]] = []
        ended_at, ended = 0, chain.seed(run)
        query = select(StoredBatch.first, StoredBatch.until, StoredBatch.header_line).where(StoredBatch.run == run)
        for first, until, line in await self.session.execute(query.order_by(StoredBatch.until)):
            before = ended if first == ended_at else await self._hash_before(run, first, ended_at)
            header = _header(line)
            if header is None or (header.box, header.run, header.first, header.n) != (self.box, run, first, until - first):
                found.append((until, "batch_header_differs"))
            elif before is None or bytes.fromhex(header.prev) != before:
                found.append((until, "batch_does_not_continue"))
            else:
                found.append((until, None))
            ended_at, ended = until, bytes.fromhex(header.last) if header else b""
        return found

    async def _hash_before(self, run: RunId, first: int, ended_at: int) -> bytes | None:
        if first > ended_at:
            return None
        if first == 0:
            return chain.seed(run)
        row = await self.session.get(JournalEntry, (run, first - 1))
        return row.hash if row is not None else None


def _header(line: bytes) -> Header | None:
    try:
        return Header.model_validate_json(line)
    except (ValidationError, SyncError):
        return None
