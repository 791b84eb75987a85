"""When the entries of a receipt truly happened, from nothing but proved entries; see docs/SYNC.md, Time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import from_wall_ns
from cloud.clocks.best import Clocks
from cloud.receiving.origin import parsed
from cloud.receiving.proof import Prover
from sync_protocol.besttime import Basis, TBest
from sync_protocol.entries import Entry
from sync_protocol.ids import EntryId

MS = 1_000_000


class TimeProof(BaseModel):
    """True time lies between `earliest` and `latest` (ISO 8601 in UTC), both included; None: nothing is known on that side.

    `best` is the middle and `err_ms` how far off it is at most, rounded up; None while a side is open. `basis`: `anchor` when
    the cloud was heard in the same boot, `order` when only other entries and the receipt by the cloud tell. `sure` is False
    where clocks contradict each other. `missing` are entries that should tell the time and are not proved.
    """

    model_config = ConfigDict(frozen=True)

    best: str | None
    err_ms: int | None
    earliest: str | None
    latest: str | None
    basis: Basis
    sure: bool
    missing: list[str] = []

    @classmethod
    def of(cls, time: TBest, missing: Iterable[EntryId] = ()) -> Self:
        # Cut to milliseconds, the error with it: what is written holds true time as the interval did.
        t_ns = None if time.t_ns is None else time.t_ns // MS * MS
        hi_ns = time.at.hi_ns
        return cls(
            best=_iso(t_ns),
            err_ms=None if t_ns is None or hi_ns is None else -(-(hi_ns - t_ns) // MS),
            earliest=_iso(time.at.lo_ns),
            latest=_iso(None if hi_ns is None else -(-hi_ns // MS) * MS),
            basis=time.basis,
            sure=time.sure,
            missing=[str(at) for at in missing],
        )

    def __str__(self) -> str:
        """For a terminal."""
        doubt = "" if self.sure else ", clocks contradict each other"
        if self.best is not None and self.basis == "anchor" and self.sure:
            return f"{self.best} ± {self.err_ms} ms"
        if self.earliest is None:
            return f"before {self.latest}{doubt}" if self.latest else "at a time that nothing tells"
        return f"between {self.earliest} and {self.latest}{doubt}" if self.latest else f"after {self.earliest}{doubt}"


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of entries that a prover has loaded."""

    prover: Prover
    clocks: Clocks

    @classmethod
    async def load(cls, session: AsyncSession, prover: Prover, wanted: Iterable[EntryId]) -> Self:
        """Find what tells the times of these entries, and have the prover load it."""
        stored = {at: entry for at in wanted if (entry := parsed(prover.stored(at))) is not None}
        clocks = await Clocks.load(session, prover.box, stored)
        await prover.load(clocks.rests_on)
        return cls(prover, clocks)

    def time(self, at: EntryId) -> TimeProof | None:
        """When an entry happened; None for one that is not here or cannot be read."""
        row = self.prover.stored(at)
        if row is None or at not in self.clocks.clues:
            return None
        read = self._proved
        return TimeProof.of(self.clocks.time(at, read, row.received_at), self.clocks.unread(at, read))

    def _proved(self, at: EntryId) -> Entry | None:
        proof = self.prover.prove(at)
        return parsed(proof.entry) if proof.good else None


def _iso(ns: int | None) -> str | None:
    at: datetime | None = None if ns is None else from_wall_ns(ns)
    return None if at is None else at.isoformat(timespec="milliseconds")
