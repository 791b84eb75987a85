"""The state of the search: boxes with their disks, frames on their way, workers, the cloud's database and its backup.

Everything is a tuple, so that a state can be compared and hashed. Hashes of the chain are real.
"""

from functools import lru_cache
from typing import NamedTuple

from sync_protocol import chain
from sync_protocol.frame import Batch, Header
from sync_protocol.ids import RunId
from sync_protocol.inbox import Verdict
from sync_protocol.outbox import Outbox, Send

BOX_ID = "01J0000000000000000000000A"

Entries = tuple[bytes, ...]
"""Entries of a run. A run's first is `run` and its parent, others are a letter and a number, drawn once in the whole world;
`|was=` and an id follow where an entry says again what another said."""


class Run(NamedTuple):
    """A run on a disk. Entries below `pruned` are gone; `acked` is what the disk remembers, it may lag."""

    name: RunId
    entries: Entries
    pruned: int = 0
    acked: int = 0
    stopped: str | None = None

    @property
    def tip(self) -> int:
        """As the journal counts it: nothing is left of a run that was let go."""
        return len(self.entries) if self.pruned < len(self.entries) else 0


class Disk(NamedTuple):
    """What survives a loss of power: runs, oldest first."""

    runs: tuple[Run, ...]
    gen: int = 0


class Box(NamedTuple):
    """A machine: its disk, what is written and not yet durable, and the uplink's state."""

    disk: Disk
    outbox: Outbox
    known_gen: int = 0
    """The cloud's generation as the disk knows it with its next commit."""
    pending: Entries = ()
    marks: tuple[tuple[RunId, int], ...] = ()
    sent: Send | None = None
    """What the uplink waits for an answer to."""


class Frame(NamedTuple):
    """A frame on its way; `live` while its sender still waits for the answer to this very one."""

    box: int
    run: RunId
    first: int
    entries: Entries
    prev: bytes
    live: bool


class Work(NamedTuple):
    """What a worker has judged under the lock and not yet committed."""

    frame: Frame
    acked: int
    verdict: Verdict


class Rows(NamedTuple):
    """A run in the cloud: its entries, and how many of them were made records of."""

    run: RunId
    entries: Entries
    acked: int
    taken: int = 0
    seen: int = 0
    """How many runs the cloud knew when it took the last of this."""


class Branch(NamedTuple):
    """Two continuations of entry `seq` of a run; a side is named by the run that begins it."""

    run: RunId
    seq: int
    older: RunId
    newer: RunId
    overlap: bool = False


class Cloud(NamedTuple):
    """The database. All readings are steps of one job. `posted` are contents in the order of posting, `parked` wait for an
    earlier step, `disputed` are steps whose place in the job another content has; `asides` are frames kept aside as forks."""

    rows: tuple[Rows, ...] = ()
    gen: int = 0
    posted: Entries = ()
    parked: Entries = ()
    disputed: frozenset[bytes] = frozenset()
    asides: frozenset[tuple[RunId, int, Entries]] = frozenset()
    branches: tuple[Branch, ...] = ()
    turns: tuple[int, ...] = ()
    """For the check alone: which box's own part of a shared journal was taken, one entry for each change, three at most."""
    wrongly: frozenset[bytes] = frozenset()
    """For the check alone: what was posted of either box's own part after they had taken turns."""

    def of(self, run: RunId) -> Rows:
        return next((rows for rows in self.rows if rows.run == run), Rows(run, (), 0))


class Answered(NamedTuple):
    """An answer on its way: `kind` is `ack`, `need` or a refusal."""

    kind: str
    position: int = 0
    hash: str = ""
    gen: int = 0


class Left(NamedTuple):
    """How often each thing may still happen. `chatter`: what a box writes by itself now and then. `drawn` counts runs
    and `written` readings: their names."""

    writes: int = 0
    crashes: int = 0
    images: int = 0
    image_restores: int = 0
    clones: int = 0
    snapshots: int = 0
    backups: int = 0
    cloud_restores: int = 0
    fresh_runs: int = 0
    chatter: int = 0
    drawn: int = 0
    written: int = 0


class World(NamedTuple):
    """One state."""

    boxes: tuple[Box, ...]
    cloud: Cloud
    left: Left
    air: tuple[Frame | None, ...]
    """By box: the frame that it waits for."""
    late: frozenset[Frame]
    """Doubles, and frames whose sender waits no more: they may arrive at any time, or never."""
    answers: tuple[Answered | None, ...]
    workers: tuple[Work | None, ...]
    backup: Cloud | None = None
    highest_gen: int = 0
    image: Disk | None = None
    confirmed: frozenset[bytes] = frozenset()
    """Readings that somebody was told are saved."""
    destroyed: frozenset[bytes] = frozenset()
    """Confirmed readings whose only disk was overwritten by an older image, by hand."""


def run_name(number: int) -> RunId:
    return RunId(f"{number:032x}")


def short(run: RunId) -> str:
    return f"r{int(run, 16)}"


def opening(parent: Run | None) -> bytes:
    """Entry 0 of a run."""
    return b"run" if parent is None else f"run<{short(parent.name)}:{len(parent.entries) - 1}".encode()


def content(entry: bytes) -> bytes:
    """What was read, however often it was said."""
    return entry.partition(b"|")[0]


def number(text: bytes) -> int:
    """Which step of its job a reading is."""
    return int(text[1:])


def is_reading(entry: bytes) -> bool:
    return not entry.startswith(b"run")


@lru_cache(maxsize=1 << 16)
def hashes(run: RunId, entries: Entries) -> tuple[bytes, ...]:
    """The chain over a run's entries."""
    if not entries:
        return ()
    before = hashes(run, entries[:-1])
    return (*before, chain.link(before[-1] if before else chain.seed(run), len(entries) - 1, entries[-1]))


@lru_cache(maxsize=1 << 16)
def hash_before(run: RunId, entries: Entries, seq: int) -> bytes:
    """The chain's hash that an entry at `seq` follows."""
    return chain.seed(run) if seq == 0 else hashes(run, entries)[seq - 1]


@lru_cache(maxsize=1 << 16)
def batch_of(frame: Frame) -> Batch:
    """The frame as the cloud sees it after the signature and the chain were found good."""
    links = tuple(chain.links(frame.prev, frame.first, frame.entries))
    header = Header.model_construct(
        v=1,
        box=BOX_ID,
        run=frame.run,
        first=frame.first,
        n=len(frame.entries),
        prev=frame.prev.hex(),
        last=links[-1].hex(),
        gen=0,
    )
    return Batch(header, frame.entries, links, b"", b"", b"")


def next_content(world: World, at: int) -> bytes:
    """A reading that was never written before: a letter, and how many readings its box has written before it."""
    box = world.boxes[at]
    written = {content(entry) for run in box.disk.runs for entry in run.entries if is_reading(entry)} | set(box.pending)
    return f"{'abcdefghijkl'[world.left.written]}{len(written)}".encode()
