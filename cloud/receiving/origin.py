"""Where a value came from, in words for a page: the device, its clock and bytes. Proves nothing."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import from_wall_ns
from cloud.ingest.models import JournalEntry
from cloud.receiving.proof import EntryProof
from sync_protocol.entries import DeviceEntry, Entry, ReadingEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId, RunId

MAX_DEVICE_ENTRIES = 256
"""A box describes its few devices when a run starts and when one comes back; further back than this nobody looks for a name."""


def parsed(entry: JournalEntry | None) -> Entry | None:
    """The entry's content, None when it is no entry."""
    if entry is None:
        return None
    try:
        return parse(entry.content)
    except TextFault:
        return None


@dataclass(frozen=True, slots=True)
class Devices:
    """How devices described themselves, newest first, by run."""

    described: dict[RunId, list[tuple[int, DeviceEntry]]]

    @classmethod
    async def load(cls, session: AsyncSession, readings: Iterable[EntryId]) -> "Devices":
        """The descriptions before the newest of the readings in each run."""
        last: dict[RunId, int] = {}
        for at in readings:
            last[at.run] = max(at.seq, last.get(at.run, 0))
        found: dict[RunId, list[tuple[int, DeviceEntry]]] = {}
        for run, seq in last.items():
            rows = await session.scalars(
                select(JournalEntry)
                .where(JournalEntry.run == run, JournalEntry.seq < seq, JournalEntry.kind == "device")
                .order_by(JournalEntry.seq.desc())
                .limit(MAX_DEVICE_ENTRIES)
            )
            entries = [(row.seq, parsed(row)) for row in rows]
            found[run] = [(place, entry) for place, entry in entries if isinstance(entry, DeviceEntry)]
        return cls(found)

    def before(self, at: EntryId, device: str) -> DeviceEntry | None:
        """How the device was when the reading was written."""
        rows = self.described.get(at.run, [])
        return next((entry for seq, entry in rows if seq < at.seq and entry.device == device), None)


def shown(proof: EntryProof, entry: Entry | None) -> dict[str, object]:
    """The times of an entry, and of a reading its device and bytes: fields of a FieldProof."""
    fields: dict[str, object] = {}
    if entry is not None:
        at = from_wall_ns(entry.wall_ns)
        fields |= {"box_time": at.isoformat() if at else None, "clock": entry.clk.s, "clock_err_ms": entry.clk.err_ms}
    if proof.entry is not None:
        fields["received_at"] = proof.entry.received_at.isoformat()
    if isinstance(entry, ReadingEntry):
        fields |= {
            "device": entry.device,
            "driver": entry.driver,
            "instrument_time": entry.instrument_time,
            "flags": sorted(entry.flags),
            "read_value": entry.value,
            "raw_hex": _raw_hex(entry.raw),
        }
    return fields


def _raw_hex(raw: str) -> str | None:
    try:
        return base64.b64decode(raw, validate=True).hex()
    except (binascii.Error, ValueError):
        return None
