"""The loop that sends files: one after the other, a piece at a time, whenever no record waits; goes on after any cut."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from edge.blobs.channel import Channel
from edge.blobs.store import BlobChanged, BlobStore, Kept
from edge.uplink.backoff import Backoff
from sync_protocol.blobs import Piece, Upload, next_request, on_event, progressed

log = structlog.get_logger()

MaySend = Callable[[], Awaitable[None]]
"""Returns when no record waits for the line; asked before every piece."""

LOOK_EVERY_S = 60.0
"""Files may also be put by another part of the box that does not say so."""


class Uploader:
    """Runs until cancelled. `wake` it when a file was put. Raises OSError when the box's own disk fails."""

    def __init__(
        self,
        store: BlobStore,
        channel: Channel,
        *,
        may_send: MaySend,
        backoff: Backoff,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._channel = channel
        self._may_send = may_send
        self._backoff = backoff
        self._sleep = sleep
        self._put = asyncio.Event()
        self.waiting = 0
        """Files that have not gone up, as last counted."""

    def wake(self) -> None:
        """A file was put."""
        self._put.set()

    async def run(self) -> None:
        """Send what waits, then wait for more."""
        while True:
            self._put.clear()
            files = await asyncio.to_thread(self._store.waiting)
            self.waiting = len(files)
            if files:
                await self._send(files[0])
                continue
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._put.wait()
            except TimeoutError:
                continue

    async def _send(self, kept: Kept) -> None:
        """One file until it is up or given up."""
        if not await self._is_whole(kept):
            return
        upload = Upload(kept.sha256, kept.size, kept.url)
        while (request := next_request(upload)) is not None:
            data = b""
            if isinstance(request, Piece):
                await self._may_send()
                data = await asyncio.to_thread(self._store.piece, kept.sha256, request.offset, request.length)
            event, retry_s = await self._channel.ask(upload, request, data)
            after = on_event(upload, event)
            if after.url != upload.url:
                kept = replace(kept, url=after.url)
                await asyncio.to_thread(self._store.note, kept)
            if after.restarts > upload.restarts and not await self._is_whole(kept):
                return
            if progressed(upload, after):
                self._backoff.reset()
            else:
                await self._sleep(self._backoff.pause(retry_s))
            upload = after
        await asyncio.to_thread(self._store.note, replace(kept, uploaded=upload.stored, fault=upload.fault))
        if upload.stored:
            log.info("blob_uploaded", sha256=kept.sha256, size=kept.size)
        else:
            log.error("blob_given_up", sha256=kept.sha256, reason=upload.fault)

    async def _is_whole(self, kept: Kept) -> bool:
        """Whether the file is what its name says; one that is not is never sent under it."""
        try:
            await asyncio.to_thread(self._store.check, kept.sha256)
        except BlobChanged as exc:
            log.error("blob_changed", sha256=kept.sha256, reason=str(exc))  # noqa: TRY400 - the fault is named, its place is no news
            await asyncio.to_thread(self._store.note, replace(kept, fault="changed"))
            return False
        except FileNotFoundError:
            log.warning("blob_missing", sha256=kept.sha256)
            return False
        return True
