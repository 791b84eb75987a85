"""What the pages are given: by the installation (settings) and by the process that serves them (deps)."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from cloud.around.kept import MAX_FILE
from cloud.blobs.store import BlobStore
from cloud.clock import Clock, system_clock
from cloud.db.engine import Sessions
from cloud.objects.caller import Hooks
from cloud.objects.registry import Registry, Shipped
from cloud.people.provider import Provider
from cloud.web.i18n import Locale

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True, slots=True)
class StaffSettings:
    """`hosts`: names (without port) under which the pages may be asked for. `zone`: in which times are shown (IANA name)."""

    organisation: str = ""
    hosts: frozenset[str] = LOOPBACK
    zone: str = "Asia/Jerusalem"
    locale: Locale = "he"
    time_limit_ms: int = 2000
    """A time of which less is certain is marked; law or contract may ask for another figure."""
    live_ms: int = 4000
    provider: Provider | None = None
    """Where staff may sign in besides; None: here only."""
    public_address: str = ""
    """Under which the world reaches these pages, as `https://stock.example`: codes on papers lead there. Empty: nowhere."""
    max_file: int = MAX_FILE
    """Bytes of one file that is put at a record."""


@dataclass(frozen=True, slots=True)
class StaffDeps:
    """`browser_libs` is the folder `node_modules`; `wake` is the projector's event, set when a change here gives it work."""

    sessions: Sessions
    browser_libs: Path
    settings: StaffSettings = field(default_factory=StaffSettings)
    clock: Clock = system_clock
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    blobs: BlobStore | None = None
    """Where files of the boxes lie; None where none are taken."""
    registry: Registry = field(default_factory=lambda: Registry(Shipped()))
    """The definitions of all records."""
    hooks: Hooks = field(default_factory=Hooks)
    """What other packages add to every change of a record."""
