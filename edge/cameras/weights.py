"""A picture of what lies on the scale when its weight is booked. It runs beside the work: nobody waits for it."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from drivers.api import Kind
from edge.cameras.book import Appends
from edge.cameras.taken import Taken
from edge.clock import Clock
from edge.devices.live import Captured, Hub
from edge.errors import JournalFault, PictureFailed
from sync_protocol.entries import NoteEntry

log = structlog.get_logger()


class Takes(Protocol):
    """What is needed of the cameras."""

    async def take(self, camera: str, about: Mapping[str, str]) -> Taken: ...


class WeightPictures:
    """Watches one scale, takes with one camera. A weight that gets no picture gets a note that says why."""

    def __init__(self, hub: Hub, cameras: Takes, journal: Appends, clock: Clock, *, scale: str, camera: str) -> None:
        self._hub = hub
        self._cameras = cameras
        self._journal = journal
        self._clock = clock
        self._scale = scale
        self._camera = camera
        self._taking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        async with self._hub.events() as events, asyncio.TaskGroup() as tasks:
            async for event in events:
                if isinstance(event, Captured) and event.device == self._scale and event.reading.kind is Kind.MASS:
                    await self._booked(str(event.entry), tasks)

    async def _booked(self, reading: str, tasks: asyncio.TaskGroup) -> None:
        if self._taking is not None and not self._taking.done():
            # What stands before the camera when it is free again belongs to another weight.
            await self._missed(reading, "busy")
            return
        self._taking = tasks.create_task(self._take(reading))

    async def _take(self, reading: str) -> None:
        try:
            taken = await self._cameras.take(self._camera, {"reading": reading, "scale": self._scale})
        except PictureFailed as exc:
            await self._missed(reading, exc.code)
        except JournalFault:
            log.exception("photo_not_kept", reason="journal")
        else:
            log.info("weight_pictured", camera=self._camera, reading=reading, sha256=taken.sha256)

    async def _missed(self, reading: str, code: str) -> None:
        log.warning("picture_missed", camera=self._camera, reading=reading, code=code)
        data = {"reading": reading, "code": code}
        try:
            await self._journal.append(NoteEntry(**self._clock.stamp(), name="picture_missed", device=self._camera, data=data))
        except JournalFault:
            log.exception("note_failed", device=self._camera, name="picture_missed")
