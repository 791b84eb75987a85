"""What the box does for the cloud beside its records: carries out commands, and sends files up."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from edge.blobs.channel import TusChannel
from edge.blobs.store import BlobStore
from edge.blobs.uploader import Uploader
from edge.clock import Clock
from edge.commands.book import CommandBook
from edge.commands.deeds import Parts, deeds
from edge.commands.executor import Executor
from edge.devices.hub import DeviceHub
from edge.journal.service import Journal
from edge.settings import BoxSettings
from edge.supervisor import keep_running
from edge.uplink.sender import Sender
from edge.uplink.uplink import Uplink

BLOBS = "blobs"

FEW = 100
"""Entries that wait while a piece of a file may go: less than a frame's worth is on its way anyhow."""

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


class Errands:
    """One per box. `orders` is for whoever listens to the cloud, `blobs` for whoever has a file."""

    def __init__(self, place: Place, journal: Journal, hub: DeviceHub, uplink: Uplink | None) -> None:
        self._uplink = uplink
        self.blobs = BlobStore(place.settings.data_dir / BLOBS)
        parts = Parts(
            devices=hub,
            settings=place.settings,
            config=place.config,
            pull_mirror=uplink.mirror_pauses.wake if uplink else _nothing,
            fresh_run=journal.fresh_run,
            show_yourself=place.show_yourself,
        )
        self.orders = Executor(CommandBook(journal), deeds(parts), place.clock)
        self.uploader: Uploader | None = None

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to carry out and to send. Before the uplink: what it hears may be a command."""
        tasks.create_task(keep_running("commands", self.orders.run))
        if self._uplink is not None:
            channel = TusChannel(self._uplink.https.client)
            self.uploader = Uploader(self.blobs, channel, may_send=self._may_send, backoff=self._uplink.backoff())
            tasks.create_task(keep_running("blobs", self.uploader.run))

    def blobs_waiting(self) -> int:
        """Files that have not gone up."""
        return self.uploader.waiting if self.uploader is not None else len(self.blobs.waiting())

    async def free(self, wanted: int) -> int:
        """Let go of files that the cloud holds, oldest first, until so many bytes are free; how many it were."""
        return await asyncio.to_thread(self._free, wanted)

    def _free(self, wanted: int) -> int:
        freed = 0
        for kept in self.blobs.prunable():
            if freed >= wanted:
                break
            freed += self.blobs.drop(kept.sha256)
        return freed

    async def _may_send(self) -> None:
        await records_first(lambda: self._uplink.sender if self._uplink else None)


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
