"""A box's cameras over the simulated camera: real sockets, a real file store, a journal that can be read."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drivers.cameras.api import Surroundings
from edge.blobs.store import BlobStore
from edge.cameras.book import BookParts, CameraBook
from edge.devices.live import Captured
from edge.errors import JournalFull
from edge.settings import CameraSettings
from firmware_sim.config import make_site
from firmware_sim.site import SiteDevice, run_site
from sync_protocol.entries import BlobEntry, Encoded, Entry, NoteEntry, parse
from sync_protocol.ids import EntryId, RunId
from tests.unit.edge_jobs.station import TurnedClock

RUN = RunId("ab" * 16)


@dataclass
class Pages:
    """A journal in memory. `full` lets it refuse new work, as the door in front of the real one does."""

    entries: list[Entry] = field(default_factory=list)
    full: bool = False

    async def append(self, entry: Entry | Encoded) -> EntryId:
        read = parse(entry.data) if isinstance(entry, Encoded) else entry
        if self.full and read.t in {"blob", "reading"}:
            raise JournalFull("full")
        self.entries.append(read)
        return EntryId(RUN, len(self.entries) - 1)

    def of(self, kind: type) -> list[Any]:
        return [entry for entry in self.entries if isinstance(entry, kind)]

    def notes(self) -> list[str]:
        return [note.name for note in self.of(NoteEntry)]


@dataclass
class Cameras:
    """The book, the camera itself, and what came of it."""

    device: SiteDevice
    pages: Pages
    store: BlobStore
    clock: TurnedClock
    book: CameraBook
    told: list[Captured]

    def another(self, **settings: Any) -> CameraBook:
        """A book with one camera of other settings, on the same box."""
        return CameraBook([_settings(self.device, **settings)], self.parts())

    def parts(self) -> BookParts:
        surroundings = Surroundings(
            self.clock.wall_ns, environ={"TALLYBOX_SECRET_CAM": "secret", "TALLYBOX_SECRET_WRONG": "nonsense"}
        )
        return BookParts(self.pages, self.keep, self.clock, self.told.append, surroundings)

    async def keep(self, picture: bytes, *, media: str, about: Mapping[str, str]) -> str:
        fields = self.store.put((picture,), media=media, name="photo.jpeg", about=about)
        await self.pages.append(BlobEntry(**self.clock.stamp(), **fields.json()))
        return fields.sha256


def _settings(device: SiteDevice, **settings: Any) -> CameraSettings:
    own = {"address": f"{device.address}/picture.jpg?x={{password}}", "user": "viewer", "password_env": "CAM", "timeout_s": 5}
    limits = settings.pop("limits", {"min_pixels": 100})
    codes = settings.pop("codes", "note")
    return CameraSettings(id="dock", kind="http", settings=own | settings, limits=limits, codes=codes)


@pytest.fixture
async def cameras(tmp_path: Path) -> AsyncIterator[Cameras]:
    options = {"user": "viewer", "password": "secret", "width": 640, "height": 480, "boot_s": 0}
    site = {"title": "t", "devices": [{"name": "cam", "kind": "camera", "tcp": 0, "options": options}]}
    async with run_site(make_site(site), directory=tmp_path) as running:
        device, pages, store, clock = running.device("cam"), Pages(), BlobStore(tmp_path / "blobs"), TurnedClock()
        made = Cameras(device, pages, store, clock, CameraBook([], BookParts(pages, _nowhere, clock)), [])
        made.book = made.another()
        yield made
        await made.book.aclose()


async def _nowhere(picture: bytes, *, media: str, about: Mapping[str, str]) -> str:
    raise AssertionError("a book without cameras keeps nothing")
