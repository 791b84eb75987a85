"""The cloud of the simulation: the shipped opening of frames and the shipped verdicts over tables in memory.

A transaction holds its run's lock from reading to commit, takes time, and is lost when the cloud stops before its commit.
"""

import asyncio
from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random

from sync_protocol import packing
from sync_protocol.answers import Ack, Answer, Need, Refused
from sync_protocol.frame import Batch, Verify, unseal
from sync_protocol.ids import RunId
from sync_protocol.inbox import Fork, Gap, Have, Position, Take, judge

SRV_TIME = "2026-05-01T10:00:00.000Z"


class Stopped(Exception):
    """The cloud went down before it answered."""


@dataclass
class Tables:
    """What a backup holds."""

    gen: int = 0
    entries: dict[RunId, list[bytes]] = field(default_factory=dict)
    hashes: dict[RunId, list[bytes]] = field(default_factory=dict)

    def position(self, run: RunId) -> Position:
        hashes = self.hashes.get(run, [])
        return Position(len(hashes), hashes[-1]) if hashes else Position.start(run)


class SimCloud:
    """One cloud for all boxes."""

    def __init__(self, random: Random, verify: Verify, key_id: bytes) -> None:
        self._random = random
        self._verify = verify
        self._key_id = key_id
        self._locks: dict[RunId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._highest_gen = 0
        self.tables = Tables()
        self.backup: Tables | None = None
        self.starts = 0
        self.barred: str | None = None
        self.busy = False
        self.doomed: int | None = None
        """How many steps of transactions until the cloud is killed, None while it is well."""
        self.forks: list[Batch] = []
        self.verdicts: dict[str, int] = defaultdict(int)

    async def take(self, data: bytes, *, packed: bool) -> Answer:
        """One worker takes one frame. Raises Stopped when the cloud goes down before the answer is out."""
        start = self.starts
        if self.busy:
            return Refused(err="slow_down", retry_s=2.0)
        batch = unseal(packing.unpack(data) if packed else data, self._find_key)
        if self.barred is not None:
            return Refused(err="quarantine" if self.barred == "suspended" else "revoked", retry_s=30.0)
        async with self._locks[batch.run]:
            answer = await self._transaction(batch, start)
        await self._pass_time(start)
        return answer

    async def _transaction(self, batch: Batch, start: int) -> Answer:
        tables, run = self.tables, batch.run
        position = tables.position(run)
        verdict = judge(position, batch, lambda seq: tables.hashes[run][seq])
        self.verdicts[type(verdict).__name__] += 1
        await self._pass_time(start)
        match verdict:
            case Take(skip, position):
                tables.entries.setdefault(run, []).extend(batch.entries[skip:])
                tables.hashes.setdefault(run, []).extend(batch.hashes[skip:])
            case Gap():
                return Need(run=run, need=position.acked, hash=position.hash.hex(), gen=tables.gen, enc=("zstd",))
            case Fork():
                self.forks.append(batch)
                return Refused(err="fork", gen=tables.gen)
            case Have():
                pass
        return Ack(run=run, acked=position.acked, hash=position.hash.hex(), gen=tables.gen, srv_time=SRV_TIME, enc=("zstd",))

    async def _pass_time(self, start: int) -> None:
        await asyncio.sleep(self._random.choice((0.0, 0.002, 0.02)))
        if self.doomed is not None:
            self.doomed -= 1
            if self.doomed < 0:
                self.doomed = None
                self.crash()
        if start != self.starts:
            raise Stopped

    def _find_key(self, key_id: bytes) -> Verify | None:
        return self._verify if key_id == self._key_id else None

    def crash(self) -> None:
        """Every transaction that was not committed is gone, and every answer that was not sent."""
        self.starts += 1
        self._locks.clear()

    def back_up(self) -> None:
        self.backup = deepcopy(self.tables)

    def restore(self) -> None:
        """Start again from the backup, with a generation that nobody has heard."""
        if self.backup is None:
            return
        self.crash()
        self.tables = deepcopy(self.backup)
        self._highest_gen += 1
        self.tables.gen = self._highest_gen
