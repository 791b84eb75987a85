"""What proves a journal entry: the signed batch that brought it, and the chain of batches back to the first entry of its run.

Nothing here trusts a stored verdict; all is computed again from the bytes, the signatures and the public keys.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import BoxKey
from cloud.db.types import BIGGEST
from cloud.ingest.models import JournalEntry, StoredBatch
from sync_protocol import chain, signing
from sync_protocol.errors import FrameFault, SignatureFault, SyncError, UnknownKey
from sync_protocol.frame import Header, Verify, body_of, unseal
from sync_protocol.ids import EntryId, RunId

Verdict = Literal["good", "bad", "missing"]

AT_ONCE = 500
"""Entries asked for in one statement; SQLite's builds take at least 999 variables."""


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


@dataclass(frozen=True, slots=True)
class _RunChain:
    """All batches of a run by their ends, and the end of the first one that does not continue the one before it."""

    batches: Sequence[StoredBatch]
    ends: Sequence[int]
    broken_at: int | None = None
    fault: str | None = None

    def covering(self, seq: int) -> StoredBatch | None:
        """The batch that brought an entry: of those that hold it the one that came first."""
        place = bisect_right(self.ends, seq)
        found = self.batches[place] if place < len(self.batches) else None
        return found if found is not None and found.first <= seq else None

    def fault_up_to(self, end: int) -> str | None:
        return self.fault if self.broken_at is not None and self.broken_at <= end else None


