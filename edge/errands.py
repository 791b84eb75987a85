"""What the box does for the cloud beside its records: carries out commands, and sends files up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from edge.blobs.channel import TusChannel
from edge.blobs.store import BlobStore, BlobTooLong
from edge.blobs.uploader import Uploader
from edge.cameras.book import CameraBook
from edge.clock import Clock
from edge.commands.book import CommandBook, Facts
from edge.commands.deeds import Parts, deeds
from edge.commands.executor import Executor
from edge.devices.hub import DeviceHub
from edge.journal.reader import GENERATION
from edge.journal.service import Journal
from edge.settings import BoxSettings
from edge.supervisor import keep_running
from edge.uplink.sender import Sender
from edge.uplink.uplink import Uplink
from sync_protocol.entries import BlobEntry, Entry, NoteEntry
from sync_protocol.ids import EntryId

log = structlog.get_logger()

BLOBS = "blobs"

JSON_LINES = "application/jsonl"

FEW = 100
"""Entries that wait while a piece of a file may go: less than a frame's worth is on its way anyhow."""

PROVED = "blobs_gen"
"""Key of the cloud's generation in which this box's files were proved to be there."""

GENERATION_EVERY_S = 30.0
"""A cloud is restored once in years; files may follow the entries by half a minute."""

LOOK_EVERY_S = 0.1

LONGEST_WAIT_S = 60.0
"""Behind a backlog of hours one piece a minute still goes, so that a picture is not behind a million readings."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the errands are given. `config` is the file that the box was started with."""

    settings: BoxSettings
    config: Path | None
    clock: Clock
    show_yourself: Callable[[int], None]


def orders(
    place: Place, journal: Journal, hub: DeviceHub, uplink: Uplink | None, cameras: CameraBook | None = None
) -> Executor:
    """Who carries out commands, for whoever listens to the cloud. Somebody must run it."""
    parts = Parts(
        devices=hub,
        settings=place.settings,
        config=place.config,
        pull_mirror=uplink.mirror_pauses.wake if uplink else _nothing,
        fresh_run=journal.fresh_run,
        show_yourself=place.show_yourself,
        cameras=cameras,
    )
    return Executor(CommandBook(journal), deeds(parts), place.clock)


Append = Callable[[Entry], Awaitable[EntryId]]
"""Writes one entry of the journal, or refuses it while the disk is full."""


class Files:
    """The box's files: `store` for whoever has one, who then calls `put`. They go up while `start`ed with an uplink."""

    def __init__(self, settings: BoxSettings) -> None:
        self.store = BlobStore(settings.data_dir / BLOBS)
        self._uploader: Uploader | None = None

    def start(self, tasks: asyncio.TaskGroup, journal: Journal, uplink: Uplink) -> None:
        """Begin to send."""
        tasks.create_task(keep_running("restored", partial(self.doubt_restored, journal)))
        channel = TusChannel(uplink.https.client)
        may_send = partial(records_first, lambda: uplink.sender)
        self._uploader = Uploader(self.store, channel, may_send=may_send, backoff=uplink.backoff())
        tasks.create_task(keep_running("blobs", self._uploader.run))

    async def take_salvage(self, journal: Journal, clock: Clock) -> None:
        """What was salvaged of damaged journals goes up as files: people may want to see what the entries alone do not say."""
        for file in journal.salvage_files():
            try:
                fields = await asyncio.to_thread(self.store.put_file, file, media=JSON_LINES, about={"salvage": file.stem})
            except BlobTooLong as exc:
                log.warning("salvage_not_sent", file=file.name, reason=str(exc))
                await journal.append(NoteEntry(**clock.stamp(), name="salvage_not_sent", data={"file": file.name}))
            else:
                await journal.append(BlobEntry(**clock.stamp(), **fields.json()))
                self.put()
            await journal.salvage_taken(file)

    async def keep_photo(self, append: Append, clock: Clock, picture: bytes, *, media: str, about: Mapping[str, str]) -> str:
        """Keep a picture: on the disk and in the journal when this returns its SHA-256. Raises OSError or JournalFault."""
        name = f"photo.{media.rpartition('/')[2]}"
        fields = await asyncio.to_thread(self.store.put, (picture,), media=media, name=name, about=about)
        await append(BlobEntry(**clock.stamp(), **fields.json()))
        self.put()
        return fields.sha256

    async def doubt_restored(self, journal: Facts, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """A cloud that was restored from a backup may lack files that it had: each is proved to be there once more."""
        while True:
            heard = journal.known(GENERATION) or "0"
            if heard != (journal.known(PROVED) or "0"):
                await asyncio.to_thread(self.store.ask_again)
                self.put()
                await journal.know(PROVED, heard)
            await sleep(GENERATION_EVERY_S)

    def put(self) -> None:
        """A file was put: send it now rather than at the next look."""
        if self._uploader is not None:
            self._uploader.wake()

    def waiting(self) -> int:
        """Files that have not gone up."""
        return self._uploader.waiting if self._uploader is not None else len(self.store.waiting())

    async def free(self, wanted: int) -> int:
        """Let go of files that the cloud holds, oldest first, until so many bytes are free; how many it were."""
        return await asyncio.to_thread(self._free, wanted)

    def _free(self, wanted: int) -> int:
        freed = 0
        for kept in self.store.prunable():
            if freed >= wanted:
                break
            freed += self.store.drop(kept.sha256)
        return freed


async def records_first(
    sender: Callable[[], Sender | None], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Return when hardly any entry waits for the cloud, or after LONGEST_WAIT_S."""
    for _ in range(round(LONGEST_WAIT_S / LOOK_EVERY_S)):
        now = sender()
        if now is None or now.waiting() < FEW:
            return
        await sleep(LOOK_EVERY_S)


def _nothing() -> None:
    """Of a box that knows no cloud."""
