"""What a kiosk is made of: the box's parts it shows and its own settings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from edge.clock import Clock
from edge.devices.live import Hub
from edge.disk.levels import Level
from edge.health.facts import BoxHealth
from edge.jobs.desk import JobDesk
from edge.kiosk.photos import PhotoKeeper
from edge.kiosk.shots import Shots
from edge.kiosk.status import SyncStatus
from edge.kiosk.store import KioskStore
from edge.mirror.view import MasterView

Locale = Literal["he", "en"]
LOCALES: Final[tuple[Locale, ...]] = ("he", "en")

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True, slots=True)
class KioskSettings:
    """One station's screen. `px_per_mm` is the panel's: 5.87 for 10.1 inch 1280x800, 5.19 for 7 inch 800x480."""

    station: str
    px_per_mm: float = 5.85
    locale: Locale = "he"
    scale: str | None = None
    scanner: str | None = None
    hosts: frozenset[str] = field(default=LOOPBACK)
    """Names under which the pages may be asked for; a page of another name (DNS rebinding) is refused."""
    lock_after_s: int = 600


@dataclass(frozen=True, slots=True)
class KioskDeps:
    """The parts. `browser_libs` is a `node_modules` folder; `entropy(n)` gives n random bytes."""

    desk: JobDesk
    hub: Hub
    masters: Callable[[], MasterView]
    sync_status: Callable[[], SyncStatus]
    clock: Clock
    store: KioskStore
    settings: KioskSettings
    browser_libs: Path
    entropy: Callable[[int], bytes]
    health: Callable[[], BoxHealth] = BoxHealth
    """How the box is; by itself a page of unknowns."""
    photos: PhotoKeeper | None = None
    """Keeps pictures; None where the station has no place for them."""
    shots: Shots | None = None
    """The station's own camera; None where it has none."""
    level: Callable[[], Level] = lambda: Level.OK
    """How full the medium is: asked for with every page, so it must cost nothing."""