@dataclass(slots=True)
class Prover:
    """Proves entries of one box within one session: `load` reads all that is needed, `prove` computes; each batch once."""

    session: AsyncSession
    box: str
    _runs: dict[RunId, _RunChain] = field(default_factory=dict)
    _entries: dict[EntryId, JournalEntry] = field(default_factory=dict)
    _verdicts: dict[int, tuple[Verdict, Verdict, str | None]] = field(default_factory=dict)
    _keys: dict[bytes, Verify] = field(default_factory=dict)
    _spkis: dict[bytes, bytes] = field(default_factory=dict)

    async def load(self, wanted: Iterable[EntryId]) -> None:
        """Read these entries, everything that came in the same batches, and the chains of their runs; may be called again."""
        if not self._keys:
            keys = await self.session.scalars(select(BoxKey).where(BoxKey.box_id == self.box))
            self._spkis = {key.key_id: key.spki for key in keys}
            self._keys = {key_id: signing.verifier(spki) for key_id, spki in self._spkis.items()}
        seqs: dict[RunId, set[int]] = {}
        for at in wanted:
            if at.seq <= BIGGEST and at not in self._entries:
                seqs.setdefault(at.run, set()).add(at.seq)
        for run, asked in seqs.items():
            if run not in self._runs:
                self._runs[run] = await self._chain(run)
            batches = {batch.id: batch for seq in asked if (batch := self._runs[run].covering(seq)) is not None}
            needed = asked.union(*(range(batch.first, batch.until) for batch in batches.values()))
            for part in batched(sorted(needed), AT_ONCE):
                await self._read(run, part)

    def batch(self, at: EntryId) -> StoredBatch | None:
        """The batch that brought an entry that was loaded."""
        return self._runs[at.run].covering(at.seq) if at.run in self._runs else None

    def frame(self, batch: StoredBatch) -> bytes:
        """A batch as it was sent; its entries must have been loaded."""
        places = (EntryId(RunId(batch.run), seq) for seq in range(batch.first, batch.until))
        contents = [self._entries[place].content for place in places if place in self._entries]
        body = body_of(batch.header_line, contents)
        return len(batch.signature).to_bytes(2, "big") + batch.signature + batch.key_id + body

    def batches(self, run: RunId) -> Sequence[StoredBatch]:
        """All batches of a run of which something was loaded, in the order of their ends."""
        return self._runs[run].batches

    def key(self, key_id: bytes) -> bytes | None:
        """The public key (SubjectPublicKeyInfo, DER) that the box had under this id."""
        return self._spkis.get(key_id)

    def stored(self, at: EntryId) -> JournalEntry | None:
        """One of the entries that were loaded, whatever it proves."""
        return self._entries.get(at)

    async def _read(self, run: RunId, seqs: Sequence[int]) -> None:
        rows = await self.session.scalars(select(JournalEntry).where(JournalEntry.run == run, JournalEntry.seq.in_(seqs)))
        for row in rows:
            self._entries[EntryId(run, row.seq)] = row

    def prove(self, at: EntryId) -> EntryProof:
        """The proof of one of the entries that were loaded."""
        entry = self._entries.get(at)
        if entry is None:
            return EntryProof(None, "missing", "missing", "no_such_entry")
        if entry.box_id != self.box:
            return EntryProof(entry, "bad", "bad", "entry_of_another_box")
        chain_of_run = self._runs[at.run]
        batch = chain_of_run.covering(at.seq)
        if batch is None:
            return EntryProof(entry, "missing", "missing", "no_batch")
        if batch.id not in self._verdicts:
            self._verdicts[batch.id] = self._check(batch)
        signature, linked, detail = self._verdicts[batch.id]
        broken = chain_of_run.fault_up_to(batch.until)
        if linked == "good" and broken is not None:
            linked, detail = "bad", broken
        return EntryProof(entry, signature, linked, detail)

    def _check(self, batch: StoredBatch) -> tuple[Verdict, Verdict, str | None]:
        places = [EntryId(RunId(batch.run), seq) for seq in range(batch.first, batch.until)]
        rows = [self._entries[place] for place in places if place in self._entries]
        try:
            opened = unseal(self.frame(batch), self._keys.get)
        except (SignatureFault, UnknownKey, FrameFault) as exc:
            # A frame's fault too: the signature is checked first, and whatever is wrong behind it is not what was stored.
            return "bad", "bad", str(exc)
        if (opened.box, opened.run, opened.first, opened.end) != (self.box, batch.run, batch.first, batch.until):
            return "good", "bad", "batch_of_other_entries"
        if [row.hash for row in rows] != list(opened.hashes):
            return "good", "bad", "stored_hash_differs"
        return "good", "good", None

    async def _chain(self, run: RunId) -> _RunChain:
        """From entry 0 on, batch by batch: whether each one starts at the hash where the one before it ended."""
        rows = await self.session.scalars(select(StoredBatch).where(StoredBatch.run == run).order_by(StoredBatch.until))
        batches = rows.all()
        ends = [batch.until for batch in batches]
        ended_at, ended = 0, chain.seed(run)
        for batch in batches:
            before = ended if batch.first == ended_at else await self._hash_before(run, batch.first, ended_at)
            header = _header(batch.header_line)
            named = (self.box, run, batch.first, batch.until - batch.first)
            if header is None or (header.box, header.run, header.first, header.n) != named:
                return _RunChain(batches, ends, batch.until, "batch_header_differs")
            if before is None or bytes.fromhex(header.prev) != before:
                return _RunChain(batches, ends, batch.until, "batch_does_not_continue")
            ended_at, ended = batch.until, bytes.fromhex(header.last)
        return _RunChain(batches, ends)

    async def _hash_before(self, run: RunId, first: int, ended_at: int) -> bytes | None:
        if first > ended_at:
            return None
        if first == 0:
            return chain.seed(run)
        return await self.session.scalar(
            select(JournalEntry.hash).where(JournalEntry.run == run, JournalEntry.seq == first - 1)
        )


def _header(line: bytes) -> Header | None:
    try:
        return Header.model_validate_json(line)
    except (ValidationError, SyncError):
        return None


def batched(numbers: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    """The numbers in parts of at most `size`."""
    return (numbers[start : start + size] for start in range(0, len(numbers), size))
