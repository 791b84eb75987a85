"""What the web applications of the core are given."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from cloud.boxes.peer import PeerCertificate, certificate_in_scope
from cloud.clock import Clock, system_clock
from cloud.db.engine import Sessions


class Counts(Protocol):
    """Where a worker counts what it did."""

    def frame(self, *, binding: str, answer: str, entries: int, seconds: float) -> None: ...


class Uncounted:
    """Counts nothing."""

    def frame(self, **_: object) -> None:
        return


@dataclass(frozen=True, slots=True)
class SyncDeps:
    """For the routes that boxes call. `wake` is set after every commit of more than readings, for the projector."""

    sessions: Sessions
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Clock = system_clock
    peer_certificate: PeerCertificate = certificate_in_scope
    metrics: Counts = field(default_factory=Uncounted)
