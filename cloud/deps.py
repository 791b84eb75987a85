"""What the web applications of the core are given."""

import asyncio
from dataclasses import dataclass, field

from cloud.boxes.peer import PeerCertificate, certificate_in_scope
from cloud.clock import Clock, system_clock
from cloud.db.engine import Sessions


@dataclass(frozen=True, slots=True)
class SyncDeps:
    """For the routes that boxes call. `wake` is set after every commit of entries, for the projector."""

    sessions: Sessions
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Clock = system_clock
    peer_certificate: PeerCertificate = certificate_in_scope
