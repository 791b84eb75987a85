"""The journal's part of a bundle: which entries its frames prove, with the box's public keys alone.

`frames/<run>-<first>-<until>.frame` are frames as the box sent them. `chain/<run>.txt` are the header lines of all batches of
the run from entry 0 up to the last of these frames, one a line: a header that is in no frame here is the core's copy, and shows
only that nothing was left out between.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError

from sync_protocol import chain
from sync_protocol.bundle.form import CHAINS, FRAMES, Bundle
from sync_protocol.errors import FrameFault, SignatureFault, SyncError, UnknownKey
from sync_protocol.frame import Batch, FindKey, Header, unseal
from sync_protocol.ids import EntryId, RunId

Verdict = Literal["good", "bad", "missing"]

_FRAME = re.compile(r"([0-9a-f]{32})-([0-9]{1,19})-([0-9]{1,19})\.frame")
_CHAIN = re.compile(r"([0-9a-f]{32})\.txt")


def frame_name(run: str, first: int, until: int) -> str:
    """Name of the member that holds a frame."""
    return f"{FRAMES}{run}-{first}-{until}.frame"


def chain_name(run: str) -> str:
    """Name of the member that holds a run's header lines."""
    return f"{CHAINS}{run}.txt"


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry of a frame and how far it is proved."""

    content: bytes
    digest: bytes
    """The chain's hash at it."""
    signature: Verdict
    chain: Verdict
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """All entries that are in the bundle's frames, and what is wrong with the frames and chains themselves."""

    entries: dict[EntryId, Shown]
    faults: tuple[str, ...]


@dataclass(slots=True)
class _Reader:
    box: str
    find_key: FindKey
    batches: dict[RunId, list[Batch]] = field(default_factory=dict)
    hashes: dict[EntryId, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def frame(self, name: str, data: bytes) -> None:
        named = _FRAME.fullmatch(name)
        if named is None:
            self.faults.append(f"frame_name:{name[:80]}")
            return
        try:
            batch = unseal(data, self.find_key)
        except UnknownKey as exc:
            self.faults.append(f"frame_of_unknown_key:{name}:{exc.key_id.hex()}")
            return
        except (FrameFault, SignatureFault):
            self.faults.append(f"frame_bad:{name}")
            return
        if (batch.box, batch.run, str(batch.first), str(batch.end)) != (self.box, *named.groups()):
            self.faults.append(f"frame_of_other_entries:{name}")
            return
        self.batches.setdefault(batch.run, []).append(batch)
        for seq, digest in enumerate(batch.hashes, batch.first):
            if self.hashes.setdefault(EntryId(batch.run, seq), digest) != digest:
                self.faults.append(f"entry_twice:{batch.run}:{seq}")

    def chain(self, run: RunId, lines: Iterable[bytes]) -> "_Chain":
        """Walk a run's headers from entry 0 on: each must start at the hash at which the one before it ended."""
        found = _Chain()
        ended_at, ended = 0, chain.seed(run)
        for line in lines:
            header = _header(line)
            if header is None or (header.box, header.run) != (self.box, run):
                found.broken = "batch_header_differs"
                return found
            before = ended if header.first == ended_at else self.hashes.get(EntryId(run, header.first - 1))
            if header.first > ended_at or before is None or bytes.fromhex(header.prev) != before:
                found.broken = "batch_does_not_continue"
                return found
            found.lines.add(line)
            ended_at, ended = header.first + header.n, bytes.fromhex(header.last)
        return found


@dataclass(slots=True)
class _Chain:
    lines: set[bytes] = field(default_factory=set)
    broken: str | None = None


def _header(line: bytes) -> Header | None:
    try:
        return Header.model_validate_json(line)
    except (ValidationError, SyncError):
        return None


def read_journal(bundle: Bundle, find_key: FindKey) -> Journal:
    """Check every frame and chain of a bundle. Raises nothing for what is wrong: that is in `faults`."""
    reader = _Reader(bundle.manifest.box, find_key)
    for name, data in bundle.under(FRAMES):
        reader.frame(name, data)
    chains: dict[RunId, _Chain] = {}
    for name, data in bundle.under(CHAINS):
        named = _CHAIN.fullmatch(name)
        if named is None:
            reader.faults.append(f"chain_name:{name[:80]}")
            continue
        run = RunId(named[1])
        chains[run] = reader.chain(run, [line for line in data.split(b"\n") if line])
        if chains[run].broken is not None:
            reader.faults.append(f"{chains[run].broken}:{run}")
    entries = dict(_shown(reader, chains))
    return Journal(entries, tuple(reader.faults))


def _shown(reader: _Reader, chains: dict[RunId, _Chain]) -> Iterator[tuple[EntryId, Shown]]:
    for run, batches in reader.batches.items():
        linked = chains.get(run)
        for batch in batches:
            whole = linked is not None and batch.header_line in linked.lines
            detail = None if whole else "chain_missing" if linked is None else linked.broken or "batch_not_in_chain"
            for seq, content in enumerate(batch.entries, batch.first):
                digest = batch.hashes[seq - batch.first]
                yield EntryId(run, seq), Shown(content, digest, "good", "good" if whole else "bad", detail)
