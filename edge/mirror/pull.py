"""Keeps the mirror near the cloud: pull, apply whole patches only, and start over when the checksum says so."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from edge.mirror.store import MirrorStore
from edge.mirror.view import MasterView
from edge.uplink.backoff import Backoff
from edge.uplink.cloud import Cloud, CloudAway
from sync_protocol.errors import PatchFault
from sync_protocol.mirror import Key, Row, applied

log = structlog.get_logger()


class Mirror:
    """The station's master data: `view` is the newest whole state, also before the first contact with the cloud."""

    def __init__(self, store: MirrorStore, cookie: str, rows: dict[Key, Row]) -> None:
        self._store = store
        self._cookie = cookie
        self._rows = rows
        self.view = MasterView.of(rows.values())

    @classmethod
    async def load(cls, store: MirrorStore) -> "Mirror":
        """The state as it was last saved."""
        return cls(store, *(await store.load()))

    async def pull(self, cloud: Cloud, station: str) -> bool:
        """Bring the mirror up to date; whether anything changed. Raises CloudAway.

        A patch of several pages is applied when its last page is here: jobs never see half a state. A state whose checksum is
        not the cloud's is thrown away and pulled whole.
        """
        for cookie, rows in ((self._cookie, self._rows), ("", {})):
            try:
                after, new_cookie = await _whole(cloud, station, cookie, rows)
            except PatchFault as exc:
                log.warning("mirror_reset", reason=str(exc))
                continue
            if (new_cookie, after) == (self._cookie, self._rows):
                return False
            await self._store.save(self._rows, after, new_cookie)
            self._rows, self._cookie = after, new_cookie
            self.view = MasterView.of(after.values())
            log.info("mirror_updated", rows=len(after), unreadable=self.view.unreadable)
            return True
        raise CloudAway("the mirror's checksum does not match even after a full pull")

    async def keep(
        self, cloud: Cloud, station: str, *, every_s: float, backoff: Backoff, changed: Callable[[], Awaitable[None]]
    ) -> None:
        """Pull for ever; `changed` is called after every change."""
        while True:
            try:
                if await self.pull(cloud, station):
                    await changed()
                backoff.reset()
                pause_s = every_s
            except CloudAway as exc:
                pause_s = backoff.pause(exc.retry_s)
                log.debug("mirror_not_pulled", reason=str(exc))
            await asyncio.sleep(pause_s)


async def _whole(cloud: Cloud, station: str, cookie: str, rows: dict[Key, Row]) -> tuple[dict[Key, Row], str]:
    while True:
        patch = await cloud.pull(station, cookie)
        rows, cookie = applied(rows, patch), patch.cookie
        if not patch.more:
            return rows, cookie
